"""Ollama and LM Studio: programs around llama.cpp, and what they choose where the user does not.

What a model takes is llama.cpp's, see `advisor.runtimes.llama_cpp.plans`; only the defaults differ.
"""

from __future__ import annotations

from advisor.foundation.message import Message, fact
from advisor.foundation.units import GIB
from advisor.runtimes.defaults import Default, Frontend, Taken

_OLLAMA_FAQ = "https://github.com/ollama/ollama/blob/main/docs/faq.mdx"
_OLLAMA_CONTEXT = "https://github.com/ollama/ollama/blob/main/server/routes.go"
_LM_STUDIO_PARALLEL = "https://lmstudio.ai/docs/app/advanced/parallel-requests"
_LM_STUDIO_LOAD = "https://lmstudio.ai/docs/cli/load"
_LM_STUDIO_UNIFIED = "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1628"
_LM_STUDIO_LOG = "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/412"

# Memory of the GPUs in GiB from which Ollama gives every request this many tokens. Its documentation says 24 and 48;
# its code takes one less, as drivers keep a little of a card to themselves.
OLLAMA_CONTEXTS = ((47, 262_144), (23, 32_768), (0, 4_096))
OLLAMA_USERS = 1
LM_STUDIO_CONTEXT = 4_096
LM_STUDIO_USERS = 4


def _ollama_takes(gpu_bytes: int, model_context: int | None) -> tuple[Taken, ...]:
    """Every request has a cache of a context that depends on the memory of the GPUs."""
    least, context = next((least, tokens) for least, tokens in OLLAMA_CONTEXTS if gpu_bytes >= least * GIB)
    smallest = min(least for least, _ in OLLAMA_CONTEXTS if least)
    why = (
        fact("for_gpu_memory_from", memory=gpu_bytes, least_gib=least)
        if least
        else fact("for_gpu_memory_below", least_gib=smallest)
    )
    context, why = _known(context, why, model_context)
    return (
        Taken("context", context, fact("default_context_each", context=context, why=why), _OLLAMA_CONTEXT),
        Taken("users", OLLAMA_USERS, fact("requests_at_once", n=OLLAMA_USERS), _OLLAMA_FAQ),
    )


def _lm_studio_takes(gpu_bytes: int, model_context: int | None) -> tuple[Taken, ...]:
    """All requests at once share one cache, whatever the GPUs are."""
    context, why = _known(LM_STUDIO_CONTEXT, fact("shared_unless_chosen"), model_context)
    return (
        Taken("context", context, fact("default_context", context=context, why=why), _LM_STUDIO_LOG),
        Taken("users", LM_STUDIO_USERS, fact("requests_at_once", n=LM_STUDIO_USERS), _LM_STUDIO_PARALLEL),
    )


def _known(context: int, why: Message, model_context: int | None) -> tuple[int, Message]:
    if model_context is not None and model_context < context:
        return model_context, fact("most_model_knows")
    return context, why


OLLAMA_PROGRAM = Frontend(
    choose=_ollama_takes,
    defaults={
        "OLLAMA_CONTEXT_LENGTH": Default(
            "4096 / 32768 / 262144",
            "Tokens per request: by GPU memory below 23 GiB, from 23 and from 47 GiB, at most what the model knows.",
            _OLLAMA_CONTEXT,
        ),
        "OLLAMA_NUM_PARALLEL": Default("1", "Requests at once; memory grows with each.", _OLLAMA_FAQ),
        "OLLAMA_KV_CACHE_TYPE": Default("f16", "For keys and values of every model.", _OLLAMA_FAQ),
        "OLLAMA_FLASH_ATTENTION": Default("auto", "On wherever backend and GPU can.", _OLLAMA_FAQ),
        "OLLAMA_MAX_LOADED_MODELS": Default("3 x GPUs", "Models kept in memory at once.", _OLLAMA_FAQ),
        "OLLAMA_KEEP_ALIVE": Default("5m", "How long an idle model stays in memory.", _OLLAMA_FAQ),
    },
    notes=(
        "A model that fits on one GPU stays on one; only a larger one is spread over all of them.",
        "Its logs show prompt batches of 512 tokens in older versions and 1024 since 0.30, which takes larger "
        "compute buffers.",
    ),
    source=_OLLAMA_FAQ,
    as_of="2026-11",
)

LM_STUDIO_PROGRAM = Frontend(
    choose=_lm_studio_takes,
    unified=True,
    defaults={
        "context length": Default(
            "4096", "Tokens of all requests together, unless chosen when loading.", _LM_STUDIO_LOG
        ),
        "max concurrent predictions": Default("4", "Requests at once, with the llama.cpp engine.", _LM_STUDIO_PARALLEL),
        "unified KV cache": Default(
            "on", "Requests at once share one cache of the context length.", _LM_STUDIO_UNIFIED
        ),
        "gpu": Default("as much as fits", "Share of the layers on the GPU: off, 0 to 1, or max.", _LM_STUDIO_LOAD),
        "K and V cache quantization": Default("off", "Keys and values in f16.", _LM_STUDIO_LOG),
    },
    notes=(
        "On a Mac it can also run MLX files, with its own MLX engine.",
        "Whether flash attention is on by default is not documented; it is a switch when loading.",
    ),
    source=_LM_STUDIO_LOAD,
    as_of="2026-11",
)
