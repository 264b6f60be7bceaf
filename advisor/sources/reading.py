"""Reading the beginning of a file piece by piece, wherever it lies: on disk, uploaded, or behind a URL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from advisor.foundation.errors import InputError

# (start, end) -> the bytes from start up to, but not including, end; fewer only where the file ends.
ReadRange = Callable[[int, int], bytes]


def read_from_bytes(content: bytes) -> ReadRange:
    """For an uploaded file, or the beginning of one."""
    return lambda start, end: content[start:end]


def read_from_path(path: Path) -> ReadRange:
    """For a file on this machine."""

    def read(start: int, end: int) -> bytes:
        try:
            with path.open("rb") as file:
                file.seek(start)
                return file.read(end - start)
        except OSError:
            raise InputError("{path} cannot be read.", path=path.name) from None

    return read


class CutOff(InputError):
    """The file ends before its header does."""


class Window:
    """The beginning of a file, held only from where the parser stands, and fetched as the parser advances.

    `forecast` returns where the parser, at a position, expects its part of the file to end; a fetch reads up to there,
    so that a remote header takes few requests without reading much beyond it.
    """

    def __init__(self, read: ReadRange, name: str, limit: int, first: int, forecast: Callable[[int], int]):
        self._read = read
        self._name = name
        self._limit = limit
        self._first = first
        self._forecast = forecast
        self._base = 0
        self.data = b""
        self.at = 0  # position within `data`

    @property
    def position(self) -> int:
        return self._base + self.at

    def need(self, count: int) -> None:
        """Make sure that `count` bytes lie ahead; raises InputError where the file or the patience ends."""
        if self.at + count <= len(self.data):
            return
        wanted = self.position + count
        if wanted > self._limit:
            raise InputError(
                "{name}: the header is larger than {limit} MiB, which no real one is.",
                name=self._name,
                limit=self._limit >> 20,
            )
        held = self._base + len(self.data)
        end = min(max(wanted, self._forecast(self.position) if held else self._first), self._limit)
        more = self._read(held, end)
        self.data = self.data[self.at :] + more[: end - held]
        self._base, self.at = self._base + self.at, 0
        if count > len(self.data):
            raise CutOff(
                "{name} is cut off within its header, after {base:,} bytes.",
                name=self._name,
                base=self._base + len(self.data),
            )

    def take(self, count: int) -> bytes:
        self.need(count)
        start = self.at
        self.at += count
        return self.data[start : self.at]

    def skip(self, count: int) -> None:
        """Pass over `count` bytes without holding them all."""
        while count:
            step = min(count, max(len(self.data) - self.at, 1))
            self.need(step)
            self.at += step
            count -= step
