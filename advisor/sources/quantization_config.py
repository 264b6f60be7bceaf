"""What a repository's config says of its quantization, method by method.

A method or an algorithm that is not understood has unknown bits: it is never taken for one that is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from advisor.errors import InputError, printable
from advisor.formats.safetensors_levels import SafetensorsLevel, find_safetensors_level
from advisor.sources.packing import Declared, Family, Packing

Section = Mapping[str, Any]
_LONGEST_NAME = 40


def declared(config: Section) -> Declared | None:
    """What the config says, None where it says nothing."""
    text = config.get("text_config")
    section = config.get("quantization_config") or (text if isinstance(text, Mapping) else {}).get(
        "quantization_config"
    )
    if isinstance(section, Mapping) and section:
        return _from_section(section)
    mlx = config.get("quantization")
    return _mlx(mlx) if isinstance(mlx, Mapping) and "bits" in mlx else None


def _from_section(section: Section) -> Declared:
    method = str(section.get("quant_method", "")).lower()
    if not method:
        method = "bitsandbytes" if _truthy(section, "load_in_4bit", "load_in_8bit") else method
        method = "modelopt" if "quant_algo" in section else method
    reader = _READERS.get(method)
    return reader(section) if reader is not None else _unknown(method or "quantized")


def _unknown(method: str) -> Declared:
    name = printable(method)[:_LONGEST_NAME]
    return Declared(name or "unknown", (Packing(name.upper() or "quantized", "unknown", None),), readable=False)


# ------------------------------------------------------------------------------------------ packings by their kind


def like(name: str, known: str, **changes: Any) -> SafetensorsLevel:
    """Our level `known` where its name is the same, else one that differs from it in `changes`."""
    try:
        return find_safetensors_level(name)
    except InputError:
        return replace(find_safetensors_level(known), name=name, **changes)


def _integer(prefix: str, bits: int, group: int) -> Packing:
    """Calibrated integers: GPTQ and what packs like it."""
    name = f"{prefix}W{bits}A16{_group(group)}"
    group = max(group, 0)
    known = "W8A16-channel" if bits == 8 else "GPTQ-W4A16-g128"
    ours = f"{'AWQ-' if prefix == 'AWQ-' else 'GPTQ-' if bits < 4 or prefix == 'GPTQ-' else ''}W{bits}A16"
    level = like(f"{ours}{_group(group or -1)}", known, nominal_bits=bits, bits=bits, group=group)
    return Packing(name, "int", bits, group, level)


def _rounded(name: str, bits: int, group: int) -> Packing:
    """Integers to the nearest, without calibration: they lose what MLX's do."""
    usual = group if group in (32, 64, 128) else 64
    level = None if bits not in (2, 3, 4, 5, 6, 8) else find_safetensors_level(f"MLX-{bits}bit-g{usual}")
    return Packing(name, "int", bits, max(group, 0), level)


def _int8(name: str) -> Packing:
    return Packing(name, "int", 8, 0, like(name, "W8A8-INT8" if "A8" in name else "W8A16-channel"))


def _fp8(name: str, block: int = 0) -> Packing:
    return Packing(name, "fp8", 8, block, like(name, "FP8-block128" if block else "FP8-dynamic"))


def _fp4(name: str, *, activations: bool = False) -> Packing:
    if "NVFP4" in name.upper():
        ours = "NVFP4" if activations else "NVFP4A16"
        return Packing(name, "nvfp4", 4, 16, find_safetensors_level(ours))
    return Packing(name, "mxfp4", 4, 32, find_safetensors_level("MXFP4A16"))


def _only(kind: str, packing: Packing, *, readable: bool = True) -> Declared:
    return Declared(kind, (packing,), readable=readable and packing.bits is not None)


# --------------------------------------------------------------------------------------------------------- methods


def _gptq_like(kind: str) -> Callable[[Section], Declared]:
    def integer(bits: int, group: int) -> Packing:
        return _integer(f"{kind}-", bits, group)

    def read(section: Section) -> Declared:
        bits, group = _number(section, "bits", "w_bit", "wbits"), _number(section, "group_size", "q_group_size")
        data = str(section.get("data_type", "int"))
        if bits is None or not 2 <= bits <= 8:
            return _unknown(kind)
        if data.startswith(("nv_fp", "mx_fp", "fp")):
            return _only(kind, _auto_round_float(data, bits))
        usual = integer(bits, 128 if group is None else group)
        return Declared(kind, (usual,), integer=integer)

    return read


def _auto_round_float(data: str, bits: int) -> Packing:
    if bits == 8:
        return (
            Packing("MXFP8", "mxfp8", 8, 32, find_safetensors_level("MXFP8")) if "mx" in data else _fp8("FP8-dynamic")
        )
    return _fp4("NVFP4" if "nv" in data else "MXFP4", activations=True)


def _bitsandbytes(section: Section) -> Declared:
    if _truthy(section, "load_in_8bit", "_load_in_8bit"):
        return _only("bitsandbytes", Packing("LLM.int8", "int", 8, 0, find_safetensors_level("INT8-bnb")))
    kind = str(section.get("bnb_4bit_quant_type") or "fp4").upper()[:8]
    return _only("bitsandbytes", Packing(kind, "nf4", 4, 64, like(kind, "NF4")))


def _fp8_method(section: Section) -> Declared:
    block = section.get("weight_block_size")
    if isinstance(block, list) and block:
        size = block[0] if isinstance(block[0], int) else 128
        return _only("FP8", _fp8(f"FP8-block{size}", size))
    return _only(
        "FP8", _fp8("FP8-dynamic" if section.get("activation_scheme", "dynamic") == "dynamic" else "FP8-static")
    )


def _native_mxfp4(section: Section) -> Declared:
    return _only("MXFP4", Packing("MXFP4", "mxfp4", 4, 32, find_safetensors_level("MXFP4-native")))


_MODELOPT: tuple[tuple[str, Callable[[str], Packing]], ...] = (
    (r"NVFP4\w*|W4A4_NVFP4", lambda name: _fp4(name, activations=True)),
    (r"W4A(8|16)_NVFP4\w*", _fp4),
    (r"MXFP4\w*|W4A(8|16)_MXFP4\w*", _fp4),
    (r"MXFP8", lambda name: Packing(name, "mxfp8", 8, 32, find_safetensors_level("MXFP8"))),
    (r"FP8_PB\w*", lambda name: _fp8(name, 128)),
    (r"FP8\w*", _fp8),
    (r"INT8\w*|W8A8\w*", _int8),
    (r"W8A16\w*", _int8),
    (r"INT4_AWQ|W4A(8|16)_AWQ", lambda name: replace(_integer("AWQ-", 4, 128), name=name)),
)


def _modelopt_packing(algorithm: Any) -> Packing:
    name = printable(str(algorithm)).upper()[:_LONGEST_NAME]
    found = next((make(name) for pattern, make in _MODELOPT if re.fullmatch(pattern, name)), None)
    return found or Packing(name, "unknown", None)


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
        return _unknown(algorithm or "modelopt")
    return Declared(packings[0].name.partition("-")[0], packings, layers, readable=packings[0].bits is not None)


def _compressed(section: Section) -> Declared:
    groups = tuple(dict.fromkeys(_compressed_groups(section)))
    if not groups:
        return _unknown("compressed-tensors")
    return Declared("compressed-tensors", groups, readable=groups[0].bits is not None)


def _compressed_groups(section: Section) -> Iterator[Packing]:
    groups = section.get("config_groups")
    for group in groups.values() if isinstance(groups, Mapping) else ():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if isinstance(weights, Mapping):
            form = str(group.get("format") or section.get("format") or "")
            yield _compressed_group(form, weights, group.get("input_activations"))


def _compressed_group(form: str, weights: Section, inputs: Any) -> Packing:
    bits, group = _number(weights, "num_bits"), _number(weights, "group_size") or 0
    floating = str(weights.get("type", "")) == "float"
    if bits is None:
        return Packing("compressed-tensors", "unknown", None)
    if floating and bits == 4:
        nvidia = "nvfp4" in form or group == 16
        return _fp4(f"{'NVFP4' if nvidia else 'MXFP4'}{'' if inputs else 'A16'}", activations=bool(inputs))
    if floating and bits == 8:
        if "mxfp8" in form or (group == 32 and weights.get("strategy") == "group"):
            return Packing("MXFP8", "mxfp8", 8, 32, find_safetensors_level("MXFP8"))
        if weights.get("strategy") == "block":
            return _fp8("FP8-block128", 128)
        dynamic = isinstance(inputs, Mapping) and inputs.get("dynamic")
        return _fp8("FP8-dynamic" if dynamic else "FP8-static" if inputs else "FP8-W8A16")
    if floating:
        return Packing(f"FP{bits}", "unknown", bits)
    if isinstance(inputs, Mapping):
        if bits == 8:
            return _int8("W8A8-INT8")
        kind = "FP8" if inputs.get("type") == "float" else "INT8"
        return replace(_integer("", bits, group or -1), name=f"W{bits}A8-{kind}")
    prefix = "" if weights.get("symmetric", True) or bits != 4 else "asym"
    packing = _integer("", bits, group or -1)
    return replace(packing, name=packing.name.replace("A16", "A16-asym")) if prefix else packing


_TORCHAO = re.compile(r"(?P<type>u?int|float|fp)_?(?P<bits>[1-8])(_?e\dm\d)?_?weight", re.IGNORECASE)


def _torchao(section: Section) -> Declared:
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
        return _unknown("torchao")
    bits, active = int(match["bits"]), "dynamic" in name.lower()
    options = section.get("quant_type_kwargs")
    group = _number(data, "group_size") or (_number(options, "group_size") if isinstance(options, Mapping) else None)
    if match["type"].lower() in ("float", "fp"):
        return _only("torchao", _fp8("FP8-dynamic" if active else "FP8-W8A16") if bits == 8 else _no_level(f"FP{bits}"))
    if bits == 8:
        return _only("torchao", _int8("W8A8-INT8" if active else "W8A16-channel"))
    group = group or (32 if active else 128)
    return _only("torchao", _rounded(f"W{bits}A{8 if active else 16}-torchao-g{group}", bits, group), readable=False)


def _no_level(name: str) -> Packing:
    return Packing(name, "unknown", None)


def _quark(section: Section) -> Declared:
    """AMD Quark: one config for all layers, others by pattern; which layer has which its tensors tell."""
    sections = [section.get("global_quant_config")]
    layers = section.get("layer_quant_config")
    sections += layers.values() if isinstance(layers, Mapping) else []
    packings = tuple(dict.fromkeys(_quark_packing(each) for each in sections if isinstance(each, Mapping)))
    if not packings:
        return _unknown("quark")
    return Declared("Quark", packings, readable=packings[0].bits is not None)


def _quark_packing(section: Section) -> Packing:
    weight, inputs = section.get("weight"), section.get("input_tensors")
    if not isinstance(weight, Mapping):
        return _no_level("QUARK")
    kind, group = str(weight.get("dtype", "")).lower(), _number(weight, "group_size")
    if kind.startswith("fp8"):
        dynamic = isinstance(inputs, Mapping) and inputs.get("is_dynamic")
        return _fp8("FP8-dynamic" if dynamic else "FP8-static" if inputs else "FP8-W8A16")
    if kind in ("fp4", "mxfp4") and group in (None, 32):
        return _fp4("MXFP4" if inputs else "MXFP4A16", activations=bool(inputs))
    if kind in ("int8", "uint8"):
        return _int8("W8A8-INT8" if inputs else "W8A16-channel")
    if kind in ("int4", "uint4"):
        return _integer("", 4, group or -1)
    return _no_level("QUARK")


def _hqq(section: Section) -> Declared:
    inner = section.get("quant_config")
    weights = inner.get("weight_quant_params") if isinstance(inner, Mapping) else None
    weights = weights if isinstance(weights, Mapping) else section
    bits, group = _number(weights, "nbits", "bits"), _number(weights, "group_size")
    if bits is None:
        return _unknown("HQQ")
    return _only("HQQ", _rounded(f"HQQ-W{bits}A16{_group(group or -1)}", bits, group or 0), readable=False)


def _exl2(section: Section) -> Declared:
    """Bits are a mean over layers; ExLlamaV2 calibrates, and below four bits no level of ours loses like it."""
    bits = section.get("bits")
    if not isinstance(bits, int | float) or isinstance(bits, bool) or not 1 <= bits <= 9:
        return _unknown("EXL2")
    near = "GPTQ-W4A16-g128" if bits < 5 else f"MLX-{min(8, int(bits)) if bits < 7 else 8}bit-g64"
    level = find_safetensors_level(near) if bits >= 4 else None
    return _only("EXL2", Packing(f"EXL2-{float(bits)}bpw", "unknown", float(bits), 0, level), readable=False)


def _exl3(section: Section) -> Declared:
    bits = section.get("bits")
    if not isinstance(bits, int | float) or isinstance(bits, bool) or not 1 <= bits <= 9:
        return _unknown("EXL3")
    return _only("EXL3", Packing(f"EXL3-{float(bits)}bpw", "unknown", float(bits)), readable=False)


def _codebooks(section: Section) -> Declared:
    """AQLM: so many codebooks of so many bits stand for a group of inputs."""
    books, each, group = (_number(section, key) for key in ("num_codebooks", "nbits_per_codebook", "in_group_size"))
    if not books or not each or not group:
        return _unknown("AQLM")
    return _only(
        "AQLM",
        Packing(f"AQLM-{books}x{each}-{books * each / group:g}bit", "unknown", books * each / group),
        readable=False,
    )


def _quanto(section: Section) -> Declared:
    kind = str(section.get("weights", "")).lower()
    if kind == "int8":
        return _only("quanto", _int8("W8A16-channel"), readable=False)
    if kind == "float8":
        return _only("quanto", _fp8("FP8-W8A16"), readable=False)
    if kind in ("int2", "int4"):
        return _only("quanto", _rounded(f"W{kind[-1]}A16-quanto", int(kind[-1]), 128), readable=False)
    return _unknown("quanto")


def _fp_quant(section: Section) -> Declared:
    kind = str(section.get("forward_dtype", "")).lower()
    if kind not in ("mxfp4", "nvfp4"):
        return _unknown("fp_quant")
    return _only("fp_quant", _fp4(kind.upper(), activations=True), readable=False)


_READERS: dict[str, Callable[[Section], Declared]] = {
    **dict.fromkeys(("gptq", "gptq_marlin", "marlin"), _gptq_like("GPTQ")),
    **dict.fromkeys(("auto-round", "autoround", "auto_round", "intel/auto-round", "inc"), _gptq_like("AutoRound")),
    **dict.fromkeys(("awq", "awq_marlin"), _gptq_like("AWQ")),
    **dict.fromkeys(("bitsandbytes", "bnb"), _bitsandbytes),
    **dict.fromkeys(("fp8", "fbgemm_fp8", "ptpc_fp8"), _fp8_method),
    **dict.fromkeys(("modelopt", "modelopt_fp4", "modelopt_mixed", "modelopt_mxfp8"), _modelopt),
    "compressed-tensors": _compressed,
    "mxfp4": _native_mxfp4,
    "torchao": _torchao,
    "quark": _quark,
    "hqq": _hqq,
    "exl2": _exl2,
    "exl3": _exl3,
    "aqlm": _codebooks,
    "quanto": _quanto,
    "fp_quant": _fp_quant,
    "eetq": lambda section: _only("EETQ", _int8("W8A16-channel"), readable=False),
}


def _mlx(section: Section) -> Declared:
    def packing(each: Section) -> Packing:
        bits, group = _number(each, "bits"), _number(each, "group_size") or 64
        mode = str(each.get("mode") or section.get("mode") or "affine").lower()
        if mode != "affine":
            families: dict[str, tuple[Family, str]] = {
                "mxfp4": ("mxfp4", "MXFP4A16"),
                "nvfp4": ("nvfp4", "NVFP4A16"),
                "mxfp8": ("mxfp8", "MXFP8"),
            }
            family, level = families.get(mode, ("unknown", ""))
            name = f"MLX-{printable(mode)[:_LONGEST_NAME]}"
            return Packing(name, family, bits, group, find_safetensors_level(level) if level else None)
        return integer(bits, group) if bits is not None else _no_level("MLX")

    def integer(bits: int, group: int) -> Packing:
        return _rounded(f"MLX-{bits}bit-g{group}", bits, group)

    listed = {
        str(module): packing(each) for module, each in section.items() if isinstance(each, Mapping) and "bits" in each
    }
    usual = packing(section)
    return Declared("MLX", (usual,), listed, integer, readable=usual.bits is not None)


def _number(section: Section, *keys: str) -> int | None:
    """The first of the keys that is a whole number."""
    for key in keys:
        value = section.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _truthy(section: Section, *keys: str) -> bool:
    return any(section.get(key) is True for key in keys)


def _group(size: int) -> str:
    return f"-g{size}" if size > 0 else "-channel" if size < 0 else ""
