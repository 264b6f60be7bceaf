"""A language: its catalogue of texts in gettext's format, and the locale whose signs its numbers are written with.

An entry's `msgid` is the kind of a message, or of a `sentence` its English text, its `msgstr` the text with the
message's figures in braces, each with the way it is written: "{level} needs {missing:gib} more." Beyond what Python's
own format strings have:

- `{kept:apart least}`: so many digits that it does not read as the figure `least`
- `{speed:span}`, `{price:span money}`: both ends of an estimate, joined by the text `span`
- `{why}`, `{why:inside}`: a message in a message; `:inside` takes the entry with the context (`msgctxt`) "inside"
  where there is one, `{why:clause}` leaves its full stop out
- `{asked:listed}`, `{terms:summed}`: several figures, joined by the text `listed`, `semicolons`, `summed`,
  `factors`, `or` or
  `and`, of which the last two stand before the last one only
- `{name:table}`: a word of the tables in `data/`, which has an entry with the context "table", or a country's name
- `{key:host_price}`, `{set:region=any}`, `{set:ubatch={prompt}}`: a key of the question, and one with a value,
  which may be a figure, as the reader knows them

A figure named `n` chooses the plural form. An entry with an audience for its context ("report", "page", "script") is
the text for that audience.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Literal

from babel.core import Locale

from advisor.foundation.compiled import compiled, stamp_of
from advisor.foundation.message import Figure, Key, Message, Span, is_fact
from advisor.words.figures import apart, signed, write
from advisor.words.spelling import COUNTRIES, IN_CURRENCY, country, in_currency, spelled

Audience = Literal["page", "report", "script"]
LOCALES = Path(__file__).parent / "locale"
ENGLISH = "en"
_TYPICAL = re.compile(r"typical (\d\S*)")
_ABBREVIATED = re.compile(r"(?<=\d\u00a0M(?:io|rd)\.)\.(?!\.)")  # whose own full stop ends a sentence too
_LONG_NUMBER = re.compile(r"(?<![\w.,'])\d{4,}\b")


@dataclass(frozen=True, slots=True)
class Piece:
    """Text as it is, then a figure by its name, where there is one, and how it is written."""

    text: str
    figure: str | None
    way: str


class _Missing(NullTranslations):
    """Says that there is no text, where gettext would take the kind for one.

    An English `sentence` needs no entry; `Language` says the kind itself then.
    """

    def gettext(self, message: str) -> str:
        return ""

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return ""

    def pgettext(self, context: str, message: str) -> str:
        return ""

    def npgettext(self, context: str, msgid1: str, msgid2: str, n: int) -> str:
        return ""


class Language:
    """Words messages in one language. What its catalogue lacks is said in `instead`, another language, and without
    one a fact's kind raises KeyError."""

    def __init__(self, catalogue: Path, locale: str, instead: Language | None = None) -> None:
        self.locale = Locale.parse(locale)
        rules = stamp_of(catalogue, *(Path(__file__).with_name(name) for name in ("language.py", "spelling.py")))
        texts = compiled(f"words-{locale}", rules, lambda: _binary(catalogue, self.locale))
        self._texts = GNUTranslations(BytesIO(texts))
        self._texts.add_fallback(instead._texts if instead is not None else _Missing())

    def say(self, message: Message, audience: Audience, place: str = "") -> str:
        """The message in words; `place` is the context of a message within another."""
        figures = dict(message.figures)
        count = figures.get("n")
        text = self._text(message.kind, count if isinstance(count, int) else None, (place, audience))
        if not figures and text == message.kind:
            return text  # whatever it quotes may hold braces
        return self._filled(text, figures, audience)

    def told(self, text: str, figures: dict[str, Figure]) -> str:
        """A text of the report's own, in its context."""
        found = self._texts.pgettext("report", text) or spelled(text, self.locale)  # such as a figure alone
        return self._filled(found, figures, "report") if figures else found

    def _filled(self, text: str, figures: dict[str, Figure], audience: Audience) -> str:
        filled = "".join(
            piece.text if piece.figure is None else piece.text + self._figure(piece, figures, audience)
            for piece in pieces(text)
        )
        filled = _ABBREVIATED.sub("", filled)
        first = figures.get(text[1:].partition("}")[0]) if text.startswith("{") else None
        if isinstance(first, str) and _TYPICAL.fullmatch(first):
            return filled[0].upper() + filled[1:]  # a name of words, where a sentence or a heading begins
        return filled

    def label(self, key: str) -> str:
        """What the page calls a key of the question: the label of its input."""
        return self._texts.pgettext("label", key)

    def _text(self, kind: str, count: int | None, contexts: tuple[str, ...]) -> str:
        """The text in the first of the contexts that has one of its own."""
        for context in filter(None, contexts):
            if found := self._in_context(kind, count, context):
                return found
        if not kind:
            return ""  # which gettext takes for the header of its catalogue
        found = self._texts.gettext(kind) if count is None else self._texts.ngettext(kind, kind, count)
        if not found and not is_fact(Message(kind)):
            return kind  # a `sentence`
        if not found:
            raise KeyError(f"no text for {kind!r} in {self.locale}")
        return found

    def _in_context(self, kind: str, count: int | None, context: str) -> str:
        if count is None:
            return self._texts.pgettext(context, kind)
        return self._texts.npgettext(context, kind, kind, count)

    def word(self, context: str, word: str) -> str:
        """A word in a context, such as a unit, as the catalogue has it."""
        return self._texts.pgettext(context, word)

    def _figure(self, piece: Piece, figures: dict[str, Figure], audience: Audience) -> str:
        way, name = piece.way, piece.figure or ""
        if name == "key":
            return self._key(way, audience)
        if name == "set":
            key, _, value = way.partition("=")
            if value.startswith("{"):
                value = str(figures[value.strip("{}")])
            return f"{key}={value}" if audience == "script" else f"{self._key(key, audience)} = {value}"
        if way.endswith(IN_CURRENCY):
            amount = self._figure(Piece("", name, way.removesuffix(IN_CURRENCY)), figures, audience)
            return in_currency(amount, str(figures["currency"]), self.locale)
        if way.startswith("apart "):
            return apart(_number(figures, name), _number(figures, way.removeprefix("apart ")), self.locale)
        return self._written(figures[name], way, audience)

    def _written(self, figure: Figure, way: str, audience: Audience) -> str:
        match figure:
            case str():
                return self._of_table(figure) if way == "table" else self._named(figure)
            case Key():
                return self._key(figure.name, audience)
            case Message() if way == "clause":
                return self.say(figure, audience).rstrip(".")
            case Message():
                return self.say(figure, audience, way)
            case Span():
                return self._span(figure, way.removeprefix("span").strip() or "approx")
            case tuple():
                return self._joined([self._written(one, "", audience) for one in figure], way or "listed")
            case _:
                return write(figure, way, self.locale, self.word)

    def _named(self, text: str) -> str:
        """Text as it is, but of a model that stands for a size, which has no name of its own (`sources.free_size`)."""
        found = _TYPICAL.fullmatch(text)
        return self._texts.gettext("typical_size").format(size=found[1]) if found else text

    def _of_table(self, text: str) -> str:
        """What tables call something, in words of the language; names stay."""
        found = self._texts.pgettext("table", text)
        if not found:
            return country(text, self.locale)
        return _LONG_NUMBER.sub(lambda number: signed(number[0], self.locale), found)

    def _joined(self, written: list[str], way: str) -> str:
        """ "a, b and c"; sums and products have the same sign everywhere."""
        if way in ("and", "or") and len(written) > 2:
            written = [self._joined(written[:-1], "listed"), written[-1]]
        return self._texts.gettext(way).join(written)

    def _span(self, span: Span, way: str) -> str:
        """Both ends; one number where they read the same."""
        low, high = (write(end, way, self.locale, self.word) for end in (span.low, span.high))
        return low if low == high else self.between(low, high)

    def between(self, low: str, high: str) -> str:
        """Both ends of a range, written already: "120 to 180"."""
        return self._texts.gettext("span").format(low=low, high=high)

    def _key(self, name: str, audience: Audience) -> str:
        return name if audience == "script" else self._texts.gettext("label").format(label=self.label(name))


def _number(figures: dict[str, Figure], name: str) -> float:
    figure = figures[name]
    if isinstance(figure, int | float):
        return figure
    raise TypeError(f"{name} is no number: {figure!r}")


@lru_cache(maxsize=1024)
def pieces(text: str) -> tuple[Piece, ...]:
    """A text of a catalogue in its pieces."""
    return tuple(Piece(before, name, way or "") for before, name, way, _ in string.Formatter().parse(text))


def _binary(catalogue: Path, locale: Locale) -> bytes:
    """A catalogue as gettext reads it, spelled for the locale's country."""
    # Imported late: parsing takes longer than a question, and its outcome is kept.
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with catalogue.open("rb") as file:
        entries = read_po(file, locale=str(locale))
    for entry in entries:
        if entry.id:
            entry.string = _each(entry.string, locale)
    written = BytesIO()
    write_mo(written, entries)
    return written.getvalue()


def _each(texts: str | tuple[str, ...] | list[str] | None, locale: Locale) -> str | tuple[str, ...]:
    """A text, or each of its plural forms, as the locale's country spells it."""
    return spelled(texts, locale) if isinstance(texts, str) else tuple(spelled(text, locale) for text in texts or ())


@cache
def language(name: str) -> Language:
    """The language of that name, such as "en" or "de-CH"; raises FileNotFoundError where it has no catalogue."""
    spoken, _, country = name.partition("-")
    english = language(ENGLISH) if spoken != ENGLISH else None
    locale = "_".join((spoken, country or next(iter(COUNTRIES.get(spoken, ())), ""))).rstrip("_")
    return Language(LOCALES / spoken / "LC_MESSAGES" / "messages.po", locale, english)


@cache
def catalogues() -> tuple[str, ...]:
    """The languages that have a catalogue."""
    return tuple(sorted(path.parts[-3] for path in LOCALES.glob("*/LC_MESSAGES/messages.po")))


@cache
def languages() -> tuple[str, ...]:
    """What links may ask for: each language with a catalogue, alone and with its countries."""
    with_countries = (f"{name}-{country}" for name in catalogues() for country in COUNTRIES.get(name, ()))
    return tuple(sorted((*catalogues(), *with_countries)))
