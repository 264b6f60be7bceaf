"""Bills by plain arithmetic from the tables in data/, to hold the engine's against: nothing here is the engine's.

What is rounded is what data/prices/SOURCES.md says: converted prices to a millionth, watts to a tenth, resale to a
hundredth of a percent, lines of a bill to the cent.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

TODAY = date(2026, 11, 30)
DATA = Path(__file__).resolve().parents[2] / "data"
COLUMNS = {"low": 0, "typical": 1, "high": 2}
OPPOSITE = {"low": "high", "typical": "typical", "high": "low"}


@dataclass(frozen=True)
class Scenario:
    """One question: what is bought, how fast it is (low, typical, high in tokens/s), and what is given.

    `host` and `fits` say in which class of computer it stands and how many devices that has; `copies` how often what
    is bought holds the plan; `family` under which name hosts sell the model.
    """

    machine: str
    devices: int
    host: str
    decode: tuple[float, float, float]
    prefill: tuple[float, float, float]
    together: tuple[float, float, float] | None = None
    at_once: int = 1
    bought: int | None = None
    copies: int = 1
    hosts: int = 1
    ram_gib: int = 0
    resale: str = "card"
    family: str = "llama-3.3-70b"
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Bill:
    """A month, what is paid at once, and all of it over the years after resale."""

    month: Decimal
    upfront: Decimal
    total: Decimal


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def figure(name: str, case: str) -> Decimal:
    row = next(row for row in rows("prices/tco.csv") if row["parameter"] == name)
    return Decimal(row[case] or row["typical"])


def moved(as_of: str, case: str) -> Decimal:
    """How far a price may have moved since the day of its source, over what it was then."""
    old = not as_of or (TODAY - date.fromisoformat(as_of)).days > 90
    by = figure("old_price", "typical") / 100 if old and case != "typical" else Decimal(0)
    return 1 - by if case == "low" else 1 + by


def money(name: str, case: str) -> Decimal:
    """A figure that is a price."""
    row = next(row for row in rows("prices/tco.csv") if row["parameter"] == name)
    return figure(name, case) * moved(row["as_of"], case)


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def tenth(watts: Decimal) -> Decimal:
    return watts.quantize(Decimal("0.1"))


def convert(amount: Decimal, currency: str, wanted: str) -> Decimal:
    if currency == wanted:
        return amount
    rates = {row["currency"]: Decimal(row["per_eur"]) for row in rows("prices/exchange_rates.csv")}
    return (amount * rates[wanted] / rates[currency]).quantize(Decimal("0.000001"), ROUND_HALF_UP)


class Asked:
    """A scenario with what follows from its load."""

    def __init__(self, asked: Scenario, case: str) -> None:
        given = asked.given
        self.asked, self.case, self.given = asked, case, given
        self.currency = given.get("currency", "USD")
        self.years, self.buyer = given.get("years", 3), given.get("buyer", "hobby")
        tokens_in, tokens_out = given.get("tokens_in", 1000), given.get("tokens_out", 200)
        self.both = tokens_in + tokens_out
        self.new = Decimal(tokens_in) * (100 - Decimal(str(given.get("cached_percent", 0)))) / 100
        self.old, self.out = tokens_in - self.new, Decimal(tokens_out)
        requests = Decimal(str(given.get("requests_per_day", 1000)))
        self.tokens = math.ceil(requests * self.both * 365 / 12)
        waits = Decimal(str(given.get("batch_percent", 0))) / 100
        self.waits = waits
        peak = max(Decimal(1), Decimal(str(given.get("peak_factor", 3))) * (1 - waits))
        place = {"low": 2, "typical": 1, "high": 0}[case]  # the cheap case is the fast one
        decode, prefill = Decimal(f"{asked.decode[place]:.6g}"), Decimal(f"{asked.prefill[place]:.6g}")
        all_ = Decimal(f"{(asked.together or asked.decode)[place]:.6g}")
        self.reading, self.writing = self.new / prefill, self.out / decode
        self.hours = Decimal(730)
        month = self.hours * 3600 * self.both
        company = self.buyer != "hobby"
        self.down = figure("downtime", case) / 100 if company else Decimal(0)
        self.serves = month / (peak * (self.reading + self.out / all_))
        self.busy = month / (self.reading + self.writing)
        self.machine = next(row for row in rows("machines.csv") if row["id"] == asked.machine)

    def usd(self, amount: Decimal) -> Decimal:
        return convert(amount, "USD", self.currency)

    @property
    def vat(self) -> Decimal:
        return Decimal(str(self.given.get("vat_percent", 0))) / 100

    def with_vat(self, lines: list[Decimal]) -> Decimal:
        net = sum((cents(line) for line in lines), Decimal(0))
        return net + cents(net * self.vat)


def own(scenario: Scenario, case: str) -> Bill:
    """Bought: hardware written off, electricity, and what a company pays besides."""
    a = Asked(scenario, case)
    copies = scenario.copies
    serves, busy = a.serves * copies * (1 - a.down), a.busy * copies * (1 - a.down)
    machines = math.ceil(a.tokens / serves) + (1 if a.buyer == "data-centre" else 0)
    upfront = cents(_hardware(a))
    network = cents(upfront * figure("network", case) / 100)
    share = _resale(a)
    months = 12 * a.years
    lines = [machines * upfront * (1 - share) / months]
    joined = machines > 1 or scenario.hosts > 1
    if joined:
        lines.append(machines * network / months)
    idle, writes, reads = _watts(a)
    pue = figure("pue", case) if a.machine["kind"] == "datacenter-gpu" else Decimal(1)
    counted = min(Decimal(a.tokens), machines * busy) / a.both
    kwh = machines * a.hours * idle / 1000 * pue
    kwh += counted * (a.reading * (reads - idle) + a.writing * (writes - idle)) / 3600 / 1000 * pue
    lines.append(kwh * _tariff(a))
    capital = Decimal(0)
    if a.buyer != "hobby":
        capital = machines * upfront * (1 + share) / 2 * figure("cost_of_capital", case) / 100 / 12
        lines.append(capital)
        lines.append(machines * max(reads, writes) / 1000 * a.usd(money("colocation_per_kw_month", case)))
        repairs = "support_contract" if a.buyer == "data-centre" else "hardware_repairs"
        lines.append(machines * upfront * figure(repairs, case) / 100 / 12)
        rate = a.usd(money("staff_rate", case))
        lines.append(machines * figure("admin_hours_per_server_month", case) * rate)
        if a.buyer == "data-centre":
            lines.append(figure("operation_hours", case) * rate)
    month = a.with_vat(lines)
    paid = cents(machines * (upfront + (network if joined else 0)) * (1 + a.vat))
    written_off = cents((cents(lines[0]) + (cents(lines[1]) if joined else 0)) * (1 + a.vat))
    back = cents(machines * upfront * share * (1 + a.vat))
    return Bill(month, paid, paid - back + months * (month - written_off))


def _hardware(a: Asked) -> Decimal:
    scenario, given, row = a.asked, a.given, a.machine
    if "device_price" in given:
        device = Decimal(str(given["device_price"]))
    elif row["kind"] == "cpu-platform":  # in the price of the computer
        device = Decimal(0)
    else:
        sold = [each for each in rows("prices/hardware.csv") if each["machine"] == row["id"]]
        sold.sort(key=lambda each: each["market"])
        offer = next(each for each in sold if a.given.get("market", "any") in ("any", each["market"]))
        device = a.usd(Decimal(offer[a.case] or offer["typical"]) * moved(offer["as_of"], a.case))
    devices = (scenario.bought or scenario.devices) * device
    if not scenario.host:
        return devices
    if "host_price" in given:
        return devices + Decimal(str(given["host_price"]))
    host = next(each for each in rows("prices/hosts.csv") if each["host"] == scenario.host)
    has = Decimal(scenario.ram_gib) if row["kind"] == "cpu-platform" else max(
        Decimal(scenario.ram_gib), Decimal(host["ram_usual_gb"])
    )  # fmt: skip
    more = max(Decimal(0), has - Decimal(host["ram_gb"]))
    sold_for = Decimal(host[f"price_{a.case}"]) * moved(host["as_of"], a.case)
    around = a.usd(sold_for) + more * a.usd(money(f"ram_{host['ram_type']}", a.case))
    return devices + scenario.hosts * around


def _resale(a: Asked) -> Decimal:
    if "resale_percent" in a.given:
        return Decimal(str(a.given["resale_percent"])) / 100
    column = OPPOSITE[a.case]
    points = [(0, Decimal(1))] + [
        (int(row["year"]), Decimal(row[column]) / 100)
        for row in rows("prices/resale.csv")
        if row["kind"] == a.asked.resale
    ]
    first, second = next((pair for pair in pairwise(points) if pair[0][0] <= a.years < pair[1][0]), points[-2:])
    part = Decimal(a.years - first[0]) / (second[0] - first[0])
    return (first[1] * (second[1] / first[1]) ** part).quantize(Decimal("0.0001"))


def _watts(a: Asked) -> tuple[Decimal, Decimal, Decimal]:
    """At the wall: idle, writing, reading, of everything that one machine is."""
    scenario, row, case = a.asked, a.machine, a.case
    bought = scenario.bought or scenario.devices
    whole = {"dgx-spark-128gb": "dgx-spark-*", "apple-m3-ultra-60c-96gb": "apple-m3-ultra-*"}.get(row["id"])
    if whole:
        measured = next(each for each in rows("prices/power.csv") if each["machines"] == whole)
        load = Decimal(measured["load_w"])
        return Decimal(measured["idle_w"]), load, load
    host = next(each for each in rows("prices/hosts.csv") if each["host"] == scenario.host)
    supply = Decimal(host["psu_efficiency"])
    limit = min(Decimal(row["tdp_w"]), Decimal(a.given.get("power_limit_w", row["tdp_w"])))
    if row["kind"] == "cpu-platform":
        share = _usual_idle_share()
        idle, writes, reads = tenth(limit * share / supply), tenth(limit / supply), tenth(limit / supply)
    else:
        loaded = "module_power_idle_loaded" if row["kind"] == "datacenter-gpu" else "card_power_idle_loaded"
        idle = tenth(max(Decimal(row["idle_w"] or 0), limit * figure(loaded, case) / 100) / supply)
        writes = tenth(limit * figure("card_power_writing", case) / 100 / supply)
        reads = tenth(limit * figure("card_power_reading", case) / 100 / supply)
        idle = min(idle, writes, reads)
    host_idle, host_load = tenth(Decimal(host["idle_w"]) / supply), tenth(Decimal(host[f"load_w_{case}"]) / supply)
    host_idle = min(host_idle, host_load)
    resting = bought * idle + scenario.hosts * host_idle
    more = (host_load - host_idle) * scenario.hosts / scenario.copies
    return (
        tenth(resting),
        tenth(resting + scenario.devices * (writes - idle) + more),
        tenth(resting + scenario.devices * (reads - idle) + more),
    )


def _usual_idle_share() -> Decimal:
    shares = sorted(
        Decimal(row["idle_w"]) / Decimal(row["tdp_w"]) for row in rows("machines.csv") if row["idle_w"] and row["tdp_w"]
    )
    return round(shares[len(shares) // 2], 2)


def _tariff(a: Asked) -> Decimal:
    country, kind = a.given.get("country", "US"), a.given.get("customer", "business")
    there = [row for row in rows("prices/electricity.csv") if row["country"] == country]
    table = {row["case"]: row for row in there if row["kind"] == kind} or {row["case"]: row for row in there}
    row = table.get(a.case, table["typical"])
    paid = convert(Decimal(row["price_per_kwh"]), row["currency"], a.currency)
    return paid * moved(table["typical"]["as_of"], a.case)


def rent(scenario: Scenario, case: str) -> Bill | None:
    """Rented by the hour: of each provider's smallest that holds the plan its cheapest, of those the median."""
    a = Asked(scenario, case)
    term, region = a.given.get("term", "on-demand"), a.given.get("region", "any")
    offers: list[tuple[int, str, Decimal, str]] = []
    for row in rows("prices/cloud.csv"):
        if row["gpu_id"] != scenario.machine or row["term"] != term or region not in ("any", row["region"]):
            continue
        gpus = int(row["gpus"])
        if row["sold_by"] == "gpu":
            if scenario.devices > 8:
                continue
            copies, times = 1, scenario.devices
        elif gpus >= scenario.devices:
            copies, times = gpus // scenario.devices, 1
        else:
            continue
        currency = a.currency if a.currency in row["currencies"].split() else row["currencies"].split()[0]
        hourly = convert(Decimal(row["price_per_hour"]), currency, a.currency) * times * moved(row["as_of"], case)
        offers.append((copies, row["provider"], hourly, row["instance"]))
    if not offers:
        return None
    least = min(copies for copies, *_ in offers)
    instances = math.ceil(a.tokens / (a.serves * least))
    lines: dict[str, Decimal] = {}
    for copies, provider, hourly, _ in offers:
        if copies == least:
            staff = Decimal(0)
            if a.buyer == "data-centre":
                staff = cents(figure("operation_hours", "typical") * a.usd(money("staff_rate", "typical")))
            month = a.with_vat([instances * hourly * a.hours, staff])
            lines[provider] = min(month, lines.get(provider, month))
    ranked = sorted(lines.values())
    month = {"low": ranked[0], "typical": ranked[(len(ranked) - 1) // 2], "high": ranked[-1]}[case]
    return Bill(month, Decimal(0), 12 * a.years * month)


def api(scenario: Scenario, case: str, today: date) -> Bill | None:
    """Paid by the token: of each host its cheapest, of those the median."""
    a = Asked(scenario, case)
    off = {(row["provider"], row["kind"]): Decimal(row["percent"]) / 100 for row in rows("prices/discounts.csv")}
    hosts: dict[str, Decimal] = {}
    bills: dict[Decimal, Decimal] = {}
    listed: list[tuple[str, Decimal, Decimal, Decimal | None]] = []
    if "api_input_price" in a.given:
        sent, written = (Decimal(str(a.given[f"api_{part}_price"])) for part in ("input", "output"))
        listed.append(("you", sent, written, None))
    else:
        for row in rows("prices/api.csv"):
            if row["family"] != scenario.family or row["open_weights"] != "yes":
                continue
            if row["retires_on"] and date.fromisoformat(row["retires_on"]) <= today:
                continue
            by = moved(row["as_of"], case)
            sent, written, again = _now(row, today)
            cached = None if again is None else a.usd(again) * by
            listed.append((row["provider"], a.usd(sent) * by, a.usd(written) * by, cached))
    months = 12 * a.years
    fall = figure("api_price_decline", "typical") / 100 if a.buyer != "hobby" else Decimal(0)
    mean = round(sum((1 - fall) ** (Decimal(month) / 12) for month in range(months)) / months, 4)
    for provider, sent, written, again in listed:
        batch = off.get((provider, "batch"), Decimal(0)) if a.waits else Decimal(0)
        less = off.get((provider, "cached"))
        price = again if again is not None else sent * (1 - less) if less is not None else sent
        requests = Decimal(a.tokens) / a.both / 1_000_000 * (1 - a.waits * batch) * mean
        parts = [requests * a.new * sent, requests * a.old * price, requests * a.out * written]
        if price == sent and again is None and less is None:  # nothing is charged apart
            parts = [parts[0] + parts[1], parts[2]]
        worth = sum(parts, Decimal(0))
        if provider not in hosts or worth < hosts[provider]:
            hosts[provider] = worth
            bills[worth] = a.with_vat(parts)
    if not hosts:
        return None
    ranked = sorted(hosts.values())
    worth = {"low": ranked[0], "typical": ranked[(len(ranked) - 1) // 2], "high": ranked[-1]}[case]
    return Bill(bills[worth], Decimal(0), months * bills[worth])


def _now(row: dict[str, str], today: date) -> tuple[Decimal, Decimal, Decimal | None]:
    """The row's price, or what the installed package of prices says of it that day."""
    from genai_prices.data_snapshot import get_snapshot

    listed = Decimal(row["input_per_mtok"]), Decimal(row["output_per_mtok"])
    again = Decimal(row["cached_per_mtok"]) if row["cached_per_mtok"] else None
    if row["feed"] != "genai-prices":
        return *listed, again
    provider, _, model = row["feed_key"].partition("/")
    for each in get_snapshot().providers:
        for known in each.models:
            if (each.id, known.id) == (provider, model):
                prices: Any = known.get_prices(datetime(today.year, today.month, today.day, 12, tzinfo=UTC))
                sent, written, cached = (
                    getattr(price, "base", price)
                    for price in (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok)
                )
                if sent and written:
                    return Decimal(sent), Decimal(written), None if cached is None else Decimal(cached)
    return *listed, again
