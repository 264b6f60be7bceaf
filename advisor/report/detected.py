"""What was detected, as JSON and as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from advisor.foundation.errors import printable
from advisor.foundation.units import gib
from advisor.machines.catalogue import machine
from advisor.machines.detect import question_values
from advisor.machines.detect_records import Detected, DetectedGpu
from advisor.words import say_all


def detected_document(detected: Detected) -> dict[str, Any]:
    """The JSON contract of `detect`. `*_bytes` are bytes, `power_limit_w` watts; null means not reported.

    `gpus`: one entry a device (of a partitioned card, one a MIG device), with the fields of `DetectedGpu`: `machine`
    is its id in the catalogue or null, `unified` says that it works in the host's memory, `integrated` that plans
    leave it out. `question` holds the keys of `plan` that stand for this machine.
    """
    return {
        "os": detected.os,
        "cpu": asdict(detected.cpu),
        "ram_total_bytes": detected.ram_total_bytes,
        "ram_free_bytes": detected.ram_free_bytes,
        "gpus": [asdict(gpu) for gpu in detected.gpus],
        "scenario": question_values(detected),
        "notes": list(say_all(detected.notes)),
    }


def detected_table(detected: Detected) -> str:
    """The same for people: a line a device, the notes, and the keys to plan with."""
    cpu = detected.cpu
    cores = f", {cpu.physical_cores} cores" if cpu.physical_cores else ""
    lines = [
        f"{detected.os}; {cpu.model}{cores}; RAM {gib(detected.ram_total_bytes)}, {gib(detected.ram_free_bytes)} free",
        *(f"GPU {number}: {_gpu_line(gpu)}" for number, gpu in enumerate(detected.gpus)),
        "",
        *say_all(detected.notes),
        f"Plan with: {urlencode(question_values(detected))}",
    ]
    return "\n".join(printable(line) for line in lines)


def _gpu_line(gpu: DetectedGpu) -> str:
    parts = [gpu.name]
    if gpu.memory_total_bytes is not None:
        free = "" if gpu.memory_free_bytes is None else f", {gib(gpu.memory_free_bytes)} free"
        parts.append(f"{gib(gpu.memory_total_bytes)}{' shared with the CPU' if gpu.unified else ''}{free}")
    if gpu.driver_version:
        parts.append(f"driver {gpu.driver_version}" + (f", CUDA {gpu.cuda_version}" if gpu.cuda_version else ""))
    if gpu.compute_capability:
        parts.append(f"compute capability {gpu.compute_capability}")
    if gpu.power_limit_w:
        parts.append(f"power limit {gpu.power_limit_w:.0f} W")
    parts.append(f"catalogue: {machine(gpu.machine).name}" if gpu.machine else "not in the catalogue")
    return "; ".join(parts)
