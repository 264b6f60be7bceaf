"""AMD's `rocm-smi` and `amd-smi`: the tables that they print without arguments, and the lists of names and memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from advisor.foundation.units import MIB
from advisor.sources.pastes.text import Reading, known

_ROCM_ROW = re.compile(r"^\s*(\d+)\s+(?:\d+\s+)?(?:\[?0x[0-9a-fA-F]+.*|.*\d%.*)$")
_PERCENT = re.compile(r"(\d+)%")
_LISTED = re.compile(r"^GPU\[(\d+)\]\s*:\s*(?:Card [Ss]eries|Card [Mm]odel|Device Name):\s*(.+)$")
_VRAM = re.compile(r"^GPU\[(\d+)\]\s*:\s*VRAM Total (Used )?Memory \(B\):\s*(\d+)")
_AMD_NAME = re.compile(r"^\|\s*[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d\s+(\S.*?)\s*\|")
_AMD_MEMORY = re.compile(r"(\d+)\s*/\s*(\d+)\s*(MB|GB)\s*\|?$")
_AMD_VERSIONS = re.compile(r"amdgpu version:\s*([\w.-]+)\s+ROCm version:\s*([\w.-]+)")
_STATIC_NAME = re.compile(r"^\s*MARKET_NAME:\s*(.+)$")
_STATIC_SIZE = re.compile(r"^\s*SIZE:\s*(\d+)\s*MB")


def read(lines: Sequence[str]) -> Reading | None:
    """What one of them printed; None where nothing here is theirs."""
    return _amd(lines) or _static(lines) or _rocm_table(lines) or _rocm_list(lines)


def _amd(lines: Sequence[str]) -> Reading | None:
    gpus: list[dict[str, Any]] = []
    used: list[int | None] = []
    versions: dict[str, Any] = {}
    for line in lines:
        if found := _AMD_VERSIONS.search(line):
            versions = {"driver": found[1], "rocm": found[2]}
        elif found := _AMD_NAME.match(line):
            gpus.append({"name": found[1], "memory_mb": None})
            used.append(None)
        elif gpus and used[-1] is None and (found := _AMD_MEMORY.search(line)):
            scale = 1024 if found[3] == "GB" else 1
            used[-1], gpus[-1]["memory_mb"] = int(found[1]) * scale, int(found[2]) * scale
    return Reading("amd-smi", {"gpus": gpus, "used_mb": used, **versions}) if gpus else None


def _static(lines: Sequence[str]) -> Reading | None:
    gpus: list[dict[str, Any]] = []
    for line in lines:
        if found := _STATIC_NAME.match(line):
            gpus.append({"name": found[1].strip(), "memory_mb": None})
        elif gpus and gpus[-1]["memory_mb"] is None and (found := _STATIC_SIZE.match(line)):
            gpus[-1]["memory_mb"] = int(found[1])
    return Reading("amd-smi", {"gpus": gpus}) if gpus else None


def _rocm_table(lines: Sequence[str]) -> Reading | None:
    """The name stands on the line after a device's figures; VRAM is told as percent only."""
    start = next((number for number, line in enumerate(lines) if "VRAM%" in line), None)
    if start is None:
        return None
    gpus: list[dict[str, Any]] = []
    shares: list[int | None] = []
    columns = re.findall(r"\S+%", lines[start])
    from_end = len(columns) - columns.index("VRAM%")
    for line in lines[start + 1 :]:
        if "End of ROCm" in line:
            break
        if _ROCM_ROW.match(line):
            percents = _PERCENT.findall(line)
            gpus.append({"name": None})
            shares.append(int(percents[-from_end]) if len(percents) >= from_end else None)
        elif gpus and gpus[-1]["name"] is None and re.match(r"^\s+[A-Za-z]", line):
            gpus[-1]["name"] = line.strip()
    return Reading("rocm-smi", {"gpus": gpus, "vram_pct": shares}) if gpus else None


def _rocm_list(lines: Sequence[str]) -> Reading | None:
    names: dict[str, str] = {}
    total: dict[str, int] = {}
    used: dict[str, int] = {}
    for line in lines:
        if found := _LISTED.match(line):
            names.setdefault(found[1], found[2].strip())
        elif found := _VRAM.match(line):
            (used if found[2] else total)[found[1]] = int(found[3]) // MIB
    devices = sorted({*names, *total}, key=int)
    if not devices:
        return None
    gpus = [{"name": names.get(one), **known(memory_mib=total.get(one))} for one in devices]
    return Reading("rocm-smi", {"gpus": gpus, **({"used_mib": [used.get(one) for one in devices]} if used else {})})
