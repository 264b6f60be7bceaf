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
from advisor.words import say_all, told


def detected_document(detected: Detected) -> dict[str, Any]:
    """The JSON contract of `detect`. `*_bytes` are bytes, `power_limit_w` watts; null means not reported.

    `ram`: its type and channels (null: not found out). `gpus`: one entry a device (of a partitioned card, one a
    MIG device), with the fields of `DetectedGpu`: `machine` is its id in the catalogue or null, `unified` says
    that it works in the host's memory, `integrated` that plans leave it out. `question` holds the keys of
    `plan` that stand for this machine.
    """
    return {
        "os": detected.os,
        "cpu": asdict(detected.cpu),
        "ram_total_bytes": detected.ram_total_bytes,
        "ram_free_bytes": detected.ram_free_bytes,
        "ram": None if detected.ram is None else asdict(detected.ram),
        "gpus": [asdict(gpu) for gpu in detected.gpus],
        "scenario": question_values(detected),
        "notes": list(say_all(detected.notes)),
    }


def detected_table(detected: Detected) -> str:
    """The same for people: a line a device, the notes, and the keys to plan with."""
    cpu = detected.cpu
    cores = told(", {physical_cores} cores", physical_cores=cpu.physical_cores) if cpu.physical_cores else ""
    lines = [
        told(
            "{os}; {model}{cores}; RAM {ram_total_bytes:gib}, {ram_free_bytes:gib} free",
            os=detected.os,
            model=cpu.model,
            cores=cores,
            ram_total_bytes=detected.ram_total_bytes,
            ram_free_bytes=detected.ram_free_bytes,
        ),
        *(told("GPU {number}: {gpu}", number=number, gpu=_gpu_line(gpu)) for number, gpu in enumerate(detected.gpus)),
        "",
        *say_all(detected.notes),
        told("Plan with: {query}", query=urlencode(question_values(detected))),
    ]
    return "\n".join(printable(line) for line in lines)


def _gpu_line(gpu: DetectedGpu) -> str:
    parts = [gpu.name]
    if gpu.memory_total_bytes is not None:
        free = (
            ""
            if gpu.memory_free_bytes is None
            else told(", {memory_free_bytes:gib} free", memory_free_bytes=gpu.memory_free_bytes)
        )
        shared = told(" shared with the CPU") if gpu.unified else ""
        parts.append(f"{gib(gpu.memory_total_bytes)}{shared}{free}")
    if gpu.driver_version:
        parts.append(
            told("driver {driver_version}", driver_version=gpu.driver_version)
            + (told(", CUDA {cuda_version}", cuda_version=gpu.cuda_version) if gpu.cuda_version else "")
        )
    if gpu.compute_capability:
        parts.append(told("compute capability {compute_capability}", compute_capability=gpu.compute_capability))
    if gpu.power_limit_w:
        parts.append(told("power limit {power_limit_w:.0f} W", power_limit_w=gpu.power_limit_w))
    parts.append(
        told("catalogue: {machine}", machine=machine(gpu.machine).name) if gpu.machine else told("not in the catalogue")
    )
    return "; ".join(parts)
