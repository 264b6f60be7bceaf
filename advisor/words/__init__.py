"""Facts -> sentences: messages of the engine in the words of a language, for the page, a report or a script.

One catalogue file a language: `locale/<language>/LC_MESSAGES/messages.po`; its countries are rules (spelling.py). Which
one is spoken says `speak` or `speaking`, else the environment variable LLM_FIT_ADVISOR_LANGUAGE, else it is English.
Errors speak it too, once this package is imported. Figures outside sentences are written by `written`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date

from advisor.foundation.errors import InputError, word_errors
from advisor.foundation.message import Figure, Message
from advisor.foundation.often_read import language_setting
from advisor.words.language import ENGLISH, Audience, language, languages

__all__ = [
    "ENGLISH",
    "Audience",
    "chosen",
    "in_use",
    "label",
    "languages",
    "names_a_key",
    "say",
    "say_all",
    "speak",
    "speaking",
    "to_tell",
    "told",
    "usual",
    "written_day",
    "written_days",
    "written_month",
]

_CHOSEN: ContextVar[str] = ContextVar("language", default="")


def speak(name: str) -> None:
    """From now on say everything in this language, in this thread or task; "" is the one of the settings.

    Raises InputError for a language without a catalogue.
    """
    _CHOSEN.set(_existing(name) if name else "")


@contextmanager
def speaking(name: str) -> Iterator[None]:
    """Say everything in this language inside the block; "" changes nothing. Raises InputError as `speak` does."""
    before = _CHOSEN.set(_existing(name) if name else _CHOSEN.get())
    try:
        yield
    finally:
        _CHOSEN.reset(before)


def chosen() -> str:
    """The language that `speak` chose, as links name it; "" where nobody has chosen one."""
    return _CHOSEN.get()


def usual() -> str:
    """The language of the settings, for whoever has not chosen one."""
    return language_setting() or ENGLISH


def in_use() -> str:
    """The language that is spoken, such as "en"; raises InputError where the settings name one without a catalogue."""
    return _CHOSEN.get() or _existing(usual())


def say(message: Message, audience: Audience = "script", language_name: str = "") -> str:
    """A message in words. Who reads it decides how a key of the question is called: by the label of its input on a
    page and in a report, by itself where a script or the command line shows it."""
    return language(language_name or in_use()).say(message, audience)


def told(text: str, /, **figures: Figure) -> str:
    """A label or sentence of a report, as it is drawn: its English text, and in another language what its catalogue has
    for it in the context "report". Call it with a literal, or with one that `to_tell` marked."""
    return language(in_use()).told(text, figures)


def to_tell(text: str) -> str:
    """The text itself, which `told` says later: so that the list for translators finds it."""
    return text


def _formatted(day: date, form: str) -> str:
    # Imported late: babel's dates bring time zones along, and few answers name a day.
    from babel.dates import format_date

    locale = language(in_use()).locale
    written = str(format_date(day, form, locale=locale))
    # The first of a month is an ordinal number in French, and in no data of babel's.
    ordinal = locale.language == "fr" and written.split(" ")[0] == "1"
    return written.replace("1", "1er", 1) if ordinal else written


def written_day(day: date) -> str:
    """ "25 November 2026", "25. November 2026", in the United States "November 25, 2026"."""
    return _formatted(day, "d MMMM y" if in_use() == ENGLISH else "long")


def written_days(first: date, last: date) -> str:
    """ "10 to 12 November 2026", "24 May to 26 September 2026": of the first no more than it has for itself."""
    ended, form = written_day(last), ""
    if first == last:
        return ended
    if first.year == last.year and not ended[0].isalpha():  # a day that begins with its month is written whole
        form = "d." if in_use().startswith("de") else "d"
        form += "" if first.month == last.month else " MMMM"
    return told("{first} to {last}", first=_formatted(first, form) if form else written_day(first), last=ended)


def written_month(day: date) -> str:
    """ "November 2026"."""
    return _formatted(day, "MMMM y")


def label(key: str) -> str:
    """What a key of the question is called: the label of its input."""
    return language(in_use()).label(key)


def names_a_key(message: Message) -> bool:
    """Whether its reader is sent to an input of the question."""
    return say(message, "script") != say(message, "page")


def say_all(messages: Iterable[Message], audience: Audience = "script", language_name: str = "") -> tuple[str, ...]:
    return tuple(say(message, audience, language_name) for message in messages)


def _existing(name: str) -> str:
    if name not in languages():
        known = ", ".join(languages())
        raise InputError("There is no language '{name}'; there are {known}.", name=name[:20], known=known)
    return name


def _say_error(message: Message) -> str:
    try:
        name = in_use()
    except InputError:  # that there is no such language is said in English
        name = ENGLISH
    return language(name).say(message, "script")


word_errors(_say_error)
