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
            fact("ollama_context"),
            _OLLAMA_CONTEXT,
        ),
        "OLLAMA_NUM_PARALLEL": Default("1", fact("ollama_parallel"), _OLLAMA_FAQ),
        "OLLAMA_KV_CACHE_TYPE": Default("f16", fact("ollama_cache_type"), _OLLAMA_FAQ),
        "OLLAMA_FLASH_ATTENTION": Default("auto", fact("ollama_flash"), _OLLAMA_FAQ),
        "OLLAMA_MAX_LOADED_MODELS": Default("3 x GPUs", fact("ollama_loaded"), _OLLAMA_FAQ),
        "OLLAMA_KEEP_ALIVE": Default("5m", fact("ollama_alive"), _OLLAMA_FAQ),
    },
    notes=(
        fact("ollama_stays_on_one"),
        fact("ollama_prompt_batches"),
    ),
    source=_OLLAMA_FAQ,
    as_of="2026-11",
)

LM_STUDIO_PROGRAM = Frontend(
    choose=_lm_studio_takes,
    unified=True,
    defaults={
        "context length": Default("4096", fact("lm_studio_context"), _LM_STUDIO_LOG),
        "max concurrent predictions": Default("4", fact("lm_studio_parallel"), _LM_STUDIO_PARALLEL),
        "unified KV cache": Default("on", fact("lm_studio_unified"), _LM_STUDIO_UNIFIED),
        "gpu": Default("as much as fits", fact("lm_studio_gpu"), _LM_STUDIO_LOAD),
        "K and V cache quantization": Default("off", fact("lm_studio_cache_type"), _LM_STUDIO_LOG),
    },
    notes=(
        fact("lm_studio_mlx"),
        fact("lm_studio_flash"),
    ),
    source=_LM_STUDIO_LOAD,
    as_of="2026-11",
)
