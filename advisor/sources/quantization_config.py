"""What a repository's config says of its quantization, method by method.

A method or an algorithm that is not understood has unknown bits: it is never taken for one that is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from advisor.formats.safetensors_levels import SafetensorsLevel, Scales, Scheme, find_safetensors_level
from advisor.foundation.errors import printable
from advisor.sources.packing import Declared, Family, Packing
from advisor.sources.packings import (
    LONGEST_NAME,
    Section,
    fp4_packing,
    fp8_packing,
    int8_packing,
    integer_packing,
    like,
    no_level,
    number,
    only,
    rounded_packing,
    truthy,
    unknown_method,
)
from advisor.sources.quantization_other import aqlm, exl2, exl3, fp_quant, hqq, quanto, quark, torchao


def declared(config: Section) -> Declared | None:
    """What the config says, None where it says nothing."""
    section = section_of(config)
    if section is None:
        return None
    return _mlx(section) if section == config.get("quantization") else _from_section(section)


def section_of(config: Section) -> Section | None:
    """Where the config says it: mlx-lm has a section of its own, which it writes under the usual name too."""
    text = config.get("text_config")
    section = config.get("quantization_config") or (text if isinstance(text, Mapping) else {}).get(
        "quantization_config"
    )
    mlx = config.get("quantization")
    if isinstance(mlx, Mapping) and "bits" in mlx and (not section or section == mlx):
        return mlx
    return section if isinstance(section, Mapping) and section else None


def _from_section(section: Section) -> Declared:
    method = str(section.get("quant_method", "")).lower()
    if not method:
        method = "bitsandbytes" if truthy(section, "load_in_4bit", "load_in_8bit") else method
        method = "modelopt" if "quant_algo" in section else method
    reader = _READERS.get(method)
    return reader(section) if reader is not None else unknown_method(method or "quantized")


# --------------------------------------------------------------------------------------------------------- methods


def _gptq_like(kind: str) -> Callable[[Section], Declared]:
    def integer(bits: int, group: int) -> Packing:
        packing = integer_packing(f"{kind}-", bits, group)
        return replace(packing, stored=_autoround_stored(packing)) if kind == "AutoRound" else packing

    def read(section: Section) -> Declared:
        bits, group = number(section, "bits", "w_bit", "wbits"), number(section, "group_size", "q_group_size")
        data = str(section.get("data_type", "int"))
        if bits is None or not 2 <= bits <= 8:
            return unknown_method(kind)
        if data.startswith(("nv_fp", "mx_fp", "fp")):
            return only(kind, _auto_round_float(section, data, bits))
        usual = integer(bits, 128 if group is None else group)
        return Declared(kind, (usual,), integer=integer)

    return read


def _autoround_stored(packing: Packing) -> SafetensorsLevel | None:
    """GPTQ's tensors without the index of inputs."""
    gptq = find_safetensors_level("GPTQ-W4A16-g128")
    return replace(gptq, bits=int(packing.bits or gptq.bits), group=packing.group, scales=Scales(in_order=True))


def _auto_round_float(section: Section, data: str, bits: int) -> Packing:
    if bits == 8 and "mx" in data:
        return Packing("MXFP8", "mxfp8", 8, 32, find_safetensors_level("MXFP8"))
    if bits == 8:
        return _fp8_blocks(section) or fp8_packing("FP8-dynamic")
    return fp4_packing("NVFP4" if "nv" in data else "MXFP4", activations=True)


def _bitsandbytes(section: Section) -> Declared:
    if truthy(section, "load_in_8bit", "_load_in_8bit"):
        return only("bitsandbytes", Packing("LLM.int8", "int", 8, 0, find_safetensors_level("INT8-bnb")))
    kind = str(section.get("bnb_4bit_quant_type") or "fp4").upper()[:8]
    level = like(kind, "NF4")
    stored = None if truthy(section, "bnb_4bit_use_double_quant") else replace(level, scales=Scales("F32"))
    return only("bitsandbytes", Packing(kind, "nf4", 4, 64, level, stored))


def _fp8_method(section: Section) -> Declared:
    if (blocks := _fp8_blocks(section)) is not None:
        return only("FP8", blocks)
    return only(
        "FP8", fp8_packing("FP8-dynamic" if section.get("activation_scheme", "dynamic") == "dynamic" else "FP8-static")
    )


def _fp8_blocks(section: Section) -> Packing | None:
    """None where no square of weights shares a scale."""
    block = section.get("weight_block_size")
    if not isinstance(block, list) or not block:
        return None
    size = block[0] if isinstance(block[0], int) else 128
    return fp8_packing(f"FP8-block{size}", size)


def _native_mxfp4(section: Section) -> Declared:
    return only("MXFP4", Packing("MXFP4", "mxfp4", 4, 32, find_safetensors_level("MXFP4-native")))


_MODELOPT: tuple[tuple[str, Callable[[str], Packing]], ...] = (
    (r"NVFP4\w*|W4A4_NVFP4", lambda name: fp4_packing(name, activations=True)),
    (r"W4A(8|16)_NVFP4\w*", fp4_packing),
    (r"MXFP4\w*|W4A(8|16)_MXFP4\w*", fp4_packing),
    (r"MXFP8", lambda name: Packing(name, "mxfp8", 8, 32, find_safetensors_level("MXFP8"))),
    (r"FP8_PB\w*", lambda name: fp8_packing(name, 128)),
    (r"FP8\w*", fp8_packing),
    (r"INT8\w*|W8A8\w*", int8_packing),
    (r"W8A16\w*", int8_packing),
    (r"INT4_AWQ|W4A(8|16)_AWQ", lambda name: replace(integer_packing("AWQ-", 4, 128), name=name)),
)


def _modelopt_packing(algorithm: Any) -> Packing:
    name = printable(str(algorithm)).upper()[:LONGEST_NAME]
    found = next((make(name) for pattern, make in _MODELOPT if re.fullmatch(pattern, name)), None)
    return Packing(name, "unknown", None) if found is None else replace(found, stored=_modelopt_stored(found))


def _modelopt_stored(packing: Packing) -> SafetensorsLevel | None:
    """ModelOpt keeps scales in 32 bit but those of FP4, and four-bit integers two in a byte without zero points."""
    level = packing.level
    if packing.name == "FP8":
        level = find_safetensors_level("FP8-static")
    elif packing.family == "int" and packing.bits == 8:
        level = find_safetensors_level("W8A8-INT8")
    if level is None or level.scheme not in (Scheme.CHANNEL, Scheme.TENSOR, Scheme.BLOCK, Scheme.AWQ):
        return None
    if level.scheme is Scheme.AWQ:
        level = replace(level, scheme=Scheme.NATIVE_FP4, dtype="U8", zero_points=False)
    return replace(level, scales=Scales("F32"))


def _modelopt(section: Section) -> Declared:
    listed = section.get("quantized_layers")
    layers = {
        str(module): _modelopt_packing(each.get("quant_algo"))
        for module, each in (listed.items() if isinstance(listed, Mapping) else ())
        if isinstance(each, Mapping)
    }
    groups = tuple(_compressed_groups(section))
    algorithm = str(section.get("quant_algo", "")).upper()
    packings = tuple(dict.fromkeys(layers.values())) or groups
    if algorithm and "MIXED" not in algorithm:
        packings = (_modelopt_packing(algorithm),)
    if not packings:
        return unknown_method(algorithm or "modelopt")
    return Declared(packings[0].name.partition("-")[0], packings, layers, readable=packings[0].bits is not None)


def _compressed(section: Section) -> Declared:
    groups = tuple(dict.fromkeys(_compressed_groups(section)))
    if not groups:
        return unknown_method("compressed-tensors")
    return Declared("compressed-tensors", groups, readable=groups[0].bits is not None)


def _compressed_groups(section: Section) -> Iterator[Packing]:
    groups = section.get("config_groups")
    for group in groups.values() if isinstance(groups, Mapping) else ():
        if (packing := compressed_group(section, group)) is not None:
            yield packing


def compressed_group(section: Section, group: Any) -> Packing | None:
    """The packing of one of `config_groups`, None where it packs no weights."""
    weights = group.get("weights") if isinstance(group, Mapping) else None
    if not isinstance(weights, Mapping):
        return None
    form = str(group.get("format") or section.get("format") or "")
    return _compressed_group(form, weights, group.get("input_activations"))


def _compressed_group(form: str, weights: Section, inputs: Any) -> Packing:
    bits, group = number(weights, "num_bits"), number(weights, "group_size") or 0
    floating = str(weights.get("type", "")) == "float"
    if bits is None:
        return Packing("compressed-tensors", "unknown", None)
    if floating and bits == 4:
        nvidia = "nvfp4" in form or group == 16
        return fp4_packing(f"{'NVFP4' if nvidia else 'MXFP4'}{'' if inputs else 'A16'}", activations=bool(inputs))
    if floating and bits == 8:
        if "mxfp8" in form or (group == 32 and weights.get("strategy") == "group"):
            return Packing("MXFP8", "mxfp8", 8, 32, find_safetensors_level("MXFP8"))
        if weights.get("strategy") == "block":
            return fp8_packing("FP8-block128", 128)
        dynamic = isinstance(inputs, Mapping) and inputs.get("dynamic")
        return fp8_packing("FP8-dynamic" if dynamic else "FP8-static" if inputs else "FP8-W8A16")
    if floating:
        return Packing(f"FP{bits}", "unknown", bits)
    if isinstance(inputs, Mapping):
        if bits == 8:
            return int8_packing("W8A8-INT8")
        kind = "FP8" if inputs.get("type") == "float" else "INT8"
        return replace(integer_packing("", bits, group or -1), name=f"W{bits}A8-{kind}")
    prefix = "" if weights.get("symmetric", True) or bits != 4 else "asym"
    packing = integer_packing("", bits, group or -1)
    return replace(packing, name=packing.name.replace("A16", "A16-asym")) if prefix else packing


_READERS: dict[str, Callable[[Section], Declared]] = {
    **dict.fromkeys(("gptq", "gptq_marlin", "marlin"), _gptq_like("GPTQ")),
    **dict.fromkeys(("auto-round", "autoround", "auto_round", "intel/auto-round", "inc"), _gptq_like("AutoRound")),
    **dict.fromkeys(("awq", "awq_marlin"), _gptq_like("AWQ")),
    **dict.fromkeys(("bitsandbytes", "bnb"), _bitsandbytes),
    **dict.fromkeys(("fp8", "fbgemm_fp8", "ptpc_fp8"), _fp8_method),
    **dict.fromkeys(("modelopt", "modelopt_fp4", "modelopt_mixed", "modelopt_mxfp8"), _modelopt),
    "compressed-tensors": _compressed,
    "mxfp4": _native_mxfp4,
    "torchao": torchao,
    "quark": quark,
    "hqq": hqq,
    "exl2": exl2,
    "exl3": exl3,
    "aqlm": aqlm,
    "quanto": quanto,
    "fp_quant": fp_quant,
    "eetq": lambda section: only("EETQ", int8_packing("W8A16-channel"), readable=False),
}


def _mlx(section: Section) -> Declared:
    def packing(each: Section) -> Packing:
        bits, group = number(each, "bits"), number(each, "group_size") or 64
        mode = str(each.get("mode") or "affine").lower()  # a module that is listed does not take it from the others
        if mode != "affine":
            families: dict[str, tuple[Family, str]] = {
                "mxfp4": ("mxfp4", "MXFP4A16"),
                "nvfp4": ("nvfp4", "NVFP4A16"),
                "mxfp8": ("mxfp8", "MXFP8"),
            }
            family, level = families.get(mode, ("unknown", ""))
            name = f"MLX-{printable(mode)[:LONGEST_NAME]}"
            if not level or bits not in (4, 8):
                return Packing(name, "unknown", bits, group)
            stored = replace(find_safetensors_level("MLX-4bit-g32"), bits=bits, group=group, zero_points=False)
            return Packing(name, family, bits, group, find_safetensors_level(level), stored)
        return integer(bits, group) if bits is not None else no_level("MLX")

    def integer(bits: int, group: int) -> Packing:
        return rounded_packing(f"MLX-{bits}bit-g{group}", bits, group)

    listed = {
        str(module): packing(each) for module, each in section.items() if isinstance(each, Mapping) and "bits" in each
    }
    usual = packing(section)
    return Declared("MLX", (usual,), listed, integer, readable=usual.bits is not None)
