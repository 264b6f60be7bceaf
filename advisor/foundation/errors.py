"""What can go wrong, each told in one sentence that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Self

from advisor.foundation.message import Figure, Message, in_english, sentence

_MATCH_CUTOFF = 0.5
# difflib takes quadratic time; no id in any catalogue is anywhere near this long.
_LONGEST_COMPARED = 100


class AdvisorError(Exception):
    """Base of every error meant for the person using the advisor: one line in the language that is spoken, once
    `word_errors` was told how (`advisor/words` does), and in English before.

    `text` is a `sentence` with its figures in braces; one without figures is taken as it is, braces and all.
    """

    def __init__(self, text: str, /, **figures: Figure):
        super().__init__(text)
        self.message = sentence(text, **figures)

    @classmethod
    def saying(cls, message: Message) -> Self:
        """With a `sentence` that was made elsewhere."""
        return cls(message.kind, **dict(message.figures))

    def __str__(self) -> str:
        return printable(_word(self.message))


class InputError(AdvisorError):
    """The user asked for something that cannot be answered (command line exit code 2).

    `suggestions` are what may have been meant: values to give instead, the most likely first.
    """

    def __init__(self, text: str, /, suggestions: Iterable[str] = (), **figures: Figure):
        super().__init__(text, **figures)
        self.suggestions = tuple(suggestions)

    def anew(self) -> Self:
        """The same, to be raised again: one that is raised again and again would grow without end."""
        found = self.saying(self.message)
        found.suggestions = self.suggestions
        return found


class ImpossibleValue(ValueError):
    """What a validator says of a value; becomes an InputError of the same `sentence`, with the same suggestions."""

    def __init__(self, text: str, /, suggestions: Iterable[str] = (), **figures: Figure):
        super().__init__(text)
        self.error = InputError(text, suggestions, **figures)

    @classmethod
    def because(cls, error: InputError) -> Self:
        """What was found to be wrong elsewhere."""
        found = cls("")
        found.error = error
        return found

    def __str__(self) -> str:
        return str(self.error)


_word: Callable[[Message], str] = in_english


def word_errors(word: Callable[[Message], str]) -> None:
    """From now on errors are worded by this function; it lies in a layer that this one may not import."""
    global _word
    _word = word


class DataError(AdvisorError):
    """A file under data/ is broken; the text names file, row, column and reason."""


def printable(text: str) -> str:
    """Text from elsewhere on one line: signs that cannot be shown, line breaks among them, become spaces."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text)


def one_line(text: object, longest: int = 40) -> str:
    """What somebody gave, fit to be repeated inside a sentence: no line breaks or control characters, cut short."""
    shown = printable(str(text)[: longest + 1])
    return " ".join(shown.split()) if len(shown) <= longest else shown[:longest] + "..."


def nearest(value: str, options: Iterable[str], n: int = 3) -> Message | None:
    """ "did you mean 'a', 'b'?" with up to `n` of `options` that resemble `value`, or None if none does."""
    found = resembling(value, options, n)
    return did_you_mean(found) if found else None


def did_you_mean(suggestions: Iterable[str]) -> Message:
    return sentence("did you mean {names}?", names=", ".join(map(repr, suggestions)))


def choose_one_of(options: Iterable[str]) -> Message:
    return sentence("choose one of {names}.", names=", ".join(options))


def resembling(value: str, options: Iterable[str], n: int = 3) -> tuple[str, ...]:
    """Up to `n` of `options` that resemble `value`, the most alike first."""
    wanted = "-".join(value[:_LONGEST_COMPARED].lower().replace("_", " ").split())
    if not wanted:
        return ()
    by_lower = {option.lower(): option for option in options}
    # What somebody typed in part ("4090") comes before what merely looks alike.
    containing = sorted((key for key in by_lower if wanted in key), key=lambda key: (len(key), key))
    alike = difflib.get_close_matches(wanted, by_lower, n=n, cutoff=_MATCH_CUTOFF)
    return tuple(by_lower[key] for key in dict.fromkeys([*containing, *alike]))[:n]
