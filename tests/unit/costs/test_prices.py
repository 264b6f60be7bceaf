"""The price tables: what every row must hold, what a broken row says, and where prices of APIs come from."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from advisor.costs import api_prices
from advisor.costs.api_prices import closed_prices, family_of, packaged_price, prices_of
from advisor.costs.inputs import Billing
from advisor.costs.money import OLD_AFTER_DAYS, cents, converter_of, per_million, plain, shown
from advisor.costs.price_rows import (
    ApiOffer,
    CloudOffer,
    Discount,
    ElectricityPrice,
    ExchangeRate,
    Figure,
    Grid,
    Host,
    MeasuredPower,
    Resale,
    Residency,
)
from advisor.costs.price_tables import (
    DISCOUNT_KEY,
    FOLDER,
    GRID_KEY,
    NEEDED_FIGURES,
    RESALE_KEY,
    RESALE_KINDS,
    RESIDENCY_KEY,
    api_offers,
    cloud_offers,
    discounts,
    electricity_prices,
    exchange_rates,
    figures,
    grids,
    resale_values,
    residency,
)
from advisor.foundation.csv_rows import read_rows
from advisor.foundation.dated_rows import Seen
from advisor.foundation.errors import AdvisorError, DataError
from advisor.foundation.message import NOTHING, as_it_is
from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue

TODAY = date(2026, 11, 30)
TABLES: dict[str, tuple[type[BaseModel], tuple[str, ...]]] = {
    "cloud.csv": (CloudOffer, ("provider", "region", "instance", "gpu_id", "term")),
    "api.csv": (ApiOffer, ("provider", "model")),
    "electricity.csv": (ElectricityPrice, ("country", "kind", "case")),
    "grid.csv": (Grid, GRID_KEY),
    "residency.csv": (Residency, RESIDENCY_KEY),
    "tco.csv": (Figure, ("parameter",)),
    "exchange_rates.csv": (ExchangeRate, ("currency",)),
    "hosts.csv": (Host, ("host",)),
    "power.csv": (MeasuredPower, ("machines",)),
    "resale.csv": (Resale, RESALE_KEY),
    "discounts.csv": (Discount, DISCOUNT_KEY),
}


# Every row


def test_every_row_has_a_source_and_a_day_not_in_the_future() -> None:
    rows = [*cloud_offers(), *api_offers(), *electricity_prices().values(), *figures().values(), *grids().values()]
    assert len(rows) > 900
    for row in [*rows, *exchange_rates().values(), *residency().values()]:
        assert row.source
        assert row.checked is not None
        assert (row.as_of or date(2020, 1, 1)) <= row.checked <= TODAY


def test_cloud_offers_are_for_known_gpus_at_believable_prices() -> None:
    assert len(cloud_offers()) > 300
    for offer in cloud_offers():
        assert offer.gpu_id in machines(), offer
        each = offer.price_per_hour / offer.gpus
        assert Decimal("0.05") <= each <= 16, offer


def test_spot_and_one_year_are_cheaper_than_on_demand() -> None:
    prices = {(o.provider, o.region, o.instance, o.gpu_id, o.term): o.price_per_hour for o in cloud_offers()}
    compared = 0
    for (*offer, term), price in prices.items():
        on_demand = prices.get((*offer, "on-demand"))  # type: ignore[arg-type]
        if term != "on-demand" and on_demand is not None:
            assert price <= on_demand, offer
            compared += 1
    assert compared > 40


def test_every_region_and_term_has_offers() -> None:
    assert {(offer.region, offer.term) for offer in cloud_offers()} >= {
        ("ch", "on-demand"), ("ch", "1-year"), ("eu", "spot"), ("us", "1-year"), ("any", "on-demand")
    }  # fmt: skip


def test_api_prices_are_believable() -> None:
    for offer in api_offers():
        assert Decimal("0.005") <= offer.input_per_mtok <= 50, offer
        assert offer.input_per_mtok <= 2 * offer.output_per_mtok, offer
        assert offer.cached_per_mtok is None or offer.cached_per_mtok <= offer.input_per_mtok, offer


def test_no_offer_is_older_than_a_year() -> None:
    assert all(TODAY - (offer.as_of or TODAY) <= timedelta(days=365) for offer in (*cloud_offers(), *api_offers()))


def test_every_country_has_a_typical_tariff_and_its_cases_rise() -> None:
    table = electricity_prices()
    countries = {country for country, _ in table}
    assert {"CH", "DE", "FR", "US", "EU27", "WORLD"} <= countries
    for country in countries:
        typical = table[country, "typical"]
        low, high = table.get((country, "low"), typical), table.get((country, "high"), typical)
        assert low.currency == typical.currency == high.currency
        assert low.price_per_kwh <= typical.price_per_kwh <= high.price_per_kwh
        assert Decimal("0.05") <= typical.price_per_kwh <= Decimal("0.5")


def test_figures_that_the_calculation_asks_for_are_there() -> None:
    assert set(figures()) >= set(NEEDED_FIGURES)
    assert set(resale_values()) == set(RESALE_KINDS)
    assert all(resale_values().values())


def test_every_discount_is_of_a_host_that_is_listed() -> None:
    assert {provider for provider, _ in discounts()} <= {offer.provider for offer in api_offers()}


# Broken files


def lines_of(name: str) -> list[list[str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def broken(tmp_path: Path, name: str, change: Callable[[list[list[str]]], None]) -> str:
    rows = lines_of(name)[:6]
    change(rows)
    path = tmp_path / name
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    kind, key = TABLES[name]
    with pytest.raises(DataError) as error:
        read_rows(path, kind, key)
    return str(error.value)


def cell(column: str, value: str) -> Callable[[list[list[str]]], None]:
    def change(rows: list[list[str]]) -> None:
        rows[3][rows[0].index(column)] = value

    return change


@pytest.mark.parametrize(
    ("name", "column", "value", "reason"),
    [
        ("cloud.csv", "price_per_hour", "-1", "greater than 0"),
        ("cloud.csv", "price_per_hour", "0", "greater than 0"),
        ("cloud.csv", "price_per_hour", "NaN", "finite"),
        ("cloud.csv", "price_per_hour", "", "valid decimal"),
        ("cloud.csv", "as_of", "2026", "date"),
        ("cloud.csv", "as_of", "1970-01-01", "between 2020 and 2100"),
        ("cloud.csv", "source", "a friend", "match"),
        ("cloud.csv", "region", "moon", "'ch'"),
        ("cloud.csv", "currencies", "pounds", "match"),
        ("cloud.csv", "gpus", "0", "greater than or equal to 1"),
        ("api.csv", "input_per_mtok", "free", "valid decimal"),
        ("api.csv", "feed_key", "llama", "match"),
        ("api.csv", "open_weights", "maybe", "'yes'"),
        ("electricity.csv", "price_per_kwh", "28", "less than 5"),
        ("electricity.csv", "currency", "pounds", "match"),
        ("exchange_rates.csv", "per_eur", "0", "greater than 0"),
    ],
)
def test_broken_row_names_file_row_column_and_reason(
    tmp_path: Path, name: str, column: str, value: str, reason: str
) -> None:
    text = broken(tmp_path, name, cell(column, value))
    assert text.startswith(f"{name}, row 4, column {column}: ")
    assert reason in text
    assert repr(value) in text


def test_broken_shapes_are_named(tmp_path: Path) -> None:
    assert "cloud.csv, row 1, column source: the column is missing." in broken(
        tmp_path, "cloud.csv", lambda rows: rows[0].__setitem__(rows[0].index("source"), "sauce")
    )
    assert "row 3: it has 13 cells, but the header has 14." in broken(
        tmp_path, "cloud.csv", lambda rows: rows[2].__delitem__(-1)
    )
    assert "row 6, column provider: an earlier row has the same provider, region" in broken(
        tmp_path, "cloud.csv", lambda rows: rows.__setitem__(5, rows[1])
    )
    assert "cloud.csv holds no row." in broken(tmp_path, "cloud.csv", lambda rows: rows.__delitem__(slice(1, None)))
    assert "what is sold by the GPU must be listed for one" in broken(tmp_path, "cloud.csv", cell("sold_by", "gpu"))
    assert "low, typical and high must rise" in broken(tmp_path, "tco.csv", cell("low", "999"))
    with pytest.raises(DataError, match="cannot be read"):
        read_rows(tmp_path / "none.csv", Figure, ("parameter",))


@given(st.binary(max_size=300))
def test_whatever_a_file_holds_is_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"parameter,low,typical,high,unit,as_of,checked,source,notes\n" + data)
    try:
        read_rows(path, Figure, ("parameter",))
    except AdvisorError as error:
        assert "any.csv" in str(error)
        assert "\n" not in str(error)


# API prices


def test_families_are_found_for_catalogue_ids_and_repositories() -> None:
    assert family_of("llama-3.3-70b-instruct") == "llama-3.3-70b"
    assert family_of("meta-llama/Llama-3.3-70B-Instruct") == "llama-3.3-70b"
    assert family_of("Qwen/Qwen3-32B-GGUF") == "qwen3-32b"
    assert family_of("deepseek-r1-0528") == "deepseek-r1-671b"
    assert family_of("qwen3-30b-a3b-thinking-2507") == "qwen3-30b-a3b"
    # Not what a host serves under that name.
    assert family_of("llama-3.3-nemotron-super-49b-v1.5") is None
    assert family_of("someone/llama-3.3-70b-instruct-uncensored") is None
    assert family_of("deepseek-r1-distill-qwen-7b") is None
    assert family_of("") is None


def test_every_mapped_model_has_hosts() -> None:
    mapped = {model_id: family_of(model_id) for model_id in catalogue()}
    found = {family for family in mapped.values() if family}
    assert len(found) > 50
    assert all(prices_of(family, TODAY) for family in found)


def test_package_and_table_agree() -> None:
    """The ids are right: nearly all are known to the installed package, which may be newer, at much the same price."""
    at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    rows = [offer for offer in api_offers() if offer.feed == "genai-prices"]
    same = 0
    for offer in rows:
        try:
            same += packaged_price(offer.feed_key, at)[:2] == (offer.input_per_mtok, offer.output_per_mtok)
        except LookupError:
            continue
    assert len(rows) > 380
    assert same > 0.8 * len(rows)


def test_package_price_wins_and_the_table_is_the_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", "")  # or the prices of before would be found there

    def novita() -> api_prices.ApiPrice:
        prices_of.cache_clear()
        api_prices._packaged_on.cache_clear()
        return next(price for price in prices_of("llama-3.3-70b", TODAY) if price.provider == "Novita AI")

    def other(key: str, at: datetime) -> tuple[Decimal, Decimal, None]:
        assert at.tzinfo is UTC
        return Decimal("0.1"), Decimal("0.2"), None

    def unknown(key: str, at: datetime) -> tuple[Decimal, Decimal, None]:
        raise LookupError(key)

    try:
        monkeypatch.setattr(api_prices, "packaged_price", other)
        assert (novita().input, novita().seen.source.partition(" (")[2]) == (Decimal("0.1"), "the installed package)")
        monkeypatch.setattr(api_prices, "packaged_price", unknown)
        assert (novita().input, novita().output) == (Decimal("0.135"), Decimal("0.4"))
        assert novita().seen.source.startswith("https://github.com/pydantic/genai-prices")
    finally:
        prices_of.cache_clear()
        api_prices._packaged_on.cache_clear()


@pytest.mark.parametrize("key", ["groq/gpt-oss-120b", "nobody/nothing", "groq", ""])
def test_unknown_packaged_price_is_a_lookup_error(key: str) -> None:
    with pytest.raises(LookupError):
        packaged_price(key, datetime(2026, 11, 25, tzinfo=UTC))


def test_retired_models_are_not_offered() -> None:
    retiring = next(offer for offer in api_offers() if offer.retires_on and offer.open_weights == "yes")
    assert retiring.retires_on is not None
    names = {
        price.model for price in prices_of(retiring.family, retiring.retires_on) if price.provider == retiring.provider
    }
    assert retiring.model not in names
    assert any(price.model == retiring.model for price in prices_of(retiring.family, TODAY))


def test_closed_models_are_those_people_compare_with() -> None:
    families = {price.family for price in closed_prices(TODAY)}
    assert {"gpt-6-luna", "claude-sonnet-5", "gemini-3.8-flash"} <= families
    assert not any(price.open_weights for price in closed_prices(TODAY))


# Money


def test_amounts_are_rounded_once_and_shown_without_noise() -> None:
    assert cents(Decimal("2.675")) == Decimal("2.68")
    assert cents(Decimal("-2.675")) == Decimal("-2.68")
    assert per_million(Decimal("48.67"), 73_000_000) == Decimal("0.6667")
    # What is written as a number and read again is the same figure: 6.3650 was "6.37" on paper and "6.36" from JSON.
    assert per_million(Decimal("12.73"), 2_000_000) == Decimal("6.37")
    assert plain(Decimal("730.00")) == "730"
    assert plain(Decimal("0.1000")) == "0.1"
    assert shown(Decimal("1234.5"), "CHF") == "CHF 1,234.50"


def test_a_price_is_old_after_ninety_days_and_where_its_day_is_not_known() -> None:
    assert OLD_AFTER_DAYS == 90
    converter = converter_of(Billing.from_values({}), TODAY)
    widened = (Decimal(0), Decimal(10), Decimal(20) * (1 + figures()["old_price"].typical / 100))
    for days, old in ((90, False), (91, True), (None, True)):
        as_of = None if days is None else TODAY - timedelta(days=days)
        seen = Seen("https://example.org", as_of, TODAY)
        price = converter.listed("price", as_it_is("x"), Decimal(1), NOTHING, "USD", seen)
        assert (price.age_days, price.is_stale, price.checked) == (days, old, TODAY)
        assert not converter.listed("figure", as_it_is("x"), Decimal(1), NOTHING, "", seen).is_stale
        found = converter.range_of(Decimal(0), Decimal(10), Decimal(20), as_of)
        assert tuple(found.values()) == (widened if old else (0, 10, 20))


def test_currencies_convert_through_the_euro() -> None:
    rates = exchange_rates()
    dollars = converter_of(Billing.from_values({"currency": "USD"}), TODAY)
    francs = converter_of(Billing.from_values({"currency": "CHF"}), TODAY)
    assert dollars.convert(Decimal(100), "EUR") == 100 * rates["USD"].per_eur
    assert francs.convert(Decimal(100), "EUR") == 100 * rates["CHF"].per_eur
    assert francs.convert(Decimal(100), "CHF") == 100
    there = francs.convert(Decimal(1000), "USD")
    assert abs(dollars.convert(there, "CHF") - 1000) < Decimal("0.001")
