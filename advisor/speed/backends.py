"""Which backend runs on a machine, and whose constants it shares."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, get_args

from advisor.foundation.errors import InputError
from advisor.machines.capacity import CPU_KIND
from advisor.machines.machine import Machine
from advisor.runtimes.registry import runtime_by
from advisor.sizing.runtime_id import RuntimeId

Backend = Literal["cuda", "metal", "rocm", "vulkan", "sycl", "cpu", "mlx", "vllm"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

_BY_VENDOR: dict[str, Backend] = {"NVIDIA": "cuda", "Apple": "metal", "AMD": "rocm", "Intel": "sycl"}
# Sold with several sizes of one memory: the same chip at the same speed.
_MEMORY_SIZE = re.compile(r"-\d{1,4}gb$")
_MEMORY_IN_WORDS = re.compile(r" \d{1,4}GB$")
_FAR = 8192  # tokens
SERVER_BANDWIDTH = 200e9  # bytes/s, of eight channels and more, which CPUs reach less of
# Cards without tensor cores and, mostly, without fast 16-bit arithmetic.
_OLD_NVIDIA = {"Maxwell", "Pascal"}


def default_backend(machine: Machine, runtime: RuntimeId = RuntimeId.LLAMA_CPP) -> Backend:
    """The backend whose constants `runtime` follows on a machine unless told otherwise: its own where it has such."""
    if (its_own := runtime_by(runtime).speed.backend) is not None:
        return its_own
    if machine.kind == CPU_KIND:
        return "cpu"
    if machine.vendor == "AMD" and machine.kind == "unified-memory-pc":
        return "vulkan"
    return _BY_VENDOR.get(machine.vendor, "cuda" if machine.kind == "custom" else "vulkan")


def check_backend(backend: str) -> Backend:
    """The backend of that name; raises InputError for another word."""
    for known in BACKENDS:
        if known == backend:
            return known
    raise InputError(
        "backend={backend} is not known; use one of {backends}.",
        backend=repr(backend[:30]),
        backends=", ".join(BACKENDS),
    )


@lru_cache(maxsize=1024)
def chip_of(machine: Machine) -> str:
    """The machine's id without the size of its memory, where one chip is sold with several."""
    return _MEMORY_SIZE.sub("", machine.id) if machine.unified else machine.id


def chip_name(machine: Machine) -> str:
    """The same as people call it: "Apple M4 Max (40-core GPU)"."""
    return _MEMORY_IN_WORDS.sub("", machine.name) if machine.unified else machine.name


@lru_cache(maxsize=4096)
def group_of(machine: Machine, backend: Backend) -> str:
    """The group of machines that share constants: the backend, and the kind of memory and chip."""
    match backend:
        case "cuda":
            if machine.architecture in _OLD_NVIDIA:
                return "cuda-old"
            if "HBM" in (machine.memory_type or ""):
                return "cuda-hbm"
            return "cuda-unified" if machine.unified else "cuda"
        case "rocm" | "vulkan":
            return f"{backend}-unified" if machine.unified else backend
        case "cpu":
            server = (machine.bandwidth_bytes_per_s or 0) >= SERVER_BANDWIDTH
            return "cpu-apple" if machine.vendor == "Apple" else "cpu-server" if server else "cpu"
        case _:
            return backend


def judged_by(group: str, users: int, devices: int, split: str, before: int = 0) -> str:
    """Whose misses widen a range: those of the group, or of what is harder to predict than its group.

    `before` tokens are in the cache already when a prompt is read.
    """
    if before > _FAR:
        return "far into a context"
    if group in ("vllm", "host"):
        return f"{group}, several users" if users > 1 else group
    return "several users" if users > 1 else f"{split} split" if devices > 1 else group
