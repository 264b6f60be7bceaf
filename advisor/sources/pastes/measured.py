"""What a paste measured: rates and memory of one run, with the conditions it tells, in the question's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.units import GIB, MIB
from advisor.machines.detect_match import match_apple, match_card, match_unified
from advisor.models.find import find_models
from advisor.models.names import find_by_name
from advisor.sources.pastes.text import Reading

Kind = Literal["decode", "prefill", "batch"]
Part = Literal["weights", "kv_cache", "compute"]

_TEST = re.compile(r"(?:(pp)(\d+)|(tg)(\d+))(?:@d(\d+))?$")
_FILE_TYPES = {"Small": "_S", "Medium": "_M", "Large": "_L"}
_FILE_END = re.compile(r"(?:-\d{5}-of-\d{5})?\.gguf$", re.IGNORECASE)
_FILE_LEVEL = re.compile(r"[-._](?:UD-)?(?:I?Q\d\w*|BF16|F16|F32|MXFP4\w*|TQ\d_0)$", re.IGNORECASE)
# As the backends of llama.cpp call themselves, and the question.
_BACKENDS = {"CUDA": "cuda", "ROCm": "rocm", "HIP": "rocm", "Vulkan": "vulkan", "MTL": "metal", "Metal": "metal"}
_BACKENDS |= {"SYCL": "sycl", "CPU": "cpu", "BLAS": "cpu"}
_HOST_PLACES = re.compile(r"CPU|Host", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MeasuredRate:
    """Tokens/s; of `batch` the sum over `users`. Before `tokens` were read or written, `depth` were in the cache."""

    kind: Kind
    test: str
    tokens_per_s: float
    tokens: int
    depth: int = 0
    users: int = 1
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class PastedRun:
    """One run of a runtime. `model_id`, `level` and `machine` are the catalogue's, None where the text does not say.

    `memory_bytes` are of all devices and the host together, of vLLM those of one GPU. `conditions` are keys of the
    question that the text tells.
    """

    tool: str
    model: str | None = None
    model_id: str | None = None
    quant: str | None = None
    level: str | None = None
    machine: str | None = None
    devices: tuple[str, ...] = ()
    backend: str | None = None
    file_gib: float | None = None
    rates: tuple[MeasuredRate, ...] = ()
    memory_bytes: Mapping[Part, int] = field(default_factory=dict)
    kv_tokens: int | None = None
    max_concurrency: float | None = None
    conditions: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    date: str = ""


def pasted_runs(readings: Sequence[Reading]) -> tuple[PastedRun, ...]:
    """The runs among what was read."""
    makers = {
        "llama-bench": _llama_bench,
        "llama.cpp log": _llama_log,
        "ollama log": _ollama_log,
        "vllm log": _vllm_log,
        "serving bench": _serving,
    }
    return tuple(makers[reading.kind](reading.values) for reading in readings if reading.kind in makers)


def level_of(quant: str | None, filename: str | None = None) -> str | None:
    """The GGUF level that llama.cpp's words for a file type stand for: "Q4_K - Medium" is Q4_K_M.

    A publisher's own mix goes by the level of most of its tensors.
    """
    words = (quant or "").split(" - ")
    name = words[0].strip() + (_FILE_TYPES.get(words[1].strip(), "") if len(words) > 1 else "")
    if name == "MXFP4 MoE":
        name = "MXFP4_MOE"
    return name if name in LEVELS else "F32" if quant == "all F32" else None


def _llama_bench(told: Mapping[str, Any]) -> PastedRun:
    rates = []
    for test in told["tests"]:
        ((name, rate),) = test.items()
        if (found := _TEST.match(name)) is not None and rate > 0:
            kind: Kind = "prefill" if found[1] else "decode"
            rates.append(MeasuredRate(kind, name, rate, int(found[2] or found[4]), int(found[5] or 0)))
    names = tuple(one["name"] if isinstance(one, dict) else str(one) for one in told.get("gpus", ()))
    memory = next((one["memory_mib"] * MIB for one in told.get("gpus", ()) if isinstance(one, dict)), None)
    layers, experts = told.get("ngl"), told.get("n_cpu_moe")
    conditions = {"runtime": "llama.cpp", "ubatch": told.get("n_ubatch"), "cpu_moe_layers": experts or None}
    conditions |= {"kv_type_k": told.get("type_k"), "kv_type_v": told.get("type_v")}
    if layers is not None and layers < 90:  # people write 99 for all of them
        conditions["gpu_layers"] = layers
    named = _model_of_file(told.get("filename")) or _model_of_words(told["model"])
    return PastedRun(
        tool="llama-bench",
        model=told["model"],
        model_id=named,
        quant=told["quant"],
        level=level_of(told["quant"]),
        machine=_machine(names, memory),
        devices=names,
        backend=_backend(told.get("backend")),
        file_gib=told.get("size_gib"),
        rates=tuple(rates),
        conditions=_told(conditions),
        version=f"llama.cpp {told['build']}" if told.get("build") else "",
        date=told.get("date", ""),
    )


def _llama_log(told: Mapping[str, Any]) -> PastedRun:
    model, compute = told.get("model_mib", {}), told.get("compute_mib", {})
    sizes = {
        "weights": sum(model.values()) if model else None,
        # What the engine counts as the cache holds the state of recurrent layers.
        "kv_cache": told["kv_mib"] + told.get("rs_mib", 0) if "kv_mib" in told else None,
        "compute": sum(size for place, size in compute.items() if not _HOST_PLACES.search(place)) or None,
    }
    rates, timed = [], told.get("rates", {})
    if "prefill" in timed and timed.get("prompt_tokens", 0) > 0:
        rates.append(MeasuredRate("prefill", "prompt eval", timed["prefill"], timed["prompt_tokens"]))
    if "decode" in timed:
        rates.append(MeasuredRate("decode", "eval", timed["decode"], 1, timed.get("prompt_tokens", 0)))
    quant = told.get("quant")
    layers = told.get("offloaded")
    users, context = told.get("sequences", 1), told.get("n_ctx")
    each = None if context is None else max(1, context // users)
    conditions = {"runtime": "llama.cpp", "context": each, "users": users, "kv_type_k": told.get("kv_type")}
    conditions |= {"kv_type_v": told.get("kv_type")}
    if layers and layers[0] < layers[1]:
        conditions["gpu_layers"] = layers[0]
    devices = tuple(gpu["name"] for gpu in told.get("gpus", ()))
    return PastedRun(
        tool="llama.cpp log",
        model=told.get("model"),
        model_id=_model_of_words(told.get("model")),
        quant=quant,
        level=level_of(quant),
        machine=_machine(devices, None),
        devices=devices,
        file_gib=told.get("file_gib"),
        rates=tuple(rates),
        memory_bytes=_bytes(sizes, MIB),
        conditions=_told(conditions),
    )


def _ollama_log(told: Mapping[str, Any]) -> PastedRun:
    cache = told["kv_mib"] / 1024 if "kv_mib" in told else told.get("kv_gib")
    placed, layers = told["layers"]
    conditions = {"runtime": "ollama", "gpu_layers": placed if placed < layers else None}
    sizes = {"weights": told.get("weights_gib"), "kv_cache": cache}
    return PastedRun("ollama log", memory_bytes=_bytes(sizes, GIB), conditions=_told(conditions))


def _vllm_log(told: Mapping[str, Any]) -> PastedRun:
    tokens = told.get("kv_tokens")
    if tokens is None and "kv_blocks" in told:
        tokens = told["kv_blocks"] * 16  # vLLM's block
    return PastedRun(
        tool="vllm log",
        memory_bytes=_bytes({"weights": told.get("weights_gib"), "kv_cache": told.get("kv_gib")}, GIB),
        kv_tokens=tokens,
        max_concurrency=told.get("concurrency"),
        conditions=_told({"runtime": "vllm", "context": told.get("max_len")}),
    )


def _serving(told: Mapping[str, Any]) -> PastedRun:
    users, requests = int(told.get("max_concurrency", 1)) or 1, max(1, int(told["requests"]))
    prompt, written = (max(1, round(told.get(key, 0) / requests)) for key in ("input_tokens", "output_tokens"))
    rates = []
    if each := told.get("tpot_ms", {}).get("mean"):
        rates.append(MeasuredRate("decode", f"tpot@c{users}", round(1000 / each, 2), written, prompt, users))
    rates.append(
        MeasuredRate("batch", f"throughput@c{users}", float(told["output_tok_s"]), written, prompt, users, written)
    )
    runtime = "sglang" if "sglang" in told.get("backend", "") else "vllm"
    conditions = {"runtime": runtime, "context": prompt + written, "prompt_tokens": prompt, "users": users}
    return PastedRun("serving bench", rates=tuple(rates), conditions=conditions)


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "")}


def _bytes(sizes: Mapping[str, float | None], unit: int) -> dict[Part, int]:
    parts: tuple[Part, ...] = ("weights", "kv_cache", "compute")
    return {part: round(size * unit) for part in parts if (size := sizes.get(part)) is not None}


def _model_of_words(name: str | None) -> str | None:
    """The one model of the catalogue that a name means; "llama 7B" and "qwen3moe 30B.A3B" name an architecture."""
    found = find_by_name(name) if name and not re.match(r"^(llama|\w*moe\w*) ", name) else None
    return None if found is None else found.id


def _model_of_file(filename: str | None) -> str | None:
    if not filename:
        return None
    name = _FILE_LEVEL.sub("", _FILE_END.sub("", filename))
    if (found := find_by_name(name)) is not None:
        return found.id
    first = next(iter(find_models(name, 1)), None)
    return first.id if first is not None and not first.missed else None


def _machine(names: Sequence[str], memory: int | None) -> str | None:
    """The catalogue's machine, where all devices are one and the same."""
    if len(set(names)) != 1:
        return None
    name = re.sub(r" \((?:RADV|radv|AMDVLK).*\)$", "", names[0])
    if name.startswith("Apple "):
        found = match_apple(name, None, memory)[0] if memory else None
    else:
        found = match_card(name, memory) or (match_unified((name,), memory) if memory else None)
    return None if found is None else found.id


def _backend(words: str | None) -> str | None:
    return next((_BACKENDS[one] for one in (words or "").split(",") if one in _BACKENDS), None)
