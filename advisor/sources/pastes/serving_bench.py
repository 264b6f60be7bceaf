"""The result of `vllm bench serve` and of SGLang's `bench_serving`, which print the same table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from advisor.sources.pastes.text import Reading, number, plain_figure

_FIELD = re.compile(r"^\s*([A-Z][^:]*?):\s+([\w.,-]+)\s*$")
_NAMES = {
    "backend": "backend",
    "successful requests": "requests",
    "failed requests": "failed",
    "maximum request concurrency": "max_concurrency",
    "max request concurrency": "max_concurrency",
    "benchmark duration (s)": "duration_s",
    "total input tokens": "input_tokens",
    "total generated tokens": "output_tokens",
    "request throughput (req/s)": "req_s",
    "output token throughput (tok/s)": "output_tok_s",
    "total token throughput (tok/s)": "total_tok_s",
}
_LATENCY = re.compile(r"^(mean|median|p99) (ttft|tpot|itl|e2e latency) \(ms\)$")


def read(lines: Sequence[str]) -> Reading | None:
    """Rates in tokens/s, latencies in ms; None where nothing here is such a table."""
    found: dict[str, Any] = {}
    for line in lines:
        if (field := _FIELD.match(line)) is None:
            continue
        title, text = field[1].lower(), field[2]
        if title == "backend":
            found["backend"] = text
        elif re.fullmatch(r"[\d.,]+", text) is None:
            continue
        elif title in _NAMES:
            found.setdefault(_NAMES[title], plain_figure(number(text)))
        elif (latency := _LATENCY.match(title)) is not None:
            kind = latency[2].split()[0]
            found.setdefault(f"{kind}_ms", {}).setdefault(latency[1], number(text))
    return Reading("serving bench", found) if "output_tok_s" in found and "requests" in found else None
