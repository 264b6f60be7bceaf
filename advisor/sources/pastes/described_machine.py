"""The machine that a paste describes, as if it had been detected, and the keys of the question that stand for it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from advisor.foundation.message import Message, sentence
from advisor.foundation.units import GIB, MIB
from advisor.machines.catalogue import machine
from advisor.machines.detect import match_gpus, notes_on, question_values
from advisor.machines.detect_match import ASSUMED_PLATFORM, match_begun, match_card, match_platform
from advisor.machines.detect_records import Detected, DetectedCpu, DetectedGpu
from advisor.machines.ram import USUAL_CHANNELS, USUAL_TYPE, Ram
from advisor.sources.pastes.lspci import newer_name
from advisor.sources.pastes.text import Reading, plain_figure

_SYSTEM_BYTES = 2 * GIB  # which plans leave to the host's system anyway
_LEAST_USED_BYTES = GIB
_MOST_GPUS = 64
_OF_MACHINES = frozenset(
    (
        *("nvidia-smi", "nvidia-smi-csv", "nvidia-smi-L", "amd-smi", "rocm-smi", "xpu-smi", "lspci"),
        *("system-profiler", "lscpu", "free", "dxdiag"),
    )
)


@dataclass(frozen=True, slots=True)
class PastedMachine:
    """`values` are the question's keys that the paste tells; what it does not tell, such as the RAM, is not among them.

    In `detected`, 0 bytes of RAM and an empty CPU's name mean that the paste does not say.
    """

    detected: Detected
    values: dict[str, Any]


def pasted_machine(readings: Sequence[Reading]) -> PastedMachine | None:
    """The machine that the tools' output describes; None where none of them speaks of one."""
    about = [reading for reading in readings if reading.kind in _OF_MACHINES]
    if not about:
        return None
    host = _host(about)
    cards = _cards(about)
    ram = host.ram_bytes or 0
    gpus = tuple(_in_use(_catalogued(gpu, host.cpu, ram), share) for gpu, share in cards)
    cpu = DetectedCpu(host.cpu, host.cores, host.threads, match_platform(host.cpu) or ASSUMED_PLATFORM)
    known = bool(host.cpu) if not gpus else any(gpu.machine or gpu.memory_total_bytes for gpu in gpus)
    # What is unknown of RAM that is not told of is no matter.
    assumed = None if host.ram_bytes else Ram(USUAL_TYPE, USUAL_CHANNELS)
    notes = (notes_on(gpus, host.cpu, assumed) if known else []) + _notes(about, gpus, host)
    free = max(0, ram - (host.used_bytes or 0))
    found = Detected(gpus, cpu, ram, free, host.os, tuple(dict.fromkeys(notes)))
    return PastedMachine(found, _values(found, host))


@dataclass(frozen=True, slots=True)
class _Host:
    cpu: str = ""
    cores: int | None = None
    threads: int | None = None
    sockets: int | None = None
    ram_bytes: int | None = None
    used_bytes: int | None = None
    os: str = ""
    apple: bool = False


def _host(readings: Sequence[Reading]) -> _Host:
    found = _Host()
    for reading in readings:
        told = reading.values
        if reading.kind == "lscpu":
            per_socket, sockets = told.get("cores_per_socket"), told.get("sockets")
            cores = per_socket * (sockets or 1) if per_socket else None
            found = replace(
                found, cpu=told["cpu"], cores=cores, threads=told.get("threads"), sockets=sockets, os="Linux"
            )
        elif reading.kind == "free":
            available = told.get("available_gib")
            used = told["memory_gib"] - available if available is not None else told.get("used_gib", 0)
            found = replace(
                found, ram_bytes=math.ceil(told["memory_gib"] * GIB), used_bytes=int(used * GIB), os="Linux"
            )
        elif reading.kind == "dxdiag":
            ram = told["memory_mib"] * MIB if "memory_mib" in told else found.ram_bytes
            found = replace(found, cpu=told.get("cpu", found.cpu), ram_bytes=ram, os=told.get("os", ""))
        elif reading.kind == "system-profiler":
            ram = told["memory_gb"] * GIB if "memory_gb" in told else found.ram_bytes
            found = replace(
                found, cpu=told.get("chip", found.cpu), cores=told.get("cores"), ram_bytes=ram, apple=True, os="macOS"
            )
        elif reading.kind.startswith("nvidia-smi") and told.get("os") == "windows":
            found = replace(found, os="Windows")
    return found


def _cards(readings: Sequence[Reading]) -> list[tuple[DetectedGpu, float | None]]:
    """The GPUs with the share of their memory that is used, where only that is told.

    They are taken from the tool that knows most of them; a list of PCI devices adds those of vendors that it does not
    speak of.
    """
    found: list[tuple[DetectedGpu, float | None]] = []
    for reading in sorted(readings, key=lambda one: one.kind in ("lspci", "dxdiag")):
        told = [_record(reading, *device) for device in _devices(reading)]
        shares = reading.values.get("vram_pct") or [None] * len(told)
        seen = {gpu.vendor for gpu, _ in found}
        found += [
            (gpu, None if share is None else share / 100)
            for gpu, share in zip(told, shares, strict=True)
            if gpu.vendor not in seen
        ]
    return found[:_MOST_GPUS]


def _in_use(gpu: DetectedGpu, share: float | None) -> DetectedGpu:
    """With the bytes that a share of the catalogue's memory is."""
    if share is None or gpu.machine is None or gpu.memory_total_bytes is not None:
        return gpu
    total = machine(gpu.machine).capacity_bytes
    return replace(gpu, memory_total_bytes=total, memory_free_bytes=int(total * (1 - share)))


def _devices(reading: Reading) -> list[tuple[dict[str, Any], int | None]]:
    """Each device with the MiB that are used of it."""
    told = reading.values
    if told.get("mig"):
        name = told["gpus"][0]["name"] if told.get("gpus") else "NVIDIA GPU"
        return [
            ({"name": name, "memory_mib": part["memory_mib"], "mig": True}, part["used_mib"]) for part in told["mig"]
        ]
    gpus = told.get("gpus", [])
    if reading.kind == "system-profiler" and "chip" in told and str(told["chip"]).startswith("Apple"):
        cores = gpus[0].get("gpu_cores") if gpus else None
        return [
            ({"name": told["chip"], "gpu_cores": cores, "memory_mib": told.get("memory_gb", 0) * 1024 or None}, None)
        ]
    used = told.get("used_mib") or told.get("used_mb") or [None] * len(gpus)
    return list(zip(gpus, used, strict=True))


def _record(reading: Reading, gpu: dict[str, Any], used_mib: int | None) -> DetectedGpu:
    vendor = gpu.get("vendor") or _vendor(reading.kind, gpu.get("name") or "")
    name = gpu.get("name") or newer_name(vendor, gpu.get("pci_device", "")) or _unnamed(vendor, gpu)
    mib = gpu.get("memory_mib", gpu.get("memory_mb"))
    total = None if mib is None else int(mib * MIB)
    free = None if total is None or used_mib is None else max(0, total - used_mib * MIB)
    told = reading.values
    return DetectedGpu(
        vendor=vendor,
        name=re.sub(r" VF$", "", name),  # a virtual function: the card, as a virtual machine sees it
        memory_total_bytes=total,
        memory_free_bytes=free,
        driver_version=told.get("driver"),
        cuda_version=told.get("cuda"),
        compute_capability=gpu.get("compute_capability"),
        power_limit_w=gpu.get("power_limit_w"),
        gpu_cores=gpu.get("gpu_cores"),
        mig=bool(gpu.get("mig")),
        unified=vendor == "Apple" or bool(gpu.get("shared")),
        integrated=reading.kind in ("lspci", "dxdiag") and _is_inside(vendor, name),
    )


def _unnamed(vendor: str, gpu: dict[str, Any]) -> str:
    return f"{vendor} device {gpu['pci_device']}" if gpu.get("pci_device") else f"{vendor} GPU"


def _vendor(kind: str, name: str) -> str:
    if kind in ("rocm-smi", "amd-smi"):
        return "AMD"
    if kind == "xpu-smi":
        return "Intel"
    if kind == "system-profiler":
        return "Apple"
    return next((maker for maker in ("AMD", "Intel", "NVIDIA") if maker.lower() in name.lower()), "NVIDIA")


def _is_inside(vendor: str, name: str) -> bool:
    """Whether a card that a list of devices names is graphics inside a processor."""
    if vendor == "Intel":
        return re.search(r"\b[AB]\d{2,3}\b|Data Center", name) is None
    return vendor == "AMD" and re.search(r"\bRX\b|\bPRO\b|Instinct|\bMI\d|\bR9700|\b80[56]0S\b", name) is None


def _catalogued(gpu: DetectedGpu, cpu: str, ram_bytes: int) -> DetectedGpu:
    if gpu.name.endswith("..."):
        card = match_begun(gpu.name, gpu.memory_total_bytes)
        return replace(gpu, machine=card.id if card else None)
    if gpu.vendor == "Apple" and gpu.memory_total_bytes is None:
        return gpu  # a chip is sold with many sizes of memory
    (found,) = match_gpus((gpu,), cpu or gpu.name, "", ram_bytes or gpu.memory_total_bytes or 0)
    if found.machine is None and gpu.memory_total_bytes is None and (card := match_card(gpu.name, None)) is not None:
        found = replace(found, machine=card.id)
    return found


def _values(found: Detected, host: _Host) -> dict[str, Any]:
    usable = [gpu for gpu in found.gpus if not gpu.integrated and (gpu.machine or gpu.memory_total_bytes)]
    if not usable and found.gpus and host.apple:
        return {}
    if not usable and not host.cpu:
        values: dict[str, Any] = {"host_memory_gib": int(host.ram_bytes / GIB * 100) / 100} if host.ram_bytes else {}
    else:
        values = question_values(_with_shares(found))
        values.pop("ram_sockets", None)
    if host.ram_bytes is None:
        values.pop("host_memory_gib", None)
        if not usable:
            values.pop("memory_gib", None)
    if "host_memory_gib" in values and host.used_bytes is not None:
        beyond = host.used_bytes - _SYSTEM_BYTES
        if beyond >= _LEAST_USED_BYTES:
            values["host_used_mib"] = beyond // MIB
    return {key: plain_figure(value) if isinstance(value, float) else value for key, value in values.items()}


def _with_shares(found: Detected) -> Detected:
    """A card whose memory was not told has the catalogue's."""
    return replace(
        found,
        gpus=tuple(
            replace(gpu, memory_total_bytes=machine(gpu.machine).capacity_bytes)
            if gpu.machine and gpu.memory_total_bytes is None
            else gpu
            for gpu in found.gpus
        ),
    )


def _notes(readings: Sequence[Reading], gpus: Sequence[DetectedGpu], host: _Host) -> list[Message]:
    notes = []
    for gpu in dict.fromkeys(gpu for gpu in gpus if gpu.name.endswith("...")):
        if gpu.machine:
            notes.append(
                sentence(
                    "The table cuts the name {gpu} off; by its memory it is {card}, or one that is faster.",
                    gpu=gpu.name,
                    card=machine(gpu.machine).name,
                )
            )
    if any(gpu.vendor == "Apple" and gpu.memory_total_bytes is None for gpu in gpus):
        notes.append(
            sentence("The memory of this Mac is not in the text: add what `system_profiler SPHardwareDataType` prints.")
        )
    for reading in readings:
        if reading.values.get("ignored"):
            notes.append(
                sentence("Left out, as no runtime uses it: {names}.", names=", ".join(reading.values["ignored"][:5]))
            )
        if reading.values.get("smi") and reading.values.get("driver"):
            notes.append(
                sentence(
                    "Tool and driver are of different versions: this is Linux inside Windows (WSL), which needs memory "
                    "of its own."
                )
            )
    if gpus and host.ram_bytes is None and not host.apple:
        notes.append(sentence("The host's memory is not in the text: without it nothing is planned beside the cards."))
    return notes
