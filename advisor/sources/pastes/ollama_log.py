"""Ollama's log of how it placed a model: one line of `key=value` pairs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from advisor.sources.pastes.text import Reading

_PAIR = re.compile(r'([\w.]+)=("[^"]*"?|\S+)')
_SIZE = re.compile(r"([\d.]+) (GiB|MiB|KiB|B)\b")
_SCALES = {"GiB": 1.0, "MiB": 1 / 1024, "KiB": 1 / 1024**2, "B": 1 / 1024**3}
_OFFLOAD = re.compile(r'msg="?offload to (\w+)')


def read(lines: Sequence[str]) -> Reading | None:
    """What it took, in GiB (the KV cache in MiB where it says so); None where nothing here is such a log."""
    found: dict[str, Any] = {}
    for line in lines:
        pairs = {name: value.strip('"') for name, value in _PAIR.findall(line)}
        if 'msg="system memory"' in line and (total := _gib(pairs.get("total", ""))):
            found["ram_gib"] = total[0]
        offload = _OFFLOAD.search(line)
        if offload is None or "layers.model" not in pairs:
            continue
        found |= {
            "library": offload[1],
            "layers": [int(pairs["layers.offload"]), int(pairs["layers.model"])],
            "available_gib": _gib(pairs.get("memory.available", "")),
        }
        full, partial = (_gib(pairs.get(f"memory.required.{kind}", "")) for kind in ("full", "partial"))
        if full:
            found["required_gib"] = full[0]
        if partial and partial != full:
            found["partial_gib"] = partial[0]
        if weights := _gib(pairs.get("memory.weights.total", "")):
            found["weights_gib"] = weights[0]
        if (cache := _SIZE.search(pairs.get("memory.required.kv", ""))) is not None:
            found["kv_mib" if cache[2] == "MiB" else "kv_gib"] = float(cache[1])
    return Reading("ollama log", found) if "layers" in found else None


def _gib(text: str) -> list[float]:
    return [round(float(size) * _SCALES[unit], 4) for size, unit in _SIZE.findall(text)]
