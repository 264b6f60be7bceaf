"""`python -m advisor refresh`: bring data/prices/ up to date from public feeds. It never runs by itself.

Each feed stands for itself: one that does not answer, has another shape, moves a price by more than 40 % or loses half
of a provider's rows leaves its rows as they are, and says so. A file is replaced in one step, after it was read back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar, get_args

from advisor.costs.feeds.api_feeds import litellm_offers, packaged_offers
from advisor.costs.feeds.cloud_feeds import GPUHUNT, SKYPILOT, exoscale_offers, gpuhunt_offers, skypilot_offers
from advisor.costs.feeds.electricity_feed import eurostat_link, eurostat_prices
from advisor.costs.feeds.exchange_rate_feed import ecb_rates
from advisor.costs.feeds.fetch import FeedError, as_json, as_text, fetch, unzipped
from advisor.costs.feeds.grid_feed import grid_rows
from advisor.costs.feeds.known_feeds import FEEDS, FeedUrls
from advisor.costs.feeds.price_changes import (
    cloud_prices,
    compare,
    rows_by_provider,
    tariffs_by_band,
    token_prices,
)
from advisor.costs.price_rows import ApiOffer, CloudOffer, Customer, ElectricityPrice, ExchangeRate, Grid
from advisor.costs.price_tables import FOLDER, GRID_KEY, write_table
from advisor.foundation.csv_rows import read_rows
from advisor.foundation.errors import InputError
from advisor.foundation.numbers import plural

_SHOWN_CHANGES = 40

RowT = TypeVar("RowT", CloudOffer, ApiOffer, ElectricityPrice, ExchangeRate, Grid)
_CLOUD = ("provider", "region", "instance", "gpu_id", "term")
_API = ("provider", "model")
_ELECTRICITY = ("country", "kind", "case")
_RATES = ("currency",)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one feed did: `changes` to read, and why it was not taken over, if it was not."""

    feed: str
    changes: tuple[str, ...]
    problem: str | None


def refresh(
    today: date,
    *,
    accept: bool = False,
    dry_run: bool = False,
    only: Iterable[str] = FEEDS,
    folder: Path = FOLDER,
    urls: FeedUrls | None = None,
) -> tuple[Outcome, ...]:
    """Update the tables in `folder` from the feeds in `only`; `accept` takes over what would be refused, `dry_run` only
    tells what would change.

    Raises DataError if a table is broken before anything is fetched.
    """
    where = urls or FeedUrls()
    tables = _Tables(folder, today, accept, dry_run)
    outcomes = []
    for feed in FEEDS:
        if feed in tuple(only):
            outcomes += _run(feed, tables, where)
    return tuple(outcomes)


def report(outcomes: Iterable[Outcome], shown: int = _SHOWN_CHANGES) -> str:
    """What happened, for people: one block for each feed, with its changes as a difference to review."""
    lines = []
    for outcome in outcomes:
        changed = plural(len(outcome.changes), "change") if outcome.changes else "ok"
        state = "kept as it is" if outcome.problem else changed
        lines.append(f"{outcome.feed}: {state}")
        lines += [f"  {change}" for change in outcome.changes[:shown]]
        if len(outcome.changes) > shown:
            lines.append(f"  and {len(outcome.changes) - shown} more")
        if outcome.problem:
            lines.append(f"  {outcome.problem}")
    return "\n".join(lines)


class _Tables:
    """The files, read before the first feed is asked, and replaced one by one."""

    def __init__(self, folder: Path, today: date, accept: bool, dry_run: bool):
        self.folder, self.today, self.accept, self.dry_run = folder, today, accept, dry_run
        self.cloud = read_rows(folder / "cloud.csv", CloudOffer, _CLOUD)
        self.api = read_rows(folder / "api.csv", ApiOffer, _API)
        self.electricity = read_rows(folder / "electricity.csv", ElectricityPrice, _ELECTRICITY)
        self.rates = read_rows(folder / "exchange_rates.csv", ExchangeRate, _RATES)
        self.grid = read_rows(folder / "grid.csv", Grid, GRID_KEY)

    def _write(self, name: str, rows: tuple[RowT, ...], kind: type[RowT], key: tuple[str, ...]) -> tuple[RowT, ...]:
        """Replace a file, unless it is only looked at what would change."""
        return rows if self.dry_run else _replace(self.folder / name, rows, kind, key)

    def update_cloud(self, feed: str, new: tuple[CloudOffer, ...], replaced: Callable[[CloudOffer], bool]) -> Outcome:
        """Put `new` in the place of the rows that are `replaced`."""
        old = tuple(row for row in self.cloud if replaced(row))
        changes, doubts = compare(cloud_prices(old), cloud_prices(new), rows_by_provider(old), rows_by_provider(new))
        if doubts and not self.accept:
            return _refused(feed, changes, doubts)
        rows = (*(row for row in self.cloud if not replaced(row)), *new)
        self.cloud = self._write("cloud.csv", rows, CloudOffer, _CLOUD)
        return Outcome(feed, tuple(changes), None)

    def update_api(self, feed: str, new: tuple[ApiOffer, ...]) -> Outcome:
        """Put `new` in the place of the rows that come from this feed."""
        old = tuple(row for row in self.api if row.feed == feed)
        changes, doubts = compare(token_prices(old), token_prices(new), rows_by_provider(old), rows_by_provider(new))
        if doubts and not self.accept:
            return _refused(feed, changes, doubts)
        fresh = {(row.provider, row.model): row for row in new}
        rows = tuple(
            fresh[row.provider, row.model] if row.feed == feed else row
            for row in self.api
            if row.feed != feed or (row.provider, row.model) in fresh
        )
        self.api = self._write("api.csv", rows, ApiOffer, _API)
        return Outcome(feed, tuple(changes), None)

    def update_electricity(self, feed: str, kind: Customer, new: tuple[ElectricityPrice, ...]) -> Outcome:
        """Put `new` in the place of the rows of the same country, kind of customer and case; no other row goes."""
        names = {row.country: row.name for row in self.electricity}
        named = [row.model_copy(update={"name": names.get(row.country, row.name)}) for row in new]
        fresh = {(row.country, row.case): row for row in named}
        # A country needs its typical tariff, and a case of another source must not stand beside a new one.
        typical = {country for country, case in fresh if case == "typical"}
        fresh = {key: row for key, row in fresh.items() if key[0] in typical}
        served = tuple(row for row in self.electricity if row.kind == kind)
        old = tuple(row for row in served if (row.country, row.case) in fresh)
        kept = tuple(row for row in self.electricity if row.kind != kind or row.country not in typical)
        before = tuple(row for row in served if row.feed == "eurostat")
        after = (*(row for row in before if row.country not in typical), *fresh.values())
        changes, doubts = compare(
            tariffs_by_band(old),
            tariffs_by_band(fresh.values()),
            Counter(Eurostat=len(before)),
            Counter(Eurostat=len(after)),
        )
        if doubts and not self.accept:
            return _refused(feed, changes, doubts)
        rows = (*fresh.values(), *kept)
        self.electricity = self._write("electricity.csv", rows, ElectricityPrice, _ELECTRICITY)
        return Outcome(feed, tuple(changes), None)

    def update_grid(self, feed: str, new: tuple[Grid, ...]) -> Outcome:
        """Put the new figures in the place of the old."""
        old_grams, new_grams = (
            {f"{row.country}, g per kWh": row.g_per_kwh for row in rows} for rows in (self.grid, new)
        )
        changes, doubts = compare(old_grams, new_grams, {}, {})
        if doubts and not self.accept:
            return _refused(feed, changes, doubts)
        self.grid = self._write("grid.csv", new, Grid, GRID_KEY)
        return Outcome(feed, tuple(changes), None)

    def update_rates(self, feed: str, new: tuple[ExchangeRate, ...]) -> Outcome:
        """Put the new rates in the place of the old."""
        old_rates, new_rates = (
            {f"{row.currency} for one EUR": row.per_eur for row in rows} for rows in (self.rates, new)
        )
        changes, doubts = compare(old_rates, new_rates, {}, {})
        if doubts and not self.accept:
            return _refused(feed, changes, doubts)
        self.rates = self._write("exchange_rates.csv", new, ExchangeRate, _RATES)
        return Outcome(feed, tuple(changes), None)


def _run(feed: str, tables: _Tables, urls: FeedUrls) -> list[Outcome]:
    if feed == "gpuhunt":
        return [_guarded(f"{feed}, {name}", _from_gpuhunt(tables, urls, key, name)) for key, name in GPUHUNT.items()]
    if feed == "skypilot":
        return [_guarded(f"{feed}, {name}", _from_skypilot(tables, urls, key, name)) for key, name in SKYPILOT.items()]
    if feed == "eurostat":
        return [_guarded(f"{feed}, {kind}", _from_eurostat(tables, urls, kind)) for kind in get_args(Customer)]
    work = {
        "genai-prices": _from_package,
        "litellm": _from_litellm,
        "exoscale": _from_exoscale,
        "ecb": _from_ecb,
        "co2.js": _from_grid,
    }[feed]
    return [_guarded(feed, lambda: work(tables, urls))]


def _guarded(feed: str, work: Callable[[], Outcome]) -> Outcome:
    try:
        return work()
    except FeedError as error:
        return Outcome(feed, (), str(error))


def _from_gpuhunt(tables: _Tables, urls: FeedUrls, key: str, provider: str) -> Callable[[], Outcome]:
    def work() -> Outcome:
        feed = f"gpuhunt, {provider}"
        base = f"{urls.gpuhunt}/{key}"
        release = as_text(feed, fetch(feed, f"{base}/version")).strip()
        if not release.replace("-", "").replace(".", "").isalnum() or len(release) > 40:
            raise FeedError("{feed}: the version is not a plain word.", feed=feed)
        link = f"{base}/{release}/catalog.zip"
        text = as_text(feed, unzipped(feed, fetch(feed, link), f"{key}.csv"))
        return _cloud(tables, feed, gpuhunt_offers(provider, text, link, _day_of(release), tables.today), provider)

    return work


def _day_of(release: str) -> date | None:
    """The day of "20261124-12"; None where a release is not called by one."""
    try:
        return date.fromisoformat(release[:8])
    except ValueError:
        return None


def _from_skypilot(tables: _Tables, urls: FeedUrls, key: str, provider: str) -> Callable[[], Outcome]:
    def work() -> Outcome:
        feed, link = f"skypilot, {provider}", f"{urls.skypilot}/{key}/vms.csv"
        text = as_text(feed, fetch(feed, link))
        return _cloud(tables, feed, skypilot_offers(provider, text, link, tables.today), provider)

    return work


def _cloud(tables: _Tables, feed: str, new: tuple[CloudOffer, ...], provider: str) -> Outcome:
    """A catalogue replaces the provider's rows of the terms it has; one-year prices, which it never has, stay."""
    if not new:
        raise FeedError("{feed}: not one offer of a known GPU.", feed=feed)
    terms = {row.term for row in new}
    return tables.update_cloud(feed, new, lambda row: row.provider == provider and row.term in terms)


def _from_exoscale(tables: _Tables, urls: FeedUrls) -> Outcome:
    rows = tuple(row for row in tables.cloud if row.feed.startswith("exoscale:"))
    new = exoscale_offers(as_json("Exoscale", fetch("Exoscale", urls.exoscale)), rows, tables.today)
    return tables.update_cloud("exoscale", new, lambda row: row.feed.startswith("exoscale:"))


def _from_litellm(tables: _Tables, urls: FeedUrls) -> Outcome:
    rows = tuple(row for row in tables.api if row.feed == "litellm")
    models = as_json("LiteLLM", fetch("LiteLLM", urls.litellm))
    return tables.update_api("litellm", litellm_offers(models, rows, tables.today))


def _from_package(tables: _Tables, urls: FeedUrls) -> Outcome:
    rows = tuple(row for row in tables.api if row.feed == "genai-prices")
    return tables.update_api("genai-prices", packaged_offers(rows, version("genai-prices"), tables.today))


def _from_eurostat(tables: _Tables, urls: FeedUrls, kind: Customer) -> Callable[[], Outcome]:
    def work() -> Outcome:
        feed, link = f"eurostat, {kind}", eurostat_link(urls.eurostat, kind)
        found = eurostat_prices(as_json(feed, fetch(feed, link)), link, kind, tables.today)
        return tables.update_electricity(feed, kind, found)

    return work


def _from_ecb(tables: _Tables, urls: FeedUrls) -> Outcome:
    wanted = [row.currency for row in tables.rates]
    return tables.update_rates("ecb", ecb_rates(as_text("ECB", fetch("ECB", urls.ecb)), urls.ecb, wanted, tables.today))


def _from_grid(tables: _Tables, urls: FeedUrls) -> Outcome:
    found = grid_rows(as_json("co2.js", fetch("co2.js", urls.grid)), tables.grid, urls.grid, tables.today)
    return tables.update_grid("co2.js", found)


def _refused(feed: str, changes: list[str], doubts: list[str]) -> Outcome:
    more = f", and {len(doubts) - 3} more" if len(doubts) > 3 else ""
    return Outcome(feed, tuple(changes), f"Refused: {'; '.join(doubts[:3])}{more}. If it is right, run with --accept.")


def _replace(path: Path, rows: tuple[RowT, ...], kind: type[RowT], key: tuple[str, ...]) -> tuple[RowT, ...]:
    """Write a table beside the old one, read it back, and only then put it in its place."""
    new = path.with_name(f".{path.name}.new")
    try:
        write_table(new, rows, tuple(_columns(path)))
        found = read_rows(new, kind, key)
        new.replace(path)
    except OSError as error:
        raise InputError(
            "{path} cannot be replaced: {reason}; run it as who installed it.",
            path=path.name,
            reason=error.strerror or "",
        ) from None
    finally:
        new.unlink(missing_ok=True)
    return found


def _columns(path: Path) -> list[str]:
    """The columns in the order in which they stand in the file, so that a refresh changes only what changed."""
    with path.open(encoding="utf-8-sig") as file:
        return file.readline().strip().split(",")
