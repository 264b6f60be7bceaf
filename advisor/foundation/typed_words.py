"""Ranks what a catalogue holds for words that somebody typed: in any order, cut short, or with one letter wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

_EXACT, _BEGUN, _MISTYPED = 1.0, 0.9, 0.7
_SHORTEST_MISTYPED = 4
_SMALL_NUMBER = re.compile(r"\d{1,3}(\.\d+)?[a-z]{0,2}")
_WHOLE_NAME = 0.5  # whose whole name was typed goes before what is newer and has one word more
_MOST_WORDS = 16
_LONGEST_WORD = 40


@dataclass(frozen=True, slots=True)
class Findable:
    """An entry by its words.

    `words` holds what each word costs where it was not typed: nothing for what people leave out, more for what makes
    it another thing than the one they named. `later` sorts equals: the smallest first, in the unit of those costs.
    """

    id: str
    words: Mapping[str, float]
    later: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """`missed` are the typed words that the entry does not have."""

    id: str
    missed: tuple[str, ...] = ()


class Finder:
    """Entries by typed words. `needless` are words that say nothing about which entry is meant.

    Nothing is found where of all words only small numbers are known: "model 3" names no model.
    """

    def __init__(self, entries: Iterable[Findable], needless: Iterable[str] = ()) -> None:
        self._entries = {entry.id: entry for entry in entries}
        self._needless = frozenset(needless)
        self._having: dict[str, set[str]] = {}
        for entry in self._entries.values():
            for word in entry.words:
                self._having.setdefault(word, set()).add(entry.id)
        self._meant = lru_cache(4096)(self._meanings)

    def find(self, typed: Sequence[str], limit: int) -> tuple[Found, ...]:
        """At most `limit` entries that have the most of the typed words, the best match first."""
        words = self._as_known(typed[:_MOST_WORDS])
        qualities: dict[str, dict[str, float]] = {}  # by entry, by typed word
        typed_of: dict[str, set[str]] = {}  # by entry, its words that were typed
        for place, word in enumerate(words):
            for known, quality in self._meant(word, place == len(words) - 1).items():
                for entry in self._having[known]:
                    of_entry = qualities.setdefault(entry, {})
                    of_entry[word] = max(of_entry.get(word, 0.0), quality)
                    typed_of.setdefault(entry, set()).add(known)
        needed = {word for word in words if word not in self._needless}
        named = {word for word in needed if not _SMALL_NUMBER.fullmatch(word)}
        most = max((len(needed & of_entry.keys()) for of_entry in qualities.values()), default=0)
        if 2 * most < len(needed) or (named and not any(named & of_entry.keys() for of_entry in qualities.values())):
            return ()
        ranked = sorted(
            (
                -len(named & of_entry.keys()),
                -round(sum(of_entry.values()), 3),
                _cost(self._entries[entry], typed_of[entry], bool(named)),
                entry,
            )
            for entry, of_entry in qualities.items()
            if len(needed & of_entry.keys()) == most and (not named or named & of_entry.keys())
        )
        return tuple(
            Found(entry, tuple(word for word in dict.fromkeys(words) if word in needed - qualities[entry].keys()))
            for *_, entry in ranked[:limit]
        )

    def _as_known(self, typed: Sequence[str]) -> list[str]:
        """The typed words, put together or taken apart where the entries' words are: "code llama", "gptoss"."""
        words = [word[:_LONGEST_WORD] for word in typed]
        found: list[str] = []
        while words:
            word = words.pop(0)
            if words and not word[0].isdigit() and word + words[0] in self._having:
                found.append(word + words.pop(0))
            elif not self._meant(word, True) and (parts := self._parts(word)):
                found += parts
            else:
                found.append(word)
        return found

    def _parts(self, word: str) -> list[str] | None:
        """Two or more known words that one word is, the first as long as possible; of the last the end may lack."""
        for cut in range(len(word) - 1, 0, -1):
            first, rest = word[:cut], word[cut:]
            if first in self._having:
                if rest in self._having or (rest.isdigit() and self._meant(rest, True)):
                    return [first, rest]
                if (parts := self._parts(rest)) is not None:
                    return [first, *parts]
        return None

    def _meanings(self, word: str, last: bool) -> dict[str, float]:
        """The entries' words that a typed one may mean; of one that is still being typed the end may lack."""
        begun = word if len(word) > 1 or last else f"{word}."  # "4" begins 4.5 and, being typed, 48
        found = {known: _BEGUN for known in self._having if known.startswith(begun)}
        if word in self._having:
            found[word] = _EXACT
        for of_a_kind in (str.isalpha, str.isdigit):
            if not found and of_a_kind(word) and len(word) >= _SHORTEST_MISTYPED:
                alike = (known for known in self._having if of_a_kind(known) and one_letter_apart(word, known))
                found = dict.fromkeys(alike, _MISTYPED)
        return found


def _cost(entry: Findable, typed: set[str], named: bool) -> float:
    left_out = sum(cost for word, cost in entry.words.items() if word not in typed)
    return round(left_out + entry.later - (_WHOLE_NAME if named and left_out == 0 else 0), 6)


def one_letter_apart(one: str, other: str) -> bool:
    """Whether one letter too many, missing, wrong, or swapped with the next makes one word of the other."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1 or one == other:
        return False
    same = next((place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(one))
    if len(one) < len(other):
        return one[same:] == other[same + 1 :]
    swapped = other[same : same + 2][::-1] == one[same : same + 2] and one[same + 2 :] == other[same + 2 :]
    return swapped or one[same + 1 :] == other[same + 1 :]
