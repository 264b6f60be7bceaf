"""What a country changes: signs, the place and the sign of a currency, dates, spelling, the space before a unit."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from advisor.foundation import numbers, units
from advisor.foundation.errors import InputError
from advisor.foundation.message import Span, fact
from advisor.foundation.ranges import Range
from advisor.words import in_use, languages, say, speak, speaking, told, written_day, written_month
from advisor.words import written as figures
from advisor.words.language import Language, language
from advisor.words.spelling import in_currency

SPACE = "\u00a0"
NARROW = "\u202f"
DAY = date(2026, 3, 4)


def test_each_language_is_offered_with_its_countries() -> None:
    assert {"de", "de-CH", "de-DE", "en", "en-GB", "en-US"} <= set(languages())
    assert {"fr", "fr-BE", "fr-CA", "fr-CH", "fr-FR"} <= set(languages())


@pytest.mark.parametrize(
    ("name", "amount", "number"),
    [
        ("en", "1,234.50 CHF", "1,234.5"),
        ("en-GB", "1,234.50 CHF", "1,234.5"),
        ("de-DE", f"1.234,50{SPACE}CHF", "1.234,5"),
        ("de-CH", f"CHF{SPACE}1'234.50", "1'234.5"),
        ("fr-FR", f"1{NARROW}234,50{SPACE}CHF", f"1{NARROW}234,5"),
    ],
)
def test_money_and_numbers_are_written_as_in_the_country(name: str, amount: str, number: str) -> None:
    with speaking(name):
        assert figures.amount(figures.number(Decimal("1234.5"), ",.2f"), "CHF") == amount
        assert figures.exact(1234.5) == number


@pytest.mark.parametrize(
    ("name", "written"),
    [("de-CH", "-3'410'681.50"), ("fr-CH", "-3'410'681,50"), ("de-DE", "-3.410.681,50"), ("en", "-3,410,681.50")],
)
def test_thousands_stand_apart_in_millions_too(name: str, written: str) -> None:
    with speaking(name):
        assert figures.number(Decimal("-3410681.5"), ",.2f") == written


def test_the_currency_is_that_of_the_sentence() -> None:
    said = fact("priced", way="API", amount=Decimal("12.3"), currency="EUR")
    assert say(said, language_name="en") == "API 12 EUR"
    assert say(said, language_name="de-DE") == f"API 12{SPACE}€"
    assert say(said, language_name="de-CH") == f"API EUR{SPACE}12"
    with speaking("de-DE"):
        between = told("{range:span money} {currency}", range=Span(5.15, 26), currency="EUR")
    assert between == f"5,15 bis 26{SPACE}€"


def test_french_has_a_space_before_a_semicolon_that_begins_a_text() -> None:
    said = fact("advise_keeps_all")
    assert say(said, language_name="fr-FR").startswith(f"{SPACE}; il")


def test_french_switzerland_writes_money_with_a_point_and_the_currency_first() -> None:
    french = language("en").locale.parse("fr_CH")
    assert in_currency("1'234,50", "CHF", french) == f"CHF{SPACE}1'234.50"


@pytest.mark.parametrize(
    ("name", "day", "month"),
    [
        ("en", "4 March 2026", "March 2026"),
        ("en-GB", "4 March 2026", "March 2026"),
        ("en-US", "March 4, 2026", "March 2026"),
        ("de-DE", "4. März 2026", "März 2026"),
        ("de-CH", "4. März 2026", "März 2026"),
        ("fr-CH", "4 mars 2026", "mars 2026"),
    ],
)
def test_days(name: str, day: str, month: str) -> None:
    with speaking(name):
        assert (written_day(DAY), written_month(DAY)) == (day, month)


def test_switzerland_writes_no_sharp_s_and_its_own_quotes() -> None:
    catalogue = [say(fact("demand", demand="x", percent=95), language_name=name) for name in ("de-DE", "de-CH")]
    assert catalogue == [
        f"„x“ (mindestens 95{SPACE}% des 16-Bit-Ergebnisses)",
        f"«x» (mindestens 95{SPACE}% des 16-Bit-Ergebnisses)",
    ]
    most = [say(fact("most_model_knows"), language_name=name) for name in ("de-DE", "de-CH")]
    assert most == ["das Äußerste, was dieses Modell kann", "das Äusserste, was dieses Modell kann"]


def test_a_figure_and_its_unit_stay_together() -> None:
    with speaking("de"):
        assert figures.gib(1.5 * 2**30) == f"1,5{SPACE}GiB"
        assert figures.format_count(70.6e9) == f"70,6{SPACE}Mrd."
        assert figures.span(Range(1200, 2000, 3400), figures.rough) == "1.200 bis 3.400"
        assert say(fact("share_in_scheme", share=0.125, scheme="FP8")) == f"12{SPACE}% der Linear-Gewichte in FP8"


@pytest.mark.parametrize("value", [0, 0.042, 1.5, 58.06, 1234.5, 2_680_000.0])
def test_english_is_written_as_ever(value: float) -> None:
    assert in_use() == "en"
    assert figures.approx(value) == numbers.approx(value)
    assert figures.rough(value) == numbers.rough(value)
    assert figures.exact(value) == numbers.exact(value)
    assert figures.money(value) == numbers.money(value)
    assert (figures.gb(value), figures.gib(value)) == (units.gb(value), units.gib(value))
    assert figures.number(value, ",.1f") == f"{value:,.1f}"


def test_a_language_is_spoken_inside_its_block_only() -> None:
    with speaking("de-CH"):
        assert in_use() == "de-CH"
        with speaking(""):
            assert in_use() == "de-CH"
    assert in_use() == "en"
    with pytest.raises(InputError, match="There is no language 'de-XX'; there are de, de-CH"):
        speak("de-XX")
    with pytest.raises(InputError, match="There is no language"), speaking("../../etc"):
        pass


def test_a_country_reads_no_file_of_its_own() -> None:
    swiss, german = language("de-CH"), language("de-DE")
    assert isinstance(swiss, Language)
    assert (str(swiss.locale), str(german.locale)) == ("de_CH", "de_DE")


def test_the_first_of_a_month_is_an_ordinal_in_french_alone() -> None:
    first = date(2026, 9, 1)
    said = {}
    for name in ("en-US", "de-CH", "fr-CH", "fr-FR"):
        with speaking(name):
            said[name] = written_day(first)
    assert said == {
        "en-US": "September 1, 2026",
        "de-CH": "1. September 2026",
        "fr-CH": "1er septembre 2026",
        "fr-FR": "1er septembre 2026",
    }


def test_a_size_without_a_model_is_named_in_the_language_of_the_sentence() -> None:
    said = {}
    for name in ("en", "de-CH", "fr-CH"):
        with speaking(name):
            said[name] = told("{model} on {machine}", model="typical 70B", machine="RTX 3090")
    assert said == {
        "en": "Typical 70B on RTX 3090",
        "de-CH": "Ein typisches 70B auf RTX 3090",
        "fr-CH": "Un 70B typique sur RTX 3090",
    }
