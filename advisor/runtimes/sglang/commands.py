"""SGLang: `python -m sglang.launch_server`, with flags as in SGLang 0.5.23 (`srt/arg_groups/fields`)."""

from __future__ import annotations

from advisor.formats.safetensors_levels import Scheme, find_safetensors_level
from advisor.foundation.message import Message, as_it_is, fact
from advisor.foundation.numbers import bare
from advisor.machines.chip import Chip
from advisor.runtimes.launch import AS_PUBLISHED, Command, Launch, command_line
from advisor.runtimes.support import supports
from advisor.runtimes.vllm.commands import DTYPES, made_and_source
from advisor.sizing.runtime_id import RuntimeId


def sglang_commands(launch: Launch) -> tuple[Command, ...]:
    """The files where they must be made, then the server. It recognizes how files are quantized."""
    level = None if launch.level == AS_PUBLISHED else find_safetensors_level(launch.level)
    steps, source, notes = made_and_source(launch, level)
    if level is not None:
        notes += supports(RuntimeId.SGLANG, level, Chip("NVIDIA")).notes  # what holds on every GPU
    replicas = 1 if launch.serving is None else launch.serving.replicas
    options: list[object] = ["--model-path", source, "--context-length", launch.settings.context]
    options += ["--max-running-requests", launch.requests * replicas, *_parallel(launch)]
    share = launch.server.static_share if launch.serving is None else launch.serving.share
    if share is not None:
        options += ["--mem-fraction-static", bare(share)]
    if launch.server.batch_tokens is not None:
        options += ["--chunked-prefill-size", launch.server.batch_tokens]
    if launch.server.kv_fp8:
        options += ["--kv-cache-dtype", "fp8_e4m3"]
    if launch.server.eager:
        options += ["--cuda-graph-backend-decode", "disabled", "--cuda-graph-backend-prefill", "disabled"]
    if level is not None and level.scheme is Scheme.PLAIN:
        options += ["--dtype", DTYPES[level.dtype]]
    if launch.sees and launch.vision is None:
        options.append("--language-model-only")
    longer = _longer(launch, options, notes)
    notes.append(fact("command_sglang"))
    serve = longer + command_line("python", "-m", "sglang.launch_server", *options)
    return (*steps, Command(as_it_is("sglang.launch_server"), serve, tuple(notes)))


def _longer(launch: Launch, options: list[object], notes: list[Message]) -> str:
    """How a context beyond the trained one is told: options are added, and what stands before the command is given."""
    if launch.extension is None:
        return ""
    if overrides := launch.extension.config_overrides("rope_scaling"):
        options += ["--json-model-override-args", overrides]
    elif launch.extension.scaling != "none":
        notes.append(fact("command_scale_in_config", factor=launch.extension.factor))
    return "SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1 "


def _parallel(launch: Launch) -> list[object]:
    """How the GPUs share the model: replicas of a mixture of experts are parts of one split, and share its experts."""
    server = launch.server
    together = launch.tensor_parallel * (server.data if launch.experts else 1)
    told: list[object] = ["--tp-size", together] if together > 1 else []
    if server.pipeline > 1:
        told += ["--pp-size", server.pipeline]
    if server.data > 1:
        told += ["--attn-dp-size" if launch.experts else "--dp-size", server.data]
    if server.expert_parallel and launch.experts:
        told += ["--ep-size", together]
    return told
