"""How fast tokens are read and written by a load on its devices: terms of a step, their constants, and the evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from advisor.foundation.ranges import Range
from advisor.machines.machine import Machine
from advisor.sizing.placement import HOST
from advisor.sizing.rates import LINK_BANDWIDTH
from advisor.speed.backends import Backend, chip_of, group_of, judged_by
from advisor.speed.cache_types import crossing_ms, ends_of_host, has_kernel, reading_ms, reading_takes
from advisor.speed.constants import POOLED, Constants, constants
from advisor.speed.draft_gain import Gain
from advisor.speed.load import SpeedLoad
from advisor.speed.nominal_rates import device_of
from advisor.speed.roofline import (
    DECODE_TERMS,
    LAYERS,
    Device,
    Terms,
    bus_terms,
    decode_terms,
    host_terms,
    least_ms,
    pipeline_gain,
    prefill_terms,
    serving_terms,
    weighed,
)
from advisor.speed.shape import Shape

Split = Literal["layer", "tensor", "row"]

HOST_GROUP = "host"
_USUAL_BITS = 4.5  # of a weight that is read on cards that differ


@dataclass(frozen=True)
class Rate:
    """A rate in tokens/s, how near its evidence is (`constants.TIERS`), and the measurements behind it.

    `n` measurements of `sources` that are independent of each other.
    """

    range: Range
    tier: str
    n: int
    sources: int
    terms: Terms  # milliseconds at nominal rates on the devices
    constants: tuple[float, ...]
    factor: float  # on the time, from what was measured on the chip
    host_ms: float
    in_turn: bool = False  # whether serving the users one after the other is faster than all at once
    gain: Gain | None = None  # of drafting, which `range` does not hold


def decode_rate(
    load: SpeedLoad,
    devices: Sequence[Machine],
    backend: Backend,
    parts: dict[int, Device],
    split: Split,
    table: Mapping[str, Constants],
) -> Rate:
    """The rate at which each user's tokens are written."""
    group, known = group_of(devices[0], backend), table["decode"]
    own = known.of(group)
    tier, n, sources, factor = evidence(load.shape.known_as, load.level, devices[0], backend, group, known)
    offloads = HOST in parts and backend != "cpu"
    kernel = has_kernel(backend, load.cache_types)

    def step(some: SpeedLoad) -> tuple[Terms, float, float]:
        """Terms on the devices, milliseconds on the host, and in all."""
        terms, host_ms = _step(some, backend, parts, split), 0.0
        if offloads and devices[0].unified:  # its CPU was measured alone, beside a card of its own none was
            host = decode_terms(some, HOST, parts[HOST], first=False)
            host_ms = weighed(host, known.of(group_of(devices[0], "cpu")))
        elif offloads:
            host_ms = weighed(host_terms(some, parts[HOST].bandwidth), table["host"].of(HOST_GROUP))
        waits = 0.0 if kernel else crossing_ms(some.shape, some.context_used, some.users)
        return terms, host_ms + waits, weighed(terms, own) * factor + host_ms + waits

    terms, host_ms, ms = step(load)
    in_turn = False
    if load.users > 1 and (alone := step(replace(load, users=1))[2] * load.users) < ms:
        ms, in_turn = alone, True
    ends = known.range_of(judged_by(group, load.users, len(devices), split), tier)
    if host_ms:
        on_host = table["host"].range_of(HOST_GROUP, "group") if kernel else ends_of_host()
        ends = _blended(ends, on_host, min(1.0, host_ms / ms))
    most = 1000 / least_ms(load, parts, together=split != "layer")
    return Rate(_range(1000 / ms, ends, most), tier, n, sources, terms, own, factor, host_ms, in_turn)


def _blended(devices: tuple[float, float], host: tuple[float, float], share: float) -> tuple[float, float]:
    """Ends of a range of which the host takes a `share` of the time, from those of the two, by their logarithms."""
    low, high = (one ** (1 - share) * other**share for one, other in zip(devices, host, strict=True))
    return low, high


def _step(load: SpeedLoad, backend: Backend, parts: dict[int, Device], split: Split) -> Terms:
    """Terms of one step on the devices."""
    numbers = [number for number in parts if number != HOST or backend == "cpu"]
    sharing = len(numbers) if split != "layer" else 1
    total: Terms = (0.0,) * len(DECODE_TERMS)
    of_step = serving_terms if backend == "vllm" else decode_terms
    if not numbers:  # the device still takes part in each layer
        return of_step(load, 0, Device(math.inf), first=True)
    for place, number in enumerate(numbers):
        terms = of_step(load, number, parts[number], first=not place, sharing=sharing)
        # Devices that share every tensor work at once: the slowest counts. Otherwise they work in turn.
        total = tuple(map(max if sharing > 1 else _plus, total, terms))
    return total


def _plus(left: float, right: float) -> float:
    return left + right


def prefill_rate(
    load: SpeedLoad,
    devices: Sequence[Machine],
    backend: Backend,
    parts: dict[int, Device],
    split: Split,
    known: Constants,
) -> Rate | None:
    """The rate at which prompts are read; None where the peak of a device is not known."""
    group = group_of(devices[0], backend)
    own, numbers = known.of(group), [number for number in parts if number != HOST or backend == "cpu"]
    if not numbers or any(parts[number].peak is None for number in numbers):
        return None
    total: Terms = (0.0,) * len(own)
    # What fills the context besides the prompt was there before; a token sees half the prompt on the mean, an
    # encoder's all of it.
    before = max(0, load.context_used - load.prompt_tokens) if load.writes else 0
    depth = before + load.prompt_tokens / (2 if load.writes else 1)
    for place, number in enumerate(numbers):
        terms = prefill_terms(load, number, parts[number], first=not place, depth=depth)
        total = tuple(map(max if split != "layer" else _plus, total, terms))
    if HOST in parts and backend != "cpu":
        # Weights in host memory are copied to the GPU to read a prompt.
        link = min(parts[HOST].bandwidth, LINK_BANDWIDTH)
        total = tuple(map(_plus, total, bus_terms(load, link, parts[numbers[0]], depth)))
    tier, n, sources, factor = evidence(load.shape.known_as, load.level, devices[0], backend, group, known)
    if split == "layer":
        factor /= pipeline_gain(len(numbers))
    ends = known.range_of(judged_by(group, 1, len(devices), split, before), tier)
    ms = weighed(total, own) * factor * reading_takes(backend, load.cache_types, depth)
    if not has_kernel(backend, load.cache_types):
        waits = reading_ms(load.shape, depth)
        ends, ms = _blended(ends, ends_of_host(), waits / (ms + waits)), ms + waits
    spread = _range(1000 / ms, ends)
    return Rate(spread, tier, n, sources, total, own, factor, 0.0)


def evidence(
    model: str | None, level: str, machine: Machine, backend: Backend, group: str, known: Constants
) -> tuple[str, int, int, float]:
    """The nearest tier with measurements, their number and that of their sources, and the factor on the time that
    follows from all tiers.
    """
    (n, sources), tier, log_factor = known.sizes.get(group) or known.sizes[POOLED], "group", 0.0
    if (kind := (machine.architecture or group, backend)) in known.factors:
        tier, (n, sources), log_factor = "generation", known.counts[kind], known.factors[kind]
    key: tuple[str, ...] = (chip_of(machine), backend)
    for name, part in (("chip", ""), ("model", model or ""), ("level", level)):
        if name != "chip":
            key = (*key, part)
        if key not in known.factors:
            break
        tier, (n, sources) = name, known.counts[key]
        log_factor += known.factors[key]
    return tier, n, sources, math.exp(log_factor)


def reading_rate(machine: Machine, backend: Backend, shape: Shape, users: int) -> float | None:
    """Bytes a second at which a machine gets through the weights of a model in some 4 bits, computing for each user
    included, as far as is known of its chip; None where its bandwidth is not."""
    if machine.bandwidth_bytes_per_s is None:
        return None
    known, group = constants()["decode"], group_of(machine, backend)
    factor = evidence(None, "", machine, backend, group, known)[3]
    size = shape.active_parameters * _USUAL_BITS / 8
    load = SpeedLoad({0: size}, {}, {}, shape, _USUAL_BITS, users=users)
    terms = decode_terms(load, 0, device_of(machine, backend, ""), first=False)
    return 1000 * size / (weighed(terms, known.of(group)) * factor)


def host_reading_times() -> tuple[float, float, float]:
    """What the CPU beside devices takes: of the nominal time for weights outside experts, for those of experts, and
    seconds for each layer."""
    dense, experts, layers = constants()["host"].of(HOST_GROUP)
    return dense, experts, layers / LAYERS / 1000


def _range(rate: float, factors: tuple[float, float], most: float = math.inf) -> Range:
    """`factors` on the rate that bound it; nothing is faster than `most`, what the nominal bandwidths allow."""
    low, high = factors
    rate = min(rate, most)
    return Range(rate * low, rate, min(rate * high, most))
