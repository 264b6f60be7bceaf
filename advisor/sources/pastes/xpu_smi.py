"""Intel's `xpu-smi discovery`, the list and the long form of one device."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from advisor.sources.pastes.text import Reading, plain_figure

_NAME = re.compile(r"Device Name:\s*(.+?)\s*\|?$")
_MEMORY = re.compile(r"Memory Physical Size:\s*([\d.]+)\s*MiB")


def read(lines: Sequence[str]) -> Reading | None:
    """What it printed; None where nothing here is its."""
    gpus: list[dict[str, Any]] = []
    for line in lines:
        if line.lstrip().startswith("|") and (found := _NAME.search(line)):
            gpus.append({"name": found[1], "memory_mib": None})
        elif gpus and (found := _MEMORY.search(line)):
            gpus[-1]["memory_mib"] = plain_figure(float(found[1]))
    return Reading("xpu-smi", {"gpus": gpus, "used_mib": None}) if gpus else None
