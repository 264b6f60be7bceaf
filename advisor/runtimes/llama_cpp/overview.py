"""All levels of a model on a machine at a glance: verdict and memory, without a plan for each.

Agrees with `plans.plan_levels` where the placement is searched for; it spares what only a whole plan has to know.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from advisor.formats.gguf_levels import Level
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.caches import kept_beside
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.adapters import adapters_on_devices, with_adapters
from advisor.runtimes.llama_cpp.needs import compute_of, place_as_told
from advisor.runtimes.llama_cpp.placement_search import Search, search_of
from advisor.runtimes.llama_cpp.weights import level_weights
from advisor.sizing.memory import Memory
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.plan import LevelOnMachine, Verdict
from advisor.sizing.request import Adapters, PlanRequest


def overview(request: PlanRequest, imatrix: bool, levels: tuple[Level, ...]) -> tuple[LevelOnMachine, ...]:
    """Each of these levels, made with an importance matrix or without, placed where it runs fastest."""
    model, memory, settings, margin = request.model, request.memory, request.settings, request.margin
    search = search_of(request)
    default = place_as_told(model, memory, settings)
    now = search.growth(default).now
    devices = len(memory.devices)
    adapters = adapters_on_devices(model, request.adapters, default)
    grown = np.array([*(now.cache[n] + now.compute[n] + memory.devices[n].overhead_bytes for n in range(devices)), 0])
    grown[-1] = now.cache[HOST] + now.compute[HOST] + memory.host_overhead_bytes
    grown += np.array([*(adapters[n] for n in range(devices)), adapters[HOST]])
    weights = _held(model, default, levels, imatrix)
    needed = weights + grown
    for number, device in enumerate(memory.devices):
        limit, buffer = device.buffer_limit, compute_of(now, number)
        if limit is not None and (excess := limit.excess(buffer)):
            needed[:, number] = np.maximum(needed[:, number], device.capacity_bytes) + excess
    short, bare = _shortage(memory, needed, margin), _shortage(memory, needed, 0)
    runs: dict[int, Verdict] = dict.fromkeys(np.flatnonzero(short <= 0).tolist(), "fits")
    if devices and (search.uneven_speed or len(runs) < len(levels)):
        runs |= _searched(search, levels, imatrix, needed, runs, request.adapters)
    totals = needed[:, :-1].sum(axis=1) if devices else needed[:, -1]
    sized = [size_level(model, level, imatrix) for level in levels]
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


def _shortage(memory: Memory, needed: NDArray[np.int64], margin: float) -> NDArray[np.float64]:
    """As `needs.shortage`, for all levels at once."""
    room = np.array([device.capacity_bytes * (1 - margin) for device in memory.devices], dtype=np.float64)
    short: NDArray[np.float64] = (needed[:, :-1] - room).max(axis=1, initial=-np.inf)
    if memory.host_capacity_bytes is None:
        return short
    on_host = needed.sum(axis=1) if memory.pooled else needed[:, -1]
    return np.asarray(np.maximum(short, on_host - memory.host_capacity_bytes * (1 - margin)), dtype=np.float64)


def _searched(
    search: Search,
    levels: tuple[Level, ...],
    imatrix: bool,
    needed: NDArray[np.int64],
    plain: dict[int, Verdict],
    adapters: Adapters | None,
) -> dict[int, Verdict]:
    """The levels that run split or offloaded, although they do not fit as llama.cpp splits them by itself.

    A split is searched for. Whether a level runs with part of it on the host is judged by its bytes alone: laying
    out compute buffers for every placement would take a hundred times as long.
    """
    memory, keep = search.memory, 1 - search.margin
    on_devices = sum(device.capacity_bytes * keep for device in memory.devices)
    total = needed[:, :-1].sum(axis=1)
    found: dict[int, Verdict] = {}
    if len(memory.devices) > 1:
        for number in np.flatnonzero(total <= on_devices).tolist():
            weights = with_adapters(level_weights(search.model, levels[number], imatrix), search.model, adapters)
            best = None if number in plain else search.best(weights)
            if best is not None:
                found[number] = "fits with offload" if best.placement.offloads else "fits"
    if memory.host_capacity_bytes is not None:
        host = memory.host_capacity_bytes * keep
        runs = needed.sum(axis=1) <= (host if memory.pooled else host + on_devices)
        rest = set(np.flatnonzero(runs).tolist()) - set(plain) - set(found)
        found |= dict.fromkeys(rest, "fits with offload")
    return found
