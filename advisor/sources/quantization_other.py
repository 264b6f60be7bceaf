"""What configs of the rarer methods say: torchao, Quark, HQQ, ExLlama, AQLM, quanto and FP-Quant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from advisor.formats.safetensors_levels import Scales, find_safetensors_level
from advisor.foundation.numbers import bare
from advisor.sources.packing import Declared, Packing
from advisor.sources.packings import (
    Section,
    fp4_packing,
    fp8_packing,
    group_words,
    int8_packing,
    integer_packing,
    no_level,
    number,
    only,
    rounded_packing,
    unknown_method,
)

_TORCHAO = re.compile(r"(?P<type>u?int|float|fp)_?(?P<bits>[1-8])(_?e\dm\d)?_?weight", re.IGNORECASE)


def torchao(section: Section) -> Declared:
    """The class of a config ("Int8WeightOnlyConfig") or its older short name ("int4_weight_only")."""
    found = section.get("quant_type")
    inner = found.get("default", found) if isinstance(found, Mapping) else found
    data: Section = {}
    if isinstance(inner, Mapping):
        data = inner.get("_data") if isinstance(inner.get("_data"), Mapping) else {}  # type: ignore[assignment]
        inner = inner.get("_type", "")
    name = str(inner or "")
    match = _TORCHAO.search(name)
    if match is None:
        return unknown_method("torchao")
    bits, active = int(match["bits"]), "dynamic" in name.lower()
    options = section.get("quant_type_kwargs")
    group = number(data, "group_size") or (number(options, "group_size") if isinstance(options, Mapping) else None)
    if match["type"].lower() in ("float", "fp"):
        packing = fp8_packing("FP8-dynamic" if active else "FP8-W8A16") if bits == 8 else no_level(f"FP{bits}")
        stored = replace(find_safetensors_level("FP8-dynamic"), scales=Scales("F32")) if bits == 8 else None
        return only("torchao", replace(packing, stored=stored))
    if bits == 8:
        packing = int8_packing("W8A8-INT8" if active else "W8A16-channel")
        stored = replace(find_safetensors_level("W8A8-INT8"), scales=Scales("F32"), zero_points=True)
        return only("torchao", replace(packing, stored=stored))
    group = group or (32 if active else 128)
    return only(
        "torchao", rounded_packing(f"W{bits}A{8 if active else 16}-torchao-g{group}", bits, group), readable=False
    )


def quark(section: Section) -> Declared:
    """AMD Quark: one config for all layers, others by pattern; which layer has which its tensors tell."""
    sections = [section.get("global_quant_config")]
    layers = section.get("layer_quant_config")
    sections += layers.values() if isinstance(layers, Mapping) else []
    packings = tuple(dict.fromkeys(_quark_packing(each) for each in sections if isinstance(each, Mapping)))
    if not packings:
        return unknown_method("quark")
    return Declared("Quark", packings, readable=packings[0].bits is not None)


def _quark_packing(section: Section) -> Packing:
    weight, inputs = section.get("weight"), section.get("input_tensors")
    if not isinstance(weight, Mapping):
        return no_level("QUARK")
    kind, group = str(weight.get("dtype", "")).lower(), number(weight, "group_size")
    if kind.startswith("fp8"):
        dynamic = isinstance(inputs, Mapping) and inputs.get("is_dynamic")
        return fp8_packing("FP8-dynamic" if dynamic else "FP8-static" if inputs else "FP8-W8A16")
    if kind in ("fp4", "mxfp4") and group in (None, 32):
        return fp4_packing("MXFP4" if inputs else "MXFP4A16", activations=bool(inputs))
    if kind in ("int8", "uint8"):
        return int8_packing("W8A8-INT8" if inputs else "W8A16-channel")
    if kind in ("int4", "uint4"):
        return integer_packing("", 4, group or -1)
    return no_level("QUARK")


def hqq(section: Section) -> Declared:
    inner = section.get("quant_config")
    weights = inner.get("weight_quant_params") if isinstance(inner, Mapping) else None
    weights = weights if isinstance(weights, Mapping) else section
    bits, group = number(weights, "nbits", "bits"), number(weights, "group_size")
    if bits is None:
        return unknown_method("HQQ")
    return only("HQQ", rounded_packing(f"HQQ-W{bits}A16{group_words(group or -1)}", bits, group or 0), readable=False)


def exl2(section: Section) -> Declared:
    """Bits are a mean over layers; ExLlamaV2 calibrates, and below four bits no level of ours loses like it."""
    bits = section.get("bits")
    if not isinstance(bits, int | float) or isinstance(bits, bool) or not 1 <= bits <= 9:
        return unknown_method("EXL2")
    near = "GPTQ-W4A16-g128" if bits < 5 else f"MLX-{min(8, int(bits)) if bits < 7 else 8}bit-g64"
    level = find_safetensors_level(near) if bits >= 4 else None
    return only("EXL2", Packing(f"EXL2-{float(bits)}bpw", "unknown", float(bits), 0, level), readable=False)


def exl3(section: Section) -> Declared:
    bits = section.get("bits")
    if not isinstance(bits, int | float) or isinstance(bits, bool) or not 1 <= bits <= 9:
        return unknown_method("EXL3")
    return only("EXL3", Packing(f"EXL3-{float(bits)}bpw", "unknown", float(bits)), readable=False)


def aqlm(section: Section) -> Declared:
    """AQLM: so many codebooks of so many bits stand for a group of inputs."""
    books, each, group = (number(section, key) for key in ("num_codebooks", "nbits_per_codebook", "in_group_size"))
    if not books or not each or not group:
        return unknown_method("AQLM")
    return only(
        "AQLM",
        Packing(f"AQLM-{books}x{each}-{bare(books * each / group)}bit", "unknown", books * each / group),
        readable=False,
    )


def quanto(section: Section) -> Declared:
    kind = str(section.get("weights", "")).lower()
    if kind == "int8":
        return only("quanto", int8_packing("W8A16-channel"), readable=False)
    if kind == "float8":
        return only("quanto", fp8_packing("FP8-W8A16"), readable=False)
    if kind in ("int2", "int4"):
        return only("quanto", rounded_packing(f"W{kind[-1]}A16-quanto", int(kind[-1]), 128), readable=False)
    return unknown_method("quanto")


def fp_quant(section: Section) -> Declared:
    kind = str(section.get("forward_dtype", "")).lower()
    if kind not in ("mxfp4", "nvfp4"):
        return unknown_method("fp_quant")
    return only("fp_quant", fp4_packing(kind.upper(), activations=True), readable=False)
