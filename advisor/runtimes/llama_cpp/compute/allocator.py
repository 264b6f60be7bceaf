"""The address space of one compute buffer, handed out as llama.cpp does (`ggml_dyn_tallocr`, ggml/src/ggml-alloc.c)."""

from __future__ import annotations

from bisect import bisect_left

_ALIGNMENT = 128
_ENDLESS = 1 << 62

Free = tuple[tuple[int, ...], tuple[int, ...]]
"""Addresses and sizes of free blocks, in bytes."""
EMPTY: Free = ((0,), (_ENDLESS,))


class Arena:
    """Free blocks sorted by address; the last one is endless. `peak` is the highest address used, in bytes."""

    __slots__ = ("_offsets", "_sizes", "peak")

    def __init__(self, free: Free = EMPTY) -> None:
        self._offsets, self._sizes = list(free[0]), list(free[1])
        self.peak = 0

    @property
    def free(self) -> Free:
        return tuple(self._offsets), tuple(self._sizes)

    def take(self, size: int) -> int:
        """Address of a new block: the tightest hole that fits, else behind everything."""
        size = -(-size // _ALIGNMENT) * _ALIGNMENT
        sizes, offsets = self._sizes, self._offsets
        best = len(sizes) - 1
        tightest = _ENDLESS
        for index in range(best):
            free = sizes[index]
            if size <= free <= tightest:
                best, tightest = index, free
        offset = offsets[best]
        if sizes[best] == size:
            del sizes[best], offsets[best]
        else:
            sizes[best] -= size
            offsets[best] = offset + size
        if offset + size > self.peak:
            self.peak = offset + size
        return offset

    def give(self, offset: int, size: int) -> None:
        """Return a block, merging it with free neighbours.

        The first neighbour found is taken. Blocks of no size (recurrent models have such tensors) are kept like
        others and so can keep two neighbours apart; that is what llama.cpp does, and it shows in the peak.
        """
        size = -(-size // _ALIGNMENT) * _ALIGNMENT
        sizes, offsets = self._sizes, self._offsets
        end = offset + size
        for index, start in enumerate(offsets):
            if start + sizes[index] == offset:
                sizes[index] += size
                if index + 1 < len(offsets) and offsets[index + 1] == end:
                    sizes[index] += sizes[index + 1]
                    del sizes[index + 1], offsets[index + 1]
                return
            if start == end:
                offsets[index] = offset
                sizes[index] += size
                if index and offsets[index - 1] + sizes[index - 1] == offset:
                    sizes[index - 1] += sizes[index]
                    del sizes[index], offsets[index]
                return
            if start > end:
                break
        index = bisect_left(offsets, offset)
        offsets.insert(index, offset)
        sizes.insert(index, size)
