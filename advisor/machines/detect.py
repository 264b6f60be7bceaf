"""What machine is this? GPUs, CPU and memory of the machine this program runs on, and what to plan with.

Behind a shared server that is the server, not the reader's own machine: `SERVER_NOTE` says so.
"""

from __future__ import annotations

import math
import platform
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from advisor.foundation.environment import environment
from advisor.foundation.message import Message, sentence
from advisor.foundation.units import GIB, MIB
from advisor.machines.catalogue import machine
from advisor.machines.detect_match import (
    ASSUMED_PLATFORM,
    match_apple,
    match_card,
    match_platform,
    match_unified,
    words,
)
from advisor.machines.detect_nvidia import NO_DRIVER, read_nvidia
from advisor.machines.detect_ram import detected_ram
from advisor.machines.detect_records import Detected, DetectedCpu, DetectedGpu
from advisor.machines.detect_system import (
    amd_smi_names,
    board_name,
    container_limit_bytes,
    cpu_model,
    read_apple_gpu,
    read_pci_gpus,
    run_command,
)
from advisor.machines.machine import Machine
from advisor.machines.ram import USUAL_CHANNELS, USUAL_TYPE, Ram

CUSTOM = "custom"
SERVER_NOTE = sentence(
    "This describes the machine the advisor runs on; opened from elsewhere, that is the server, not yours."
)
_NO_GPU = sentence("No GPU that a runtime can use was found, so this machine counts as a CPU with its RAM.")
# macOS' cautious default: the share every release allows (data/machines.csv has the newer ones).
_APPLE_SMALL_GIB, _APPLE_SMALL_SHARE, _APPLE_SHARE = 36, 0.66, 0.75
# Stock Linux lets a GPU inside the processor use half of the memory.
_UNIFIED_SHARE = 0.5
_MOST_GPUS = 64
_LEAST_USED_BYTES = 256 * MIB  # less comes and goes


def detect(root: Path = Path("/")) -> Detected:
    """Look at this machine; takes a few seconds at most and never fails. `root` is where Linux' files lie."""
    cpu = cpu_model(root)
    memory = psutil.virtual_memory()
    limit = container_limit_bytes(root)
    total = min(memory.total, limit) if limit else memory.total
    gpus, notes = _gpus(root, total)
    known = match_gpus(gpus, cpu, board_name(root), total)
    host = DetectedCpu(
        cpu, psutil.cpu_count(logical=False), psutil.cpu_count(), match_platform(cpu) or ASSUMED_PLATFORM
    )
    if limit and limit < memory.total:
        notes.append(
            sentence("A container limits the memory to {limit:gib} of {total:gib}.", limit=limit, total=memory.total)
        )
    ram = detected_ram(root)
    return Detected(
        gpus=known,
        cpu=host,
        ram_total_bytes=total,
        ram_free_bytes=min(memory.available, total),
        os=f"{platform.system()} {platform.release()}",
        notes=tuple(dict.fromkeys((*notes, *notes_on(known, cpu, ram)))),
        ram=ram,
    )


def match_gpus(gpus: Sequence[DetectedGpu], cpu: str, board: str, ram_bytes: int) -> tuple[DetectedGpu, ...]:
    """The same GPUs with the catalogue's id where they are listed, and all of the memory where it is shared."""
    matched = []
    for gpu in gpus:
        if gpu.vendor == "Apple":
            found, _ = match_apple(gpu.name, gpu.gpu_cores, gpu.memory_total_bytes or ram_bytes)
        elif gpu.mig:
            found = None
        else:
            found = match_card(gpu.name, gpu.memory_total_bytes, gpu.compute_capability)
        if found is None and not gpu.mig and gpu.vendor != "Apple":
            # What firmware set aside for graphics is missing from the memory the system counts.
            carved = (gpu.memory_total_bytes or 0) if gpu.vendor == "AMD" else 0
            # A card beside such a processor is told apart by its name: the GPU's own comes first.
            names = (gpu.name, board) if gpu.vendor == "NVIDIA" else (cpu,)
            found = match_unified(names, ram_bytes + carved) if _inside_processor(gpu, cpu) else None
            if found is not None:
                gpu = replace(gpu, unified=True, integrated=False, memory_total_bytes=ram_bytes + carved)
        if gpu.unified and gpu.memory_total_bytes is None:
            gpu = replace(gpu, memory_total_bytes=ram_bytes)
        matched.append(replace(gpu, machine=found.id if found else None))
    return tuple(matched)


def question_values(detected: Detected) -> dict[str, Any]:
    """The question's keys for "this machine": `machine`, and what it needs of `gpus`, `memory_gib`, `host_memory_gib`.

    `used_mib` is given where other programs hold more of a card than counts as overhead, `overhead_mib` where the
    devices have less memory than the catalogue says: the difference counts as gone.

    Equal cards form a group. The group with the most memory comes first; the next one, if it is listed, becomes
    `other_machine` and `other_gpus`.
    """
    groups = _groups(detected.gpus)
    if not groups:
        return {"machine": detected.cpu.machine, "memory_gib": _gib(detected.ram_total_bytes), **_ram_values(detected)}
    first = _group_values(groups[0])
    if groups[0][0].unified:
        return first
    values = {**first, "host_memory_gib": _gib(detected.ram_total_bytes), **_ram_values(detected)}
    for group in groups[1:]:
        other = _group_values(group)
        if other["machine"] != CUSTOM and not group[0].unified:
            values |= {"other_machine": other["machine"], "other_gpus": other["gpus"]}
            return values | _used([*groups[0], *group])
    return values | _used(groups[0])


def _used(gpus: Sequence[DetectedGpu]) -> dict[str, Any]:
    """`used_mib`, card by card, where other programs hold more than the screen, which counts as overhead anyway."""
    used = [_used_mib(gpu) for gpu in gpus[:_MOST_GPUS]]
    return {"used_mib": ",".join(map(str, used))} if any(used) and len(used) == len(gpus) else {}


def _used_mib(gpu: DetectedGpu) -> int:
    if gpu.memory_total_bytes is None or gpu.memory_free_bytes is None or gpu.machine is None or gpu.mig:
        return 0
    beyond = gpu.memory_total_bytes - gpu.memory_free_bytes - machine(gpu.machine).overhead_bytes // 2
    return -(-beyond // MIB) if beyond >= _LEAST_USED_BYTES else 0


def _ram_values(detected: Detected) -> dict[str, Any]:
    if (ram := detected.ram) is None:
        return {}
    values: dict[str, Any] = {"ram_type": ram.type, "ram_channels": ram.channels}
    return values | ({"ram_sockets": ram.sockets} if ram.sockets > 1 else {})


def _gpus(root: Path, ram_bytes: int) -> tuple[tuple[DetectedGpu, ...], list[Message]]:
    """Everything that any source reports, and sentences about what could not be read."""
    gpus, notes = read_nvidia()
    others: tuple[DetectedGpu, ...] = ()
    nvidia_card = False
    if sys.platform == "linux":
        smi = amd_smi_names(
            run_command("amd-smi", "static", "--asic", "--bus", "--json"),
            run_command("rocm-smi", "--showproductname", "--showbus", "--json"),
        )
        others, nvidia_card = read_pci_gpus(root, smi)
    elif sys.platform == "darwin" and platform.machine() == "arm64":
        chip = run_command("sysctl", "-n", "machdep.cpu.brand_string") or "Apple"
        limit = run_command("sysctl", "-n", "iogpu.wired_limit_mb")
        others = (
            read_apple_gpu(chip, ram_bytes, limit, run_command("system_profiler", "SPDisplaysDataType", "-json")),
        )
    said = [note for note in notes if note != NO_DRIVER]
    if nvidia_card and NO_DRIVER in notes:
        said.append(sentence("There is an NVIDIA card, but no NVIDIA driver: install it to use the card."))
    if sys.platform == "win32":
        said.append(sentence("On Windows only NVIDIA cards are detected; choose other cards by hand."))
    return (*gpus, *others), said


def _inside_processor(gpu: DetectedGpu, cpu: str) -> bool:
    """Whether the GPU may be part of the processor; a card with a name of its own is not."""
    if gpu.vendor == "AMD":
        return gpu.integrated or words(gpu.name) - {"radeon"} <= words(cpu)
    return gpu.unified or gpu.integrated or "gb10" in gpu.name.lower()


def _groups(gpus: Sequence[DetectedGpu]) -> list[list[DetectedGpu]]:
    """Equal devices together, the group with the most memory first; a program can use one MIG device only."""
    groups: dict[tuple[object, ...], list[DetectedGpu]] = defaultdict(list)
    for number, gpu in enumerate(gpus):
        if not gpu.integrated and (gpu.machine or gpu.memory_total_bytes):
            part = number if gpu.mig or gpu.unified else None
            groups[gpu.machine or gpu.name, gpu.machine or gpu.memory_total_bytes, part].append(gpu)
    return sorted(groups.values(), key=lambda group: -sum(gpu.memory_total_bytes or 0 for gpu in group))


def _group_values(group: Sequence[DetectedGpu]) -> dict[str, Any]:
    gpu, count = group[0], min(len(group), _MOST_GPUS)
    if gpu.machine is None:
        total = gpu.memory_total_bytes or 0
        if gpu.unified:
            total = gpu.gpu_limit_bytes or int(total * _unified_share(gpu))
        return {"machine": CUSTOM, "gpus": count, "memory_gib": _gib(total)}
    chosen = machine(gpu.machine)
    values: dict[str, Any] = {"machine": chosen.id}
    if not chosen.unified:
        values["gpus"] = -(-count // chosen.count)
    if missing := _missing_bytes(group, chosen):
        values["overhead_mib"] = -(-(chosen.overhead_bytes + missing) // MIB)
    return values


def _missing_bytes(group: Sequence[DetectedGpu], chosen: Machine) -> int:
    """What the catalogue promises and this machine does not have: ECC that is switched on, a lower limit on a Mac."""
    known = [gpu.gpu_limit_bytes if chosen.unified else gpu.memory_total_bytes for gpu in group]
    return max(0, *(chosen.capacity_bytes - (size or chosen.capacity_bytes) for size in known))


def _unified_share(gpu: DetectedGpu) -> float:
    if gpu.vendor != "Apple":
        return _UNIFIED_SHARE
    return _APPLE_SMALL_SHARE if (gpu.memory_total_bytes or 0) < _APPLE_SMALL_GIB * GIB else _APPLE_SHARE


def notes_on(gpus: Sequence[DetectedGpu], cpu: str, ram: Ram | None) -> list[Message]:
    """What the reader should know of what was found, and of what was not."""
    notes = []
    groups = _groups(gpus)
    if groups and ram is None and not groups[0][0].unified:
        notes.append(
            sentence(
                "How fast the RAM is was not found out: {name} in two channels is assumed for what lies there.",
                name=Ram(USUAL_TYPE, USUAL_CHANNELS).name,
            )
        )
    if not groups:
        notes.append(_NO_GPU)
        if match_platform(cpu) is None and ram is None:
            notes.append(sentence("The memory's speed is not known; two channels of DDR4-3200 are assumed."))
    for gpu in dict.fromkeys(gpu for group in groups for gpu in group if gpu.machine is None):
        notes.append(sentence("{gpu} is not in the catalogue; its memory is known, its speed is not.", gpu=gpu.name))
    for gpu in gpus:
        if not (gpu.integrated or gpu.machine or gpu.memory_total_bytes):
            notes.append(sentence("{gpu} was found, but not how much memory it has: choose it by hand.", gpu=gpu.name))
        elif gpu.machine and (missing := _missing_bytes([gpu], machine(gpu.machine))):
            notes.append(
                sentence(
                    "{gpu} has {missing:gib} less than the catalogue says; that is counted as overhead.",
                    gpu=gpu.name,
                    missing=missing,
                )
            )
    if any(gpu.integrated for gpu in gpus):
        notes.append(sentence("Graphics inside the processor has no memory of its own and is left out."))
    if any(gpu.mig for gpu in gpus):
        notes.append(sentence("The card is partitioned (MIG), and a program can use one part: the largest is taken."))
    if len(groups) > 1 and not any(gpu.mig for gpu in gpus):
        notes.append(sentence("There are different GPUs; the group with the most memory comes first."))
    for gpu in gpus:
        if gpu.gpu_limit_bytes:
            notes.append(
                sentence(
                    "The system was told to let the GPU use {gpu_limit_bytes:gib} (iogpu.wired_limit_mb).",
                    gpu_limit_bytes=gpu.gpu_limit_bytes,
                )
            )
    if groups and environment().visible_gpus is not None:
        notes.append(sentence("CUDA_VISIBLE_DEVICES is set: programs may see fewer GPUs than are listed here."))
    return notes


def _gib(size: int) -> float:
    """GiB to two decimals, never rounded up."""
    return math.floor(size / GIB * 100) / 100
