"""All levels of a model on a machine at a glance: verdict and memory, without a plan for each.

Agrees with `plans.plan_levels` where the placement is searched for; it spares what only a whole plan has to know.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from advisor.formats.gguf_levels import Level
from advisor.formats.gguf_sizes import SizedLevel
from advisor.foundation.caches import kept_beside
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.adapters import adapters_on_devices
from advisor.runtimes.llama_cpp.needs import compute_of, place_as_told
from advisor.runtimes.llama_cpp.plans import LevelPlanner
from advisor.runtimes.llama_cpp.weights import level_weights
from advisor.sizing.memory import Memory
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.plan import LevelOnMachine, Verdict


def overview(planner: LevelPlanner, levels: tuple[Level, ...]) -> tuple[LevelOnMachine, ...]:
    """Each of these levels, as the planner's request has its files made or published, placed where it runs fastest."""
    memory, margin, search = planner.memory, planner.margin, planner.searcher
    default = place_as_told(planner.model, memory, planner.settings)
    sized = [planner.files.sized(level) for level in levels]
    now = search.growth(default).now
    devices = len(memory.devices)
    adapters = adapters_on_devices(planner.model, planner.request.adapters, default)
    grown = np.array([*(now.cache[n] + now.compute[n] + memory.devices[n].overhead_bytes for n in range(devices)), 0])
    grown[-1] = now.cache[HOST] + now.compute[HOST] + memory.host_overhead_bytes
    grown += np.array([*(adapters[n] for n in range(devices)), adapters[HOST]])
    held = _held(planner.model, default, tuple(level.stock for level in levels), planner.files.imatrix)
    needed = _times(held, [planner.files.file_factor(one) for one in sized]) + grown
    counted = _times(held, [planner.files.judged_factor(one) for one in sized]) + grown
    for number, device in enumerate(memory.devices):
        limit, buffer = device.buffer_limit, compute_of(now, number)
        if limit is not None and (excess := limit.excess(buffer)):
            for bytes_of in (needed, counted):
                bytes_of[:, number] = np.maximum(bytes_of[:, number], device.capacity_bytes) + excess
    short, bare = _shortage(memory, counted, margin), _shortage(memory, needed, 0)
    runs: dict[int, Verdict] = dict.fromkeys(np.flatnonzero(short <= 0).tolist(), "fits")
    if devices and (search.uneven_speed or len(runs) < len(levels)):
        runs |= _searched(planner, sized, counted, runs)
    totals = needed[:, :-1].sum(axis=1) if devices else needed[:, -1]
    return tuple(
        LevelOnMachine(
            level=level.id,
            file_bytes=size.file_bytes,
            bits_per_weight=size.bits_per_weight,
            verdict=runs.get(number) or ("tight" if bare[number] <= 0 else "does not fit"),
            needed_bytes=int(totals[number]),
            missing_bytes=0 if number in runs else max(0, int(short[number])),
        )
        for number, (level, size) in enumerate(zip(levels, sized, strict=True))
    )


@kept_beside
def _held(model: Model, placement: Placement, levels: tuple[Level, ...], imatrix: bool) -> NDArray[np.int64]:
    """Bytes of weights by level (rows) and device (columns, the host last)."""
    rows = []
    for level in levels:
        held = level_weights(model, level, imatrix).on_devices(placement)
        rows.append([*(held[number] for number in range(placement.devices)), held[HOST]])
    return np.array(rows, dtype=np.int64)


def _times(held: NDArray[np.int64], factors: Sequence[float]) -> NDArray[np.int64]:
    """Each row so many times as large."""
    return np.asarray(np.rint(held * np.array(factors)[:, None]), dtype=np.int64)


def _shortage(memory: Memory, needed: NDArray[np.int64], margin: float) -> NDArray[np.float64]:
    """As `needs.shortage`, for all levels at once."""
    room = np.array([device.capacity_bytes * (1 - margin) for device in memory.devices], dtype=np.float64)
    short: NDArray[np.float64] = (needed[:, :-1] - room).max(axis=1, initial=-np.inf)
    if memory.host_capacity_bytes is None:
        return short
    on_host = needed.sum(axis=1) if memory.pooled else needed[:, -1]
    return np.asarray(np.maximum(short, on_host - memory.host_capacity_bytes * (1 - margin)), dtype=np.float64)


def _searched(
    planner: LevelPlanner,
    sized: Sequence[SizedLevel],
    needed: NDArray[np.int64],
    plain: dict[int, Verdict],
) -> dict[int, Verdict]:
    """The levels that run split or offloaded, although they do not fit as llama.cpp splits them by itself.

    A split is searched for. Whether a level runs with part of it on the host is judged by its bytes alone: laying
    out compute buffers for every placement would take a hundred times as long.
    """
    memory, keep = planner.memory, 1 - planner.margin
    on_devices = sum(device.capacity_bytes * keep for device in memory.devices)
    total = needed[:, :-1].sum(axis=1)
    found: dict[int, Verdict] = {}
    if len(memory.devices) > 1:
        for number in np.flatnonzero(total <= on_devices).tolist():
            judged = planner.files.judged(sized[number], planner.files.weights(sized[number]))
            best = None if number in plain else planner.searcher.best(judged)
            if best is not None:
                found[number] = "fits with offload" if best.placement.offloads else "fits"
    if memory.host_capacity_bytes is not None:
        host = memory.host_capacity_bytes * keep
        runs = needed.sum(axis=1) <= (host if memory.pooled else host + on_devices)
        rest = set(np.flatnonzero(runs).tolist()) - set(plain) - set(found)
        found |= dict.fromkeys(rest, "fits with offload")
    return found
