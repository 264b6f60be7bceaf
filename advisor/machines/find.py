"""Machines for words that somebody typed, the likeliest first; how many of it is read from the same words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from advisor.foundation.numbers import bare
from advisor.foundation.typed_words import Findable, Finder
from advisor.foundation.units import GIB
from advisor.machines.machine import Machine

_MEMORY = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)\s*(?:gib|gb|g)(?![a-z0-9])")
_COUNT = re.compile(r"(?<![a-z0-9])(\d{1,2})\s*[x×]\s*(?=[a-z0-9])|(?<![a-z0-9])[x×]\s*(\d{1,2})(?![a-z0-9])")
_NUMBER_WORDS = {"dual": 2, "two": 2, "quad": 4, "four": 4}
_WORD = re.compile(r"[a-z0-9]+(?:\.\d+[a-z]*)?")
_NEEDLESS = frozenset(
    ("a", "and", "card", "cards", "graphics", "memory", "my", "of", "only", "ram", "the", "vram", "with")
)
# Names of another chip, card or form than the bare number means.
_OTHER_FORM = frozenset(
    (
        *("ti", "super", "d", "s", "xt", "xtx", "gre", "max", "ultra", "mod", "aftermarket", "laptop", "q"),
        *("server", "sff", "nvl", "gpus", "passive", "one", "2x", "2p"),
    )
)
_FORM_COST = 0.5
_KINDS = {
    "consumer-gpu": (0, "gpu desktop"),
    "workstation-gpu": (1, "gpu workstation"),
    "apple-silicon": (1, "mac"),
    "unified-memory-pc": (2, "pc mini"),
    "datacenter-gpu": (2, "gpu datacenter server"),
    "laptop-gpu": (3, "gpu laptop notebook"),
    "cpu-platform": (5, "cpu ram"),
}
_PRO_COST = 0.2
# Of equals, what people have at home, then what is newer, larger and faster.
_KIND_COST, _YEAR, _GIB, _TFLOPS = 0.15, 0.005, 0.003, 0.002


@dataclass(frozen=True, slots=True)
class FoundMachine:
    """`count` is how many of it the words ask for, None where they do not say; `missed` are words that it lacks."""

    id: str
    count: int | None = None
    missed: tuple[str, ...] = ()


class MachineFinder:
    """Finds machines by words: a name in part, a vendor, memory in GB, a computer that has the chip, "2x", "dual"."""

    def __init__(self, machines: Mapping[str, Machine]) -> None:
        self._finder = Finder((_findable(machine) for machine in machines.values()), _NEEDLESS)

    def find(self, typed: str, limit: int = 8) -> tuple[FoundMachine, ...]:
        """At most `limit` machines that the words may mean, the best match first."""
        text = typed[:300].lower()
        count = None
        if match := _COUNT.search(text):
            count = int(match[1] or match[2]) or None
            text = f"{text[: match.start()]} {text[match.end() :]}"
        words = _words(text)
        found = self._finder.find(words, limit)
        counting = next((word for word in words if word in _NUMBER_WORDS), None)
        if counting and (not found or found[0].missed):
            count = _NUMBER_WORDS[counting]
            found = self._finder.find([word for word in words if word != counting], limit)
        return tuple(FoundMachine(one.id, count, one.missed) for one in found)


def _words(text: str) -> list[str]:
    return _WORD.findall(_MEMORY.sub(r" \1gb ", text.lower().replace("_", " ")))


def _findable(machine: Machine) -> Findable:
    rank, kind = _KINDS[machine.kind]
    gib = machine.memory_bytes * machine.count / GIB
    said = {word: _cost(word) for text in (machine.id, machine.name) for word in _words(text)}
    more = _words(f"{machine.vendor} {kind} {bare(gib)}gb {_computers(machine)}")
    rank -= machine.vendor == "generic"
    later = _KIND_COST * rank - _YEAR * ((machine.release_year or 2000) - 2000) - _GIB * gib
    later -= _TFLOPS * (machine.fp32_tflops or 0)
    return Findable(machine.id, dict.fromkeys(more, 0.0) | said, later)


def _cost(word: str) -> float:
    return _PRO_COST if word == "pro" else _FORM_COST if word in _OTHER_FORM else 0.0


def _computers(machine: Machine) -> str:
    """Computers that people name instead of the chip in them; for finding only."""
    if machine.vendor == "Apple":
        if "Ultra" in machine.name:
            return "studio macstudio"
        if "Max" in machine.name:
            return "studio macstudio macbook pro"
        return "macbook pro mini macmini" if "Pro" in machine.name else "macbook pro air mini macmini imac"
    if "Strix Halo" in machine.name:
        return "framework desktop"
    return "rocm" if machine.vendor == "AMD" else ""
