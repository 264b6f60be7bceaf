"""`nvidia-smi`: its table, also cut off or partitioned (MIG), its lists (`--query-gpu=... --format=csv`) and `-L`."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import Any

from advisor.sources.pastes.text import Reading, known

_HEADER = re.compile(r"NVIDIA-SMI\s+([\d.]+)")
# Since 610 the header tells the driver of the kernel and that of programs apart.
_DRIVER = re.compile(r"(?:Driver|KMD) Version:\s*([\d.]+)")
_CUDA = re.compile(r"CUDA(?: UMD)? Version:\s*([\d.]+)")
_GPU = re.compile(r"^\|\s*(\d+)\s+(\S.*?)(?:\s+(On|Off|WDDM|TCC|MCDM|N/A))?\s*\|\s*[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:")
_MEMORY = re.compile(r"(\d+)\s*MiB\s*/\s*(\d+)\s*MiB")
_NO_MEMORY = re.compile(r"Not Supported|N/A\s*/\s*N/A")  # the GPU works in the host's memory
_POWER = re.compile(r"/\s*(\d+)W")
_PART = re.compile(r"^\|\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\|\s*(\d+)MiB\s*/\s*(\d+)MiB")
_LISTED = re.compile(r"^\s*GPU (\d+): (.+?) \(UUID: ")
_MIB = re.compile(r"([\d.]+)\s*(MiB|GiB)?$")
_COLUMNS = {"name": "name", "gpu_name": "name", "memory.total": "memory_mib", "memory.used": "used_mib"}
_COLUMNS |= {"memory.free": "free_mib", "driver_version": "driver", "compute_cap": "compute_capability"}


def read(lines: Sequence[str]) -> Reading | None:
    """What it printed; None where nothing here is its."""
    return _table(lines) or _listing(lines) or _names(lines)


def _table(lines: Sequence[str]) -> Reading | None:
    text = "\n".join(lines)
    gpus: list[dict[str, Any]] = []
    used: list[int | None] = []
    parts: list[dict[str, int]] = []
    windows = False
    for line in lines:
        if found := _PART.match(line):
            _, instance, _, device, taken, total = map(int, found.groups())
            parts.append({"gi": instance, "dev": device, "used_mib": taken, "memory_mib": total})
        elif found := _GPU.match(line):
            gpus.append({"name": found[2], "memory_mib": None})
            used.append(None)
            windows = windows or found[3] in ("WDDM", "TCC", "MCDM")
        elif gpus and gpus[-1]["memory_mib"] is None and used[-1] is None and line.startswith("|"):
            if (found := _MEMORY.search(line)) is not None:
                used[-1], gpus[-1]["memory_mib"] = int(found[1]), int(found[2])
                if (power := _POWER.search(line)) is not None:
                    gpus[-1]["power_limit_w"] = int(power[1])
            elif _NO_MEMORY.search(line):
                gpus[-1]["shared"] = True
    if not gpus and not parts:
        return None
    smi, driver, cuda = _HEADER.search(text), _DRIVER.search(text), _CUDA.search(text)
    versions = known(
        driver=driver[1] if driver else None,
        smi=smi[1] if smi and driver and smi[1] != driver[1] else None,
        cuda=cuda[1] if cuda else None,
        os="windows" if windows else None,
        mig=parts or None,
        name_truncated=any(gpu["name"].endswith("...") for gpu in gpus) or None,
    )
    return Reading("nvidia-smi", {"gpus": gpus, "used_mib": used, **versions})


def _listing(lines: Sequence[str]) -> Reading | None:
    """Columns in any order, with their names and with or without units."""
    for start, line in enumerate(lines):
        titles = [re.sub(r"\s*\[.*", "", one.strip().lower()) for one in line.split(",")]
        if "memory.total" not in titles and not ({"name", "gpu_name"} & set(titles) and "memory.used" in titles):
            continue
        rows = [
            dict(zip(titles, (cell.strip() for cell in cells), strict=True))
            for cells in csv.reader(lines[start + 1 :])
            if len(cells) == len(titles)
        ]
        gpus, used, drivers = [], [], []
        for row in rows:
            told = {_COLUMNS[title]: value for title, value in row.items() if title in _COLUMNS}
            total, taken, free = (_mib(told.get(key, "")) for key in ("memory_mib", "used_mib", "free_mib"))
            if taken is None and total is not None and free is not None:
                taken = total - free
            if total is None and "name" not in told:
                continue
            gpus.append(
                {"name": told.get("name"), "memory_mib": total}
                | known(compute_capability=told.get("compute_capability"))
            )
            used.append(taken)
            drivers.append(told.get("driver"))
        if gpus:
            return Reading("nvidia-smi-csv", {"gpus": gpus, "used_mib": used, **known(driver=drivers[0])})
    return None


def _names(lines: Sequence[str]) -> Reading | None:
    names = [found[2] for line in lines if (found := _LISTED.match(line))]
    return Reading("nvidia-smi-L", {"gpus": [{"name": name, "memory_mib": None} for name in names]}) if names else None


def _mib(text: str) -> int | None:
    found = _MIB.match(text)
    return None if found is None else round(float(found[1]) * (1024 if found[2] == "GiB" else 1))
