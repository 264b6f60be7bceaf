"""Tokens a second: of a model as it is placed on devices, with what the figure rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from advisor.foundation.errors import InputError
from advisor.foundation.ranges import Range
from advisor.machines.machine import Machine
from advisor.sizing.placement import HOST
from advisor.speed.backends import Backend, chip_of
from advisor.speed.constants import constants
from advisor.speed.draft_gain import Gain, gain
from advisor.speed.load import USUAL_READ_PER_WRITTEN, SpeedLoad
from advisor.speed.measurements import Measurement, measured_on
from advisor.speed.nominal_rates import device_of
from advisor.speed.rate import Rate, Split, decode_rate, prefill_rate
from advisor.speed.roofline import (
    Device,
)

Basis = Literal["measured", "scaled", "estimated"]

_MOST_SHOWN = 8


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
    prefill = prefill_rate(load, devices, backend, parts, split, table["prefill"])
    if not load.writes:
        return None if prefill is None else _encoding(load, devices, backend, prefill)
    if backend == "vllm" and load.users > 1 and not load.read_per_written:
        load = replace(load, read_per_written=USUAL_READ_PER_WRITTEN)
    decode = decode_rate(load, devices, backend, parts, split, table)
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
