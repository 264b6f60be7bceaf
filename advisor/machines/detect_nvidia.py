"""What NVIDIA's driver says about its GPUs, through NVML; nothing is interpreted here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pynvml

from advisor.foundation.message import Message, sentence
from advisor.machines.detect_records import DetectedGpu

NO_DRIVER = sentence("No NVIDIA driver was found.")


def read_nvidia() -> tuple[tuple[DetectedGpu, ...], tuple[Message, ...]]:
    """The GPUs (or, where cards are partitioned, the MIG devices) and sentences about what could not be read."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        return (), (NO_DRIVER,)
    except pynvml.NVMLError as error:
        return (), (sentence("The NVIDIA driver is installed but does not answer: {error}.", error=error),)
    gpus: list[DetectedGpu] = []
    notes: list[Message] = []
    try:
        driver = _text(_ask(pynvml.nvmlSystemGetDriverVersion))
        cuda = cuda_version(_ask(pynvml.nvmlSystemGetCudaDriverVersion_v2))
        for number in range(_ask(pynvml.nvmlDeviceGetCount) or 0):
            try:
                handle = pynvml.nvmlDeviceGetHandleByIndex(number)
                gpus += [_gpu(device, mig, driver, cuda) for device, mig in _devices(handle)]
            except pynvml.NVMLError as error:
                notes.append(sentence("NVIDIA GPU {number} does not answer: {error}.", number=number, error=error))
    finally:
        _ask(pynvml.nvmlShutdown)
    return tuple(gpus), tuple(notes)


def cuda_version(number: int | None) -> str | None:
    """CUDA writes 12.8 as 12080."""
    return None if not number else f"{number // 1000}.{number % 1000 // 10}"


def _devices(handle: Any) -> Iterator[tuple[Any, bool]]:
    """The device itself, or its MIG devices when it is partitioned: then nothing else can be used."""
    mode = _ask(pynvml.nvmlDeviceGetMigMode, handle)
    if not mode or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
        yield handle, False
        return
    for number in range(_ask(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        part = _ask(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, number)
        if part is not None:
            yield part, True


def _gpu(handle: Any, mig: bool, driver: str | None, cuda: str | None) -> DetectedGpu:
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    except pynvml.NVMLError_NotSupported:  # GB10 and Jetson share the host's memory and have none of their own
        memory = None
    capability = _ask(pynvml.nvmlDeviceGetCudaComputeCapability, handle)
    milliwatts = None if mig else _ask(pynvml.nvmlDeviceGetPowerManagementLimit, handle)
    return DetectedGpu(
        vendor="NVIDIA",
        name=_text(pynvml.nvmlDeviceGetName(handle)) or "NVIDIA GPU",
        memory_total_bytes=None if memory is None else int(memory.total),
        memory_free_bytes=None if memory is None else int(memory.free),
        driver_version=driver,
        cuda_version=cuda,
        compute_capability=None if capability is None else f"{capability[0]}.{capability[1]}",
        power_limit_w=None if milliwatts is None else milliwatts / 1000,
        mig=mig,
        unified=memory is None,
    )


def _ask(question: Any, *arguments: Any) -> Any:
    """The answer, or None: older drivers and smaller devices do not answer everything."""
    try:
        return question(*arguments)
    except pynvml.NVMLError:
        return None


def _text(value: Any) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
