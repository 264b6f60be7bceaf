"""What was found on a machine, as plain records."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.foundation.message import Message
from advisor.machines.ram import Ram


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedGpu:
    """One GPU as driver or operating system report it; None means not reported.

    Bytes, watts; `compute_capability` is CUDA's ("8.9") or AMD's ("gfx1100"). `unified` says that the GPU works in
    the host's memory: then `memory_total_bytes` is all of that. `gpu_limit_bytes` is what the system was told to let
    such a GPU use (macOS: iogpu.wired_limit_mb). `machine` is the id in data/machines.csv, None when it is not listed.
    """

    vendor: str
    name: str
    memory_total_bytes: int | None = None
    memory_free_bytes: int | None = None
    driver_version: str | None = None
    cuda_version: str | None = None
    compute_capability: str | None = None
    power_limit_w: float | None = None
    gpu_cores: int | None = None
    gpu_limit_bytes: int | None = None
    mig: bool = False
    unified: bool = False
    integrated: bool = False
    machine: str | None = None


@dataclass(frozen=True, slots=True)
class DetectedCpu:
    """`model` as the system names it; `machine` is the platform in data/machines.csv, assumed for unknown models."""

    model: str
    physical_cores: int | None
    logical_cores: int | None
    machine: str


@dataclass(frozen=True, slots=True)
class Detected:
    """GPUs, CPU and memory (bytes) of the machine this program runs on; `notes` are sentences for the reader."""

    gpus: tuple[DetectedGpu, ...]
    cpu: DetectedCpu
    ram_total_bytes: int
    ram_free_bytes: int
    os: str
    notes: tuple[Message, ...]
    ram: Ram | None = None
