"""The packings that methods of quantization name, each with the level of ours that loses as much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from advisor.formats.safetensors_levels import SafetensorsLevel, find_safetensors_level
from advisor.foundation.errors import InputError, printable
from advisor.sources.packing import Declared, Packing

Section = Mapping[str, Any]
LONGEST_NAME = 40


def unknown_method(method: str) -> Declared:
    """A method that is not understood: no bits, and nothing to compare."""
    name = printable(method)[:LONGEST_NAME]
    return Declared(name or "unknown", (Packing(name.upper() or "quantized", "unknown", None),), readable=False)


def like(name: str, known: str, **changes: Any) -> SafetensorsLevel:
    """Our level `known` where its name is the same, else one that differs from it in `changes`."""
    try:
        return find_safetensors_level(name)
    except InputError:
        return replace(find_safetensors_level(known), name=name, **changes)


def integer_packing(prefix: str, bits: int, group: int) -> Packing:
    """Calibrated integers: GPTQ and what packs like it."""
    name = f"{prefix}W{bits}A16{group_words(group)}"
    group = max(group, 0)
    known = "W8A16-channel" if bits == 8 else "GPTQ-W4A16-g128"
    ours = f"{'AWQ-' if prefix == 'AWQ-' else 'GPTQ-' if bits < 4 or prefix == 'GPTQ-' else ''}W{bits}A16"
    level = like(f"{ours}{group_words(group or -1)}", known, nominal_bits=bits, bits=bits, group=group)
    if bits == 2:  # where it matters how the rounding was chosen
        level = replace(level, name=level.name.replace("GPTQ-", prefix or "GPTQ-"))
    return Packing(name, "int", bits, group, level)


def rounded_packing(name: str, bits: int, group: int) -> Packing:
    """Integers to the nearest, without calibration: they lose what MLX's do."""
    usual = group if group in (32, 64, 128) else 64
    level = None if bits not in (2, 3, 4, 5, 6, 8) else find_safetensors_level(f"MLX-{bits}bit-g{usual}")
    return Packing(name, "int", bits, max(group, 0), level)


def int8_packing(name: str) -> Packing:
    """Eight-bit integers, "A8" in the name where activations are rounded too."""
    return Packing(name, "int", 8, 0, like(name, "W8A8-INT8" if "A8" in name else "W8A16-channel"))


def fp8_packing(name: str, block: int = 0) -> Packing:
    """Eight-bit floats; `block` where a square of weights shares a scale."""
    return Packing(name, "fp8", 8, block, like(name, "FP8-block128" if block else "FP8-dynamic"))


def fp4_packing(name: str, *, activations: bool = False) -> Packing:
    """Four-bit floats, told apart by the name; `activations` says that those are rounded too."""
    if "NVFP4" in name.upper():
        ours = "NVFP4" if activations else "NVFP4A16"
        return Packing(name, "nvfp4", 4, 16, find_safetensors_level(ours))
    return Packing(name, "mxfp4", 4, 32, find_safetensors_level("MXFP4A16"))


def only(kind: str, packing: Packing, *, readable: bool = True) -> Declared:
    """All layers packed alike."""
    return Declared(kind, (packing,), readable=readable and packing.bits is not None)


def no_level(name: str) -> Packing:
    """A scheme whose bits are not understood."""
    return Packing(name, "unknown", None)


def number(section: Section, *keys: str) -> int | None:
    """The first of the keys that is a whole number."""
    for key in keys:
        value = section.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def truthy(section: Section, *keys: str) -> bool:
    return any(section.get(key) is True for key in keys)


def group_words(size: int) -> str:
    return f"-g{size}" if size > 0 else "-channel" if size < 0 else ""
