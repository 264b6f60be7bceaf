"""What public feeds say about GPUs by the hour, as rows of data/prices/cloud.csv. Nothing here writes a file.

gpuhunt publishes one zip with one CSV for each provider, SkyPilot one CSV for each provider, Exoscale one JSON object
by currency and product, an hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from advisor.costs.feeds.feed_gpus import gpu_id_of, region_of
from advisor.costs.feeds.feed_rows import amount, checked, csv_rows
from advisor.costs.feeds.fetch import FeedError
from advisor.costs.money import plain
from advisor.costs.price_rows import CloudOffer, RentalTerm
from advisor.foundation.dated_rows import Seen

GPUHUNT = {
    "aws": "AWS",
    "azure": "Azure",
    "verda": "Verda",
    "gcp": "Google Cloud",
    "lambdalabs": "Lambda",
    "nebius": "Nebius",
    "oci": "Oracle OCI",
    "runpod": "RunPod",
}
SKYPILOT = {"hyperstack": "Hyperstack", "jarvislabs": "Jarvis Labs"}


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a cloud catalogue."""

    instance: str
    location: str
    price: Decimal
    gpus: int
    gpu_id: str | None
    spot: bool


def gpuhunt_offers(provider: str, text: str, source: str, as_of: date | None, today: date) -> tuple[CloudOffer, ...]:
    """Offers of a gpuhunt catalogue of that day; raises FeedError."""
    columns = ("instance_name", "location", "price", "gpu_count", "gpu_name", "gpu_memory", "spot")
    name = f"gpuhunt, {provider}"

    def seen() -> Iterator[_Line]:
        for number, row in csv_rows(name, text, columns):
            count = amount(name, number, "gpu_count", row["gpu_count"] or "0")
            if count:
                memory = amount(name, number, "gpu_memory", row["gpu_memory"]) if row["gpu_memory"] else None
                yield _Line(
                    row["instance_name"],
                    row["location"],
                    amount(name, number, "price", row["price"]),
                    int(count),
                    gpu_id_of(
                        row["gpu_name"], None if memory is None else float(memory), provider, row["instance_name"]
                    ),
                    row["spot"].lower() == "true",
                )

    return _cheapest(provider, seen(), "gpuhunt", Seen(source, as_of, today))


def skypilot_offers(provider: str, text: str, source: str, today: date) -> tuple[CloudOffer, ...]:
    """Offers of a SkyPilot catalogue, which has no date; raises FeedError. Its memory column is wrong for some, so it
    is not read.
    """
    columns = ("InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region")
    name = f"SkyPilot, {provider}"

    def seen() -> Iterator[_Line]:
        for number, row in csv_rows(name, text, columns):
            count = amount(name, number, "AcceleratorCount", row["AcceleratorCount"] or "0")
            if not count or count != int(count):
                continue
            gpu_id = gpu_id_of(row["AcceleratorName"], None, provider, row["InstanceType"])
            for column, spot in (("Price", False), ("SpotPrice", True)):
                if row.get(column):
                    price = amount(name, number, column, row[column])
                    yield _Line(row["InstanceType"], row["Region"], price, int(count), gpu_id, spot)

    return _cheapest(provider, seen(), "skypilot", Seen(source, None, today))


def exoscale_offers(prices: dict[str, Any], rows: Iterable[CloudOffer], today: date) -> tuple[CloudOffer, ...]:
    """Our Exoscale rows with today's prices; one that is not sold any more is left out. Raises FeedError."""
    tables = {currency: prices.get(currency.lower()) for currency in ("USD", "EUR", "CHF")}
    if not all(isinstance(table, dict) for table in tables.values()):
        raise FeedError("Exoscale: there is no price table for USD, EUR and CHF.")
    found = []
    for row in rows:
        key = row.feed.partition(":")[2]
        cells = {currency: table[key] for currency, table in tables.items() if table and key in table}
        if "USD" not in cells:
            continue
        amounts = {currency: amount("Exoscale", 0, key, str(cell)) for currency, cell in cells.items()}
        same = [currency for currency, amount in amounts.items() if amount == amounts["USD"]]
        changed = {"price_per_hour": _hourly(amounts["USD"]), "currencies": " ".join(same)}
        changed |= {"as_of": today, "checked": today}
        found.append(checked(CloudOffer, "Exoscale", {**row.model_dump(), **changed}))
    return tuple(found)


def _cheapest(provider: str, lines: Iterable[_Line], feed: str, seen: Seen) -> tuple[CloudOffer, ...]:
    """One offer for each instance, region and term: the cheapest location's."""
    best: dict[tuple[str, str, RentalTerm], tuple[_Line, str]] = {}
    for each in lines:
        region = region_of(each.location)
        if each.gpu_id is None or region is None or each.price <= 0:
            continue
        term: RentalTerm = "spot" if each.spot else "on-demand"
        key = (each.instance, region, term)
        if key not in best or each.price < best[key][0].price:
            best[key] = each, each.gpu_id
    return tuple(
        checked(
            CloudOffer,
            f"{feed}, {provider}",
            {
                "provider": provider,
                "region": region,
                "instance": f"{instance} ({each.location})",
                "gpu_id": gpu_id,
                "gpus": each.gpus,
                "sold_by": "instance",
                "term": term,
                "price_per_hour": _hourly(each.price),
                "currencies": "USD",
                **seen._asdict(),
                "feed": feed,
                "notes": "",
            },
        )
        for (instance, region, term), (each, gpu_id) in sorted(best.items())
    )


def _hourly(price: Decimal) -> Decimal:
    """A price an hour with the four digits our table has, without zeros at the end."""
    return Decimal(plain(round(price, 4)))
