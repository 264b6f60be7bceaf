"""Where the run of layers of one device ends and that of the next begins."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from advisor.sizing.placement import Placement


class Held(NamedTuple):
    """Bytes that the devices together hold up to each layer, when the experts of `moe` first layers are on the host.

    `plain` adds up what is no expert, `whole` all, `away` is that of the experts on the host.
    """

    plain: Sequence[int]
    whole: Sequence[int]
    moe: int
    away: int

    def up_to(self, layer: int) -> int:
        return self.plain[layer] if layer <= self.moe else self.whole[layer] - self.away

    def last_within(self, size: int) -> int:
        """The last layer up to which no more than so many bytes are held."""
        if self.plain[self.moe] <= size:
            return bisect_right(self.whole, size + self.away, self.moe) - 1
        return bisect_right(self.plain, size, 0, self.moe) - 1

    def within(self, ends: Sequence[int], budgets: Sequence[int]) -> bool:
        """Whether each device has room for its run; the first begins where `ends` do."""
        return all(self.up_to(b) - self.up_to(a) <= room for a, b, room in zip(ends, ends[1:], budgets, strict=False))

    def splits(self, budgets: Sequence[int], first: int) -> bool:
        """Whether `greedy_cuts` finds any; asked for very many choices."""
        plain, whole, moe, away = self
        last = len(whole) - 1
        at, held = first, self.up_to(first)
        if self.up_to(last) - held > sum([room for room in budgets if room > 0]):
            return False
        for room in budgets:
            if room < 0:
                continue
            size = held + room
            if plain[moe] <= size:
                end = bisect_right(whole, size + away, moe) - 1
            else:
                end = bisect_right(plain, size, 0, moe) - 1
            if end > at:
                if end == last:
                    return True
                at, held = end, plain[end] if end <= moe else whole[end] - away
        return at == last

    def greedy_cuts(self, budgets: Sequence[int], first: int) -> list[int] | None:
        """Where each device's run ends when each takes as many layers as it can hold; None if some are left over.

        If any split fits, this one does.
        """
        cuts, at, held, last = [], first, self.up_to(first), len(self.whole) - 1
        if self.up_to(last) - held > sum([room for room in budgets if room > 0]):
            return None
        for room in budgets:
            if room >= 0:
                at = max(at, self.last_within(held + room))
                held = self.up_to(at)
            cuts.append(at)
        return cuts if at == last else None


def default_ends(placement: Placement, first: int) -> list[int]:
    """Where each device's run ends; the output head counts as the layer after the last."""
    homes = np.array([*placement.layers, placement.output])[first:]
    return [first, *(first + np.searchsorted(homes, range(placement.devices), side="right")).tolist()]
