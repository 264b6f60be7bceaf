"""Tokens a second: of a model as it is placed on devices, with what the figure rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from advisor.foundation.errors import InputError
from advisor.foundation.ranges import Range
from advisor.machines.machine import Machine
from advisor.sizing.placement import HOST
from advisor.sizing.rates import LINK_BANDWIDTH
from advisor.speed.backends import Backend, chip_of, group_of, judged_by
from advisor.speed.cache_types import crossing_ms, ends_of_host, has_kernel, reading_ms, reading_takes
from advisor.speed.constants import POOLED, Constants, constants
from advisor.speed.draft_gain import Gain, gain
from advisor.speed.load import USUAL_READ_PER_WRITTEN, SpeedLoad
from advisor.speed.measurements import Measurement, measured_on
from advisor.speed.rates import device_of
from advisor.speed.roofline import (
    DECODE_TERMS,
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

Basis = Literal["measured", "scaled", "estimated"]
Split = Literal["layer", "tensor", "row"]

_HOST_GROUP = "host"
_MOST_SHOWN = 8


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


@dataclass(frozen=True)
class Speed:
    """How fast a plan runs. Rates in tokens/s; None where a figure it needs is not known.

    An encoder writes nothing: it has no decode rate, and `inputs_per_s` is how many inputs of `prompt_tokens` it turns
    into vectors, as many at a time as there are users; `basis` and `n` are then those of the prefill rate.

    `decode_tokens_per_s` is what each user sees, `total_decode_tokens_per_s` the sum over users. Prefill and time to
    first token are for one user's prompt on an idle machine. `basis` says what the decode rate rests on, `n` how many
    measurements of how many independent `sources`: "measured" on this device with this model and level, "scaled" from
    this device and model, or "estimated" from the device or from devices like it.
    """

    decode_tokens_per_s: Range | None
    total_decode_tokens_per_s: Range | None
    prefill_tokens_per_s: Range | None
    time_to_first_token_s: Range | None
    backend: Backend
    load: SpeedLoad
    devices: tuple[Machine, ...]
    decode: Rate | None = field(repr=False)
    prefill: Rate | None = field(repr=False)
    inputs_per_s: Range | None = None
    host_bandwidth: float | None = field(default=None, repr=False)
    split: Split = field(default="layer", repr=False)
    replicas: int = 1

    def serving(self, users: int) -> Speed:
        """The same with so many users at once."""
        # Nobody else's prompts are read in between where one is alone.
        load = replace(self.load, users=users, read_per_written=self.load.read_per_written if users > 1 else 0)
        found = estimate_speed(
            load,
            self.devices,
            self.backend,
            host_bandwidth=self.host_bandwidth,
            split=self.split,
            replicas=self.replicas,
        )
        assert found is not None  # noqa: S101
        return found

    @property
    def basis(self) -> Basis:
        return _basis(self.rate)

    @property
    def n(self) -> int:
        return self.rate.n

    @property
    def sources(self) -> int:
        return self.rate.sources

    @property
    def gain(self) -> Gain | None:
        """What drafting brings, which the rates of writing hold."""
        return None if self.decode is None else self.decode.gain

    @property
    def rate(self) -> Rate:
        """What `basis` speaks of: the decode rate, of an encoder the prefill rate."""
        found = self.decode or self.prefill
        assert found is not None  # noqa: S101
        return found

    @cached_property
    def measurements(self) -> tuple[Measurement, ...]:
        """Published measurements of this model on this device, the nearest to this plan first; few at most."""
        rows = [
            row
            for row in measured_on(chip_of(self.devices[0]), self.load.shape.known_as)
            if row.backend == self.backend and row.devices == len(self.devices)
        ]
        rows.sort(key=self._distance)
        return tuple(rows[:_MOST_SHOWN])

    def _distance(self, row: Measurement) -> tuple[bool, bool, bool, float, int]:
        depth = abs(math.log((row.depth + 512) / (self.load.context_used + 512)))
        users = abs((row.users or 1) - self.load.users)
        return bool(row.left_out), row.measured_level != self.load.level, row.kind == "prefill", depth, users


def estimate_speed(
    load: SpeedLoad,
    devices: Sequence[Machine],
    backend: Backend,
    *,
    host_bandwidth: float | None = None,
    split: Split = "layer",
    replicas: int = 1,
) -> Speed | None:
    """How fast `load` runs on `devices`, in the order of the placement; None where a memory's bandwidth is not known.

    `host_bandwidth` is that of the host's memory in bytes/s, for what lies there; devices that share the host's memory
    bring it along. For a machine without a GPU, or backend "cpu", give the machine itself as the only device.
    Each of `replicas` such groups of devices serves its part of the users. `split` "layer" lets devices work one after
    the other, "tensor" and "row" together on every tensor.
    """
    if not devices:
        raise InputError("A speed needs at least one device; for a machine without a GPU give the machine itself.")
    parts = _parts(load, devices, backend, host_bandwidth)
    if parts is None:
        return None
    users, table = load.users, constants()
    load = replace(load, users=-(-users // replicas))
    prefill = _prefill(load, devices, backend, parts, split, table["prefill"])
    if not load.writes:
        return None if prefill is None else _encoding(load, devices, backend, prefill)
    if backend == "vllm" and load.users > 1 and not load.read_per_written:
        load = replace(load, read_per_written=USUAL_READ_PER_WRITTEN)
    decode = _decode(load, devices, backend, parts, split, table)
    drafted = None
    if load.drafting is not None:
        reads = load.reads_of(load.drafting.drafted + 1)
        drafted = gain(load.drafting, backend, load.users, reads, load.shape.known_as)
        decode = replace(decode, gain=drafted)
    written = decode.range if drafted is None else drafted.of(decode.range)
    first = None
    if prefill is not None:
        prompt, step = prefill.range, decode.range
        tokens = load.prompt_tokens
        first = Range(
            tokens / prompt.high + 1 / step.high,
            tokens / prompt.typical + 1 / step.typical,
            tokens / prompt.low + 1 / step.low,
        )
    return Speed(
        decode_tokens_per_s=written,
        total_decode_tokens_per_s=written.scaled(users),
        prefill_tokens_per_s=None if prefill is None else prefill.range,
        time_to_first_token_s=first,
        backend=backend,
        load=replace(load, users=users),
        devices=tuple(devices),
        decode=decode,
        prefill=prefill,
        host_bandwidth=host_bandwidth,
        split=split,
        replicas=replicas,
    )


def _encoding(load: SpeedLoad, devices: Sequence[Machine], backend: Backend, prefill: Rate) -> Speed:
    return Speed(
        decode_tokens_per_s=None,
        total_decode_tokens_per_s=None,
        prefill_tokens_per_s=prefill.range,
        time_to_first_token_s=None,
        backend=backend,
        load=load,
        devices=tuple(devices),
        decode=None,
        prefill=prefill,
        inputs_per_s=prefill.range.scaled(1 / max(1, load.prompt_tokens)),
    )


def _basis(rate: Rate) -> Basis:
    if rate.gain is not None:  # which was not measured with this plan
        return "scaled" if rate.gain.own and rate.tier != "group" else "estimated"
    return "measured" if rate.tier == "level" else "scaled" if rate.tier == "model" else "estimated"


def _parts(
    load: SpeedLoad, devices: Sequence[Machine], backend: Backend, host_bandwidth: float | None
) -> dict[int, Device] | None:
    """The nominal rates of every memory that is read; None where one is not known."""
    first = devices[0]
    found: dict[int, Device] = {}
    for number in load.devices:
        if number == HOST and backend != "cpu":
            device = Device((first.bandwidth_bytes_per_s if first.unified else host_bandwidth) or 0.0)
        else:
            machine = first if number == HOST else devices[min(number, len(devices) - 1)]
            device = device_of(machine, backend, load.level)
        if not device.bandwidth:
            return None
        found[number] = device
    return found


def _decode(
    load: SpeedLoad,
    devices: Sequence[Machine],
    backend: Backend,
    parts: dict[int, Device],
    split: Split,
    table: Mapping[str, Constants],
) -> Rate:
    group, known = group_of(devices[0], backend), table["decode"]
    own = known.of(group)
    tier, n, sources, factor = _evidence(load, devices[0], backend, group, known)
    offloads = HOST in parts and backend != "cpu"
    kernel = has_kernel(backend, load.cache_types)

    def step(some: SpeedLoad) -> tuple[Terms, float, float]:
        """Terms on the devices, milliseconds on the host, and in all."""
        terms, host_ms = _step(some, backend, parts, split), 0.0
        if offloads and devices[0].unified:  # its CPU was measured alone, beside a card of its own none was
            host = decode_terms(some, HOST, parts[HOST], first=False)
            host_ms = weighed(host, known.of(group_of(devices[0], "cpu")))
        elif offloads:
            host_ms = weighed(host_terms(some, parts[HOST].bandwidth), table["host"].of(_HOST_GROUP))
        waits = 0.0 if kernel else crossing_ms(some.shape, some.context_used, some.users)
        return terms, host_ms + waits, weighed(terms, own) * factor + host_ms + waits

    terms, host_ms, ms = step(load)
    in_turn = False
    if load.users > 1 and (alone := step(replace(load, users=1))[2] * load.users) < ms:
        ms, in_turn = alone, True
    ends = known.range_of(judged_by(group, load.users, len(devices), split), tier)
    if host_ms:
        on_host = table["host"].range_of(_HOST_GROUP, "group") if kernel else ends_of_host()
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


def _prefill(
    load: SpeedLoad,
    devices: Sequence[Machine],
    backend: Backend,
    parts: dict[int, Device],
    split: Split,
    known: Constants,
) -> Rate | None:
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
    tier, n, sources, factor = _evidence(load, devices[0], backend, group, known)
    if split == "layer":
        factor /= pipeline_gain(len(numbers))
    ends = known.range_of(judged_by(group, 1, len(devices), split, before), tier)
    ms = weighed(total, own) * factor * reading_takes(backend, load.cache_types, depth)
    if not has_kernel(backend, load.cache_types):
        waits = reading_ms(load.shape, depth)
        ends, ms = _blended(ends, ends_of_host(), waits / (ms + waits)), ms + waits
    spread = _range(1000 / ms, ends)
    return Rate(spread, tier, n, sources, total, own, factor, 0.0)


def _evidence(
    load: SpeedLoad, machine: Machine, backend: Backend, group: str, known: Constants
) -> tuple[str, int, int, float]:
    """The nearest tier with measurements, their number and that of their sources, and the factor on the time that
    follows from all tiers.
    """
    (n, sources), tier, log_factor = known.sizes.get(group) or known.sizes[POOLED], "group", 0.0
    if (kind := (machine.architecture or group, backend)) in known.factors:
        tier, (n, sources), log_factor = "generation", known.counts[kind], known.factors[kind]
    key: tuple[str, ...] = (chip_of(machine), backend)
    for name, part in (("chip", ""), ("model", load.shape.known_as or ""), ("level", load.level)):
        if name != "chip":
            key = (*key, part)
        if key not in known.factors:
            break
        tier, (n, sources) = name, known.counts[key]
        log_factor += known.factors[key]
    return tier, n, sources, math.exp(log_factor)


def _range(rate: float, factors: tuple[float, float], most: float = math.inf) -> Range:
    """`factors` on the rate that bound it; nothing is faster than `most`, what the nominal bandwidths allow."""
    low, high = factors
    rate = min(rate, most)
    return Range(rate * low, rate, min(rate * high, most))
