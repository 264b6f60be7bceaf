"""What a machine computes with, as runtimes tell hardware apart: a vendor and a generation of its chips."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.machines.capacity import CPU_KIND
from advisor.machines.machine import Machine

CPU = "CPU"


@dataclass(frozen=True, slots=True)
class Chip:
    """What runs it: a vendor or "CPU", and its generation, such as "8.9" or "gfx942" (None: not known)."""

    vendor: str
    generation: str | None = None

    @property
    def capability(self) -> float | None:
        """NVIDIA's compute capability."""
        return float(self.generation) if self.vendor == "NVIDIA" and self.generation is not None else None

    def __str__(self) -> str:
        if self.generation is None:
            return self.vendor
        return f"{self.vendor} {'compute capability ' if self.vendor == 'NVIDIA' else ''}{self.generation}"


def chip_of(machine: Machine) -> Chip:
    """What a machine of the catalogue computes with."""
    return Chip(CPU if machine.kind == CPU_KIND else machine.vendor, machine.compute_capability)
