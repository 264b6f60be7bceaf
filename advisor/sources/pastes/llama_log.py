"""What llama.cpp (and forks of it) logs while it loads a model: buffers by place, layers on GPUs, the context."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from advisor.sources.pastes.text import Reading, known

_OFFLOADED = re.compile(r"offloaded (\d+)/(\d+) layers to GPU")
_BUFFER = re.compile(r"(?:^|[\s:])(\w+)\s+(model )?(KV |RS |compute |output )?buffer size\s*=\s*([\d.]+) MiB")
_KV_SIZE = re.compile(r"(?:llama_kv_cache\w*: size|KV self size)\s*=\s*([\d.]+) MiB.*?(?:K|c\^KV) \((\w+)\)")
_SEQUENCES = re.compile(r"\((?:\s*\d+ cells,.*?)?(\d+)/\d+ seqs\)")
_FIELDS = {
    "quant": re.compile(r"(?:file type|model ftype)\s*= (.+)$"),
    "model": re.compile(r"general\.name\s*= (.+)$"),
    "file_gib": re.compile(r"(?:file size|model size)\s*= ([\d.]+) GiB"),
    "n_ctx": re.compile(r"\bn_ctx\s*= (\d+)"),
}
_NAMED = re.compile(r"using device (\w+) \((.+?)\)")
_FREE = re.compile(r" - (\d+) MiB free")
_EVAL = re.compile(
    r"^.*?(prompt eval|eval) time\s*=\s*[\d.]+ ms /\s*(\d+) (?:tokens|runs).*?([\d.]+) tokens per second"
)
_MOST_BUFFERS = 256


def read(lines: Sequence[str]) -> Reading | None:
    """What it took, in MiB as it prints them; None where nothing here is such a log.

    `rates` are tokens/s of the last request that was logged with its times.
    """
    buffers: dict[str, dict[str, float]] = {"model": {}, "KV": {}, "RS": {}, "compute": {}, "output": {}}
    found: dict[str, Any] = {}
    gpus: list[dict[str, Any]] = []
    sums: list[float] = []
    for line in lines:
        if (layers := _OFFLOADED.search(line)) is not None:
            found["offloaded"] = [int(layers[1]), int(layers[2])]
        elif (buffer := _BUFFER.search(line)) is not None:
            held = buffers[(buffer[3] or "model").strip()]
            if len(held) < _MOST_BUFFERS:
                # Of a part that grew, the last word counts; a model's parts on one device are added up.
                is_more = held is buffers["model"] and buffer[1] in held
                held[buffer[1]] = round(held.get(buffer[1], 0) * is_more + float(buffer[4]), 2)
        elif (cache := _KV_SIZE.search(line)) is not None:
            sums.append(float(cache[1]))
            found["kv_type"] = cache[2]
            if (sequences := _SEQUENCES.search(line)) is not None and int(sequences[1]) > 1:
                found["sequences"] = int(sequences[1])
        elif (device := _NAMED.search(line)) is not None:
            free = _FREE.search(line)
            gpus.append({"name": device[2], **known(free_mib=int(free[1]) if free else None)})
        elif (rate := _EVAL.match(line)) is not None:
            found.setdefault("rates", {})["prefill" if rate[1] == "prompt eval" else "decode"] = float(rate[3])
            if rate[1] == "prompt eval":
                found["rates"]["prompt_tokens"] = int(rate[2])
        else:
            for name, pattern in _FIELDS.items():
                if name not in found and (said := pattern.search(line)) is not None:
                    text = said[1].strip()
                    found[name] = int(text) if name == "n_ctx" else float(text) if name == "file_gib" else text
    if not buffers["model"] and "offloaded" not in found and "rates" not in found:
        return None
    parts = {
        "model_mib": buffers["model"] or None,
        "kv_mib": round(sum(sums or buffers["KV"].values()), 2) if sums or buffers["KV"] else None,
        "rs_mib": round(sum(buffers["RS"].values()), 2) if buffers["RS"] else None,
        "compute_mib": buffers["compute"] or None,
        "gpus": gpus or None,
    }
    return Reading("llama.cpp log", {**found, **known(**parts)})
