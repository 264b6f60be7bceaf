"""Every shipped language says everything: each message, sentence and error, with its figures and no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as BabelMessage
from babel.messages.pofile import read_po

from advisor.words.language import ENGLISH, LOCALES, catalogues
from advisor.words.template import template
from tests.unit.words.test_words import entries, forms, named

OTHERS = tuple(name for name in catalogues() if name != ENGLISH)
WORDS_ALONE = ("unit", "count", "label", "table")


def kind_of(entry: BabelMessage) -> str:
    return entry.id if isinstance(entry.id, str) else entry.id[0]


def of_language(name: str) -> Catalog:
    with (LOCALES / name / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file)


def meant() -> Iterator[tuple[tuple[str | None, str], tuple[str, ...]]]:
    """Context and kind of everything there is to say, with its English texts."""
    english = {(entry.context, kind_of(entry)): forms(entry) for entry in entries() if entry.id}
    for entry in template():
        if entry.id:
            place = (entry.context, kind_of(entry))
            yield place, english.get(place, (kind_of(entry),))


def test_german_and_french_are_among_them() -> None:
    assert {"de", "fr"} <= set(OTHERS)


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_is_left_in_english(name: str) -> None:
    said = {(entry.context, kind_of(entry)): forms(entry) for entry in of_language(name) if entry.id}
    known = dict(meant())
    assert [place for place in known if not all(said.get(place, ("",)))] == []
    assert [place for place in said if place not in known] == []


@pytest.mark.parametrize("name", OTHERS)
def test_each_text_has_the_figures_of_the_english_one(name: str) -> None:
    known, catalogue = dict(meant()), of_language(name)
    wrong = []
    for entry in catalogue:
        if not entry.id or entry.context in WORDS_ALONE:
            continue
        wanted = set[str]().union(*(named(text) for text in known.get((entry.context, kind_of(entry)), ())))
        for text in forms(entry):
            # A singular may say "one".
            if named(text) != wanted and not (len(forms(entry)) > 1 and named(text) | {"n", "sources"} >= wanted):
                wrong.append((kind_of(entry), text))
    assert wrong == []


@pytest.mark.parametrize("name", OTHERS)
def test_every_plural_form_is_there_and_ends_as_the_english_one(name: str) -> None:
    known, catalogue = dict(meant()), of_language(name)
    for entry in catalogue:
        if not entry.id or entry.context in WORDS_ALONE:
            continue
        if not isinstance(entry.id, str):
            assert len(forms(entry)) == catalogue.num_plurals, entry.id
        for text, english in zip(forms(entry), known[entry.context, kind_of(entry)], strict=False):
            assert text[:1].isspace() == english[:1].isspace(), text
            assert text[-1:].isspace() == english[-1:].isspace(), text
            assert text.endswith(".") == english.endswith("."), text
