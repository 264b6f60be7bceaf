"""How fast a file runs on this machine and what memory it takes, measured by running it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import psutil

from advisor.foundation.ranges import Range
from advisor.quantize.errors import Cancelled
from advisor.quantize.gguf_quantize import Stop, never, worker_threads
from advisor.quantize.network import Network

_DEFAULT_CONTEXT = 512
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


def measure_speed(model: Path, *, threads: int | None = None, stop: Stop = never) -> tuple[Speed, int]:
    """Tokens per second for one user, and the memory that loading and running took, in bytes.

    Best in a process of its own: the memory is the growth of this process's peak.
    """
    used = threads or worker_threads()
    process = psutil.Process()
    before = process.memory_info().rss
    with Network(model, _DEFAULT_CONTEXT, used) as network:
        size = min(_DEFAULT_CONTEXT, network.trained_context)
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
        peak = process.memory_info().rss
    speed = Speed(_spread(prefills), _spread(decodes), used, _varies(prefills) or _varies(decodes), size - _DECODED)
    return speed, max(0, peak - before)


def _per_second(work: Callable[[], int]) -> float:
    begin = time.perf_counter()
    return work() / max(1e-9, time.perf_counter() - begin)


def _spread(samples: list[float]) -> Range:
    return Range(min(samples), median(samples), max(samples))


def _varies(samples: list[float]) -> bool:
    return float(np.std(samples)) > _BUSY * float(np.mean(samples))
