"""Long stretches of like layers: three rounds of them are laid out, and the one in the middle is repeated.

The first round finds what came before the stretch, the last one is the last to read what all of it does; every round
between them finds what one of its kind leaves, and leaves the same; constants, which are allocated before all layers,
come back with their round. `repeated` makes sure of that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import accumulate
from typing import NamedTuple, TypeVar

from advisor.runtimes.llama_cpp.compute.layout import Layout, Part, Source

_KEPT = 3  # rounds: the first, one in the middle, the last
_LONGEST = 8  # layers of a round
_WORTH_IT = 0.8  # of a word's length; putting it together again costs time too

Letter = TypeVar("Letter", bound=Hashable)
_Name = tuple[Source, int]


class Stretch(NamedTuple):
    """`times` rounds of `period` layers that were left out of a word before its layer number `start`."""

    start: int
    period: int
    times: int


def shortened(word: Sequence[Letter]) -> tuple[list[Letter], list[Stretch]]:
    """The word without what repeats itself more than three times, and what was left out, by its place in the result.

    The last letter stays as it is: its layer is another one.
    """
    short: list[Letter] = []
    left_out = []
    at, end = 0, len(word) - 1
    while at < end:
        saved, period = max((_saved(word, at, end, period), -period) for period in range(1, _LONGEST + 1))
        period = -period
        if saved <= 0:
            short.append(word[at])
            at += 1
            continue
        short += word[at : at + _KEPT * period]
        left_out.append(Stretch(len(short) - period, period, saved // period))
        at += _KEPT * period + saved
    short += word[at:]
    if len(short) > _WORTH_IT * len(word):
        return list(word), []
    return short, left_out


def _saved(word: Sequence[Letter], at: int, end: int, period: int) -> int:
    """Letters that can be left out of the stretch which begins there."""
    last = at + period
    while last < end and word[last] == word[last - period]:
        last += 1
    return ((last - at) // period - _KEPT) * period


def repeated(layout: Layout, before: int, stretches: Sequence[Stretch]) -> Layout | None:
    """The layout of the whole word from that of the shortened one; `before` is the number of parts before its layers.

    None where rounds are not alike after all.
    """
    parts = layout.parts
    names = [_names(layout, part) for part in parts]
    by_tensor = {
        tensor: (number, name)
        for number, part in enumerate(parts)
        for name, tensor in zip(names[number], part.left, strict=True)
    }
    found = [[by_tensor[tensor] for tensor in part.found] for part in parts]
    middles: dict[int, Stretch] = {}  # of each part in the middle round of a stretch, that stretch
    constants = range(1, before - 1)  # parts that each hold one of a layer, before the layers
    if set(constants) - {origin for each in found for origin, _ in each}:
        return None
    for start, period, times in stretches:
        last = before + start
        own = _constants(parts, found, last, period, constants)
        if (
            own is None
            or not _alike(found, last, period, own)
            or layout.copied.intersection(range(last - period, last))
        ):
            return None
        middles |= dict.fromkeys(range(last - period, last), Stretch(last, period, times))
        middles |= dict.fromkeys(own, Stretch(own.stop, len(own), times))
    order: list[tuple[int, int]] = []  # each part of the whole, as a part of the shortened one and which time it comes
    done = 0
    for last, period, times in sorted(set(middles.values())):
        order += [(number, 0) for number in range(done, last)]
        order += [(number, time) for time in range(1, times + 1) for number in range(last - period, last)]
        done = last
    order += [(number, 0) for number in range(done, len(parts))]
    starts = [0, *accumulate(len(parts[number].left) for number, _ in order)]
    first_left = dict(zip(order, starts, strict=False))
    places = [{name: place for place, name in enumerate(each)} for each in names]

    def tensor_of(number: int, time: int, origin: int, name: _Name) -> int:
        stretch = middles.get(origin)
        if origin in constants:  # each round has its own
            return first_left[origin, time] + places[origin][name]
        if time and stretch is None:  # what the first round leaves, and those in the middle leave as well
            origin, time = origin + middles[number].period, time - 1
        elif stretch is not None and number >= stretch.start:
            time = stretch.times
        return first_left[origin, time] + places[origin][name]

    whole = []
    for (number, time), start in zip(order, starts, strict=False):
        part = parts[number]
        tensors = tuple([tensor_of(number, time, *each) for each in found[number]])
        left = tuple(range(start, start + len(part.left)))
        whole.append(Part(part.segment, part.devices, part.sources, tensors, left))
    return Layout(tuple(whole), layout.sources, starts[-1])


_Found = Sequence[Sequence[tuple[int, _Name]]]  # by each part: which part has left it, and its name


def _constants(parts: Sequence[Part], found: _Found, last: int, period: int, constants: range) -> range | None:
    """The parts of constants that the middle round of a stretch finds; None where the last one's do not follow on them,
    or are others.
    """
    middle, next_ones = (
        sorted({origin for each in found[start : start + period] for origin, _ in each if origin in constants})
        for start in (last - period, last)
    )
    if not middle:
        return range(0)
    own = range(middle[0], middle[0] + len(middle))
    later = range(own.stop, own.stop + len(own))
    # The last round may be the last to read an input, which is allocated after all constants.
    if middle != list(own) or next_ones[: len(own)] != list(later):
        return None
    return own if all(map(_like, map(parts.__getitem__, own), map(parts.__getitem__, later))) else None


def _like(part: Part, other: Part) -> bool:
    return (part.segment, part.devices, part.sources) == (other.segment, other.devices, other.sources)


def _alike(found: _Found, last: int, period: int, constants: range) -> bool:
    """Whether the middle round finds nothing but what the first leaves and `constants` of its own, the last the same of
    the middle one, and what follows nothing of the middle one."""
    middle = last - period

    def again(origin: int, name: _Name, later: Sequence[tuple[int, _Name]]) -> bool:
        if origin in constants:
            return (origin + len(constants), name) in later
        return origin >= middle - period and (origin + period, name) in later

    for number in range(middle, last):
        if not all(again(*each, found[number + period]) for each in found[number]):
            return False
    return not any(middle <= origin < last for each in found[last + period :] for origin, _ in each)


def _names(layout: Layout, part: Part) -> list[_Name]:
    """What a part leaves, told apart by whose sizes it has; a tensor and its copies by their order."""
    sources, seen = layout.sources[part.sources], Counter[Source]()
    found = []
    for tensor in part.segment.left:
        found.append((sources[tensor], seen[sources[tensor]]))
        seen[sources[tensor]] += 1
    return found
