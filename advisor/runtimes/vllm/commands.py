"""vLLM: `vllm serve`, and llmcompressor where nobody has published the level.

Flags as in vLLM 0.33.0 (engine/arg_utils.py), schemes as in llmcompressor 0.14.0.1 with compressed-tensors 0.20.0.
"""

from __future__ import annotations

import json

from advisor.formats.safetensors_levels import SafetensorsLevel, Scheme, find_safetensors_level
from advisor.foundation.message import Message, as_it_is, fact
from advisor.foundation.numbers import bare
from advisor.machines.chip import Chip
from advisor.runtimes.launch import AS_PUBLISHED, Command, Launch, command_line
from advisor.runtimes.support import supports
from advisor.runtimes.vllm.serve_options import SMALLEST_CHOICE, told_tokens
from advisor.runtimes.vllm.stack import DRAFTED, adapter_rank
from advisor.sizing.runtime_id import RuntimeId

# What vLLM makes of 16-bit files while it loads them (vllm/config/quantization.py: _ONLINE_SHORTHANDS).
_WHILE_LOADING = {
    "FP8-dynamic": "fp8_per_channel",
    "FP8-block128": "fp8_per_block",
    "MXFP8": "mxfp8",
}
# llmcompressor's preset scheme, and the modifier that finds the values; GPTQ needs calibration data.
_SCHEMES = {
    "FP8-static": ("FP8", "QuantizationModifier"),
    "W8A8-INT8": ("W8A8", "GPTQModifier"),
    "W8A16-channel": ("W8A16", "GPTQModifier"),
    "W4A16-g128": ("W4A16", "GPTQModifier"),
    "NVFP4": ("NVFP4", "QuantizationModifier"),
    "NVFP4A16": ("NVFP4A16", "QuantizationModifier"),
    "MXFP4A16": ("MXFP4A16", "QuantizationModifier"),
}
_MODULES = {"QuantizationModifier": "quantization", "GPTQModifier": "gptq"}
DTYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
_WITHOUT_DATA = ("NVFP4A16", "MXFP4A16")
_AS_PUBLISHED = (Scheme.PLAIN, Scheme.NATIVE_MXFP4, Scheme.NATIVE_FP4)


def vllm_commands(launch: Launch) -> tuple[Command, ...]:
    """The files where they must be made, then `vllm serve`. GPTQ, AWQ and compressed-tensors are recognized by it."""
    level = None if launch.level == AS_PUBLISHED else find_safetensors_level(launch.level)
    extra: list[object] = []
    steps, source, notes = made_and_source(launch, level)
    if level is not None and level.name in _WHILE_LOADING and launch.hf_repo is not None and _is_to_be_made(launch):
        steps, source, notes = (), launch.hf_repo, [fact("command_quantizes_loading")]
        extra = ["--quantization", _WHILE_LOADING[level.name]]
    if level is not None:
        notes += supports(RuntimeId.VLLM, level, Chip("NVIDIA")).notes  # what holds on every GPU
    if level is not None and level.scheme is Scheme.PLAIN:
        extra += ["--dtype", DTYPES[level.dtype]]
    options: list[object] = ["--max-model-len", launch.settings.context, "--max-num-seqs", launch.requests]
    options += _parallel(launch)
    share = launch.server.memory_share if launch.serving is None else launch.serving.share
    options += ["--gpu-memory-utilization", bare(share)]
    if launch.server.kv_fp8:
        options += ["--kv-cache-dtype", "fp8"]
    if launch.server.batch_tokens is not None:
        options += ["--max-num-batched-tokens", launch.server.batch_tokens]
    elif launch.requests > SMALLEST_CHOICE:
        options += ["--max-num-batched-tokens", told_tokens(launch.requests)]
    if launch.server.eager:
        options.append("--enforce-eager")
    longer = launch.extension is not None and launch.extension.scaling == "none"
    if launch.extension is not None and (overrides := launch.extension.config_overrides("rope_parameters")):
        options += ["--hf-overrides", overrides]
    elif launch.extension is not None and not longer:
        notes.append(fact("command_scale_in_config", factor=launch.extension.factor))
        longer = True
    if launch.sees:
        options += _vision(launch)
    if launch.adapters is not None:
        rank = adapter_rank(launch.adapters.rank)
        options += ["--enable-lora", "--max-loras", launch.adapters.count, "--max-lora-rank", rank]
    if launch.mtp or launch.draft_repo is not None:
        options += ["--speculative-config", _speculative(launch)]
    if not launch.gpus:
        notes.append(fact("command_vllm_on_cpu"))
    notes.append(fact("command_vllm_serve"))
    serve = command_line("vllm", "serve", source, *options, *extra)
    if longer:
        serve = f"VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 {serve}"
    return (*steps, Command(as_it_is("vllm serve"), serve, tuple(notes)))


def _is_to_be_made(launch: Launch) -> bool:
    return launch.published_repo is None and launch.file is None


def made_and_source(launch: Launch, level: SafetensorsLevel | None) -> tuple[tuple[Command, ...], str, list[Message]]:
    """How files of a level are made where nobody has published them, what is loaded then, and what is to be said."""
    made = f"{launch.short_name}-{launch.level}"
    if level is None or launch.hf_repo is None or not _is_to_be_made(launch):
        return (), launch.published_repo or launch.file or f"./{made}", []
    if level.scheme in _AS_PUBLISHED:
        return (), launch.hf_repo, []
    if level.name in _SCHEMES:
        return (_compress(launch.hf_repo, level.name, made),), f"./{made}", []
    return (), f"./{made}", [fact("command_look_for", level=level.name, writer=level.writer)]


def _parallel(launch: Launch) -> list[object]:
    """How the GPUs share the model."""
    told: list[object] = []
    if launch.tensor_parallel > 1:
        told += ["--tensor-parallel-size", launch.tensor_parallel]
    if launch.server.pipeline > 1:
        told += ["--pipeline-parallel-size", launch.server.pipeline]
    if launch.server.data > 1:
        told += ["--data-parallel-size", launch.server.data]
    if launch.server.expert_parallel:
        told.append("--enable-expert-parallel")
    return told


def _vision(launch: Launch) -> list[object]:
    """Room is made at the start for the largest image, and for a video as long as the context unless that is 0."""
    if launch.vision is None:
        return ["--language-model-only"]
    return [] if launch.vision.video else ["--limit-mm-per-prompt", json.dumps({"video": 0})]


def _speculative(launch: Launch) -> str:
    if launch.mtp:
        return json.dumps({"method": "mtp", "num_speculative_tokens": DRAFTED})
    return json.dumps({"model": launch.draft_repo, "num_speculative_tokens": DRAFTED})


def _compress(repository: str, level: str, output: str) -> Command:
    scheme, modifier = _SCHEMES[level]
    data = "" if level in _WITHOUT_DATA else '    dataset="open_platypus",\n'
    text = (
        "from llmcompressor import oneshot\n"
        f"from llmcompressor.modifiers.{_MODULES[modifier]} import {modifier}\n\n"
        "oneshot(\n"
        f"    model={repository!r},\n"
        f"{data}"
        f'    recipe={modifier}(targets="Linear", scheme="{scheme}", ignore=["lm_head"]),\n'
        f"    output_dir={output!r},\n"
        ")"
    )
    return Command(fact("command_make_in_python"), text, (fact("command_after_llmcompressor"),))
