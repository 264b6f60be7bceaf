"""`python -m advisor refresh`: bring data/prices/ up to date from public feeds. It never runs by itself.

Each feed stands for itself: one that does not answer, has another shape, moves a price by more than 40 % or loses half
of a provider's rows leaves its rows as they are, and says so. A file is replaced in one step, after it was read back.
Offers of more than a year ago are dropped, whoever they are from; what hosts of the table ask for further models of the
catalogue is added where a feed says since when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import get_args

from advisor.costs.feeds.api_feeds import litellm_offers, packaged_offers, unlisted_offers
from advisor.costs.feeds.cloud_feeds import GPUHUNT, SKYPILOT, exoscale_offers, gpuhunt_offers, skypilot_offers
from advisor.costs.feeds.electricity_feed import eurostat_link, eurostat_prices
from advisor.costs.feeds.exchange_rate_feed import ecb_rates
from advisor.costs.feeds.fetch import FeedError, as_json, as_text, fetch, unzipped
from advisor.costs.feeds.grid_feed import grid_rows
from advisor.costs.feeds.known_feeds import FEEDS, FeedUrls
from advisor.costs.feeds.refreshed_tables import Outcome, Tables
from advisor.costs.price_rows import CloudOffer, Customer
from advisor.costs.price_tables import FOLDER
from advisor.foundation.numbers import plural

_SHOWN_CHANGES = 40
_OFFERS = {"genai-prices", "litellm", "gpuhunt", "skypilot", "exoscale"}  # feeds of what is offered somewhere


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
    where, wanted = urls or FeedUrls(), set(only)
    tables = Tables(folder, today, accept, dry_run)
    outcomes = []
    for feed in FEEDS:
        if feed in wanted:
            outcomes += _run(feed, tables, where)
    if wanted & _OFFERS:
        outcomes += tables.drop_history()
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


def _run(feed: str, tables: Tables, urls: FeedUrls) -> list[Outcome]:
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


def _from_gpuhunt(tables: Tables, urls: FeedUrls, key: str, provider: str) -> Callable[[], Outcome]:
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


def _from_skypilot(tables: Tables, urls: FeedUrls, key: str, provider: str) -> Callable[[], Outcome]:
    def work() -> Outcome:
        feed, link = f"skypilot, {provider}", f"{urls.skypilot}/{key}/vms.csv"
        text = as_text(feed, fetch(feed, link))
        return _cloud(tables, feed, skypilot_offers(provider, text, link, tables.today), provider)

    return work


def _cloud(tables: Tables, feed: str, new: tuple[CloudOffer, ...], provider: str) -> Outcome:
    """A catalogue replaces the provider's rows of the terms it has; one-year prices, which it never has, stay."""
    if not new:
        raise FeedError("{feed}: not one offer of a known GPU.", feed=feed)
    terms = {row.term for row in new}
    return tables.update_cloud(feed, new, lambda row: row.provider == provider and row.term in terms)


def _from_exoscale(tables: Tables, urls: FeedUrls) -> Outcome:
    rows = tuple(row for row in tables.cloud if row.feed.startswith("exoscale:"))
    new = exoscale_offers(as_json("Exoscale", fetch("Exoscale", urls.exoscale)), rows, tables.today)
    return tables.update_cloud("exoscale", new, lambda row: row.feed.startswith("exoscale:"))


def _from_litellm(tables: Tables, urls: FeedUrls) -> Outcome:
    rows = tuple(row for row in tables.api if row.feed == "litellm")
    models = as_json("LiteLLM", fetch("LiteLLM", urls.litellm))
    return tables.update_api("litellm", litellm_offers(models, rows, tables.today))


def _from_package(tables: Tables, urls: FeedUrls) -> Outcome:
    rows = tuple(row for row in tables.api if row.feed == "genai-prices")
    release = version("genai-prices")
    new = (*packaged_offers(rows, release, tables.today), *unlisted_offers(tables.api, release, tables.today))
    return tables.update_api("genai-prices", new)


def _from_eurostat(tables: Tables, urls: FeedUrls, kind: Customer) -> Callable[[], Outcome]:
    def work() -> Outcome:
        feed, link = f"eurostat, {kind}", eurostat_link(urls.eurostat, kind)
        found = eurostat_prices(as_json(feed, fetch(feed, link)), link, kind, tables.today)
        return tables.update_electricity(feed, kind, found)

    return work


def _from_ecb(tables: Tables, urls: FeedUrls) -> Outcome:
    wanted = [row.currency for row in tables.rates]
    return tables.update_rates("ecb", ecb_rates(as_text("ECB", fetch("ECB", urls.ecb)), urls.ecb, wanted, tables.today))


def _from_grid(tables: Tables, urls: FeedUrls) -> Outcome:
    found = grid_rows(as_json("co2.js", fetch("co2.js", urls.grid)), tables.grid, urls.grid, tables.today)
    return tables.update_grid("co2.js", found)
