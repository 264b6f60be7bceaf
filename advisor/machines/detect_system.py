"""What the operating system says without a vendor's library: PCI devices on Linux, Apple's chip, CPU and memory.

Every reader takes plain text or a folder, so that it can be tried on recorded output and on a copied tree.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from advisor.foundation.units import GIB, MIB
from advisor.machines.detect_records import DetectedGpu

_COMMAND_SECONDS = 5
_LONGEST_OUTPUT = 1_000_000
_NVIDIA, _AMD, _INTEL = "0x10de", "0x1002", "0x8086"
# PCI classes of display controllers and of processing accelerators (AMD Instinct).
_GPU_CLASSES = ("0x03", "0x12")
# What firmware sets aside for graphics inside a processor; no card for language models has as little.
_SMALLEST_CARD_BYTES = 2 * GIB
_INTEL_INTEGRATED_SLOT = "0000:00:02.0"
_NO_LIMIT_BYTES = 1 << 60


def run_command(*arguments: str) -> str | None:
    """The output of a program on PATH; None when it is missing, fails or takes longer than a few seconds."""
    program = shutil.which(arguments[0])
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 (fixed arguments, no shell)
            [program, *arguments[1:]],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_COMMAND_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout[:_LONGEST_OUTPUT].decode(errors="replace")


def read_pci_gpus(root: Path, smi_names: Mapping[str, str] | None = None) -> tuple[tuple[DetectedGpu, ...], bool]:
    """AMD and Intel GPUs below `root` (the file system of Linux), and whether there is an NVIDIA card.

    `smi_names` are marketing names by PCI address, for cards that the system's own list does not name.
    """
    gpus: list[DetectedGpu] = []
    nvidia = False
    gfx = _gfx_versions(root)
    for device in sorted((root / "sys/bus/pci/devices").glob("*")):
        if not read_text(device / "class").startswith(_GPU_CLASSES):
            continue
        vendor = read_text(device / "vendor")
        nvidia = nvidia or vendor == _NVIDIA
        if vendor == _AMD:
            gpus.append(_amd_gpu(root, device, smi_names or {}, gfx))
        elif vendor == _INTEL:
            gpus.append(_intel_gpu(root, device))
    return tuple(gpus), nvidia


def amd_smi_names(amd_smi: str | None, rocm_smi: str | None) -> dict[str, str]:
    """Marketing names by PCI address from `amd-smi static --asic --bus --json` or `rocm-smi`'s JSON."""
    names: dict[str, str] = {}
    for entry in _records(amd_smi):
        asic, bus = entry.get("asic"), entry.get("bus")
        if isinstance(asic, dict) and isinstance(bus, dict):
            names[str(bus.get("bdf", "")).lower()] = str(asic.get("market_name", ""))
    for entry in _records(rocm_smi):
        address, name = entry.get("PCI Bus"), entry.get("Card Series", entry.get("Card series"))
        if address and name:
            names.setdefault(str(address).lower(), _in_brackets(str(name)))
    return {address: name for address, name in names.items() if address and name and not name.startswith("N/A")}


def read_apple_gpu(chip: str, memory_bytes: int, limit_mb: str | None, displays: str | None) -> DetectedGpu:
    """The GPU of an Apple chip from `sysctl` (chip, hw.memsize, iogpu.wired_limit_mb) and `system_profiler`'s JSON."""
    cores = next((str(card["sppci_cores"]) for card in _records(displays) if "sppci_cores" in card), "")
    limit = int(limit_mb) if limit_mb and limit_mb.strip().isdigit() else 0
    return DetectedGpu(
        vendor="Apple",
        name=chip.strip(),
        memory_total_bytes=memory_bytes,
        gpu_cores=int(cores) if cores.isdigit() else None,
        # 0 means that the system decides.
        gpu_limit_bytes=limit * MIB or None,
        unified=True,
    )


def container_limit_bytes(root: Path) -> int | None:
    """The memory limit of the container (cgroup version 2 or 1) this program runs in, None when there is none."""
    for name in ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = read_text(root / name)
        if text.isdigit() and 0 < int(text) < _NO_LIMIT_BYTES:
            return int(text)
    return None


def cpu_model(root: Path) -> str:
    """The CPU's name as the system gives it."""
    if sys.platform == "darwin":
        return (run_command("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor()).strip()
    found = re.search(r"^model name\s*:\s*(.+)$", read_text(root / "proc/cpuinfo"), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine() or "unknown CPU"


def board_name(root: Path) -> str:
    """The board's name on ARM systems ("NVIDIA Jetson AGX Orin Developer Kit"), "" elsewhere."""
    return read_text(root / "proc/device-tree/model").strip("\x00")


def _amd_gpu(root: Path, device: Path, smi_names: Mapping[str, str], gfx: Mapping[str, str]) -> DetectedGpu:
    total, used = _number(device / "mem_info_vram_total"), _number(device / "mem_info_vram_used")
    name = (
        _listed_name(root, read_text(device / "device"), read_text(device / "revision"))
        or smi_names.get(device.name.lower())
        or read_text(device / "product_name")
        or "AMD GPU"
    )
    return DetectedGpu(
        vendor="AMD",
        name=name,
        memory_total_bytes=total,
        memory_free_bytes=None if total is None or used is None else max(0, total - used),
        driver_version=read_text(root / "sys/module/amdgpu/version") or None,
        compute_capability=gfx.get(device.name),
        integrated=total is not None and total < _SMALLEST_CARD_BYTES,
    )


def _intel_gpu(root: Path, device: Path) -> DetectedGpu:
    described = run_command("lspci", "-mm", "-s", device.name) if root == Path("/") else None
    integrated = device.name == _INTEL_INTEGRATED_SLOT
    return DetectedGpu(
        vendor="Intel",
        name=lspci_name(described) or f"Intel GPU {read_text(device / 'device')}",
        memory_total_bytes=None if integrated else _largest_window(device),
        integrated=integrated,
    )


def lspci_name(line: str | None) -> str | None:
    """The device's name in a line of `lspci -mm`, by preference the one in brackets: "... [Arc B580]"."""
    fields = re.findall(r'"([^"]*)"', line or "")
    if len(fields) < 3:
        return None
    return f"Intel {_in_brackets(fields[2])}"


def _in_brackets(name: str) -> str:
    """Lists of PCI devices put the marketing name behind the chip's: "Navi 31 [Radeon RX 7900 XTX]"."""
    bracketed = re.findall(r"\[([^\]]+)\]", name)
    return bracketed[-1] if bracketed else name


def _largest_window(device: Path) -> int | None:
    """Bytes of the largest PCI window: with resizable BAR, the default on cards for this, all of the memory."""
    sizes = []
    for line in read_text(device / "resource").splitlines():
        parts = line.split()
        if len(parts) == 3 and all(re.fullmatch(r"0x[0-9a-f]+", part) for part in parts):
            sizes.append(int(parts[1], 16) - int(parts[0], 16) + 1)
    return max((size for size in sizes if size >= _SMALLEST_CARD_BYTES), default=None)


def _listed_name(root: Path, device_id: str, revision: str) -> str | None:
    """The name in libdrm's list of AMD devices, whose lines are `device id, revision, name`."""
    wanted = (device_id.removeprefix("0x").lower(), revision.removeprefix("0x").lower())
    for line in read_text(root / "usr/share/libdrm/amdgpu.ids").splitlines():
        fields = [field.strip() for field in line.split(",", 2)]
        if len(fields) == 3 and (fields[0].lower(), fields[1].lower()) == wanted:
            return fields[2]
    return None


def _gfx_versions(root: Path) -> dict[str, str]:
    """AMD's architecture (gfx1100) by PCI address, from the compute driver's topology."""
    versions = {}
    for node in (root / "sys/class/kfd/kfd/topology/nodes").glob("*/properties"):
        values = dict(line.split(" ", 1) for line in read_text(node).splitlines() if " " in line)
        number, location = values.get("gfx_target_version", "0"), values.get("location_id", "0")
        if number.isdigit() and location.isdigit() and int(number):
            bus, slot, function = int(location) >> 8 & 0xFF, int(location) >> 3 & 0x1F, int(location) & 7
            domain = int(values.get("domain", "0")) if values.get("domain", "0").isdigit() else 0
            major, minor, step = int(number) // 10000, int(number) // 100 % 100, int(number) % 100
            versions[f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"] = f"gfx{major}{minor:x}{step:x}"
    return versions


def _records(text: str | None) -> Iterator[dict[str, Any]]:
    """Every object directly inside the lists or objects of a JSON text; nothing for a text that is none."""
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return
    for value in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict))


def read_text(path: Path) -> str:
    """A file's text without blanks around it; "" where it cannot be read."""
    try:
        with path.open(errors="replace") as file:
            return file.read(_LONGEST_OUTPUT).strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = read_text(path)
    return int(text) if text.isdigit() and len(text) < 20 else None
