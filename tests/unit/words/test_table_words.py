"""What the tables of prices call things in English is said in every language: hosts, tariffs, terms, units, places."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from babel.core import Locale

from advisor.costs.price_tables import cloud_offers, electricity_prices, figures, hosts
from advisor.words import speaking, told
from advisor.words.spelling import country
from tests.unit.words.test_words import entries


def in_english() -> Iterator[str]:
    yield from (host.name for host in hosts().values())
    for kind in ("business", "household"):
        yield from (row.customer for row in electricity_prices(kind).values())
    for offer in cloud_offers():
        yield offer.term
        if not any(sign.isdigit() for sign in offer.instance):  # what has a number in it is a name
            yield offer.instance
    yield from (row.unit for row in figures().values() if not row.unit.startswith("USD"))


def test_every_word_of_the_tables_has_an_entry() -> None:
    listed = {entry.id for entry in entries() if entry.context == "table"}
    assert set(in_english()) <= listed


@pytest.mark.parametrize("language", ["de_CH", "fr_CH"])
def test_every_place_with_a_tariff_has_a_name(language: str) -> None:
    listed = {entry.id for entry in entries() if entry.context == "table"}
    known = {str(name) for name in Locale("en").territories.values()}
    for kind in ("business", "household"):
        for row in electricity_prices(kind).values():
            assert row.name in listed or row.name.partition(" - ")[0] in known, row.name
            assert country(row.name, Locale.parse(language))


@pytest.mark.parametrize(
    ("language", "host", "tariff", "place"),
    [
        (
            "en",
            "server for eight cards",
            "household, 2,500-4,999 kWh/yr (Eurostat band DC), incl. taxes and VAT",
            "Germany",
        ),
        ("de-CH", "Server für acht Karten", "Haushalt, 2'500–4'999 kWh/Jahr (Eurostat-Band DC)", "Deutschland"),
        ("de-DE", "Server für acht Karten", "Haushalt, 2.500–4.999 kWh/Jahr (Eurostat-Band DC)", "Deutschland"),
        ("fr-CH", "serveur pour huit cartes", "ménage, 2'500–4'999 kWh/an", "Allemagne"),
    ],
)
def test_words_and_long_numbers_are_those_of_the_country(language: str, host: str, tariff: str, place: str) -> None:
    household = "household, 2500-4999 kWh/yr (Eurostat band DC), incl. taxes and VAT"
    with speaking(language):
        assert told("{name:table}", name="server for eight cards") == host
        assert told("{name:table}", name=household).startswith(tariff)
        assert told("{name:table}", name="Germany") == place


def test_names_stay_as_they_are() -> None:
    with speaking("fr-CH"):
        assert told("{name:table}", name="GPU-96xCPU-1920GB-8xB200 (fi-hel2)") == "GPU-96xCPU-1920GB-8xB200 (fi-hel2)"
        assert told("{name:table}", name="United States - Ohio") == "États-Unis, Ohio"
