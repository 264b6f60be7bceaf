"""macOS' `system_profiler`: the parts about hardware and displays, as text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.sources.pastes.text import Reading, known

_FIELD = re.compile(r"^\s+([A-Z][\w /()]*?):\s*(.*)$")
_SIZE = re.compile(r"(\d+)\s*(GB|TB)")


def read(lines: Sequence[str]) -> Reading | None:
    """What it says of the computer; None where nothing here is its."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        if found := _FIELD.match(line):
            fields.setdefault(found[1], []).append(found[2].strip())
    if "Chipset Model" not in fields and "Chip" not in fields:
        return None
    sizes = [
        int(found[1]) * (1024 if found[2] == "TB" else 1)
        for one in fields.get("Memory", ())
        if (found := _SIZE.match(one))
    ]
    hardware = known(
        model=_first(fields, "Model Name"),
        model_id=_first(fields, "Model Identifier"),
        chip=_first(fields, "Chip"),
        cores=_whole(_first(fields, "Total Number of Cores")) if "Chip" in fields else None,
        memory_gb=sizes[0] if sizes else None,
    )
    chips = [name for name in fields.get("Chipset Model", ()) if name.startswith("Apple")]
    # Where both parts were pasted, the second number of cores is that of the display's part.
    cores = _whole(fields.get("Total Number of Cores", [""])[-1]) if chips else None
    gpus = [{"name": name, "gpu_cores": cores, "memory_mib": None} for name in chips]
    return Reading("system-profiler", {**hardware, **({"gpus": gpus} if gpus else {})})


def _first(fields: dict[str, list[str]], name: str) -> str | None:
    return next(iter(fields.get(name, ())), None)


def _whole(text: str | None) -> int | None:
    found = re.match(r"\d+", text or "")
    return int(found[0]) if found else None
