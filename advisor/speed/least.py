"""The least that a step of writing takes before anything is placed, by the terms and constants of the estimate.

What a step takes grows in proportion to the bytes that it reads, but for what it computes and costs in any case. So the
terms are worked out once for a model on a machine, and each level tells its bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from advisor.machines.machine import Machine
from advisor.sizing.placement import HOST
from advisor.sizing.rates import Pace
from advisor.speed.backends import Backend, group_of
from advisor.speed.constants import constants
from advisor.speed.load import SpeedLoad
from advisor.speed.nominal_rates import device_of
from advisor.speed.rate import HOST_GROUP, evidence
from advisor.speed.roofline import LOW_BITS, WHOLE_BITS, Device, decode_terms, host_terms, weighed
from advisor.speed.shape import Shape

_BYTES = 1e9  # for which terms are worked out


class _Line(NamedTuple):
    """Milliseconds of a step: for each byte that is read, and for all that is computed of so many users at a time."""

    byte: float
    computing: float
    users: int


class LeastPace:
    """How fast `users` are written for at best on `devices`, whose bandwidths are known, and on the host beside them.

    What is computed with a weight takes its time where it is read. Only where experts are shared by several users is
    that left out: there, more is computed with some weights than is read of them.
    """

    def __init__(
        self, shape: Shape, users: int, devices: Sequence[Machine], backend: Backend, host_bandwidth: float
    ) -> None:
        self.shape, self.users, self.devices, self.backend = shape, users, devices, backend
        self.host_bandwidth = host_bandwidth
        self.known = constants()["decode"]
        self.group = group_of(devices[0], backend)
        self._lines: dict[tuple[bool, ...], list[_Line]] = {}

    def of(self, level: str, bits: float, dense: float, experts: float) -> Pace:
        """Where one token reads so many bytes outside of experts, and some of so many in experts."""
        alike = bits < WHOLE_BITS, bits < LOW_BITS, level == "BF16"  # all that terms ask of a level
        if (lines := self._lines.get(alike)) is None:
            lines = self._lines[alike] = self._found(level, bits)
        load = SpeedLoad({0: dense}, {0: experts}, {}, self.shape, bits)
        read = load.weight_bytes(0, self.users)
        # All users at once or one after the other, whichever takes less.
        least = min(
            self.users / line.users * (line.byte * load.weight_bytes(0, line.users) + line.computing) for line in lines
        )
        factor = evidence(self.shape.known_as, level, self.devices[0], self.backend, self.group, self.known)[3]
        device, step = 1000 * read / (least * factor), self._step * factor / 1000
        if self.backend == "cpu":
            return Pace(device, device, device, step)
        if self.devices[0].unified:
            host = 1000 / self._cpu(level, bits)
            return Pace(device, host, host, step)
        weights, of_experts, layers = self._host
        if not experts:
            weights += layers / dense
        elif read > dense:
            of_experts += layers / (read - dense)
        return Pace(device, 1000 / weights, 1000 / of_experts, step)

    def _found(self, level: str, bits: float) -> list[_Line]:
        """Of each device, with all users at once and with one."""
        own, shared = self.known.of(self.group), self.users > 1 and self.shape.moe_layers
        return [
            self._line(device, own, users, level, bits, computes=not shared)
            for device in {
                device_of(machine, self.backend, level) for machine in {id(m): m for m in self.devices}.values()
            }
            for users in {1, self.users}
        ]

    def _line(
        self, device: Device, own: Sequence[float], users: int, level: str, bits: float, *, computes: bool
    ) -> _Line:
        def ms(shape: Shape, size: float) -> float:
            load = SpeedLoad({0: size}, {}, {}, shape, bits, level, users=users)
            return weighed(decode_terms(load, 0, device, first=True), own)

        reading = ms(self._idle, _BYTES)
        computing = ms(self.shape, _BYTES) - reading if computes else 0.0
        return _Line((reading - ms(self._idle, 0.0)) / _BYTES, computing, users)

    def _cpu(self, level: str, bits: float) -> float:
        """Milliseconds for each byte that the CPU reads of the memory that it shares with the first device."""
        memory = Device(self.devices[0].bandwidth_bytes_per_s or self.host_bandwidth)
        own = self.known.of(group_of(self.devices[0], "cpu"))
        return self._line(memory, own, self.users, level, bits, computes=False).byte

    @cached_property
    def _idle(self) -> Shape:
        """The shape of a model that is read and not computed with."""
        return replace(self.shape, active_parameters=0.0)

    @cached_property
    def _step(self) -> float:
        """Milliseconds at the rates of the group, whatever is read."""
        load = SpeedLoad({}, {}, {}, self._idle, 16.0)
        return weighed(decode_terms(load, 0, Device(self.host_bandwidth), first=True), self.known.of(self.group))

    @cached_property
    def _host(self) -> tuple[float, float, float]:
        """Milliseconds of the CPU beside devices: for each byte outside experts, for each of experts, and for all
        layers; those with experts count by what is there of them."""
        parts = ({}, {HOST: _BYTES}) if self.shape.moe_layers else ({HOST: _BYTES}, {})
        own = constants()["host"].of(HOST_GROUP)
        layers = host_terms(SpeedLoad(*parts, {}, self.shape, 0.0), self.host_bandwidth)[2]
        byte = 1000 / self.host_bandwidth
        return byte * own[0], byte * own[1], layers * own[2]
