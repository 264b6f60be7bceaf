"""The nominal rates of a machine that speeds are measured against."""

from __future__ import annotations

from advisor.machines.capacity import CPU_KIND
from advisor.machines.machine import Machine
from advisor.speed.backends import Backend
from advisor.speed.roofline import Device

_SLOT = 32e9  # bytes/s that cards exchange over a PCIe slot
# Kernels outside NVIDIA's reach half as much of matrix units' nominal rate as they reach of plain units'.
_REACHED = {"wmma": 0.5, "matrix": 0.5, "xmx": 0.5, "neural-accelerator-estimate": 0.5}
_CPU_OPERATIONS = 25  # for each byte/s: 16 cores with vectors of 8 numbers at 4.5 GHz beside 90 GB/s
# Formats whose products vLLM forms of 8-bit floats or of 8-bit integers; other weights of few bits are unpacked to 16.
_WHOLE = "BF16"
_PACKED, _NO_BFLOAT = "shader-packed-fp16", ("Maxwell", "Pascal", "Volta", "Turing")  # two halves at once, no bfloat16
_OF_FLOATS, _OF_INTEGERS = ("FP8", "MXFP8", "W4A8", "FP4-FP8"), ("W8A8",)


def device_of(machine: Machine, backend: Backend, level: str) -> Device:
    """What `backend` finds on a machine; bandwidth 0 where it is not known."""
    peak = served_flops(machine, level) if backend == "vllm" else peak_flops(machine, level)
    shader = machine.fp32_tflops * 1e12 if machine.fp32_tflops and backend != "cpu" else None
    # Only NVIDIA's attention kernels use matrix units to the full.
    plain = shader if machine.fp16_basis in _REACHED else None
    # Mixtures in 8 bits are served no faster by what they compute than in 16: Qwen3-235B on H100 (GPUStack, 2025-11).
    experts = served_flops(machine, _WHOLE) if backend == "vllm" else None
    return Device(machine.bandwidth_bytes_per_s or 0.0, peak, shader, plain or peak, link_of(machine), experts)


def peak_flops(machine: Machine, level: str = "") -> float | None:
    """The rate that llama.cpp's matrix kernels are measured against, in operations/s on dense data; None where unknown.

    On NVIDIA half the 8-bit rate, which quantized models are multiplied at and which GeForce and workstation cards
    reach alike, while 16 bits with 32-bit sums run at half speed on GeForce; elsewhere the 16-bit rate, of matrix units
    the part that kernels reach. A CPU's cores grow with its channels of memory. Units without bfloat16 calculate it in
    32 bits.
    """
    known = [machine.fp32_tflops]
    if level == _WHOLE and (machine.fp16_basis == _PACKED or machine.architecture in _NO_BFLOAT):
        return (machine.fp32_tflops or 0.0) * 1e12 or None
    if machine.kind == CPU_KIND:
        known.append(_CPU_OPERATIONS * (machine.bandwidth_bytes_per_s or 0) / 1e12)
    elif machine.fp16_tflops:
        known.append(machine.fp16_tflops * _REACHED.get(machine.fp16_basis or "", 1.0))
    if machine.vendor == "NVIDIA" and machine.int8_tops:
        known.append(machine.int8_tops / 2)
    return max((rate for rate in known if rate), default=0.0) * 1e12 or None


def served_flops(machine: Machine, level: str) -> float | None:
    """The rate that vLLM multiplies at: of 16 bits with 32-bit sums, of 8 bits where format and machine have them."""
    rate, name = machine.fp16_tflops or machine.fp32_tflops, level.upper()
    # Where cards calculate with NVFP4, no source shows more than the rate of 8 bits.
    if name.startswith(_OF_FLOATS) or (name == "NVFP4" and machine.fp4_tflops):
        rate = machine.fp8_tflops or rate
    elif name.startswith(_OF_INTEGERS):
        rate = machine.int8_tops or rate
    return rate * 1e12 if rate else None


def link_of(machine: Machine) -> float:
    """Bytes/s at which devices exchange results, in each direction; where no link is known, those of a slot."""
    return machine.interconnect_gb_s * 1e9 / 2 if machine.interconnect_gb_s else _SLOT
