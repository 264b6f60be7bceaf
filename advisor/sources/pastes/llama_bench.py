"""`llama-bench` in each of its formats: Markdown, JSON, JSON lines, CSV; and the devices it names before."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from advisor.foundation.units import GIB
from advisor.sources.pastes.text import Reading, known, plain_figure

# File types as llama.cpp words them, the longest first; what stands before is the model.
_FILE_TYPES = (
    *("MXFP4 MoE", "NVFP4", "all F32", "BF16", "F16"),
    r"I?Q\d_[0-9A-Z]+(?:_[A-Z0-9]+)*(?: - (?:Small|Medium|Large|2\.\d+ bpw|\d\.\d+ bpw))?",
    r"I?Q\d_[A-Z0-9]+ - [\w. ]+",
    r"TQ\d_0.*",
)
_MODEL = re.compile(rf"^(.*?)\s+(?:\(guessed\) )?({'|'.join(_FILE_TYPES)})$")
_TEST = re.compile(r"^(?:(pp\d+)(\+tg\d+)?|(tg\d+))(?:\s*@\s*d(\d+))?$")
_SIZE = re.compile(r"([\d.]+)\s*(GiB|MiB)")
_RATE = re.compile(r"([\d.]+)")
_BUILD = re.compile(r"^build:\s*(\w+ \(\d+\))")
_DEVICE = re.compile(r"^\s*Device (\d+): (.+?), (?:gfx\w+|compute capability [\d.]+)(?:.*?VRAM: (\d+) MiB)?")
_VULKAN = re.compile(r"ggml_vulkan: (\d+) = (.+?)(?: \([\w -]+\))? \|")
_MOST_ROWS = 500


def read(lines: Sequence[str]) -> Reading | None:
    """The first model's run: `tests` are tokens/s by test, in order; None where nothing here is its.

    `users` is not among its terms: it measures one sequence.
    """
    rows = _markdown(lines) or _records(lines) or _columns(lines)
    rows = [row for row in rows if row["test"] is not None][:_MOST_ROWS]
    if not rows:
        return None
    first = rows[0]
    # Rows of another file, or with other options, are another measurement: the first is taken.
    same = [
        row for row in rows if all(row[key] == first[key] for key in ("model", "quant", "backend", "ngl", "n_cpu_moe"))
    ]
    build = next((found[1] for line in lines if (found := _BUILD.match(line))), None)
    values = {
        "model": first["model"],
        "quant": first["quant"],
        **known(size_gib=first["size_gib"]),
        "backend": first["backend"],
        "ngl": first["ngl"],
        **known(
            n_cpu_moe=first["n_cpu_moe"],
            threads=first["threads"],
            n_ubatch=first["n_ubatch"],
            type_k=first["type_k"],
            type_v=first["type_v"],
            filename=first["filename"],
            date=first["date"],
            gpus=_devices(lines) or first["gpus"],
        ),
        "tests": [{row["test"]: row["rate"]} for row in same],
        **known(build=build or first["build"]),
    }
    return Reading("llama-bench", values | ({"other_rows": len(rows) - len(same)} if len(rows) > len(same) else {}))


def _row(cells: Mapping[str, Any], test: str | None, rate: float) -> dict[str, Any]:
    whole = str(cells.get("model_type") or cells.get("model") or "").strip()
    found = _MODEL.match(whole)
    return {
        "model": found[1] if found else whole,
        "quant": found[2] if found else None,
        "backend": str(cells.get("backends") or cells.get("backend") or "").strip() or None,
        "ngl": _whole(cells.get("n_gpu_layers", cells.get("ngl"))),
        "n_cpu_moe": _whole(cells.get("n_cpu_moe")),
        "threads": _whole(cells.get("threads", cells.get("n_threads"))),
        "n_ubatch": _whole(cells.get("n_ubatch")),
        "type_k": cells.get("type_k"),
        "type_v": cells.get("type_v"),
        "filename": re.split(r"[\\/]", str(cells["model_filename"]))[-1] if cells.get("model_filename") else None,
        "date": str(cells["test_time"])[:10] if cells.get("test_time") else None,
        "gpus": [name.strip() for name in str(cells["gpu_info"]).split(",")] if cells.get("gpu_info") else None,
        "size_gib": _size(cells),
        "build": f"{cells['build_commit']} ({cells.get('build_number')})" if cells.get("build_commit") else None,
        "test": test,
        "rate": rate,
    }


def _markdown(lines: Iterable[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    titles: list[str] | None = None
    for line in lines:
        if not line.lstrip().startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if "t/s" in cells and "test" in cells:
            titles = cells
        elif titles is not None and len(cells) == len(titles):
            row = dict(zip(titles, cells, strict=True))
            rate = _RATE.match(row["t/s"])
            if rate and (test := _test(row["test"])):
                rows.append(_row(row, test, float(rate[1])))
    return rows


def _records(lines: Sequence[str]) -> list[dict[str, Any]]:
    """A list of objects, or an object a line; a list that was cut off is read object by object."""
    text = "\n".join(lines)
    start = text.find('{"build_commit"') if '{"build_commit"' in text else text.find("{")
    if start < 0 or '"avg_ts"' not in text:
        return []
    decoder = json.JSONDecoder()
    rows: list[dict[str, Any]] = []
    while 0 <= start < len(text) and len(rows) < _MOST_ROWS:
        try:
            found, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            break
        if isinstance(found, dict) and isinstance(found.get("avg_ts"), int | float):
            rows.append(_numbered(found))
        start = text.find("{", end)
    return rows


def _columns(lines: Sequence[str]) -> list[dict[str, Any]]:
    start = next((at for at, line in enumerate(lines) if "avg_ts" in line and "model_type" in line), None)
    if start is None:
        return []
    try:
        cells = list(csv.reader(line for line in lines[start:] if line))[: _MOST_ROWS + 1]
        return [_numbered(dict(zip(cells[0], row, strict=True))) for row in cells[1:] if len(row) == len(cells[0])]
    except (csv.Error, ValueError):
        return []


def _numbered(cells: Mapping[str, Any]) -> dict[str, Any]:
    prompt, written, depth = (_whole(cells.get(key)) or 0 for key in ("n_prompt", "n_gen", "n_depth"))
    test = f"pp{prompt}+tg{written}" if prompt and written else f"pp{prompt}" if prompt else f"tg{written}"
    return _row(cells, f"{test}@d{depth}" if depth else test, float(cells["avg_ts"]))


def _test(text: str) -> str | None:
    if (found := _TEST.match(text)) is None:
        return None
    name = (found[1] or "") + (found[2] or "") + (found[3] or "")
    return f"{name}@d{int(found[4])}" if found[4] else name


def _devices(lines: Iterable[str]) -> list[Any]:
    """Devices with their memory where the program tells it, else their names."""
    found: dict[str, Any] = {}
    for line in lines:
        if (device := _DEVICE.match(line)) is not None:
            found[device[1]] = {"name": device[2], "memory_mib": int(device[3])} if device[3] else device[2]
        elif (device := _VULKAN.search(line)) is not None:
            found[device[1]] = device[2]
    return list(found.values())


def _size(cells: Mapping[str, Any]) -> float | None:
    if (size := _whole(cells.get("model_size"))) is not None:
        return round(size / GIB, 2)
    found = _SIZE.match(str(cells.get("size", "")))
    return (
        None if found is None else float(plain_figure(round(float(found[1]) / (1024 if found[2] == "MiB" else 1), 2)))
    )


def _whole(value: Any) -> int | None:
    text = str(value)
    return int(text) if re.fullmatch(r"-?\d{1,15}", text) else None
