"""A computer's processor and memory: `lscpu`, `free`, and Windows' `dxdiag`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from advisor.sources.pastes.text import Reading, known, plain_figure

_CPU = {
    "Model name": "cpu",
    "CPU(s)": "threads",
    "Core(s) per socket": "cores_per_socket",
    "Socket(s)": "sockets",
    "Architecture": "architecture",
}
_CPU_FIELD = re.compile(rf"^\s*({'|'.join(map(re.escape, _CPU))}):\s+(\S.*?)\s*$")
_FREE_HEAD = re.compile(r"^\s*total\s+used\s+free\s+shared\s+buff/cache\s+available")
_FREE_ROW = re.compile(r"^\s*Mem:\s+(.+)$")
_QUANTITY = re.compile(r"^([\d.]+)([KMGTP]?)(i?)B?$", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_KIB = 1024
_DX_FIELD = re.compile(
    r"^\s*(Card name|Dedicated Memory|Display Memory|Shared Memory|Processor|Memory|Operating System):\s*(.+)$"
)
_DX_MB = re.compile(r"(\d+)\s*MB")


def read_lscpu(lines: Sequence[str]) -> Reading | None:
    """The processor; None where nothing here is `lscpu`'s."""
    found: dict[str, Any] = {}
    for line in lines:
        if (field := _CPU_FIELD.match(line)) is not None:
            found.setdefault(_CPU[field[1]], field[2])
    if "cpu" not in found or not {"sockets", "threads"} & found.keys():
        return None
    found.pop("architecture", None)
    return Reading("lscpu", {key: value if key == "cpu" else _whole(value) for key, value in found.items()})


def read_free(lines: Sequence[str]) -> Reading | None:
    """Memory in GiB from `free` in any unit (`-h`, `-g`, `-m`, `-b`, none); None where nothing here is its."""
    head = next((number for number, line in enumerate(lines) if _FREE_HEAD.match(line)), None)
    if head is None:
        return None
    row = next((found[1].split() for line in lines[head + 1 : head + 4] if (found := _FREE_ROW.match(line))), [])
    bare = [float(cell) for cell in row if re.fullmatch(r"\d+", cell)]
    # Without units the columns are KiB, unless a machine would then have less than a gigabyte: -m, or -g.
    scale = 1.0
    if bare and len(bare) == len(row):
        most = max(bare)
        scale = 1.0 if most > 100 * _KIB**3 else 1024.0 if most > 900_000 else _KIB**2 if most > 3_000 else _KIB**3
    sizes = [_gib(cell, scale) for cell in row]
    if len(sizes) < 2 or sizes[0] is None:
        return None
    return Reading(
        "free", known(memory_gib=sizes[0], used_gib=sizes[1], available_gib=sizes[5] if len(sizes) > 5 else None)
    )


def _gib(cell: str, scale: float) -> float | int | None:
    if (found := _QUANTITY.match(cell)) is None:
        return None
    unit = found[2].upper()
    # `free --si` prints "64G" for powers of a thousand.
    size = float(found[1]) * (
        scale if not unit else (1000 if not found[3] and cell[-1] != "i" else 1024) ** _POWERS[unit]
    )
    return plain_figure(round(size / 1024**3, 2))


def read_dxdiag(lines: Sequence[str]) -> Reading | None:
    """Windows' report: cards with their own memory, RAM and processor; None where nothing here is its."""
    gpus: list[dict[str, Any]] = []
    found: dict[str, Any] = {}
    for line in lines:
        if (field := _DX_FIELD.match(line)) is None:
            continue
        name, value = field[1], field[2].strip()
        size = int(mb[1]) if (mb := _DX_MB.search(value)) else None
        if name == "Card name":
            gpus.append({"name": value, "memory_mib": None})
        elif name == "Dedicated Memory" and gpus:
            gpus[-1]["memory_mib"] = size
        elif name == "Memory" and size is not None and "MB RAM" in value:
            found["memory_mib"] = size
        elif name == "Processor":
            found["cpu"] = re.sub(r"\s*\(\d+ CPUs\).*$", "", value)
        elif name == "Operating System":
            found["os"] = value
    if not gpus or not found:
        return None
    # A card with several screens is listed once for each.
    unique = [gpu for number, gpu in enumerate(gpus) if gpu not in gpus[:number]]
    return Reading("dxdiag", {"gpus": unique, **found})


def _whole(text: str) -> int | None:
    return int(text) if text.isdigit() else None
