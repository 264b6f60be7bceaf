"""The language of a link: a key of the page, not of the question, that goes along from page to page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from babel.core import Locale

from advisor.foundation.errors import InputError
from advisor.question.question import LANGUAGE_KEY
from advisor.words import chosen, languages, speak, usual


def follow(name: str) -> str:
    """Speak the language that a link names, "" for the one of the settings; says what is wrong with it, if anything.

    To be called at the start of each run, which has a thread of its own.
    """
    speak("")
    try:
        speak(name)
    except InputError as error:
        return str(error)
    return ""


def asked(raw: Mapping[str, Iterable[str]]) -> str:
    """The language of a link whose keys are separated already; "" where it names none."""
    return next(iter(raw.get(LANGUAGE_KEY, ())), "")


def with_language(query: str) -> str:
    """A query of this program's own links, with the language that was chosen."""
    name = chosen()
    if name in ("", usual()):
        return query
    return f"{query}{'&' if query else ''}{LANGUAGE_KEY}={quote(name, safe='')}"


def names() -> dict[str, str]:
    """The languages to choose from by what links call them, each as its own people call it: "Deutsch (Schweiz)"."""
    return {name: _own_name(name) for name in languages()}


def _own_name(name: str) -> str:
    locale = Locale.parse(name, sep="-")
    said = locale.get_language_name() or name
    country = locale.get_territory_name()
    said = said[:1].upper() + said[1:]
    return f"{said} ({country})" if country else said
