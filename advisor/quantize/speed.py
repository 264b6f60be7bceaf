"""How fast a file runs on this machine, measured by running it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from advisor.foundation.ranges import Range
from advisor.quantize.errors import Cancelled
from advisor.quantize.gguf_quantize import Stop, never, worker_threads
from advisor.quantize.memory_growth import measured_context
from advisor.quantize.network import Network

_SAMPLES = 5
_DECODED = 32
_BUSY = 0.1


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens per second: slowest, median and fastest of several samples. `busy` says that they differ by much.

    `prompt_tokens` were read at once before the first one was written.
    """

    prefill_per_s: Range
    decode_per_s: Range
    threads: int
    busy: bool
    prompt_tokens: int = 0


def measure_speed(model: Path, *, threads: int | None = None, stop: Stop = never) -> Speed:
    """Tokens per second for one user."""
    used, size = threads or worker_threads(), measured_context(model)
    with Network(model, size, used) as network:
        prompt = np.arange(size, dtype=np.int32) % network.vocabulary
        one = prompt[:1].copy()

        def prefill() -> int:
            network.read(prompt[: size - _DECODED])
            return size - _DECODED

        def decode() -> int:
            for _ in range(_DECODED):
                network.read(one)
            return _DECODED

        prefills, decodes = [], []
        for number in range(_SAMPLES + 1):
            if stop():
                raise Cancelled
            network.clear()
            pair = _per_second(prefill), _per_second(decode)
            if number:  # the first one warms up
                prefills.append(pair[0])
                decodes.append(pair[1])
    return Speed(_spread(prefills), _spread(decodes), used, _varies(prefills) or _varies(decodes), size - _DECODED)


def _per_second(work: Callable[[], int]) -> float:
    begin = time.perf_counter()
    return work() / max(1e-9, time.perf_counter() - begin)


def _spread(samples: list[float]) -> Range:
    return Range(min(samples), median(samples), max(samples))


def _varies(samples: list[float]) -> bool:
    return float(np.std(samples)) > _BUSY * float(np.mean(samples))
