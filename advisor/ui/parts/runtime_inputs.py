"""Inputs for the runtime: which one, what it is told, and where it puts things."""

from __future__ import annotations

from typing import Any

import streamlit as st

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS
from advisor.foundation.errors import InputError
from advisor.foundation.units import MIB
from advisor.machines.catalogue import machine, machines
from advisor.question.configuration import BACKENDS, BY_FRONTEND, CUSTOM_MACHINE, RUNTIMES
from advisor.question.question import FIELDS, Question
from advisor.runtimes.registry import RUNTIMES as REGISTERED
from advisor.sizing.settings import CACHE_TYPES
from advisor.ui.asking import model_names
from advisor.ui.parts.bound_inputs import choice, number, picker, switch, text

_MOST_LAYERS = 256
_NOT_GIVEN = "not given"


def draw(machine_id: str) -> dict[str, Any]:
    """Draw them for a machine; the values by key of the question."""
    with st.expander("Runtime and format"):
        values = _runtime()
    with st.expander("Placement and margin"):
        return values | _placement(machine_id)


def takes_several(machine_id: str) -> bool:
    """Whether several of this machine's devices can stand in one host."""
    return machine_id == CUSTOM_MACHINE or not machine(machine_id).unified


def frontends_own() -> str | None:
    """What to show in an empty input whose default is that of Ollama or LM Studio; None: the question's default holds.

    Asked before the runtime itself is drawn.
    """
    runtime = st.session_state.get("runtime", st.query_params.get("runtime"))
    chosen = next((one for one in REGISTERED if one.id == runtime), None)
    return f"{chosen.name}'s default" if chosen is not None and chosen.frontend is not None else None


def _follow_runtime() -> None:
    """Leave to Ollama and LM Studio what was never chosen, and take it back from them."""
    for key in BY_FRONTEND:
        default, now = FIELDS[key].default, st.session_state.get(key)
        if frontends_own() is None and now is None:
            st.session_state[key] = default
        elif frontends_own() is not None and now == default:
            st.session_state[key] = None


def _runtime() -> dict[str, Any]:
    return {
        "runtime": choice(
            "runtime",
            "Runtime",
            RUNTIMES,
            help="auto: the best of those that run here. Ollama and LM Studio are llama.cpp with their own "
            "context and users, which hold where those inputs are empty.",
            on_change=_follow_runtime,
        ),
        "level": choice("level", "Only this level", (*LEVELS, *SAFETENSORS_LEVELS), placeholder="all levels"),
        "backend": choice("backend", "Backend", BACKENDS, help="auto: the usual one for the hardware."),
        "context_used": number(
            "context_used",
            "Tokens in the context",
            step=1024,
            placeholder="the prompt",
            help="How full the context is when speed is asked for.",
        ),
        "prompt_tokens": number("prompt_tokens", "Prompt (tokens)", step=256, help="For the time to the first token."),
        "kv_type_k": choice("kv_type_k", "KV cache type, keys", tuple(CACHE_TYPES), help="llama.cpp `-ctk`"),
        "kv_type_v": choice("kv_type_v", "KV cache type, values", tuple(CACHE_TYPES), help="llama.cpp `-ctv`"),
        "kv_fp8": switch("kv_fp8", "KV cache in FP8", help=f"{_readers('kv_fp8')}: `--kv-cache-dtype fp8`"),
        "flash_attention": switch("flash_attention", "Flash attention", help="llama.cpp `-fa`"),
        "ubatch": number("ubatch", "Micro-batch (tokens)", step=128, help="llama.cpp `-ub`"),
        "imatrix": switch("imatrix", "Importance matrix", help="Sizes of files made with one; some tensors differ"),
        "mtp": switch("mtp", "Multi-token-prediction layers", help="Only some models have them"),
        "draft": picker(
            "draft",
            "Draft model",
            model_names(),
            help="llama.cpp `-md`: a small model of the same family drafts tokens that the main one checks",
        ),
        "draft_level": choice("draft_level", "Level of the draft model", tuple(LEVELS)),
        "draft_accepted_percent": number(
            "draft_accepted_percent",
            "Drafted tokens accepted (%)",
            step=5.0,
            bounds=(0, 100),
            placeholder="not known",
            help="From a run of yours; without it, speeds are shown without the draft model.",
        ),
        "gpu_memory_utilization": number(
            "gpu_memory_utilization",
            "Share of GPU memory",
            step=0.01,
            help=f"How much of each GPU's memory {_readers('gpu_memory_utilization')} may take",
        ),
    }


def _readers(key: str) -> str:
    """The runtimes that alone read a key of the question."""
    return " and ".join(one.name for one in REGISTERED if key in one.own_keys)


def _placement(machine_id: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        "gpu_layers": choice(
            "gpu_layers",
            "Layers on the GPU",
            _layer_counts(),
            help="llama.cpp `-ngl`; automatic: all where they fit, else the fastest placement that does",
        ),
        "cpu_moe_layers": number(
            "cpu_moe_layers",
            "Layers with experts on the host",
            step=1,
            help="llama.cpp `-ncmoe`, for mixtures of experts",
        ),
        "kv_offload": switch("kv_offload", "KV cache on the GPU", help="off: llama.cpp `--no-kv-offload`"),
        "op_offload": switch("op_offload", "GPU reads prompts for the host", help="off: llama.cpp `--no-op-offload`"),
        "mmap": switch("mmap", "Map the file into memory", help="off: the file is read whole"),
    }
    if takes_several(machine_id):
        others = {found.id: found.name for found in machines().values() if not found.unified}
        values |= {
            "host_memory_gib": number(
                "host_memory_gib",
                "Host memory (GiB)",
                step=8.0,
                placeholder=_NOT_GIVEN,
                help="RAM beside the cards. With it, part of the model may lie on the host.",
            ),
            "other_machine": picker("other_machine", "Other cards in the same host", others),
            "other_gpus": number("other_gpus", "How many of these", step=1),
            "use_gpus": number(
                "use_gpus",
                "Cards used",
                step=1,
                help="The first of all cards; the others stay idle, and are paid for.",
            ),
            "split": choice("split", "Split over cards by", ("layer", "row", "tensor"), help="llama.cpp `-sm`"),
            "tensor_split": text(
                "tensor_split", "Shares of the cards", placeholder="by free memory", help="llama.cpp `-ts`, such as 3,1"
            ),
        }
    values["host_bandwidth_gb_s"] = number(
        "host_bandwidth_gb_s",
        "Host memory bandwidth (GB/s)",
        step=10.0,
        placeholder="usual",
        help="Rated; 89.6 is two channels of DDR5-5600.",
    )
    values["overhead_mib"] = number(
        "overhead_mib",
        "Overhead per device (MiB)",
        step=64.0,
        placeholder=_usual_overhead(machine_id),
        help="Taken by driver, runtime and screen before the model is loaded",
    )
    values["margin_percent"] = number(
        "margin_percent", "Safety margin (%)", step=1.0, help="Kept free of each device's memory"
    )
    return values


def _layer_counts() -> tuple[str, ...]:
    """All that models have, and what the link says: people write 99 or 999 where they mean all."""
    usual = ("all", *(str(count) for count in range(_MOST_LAYERS + 1)))
    given = str(st.session_state.get("gpu_layers") or st.query_params.get("gpu_layers", ""))
    try:
        wanted = Question.from_values({"gpu_layers": given}).placement.gpu_layers
    except InputError:
        return usual
    return usual if wanted is None or given in usual or given != str(wanted) else (*usual, given)


def _usual_overhead(machine_id: str) -> str:
    return "by its size" if machine_id == CUSTOM_MACHINE else f"{machine(machine_id).overhead_bytes / MIB:,.0f}"
