"""Ollama and LM Studio: programs around llama.cpp, and what they choose where the user does not.

What a model takes is llama.cpp's, see `advisor.sizing.llama_cpp`; only the defaults differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from advisor.errors import InputError
from advisor.sizing.settings import Settings
from advisor.units import GIB


@dataclass(frozen=True, slots=True)
class Default:
    """What is chosen for an option, and where it is said. `value` is as the program spells it."""

    value: str
    meaning: str
    source: str


@dataclass(frozen=True)
class Frontend:
    """`defaults` by the option's own name; `as_of` is the month they were read."""

    name: str
    defaults: Mapping[str, Default]
    notes: tuple[str, ...]
    source: str
    as_of: str


_OLLAMA_FAQ = "https://github.com/ollama/ollama/blob/main/docs/faq.mdx"
_OLLAMA_CONTEXT = "https://github.com/ollama/ollama/blob/main/docs/context-length.mdx"
_LM_STUDIO_PARALLEL = "https://lmstudio.ai/docs/app/advanced/parallel-requests"
_LM_STUDIO_LOAD = "https://lmstudio.ai/docs/cli/load"
_LM_STUDIO_LOG = "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/412"

# Memory of the GPUs in GiB from which Ollama gives every request this many tokens.
OLLAMA_CONTEXTS = ((48, 262_144), (24, 32_768), (0, 4_096))
LM_STUDIO_CONTEXT = 4_096
LM_STUDIO_USERS = 4

FRONTENDS: Mapping[str, Frontend] = MappingProxyType(
    {
        "ollama": Frontend(
            name="Ollama",
            defaults=MappingProxyType(
                {
                    "OLLAMA_CONTEXT_LENGTH": Default(
                        "4096 / 32768 / 262144",
                        "Tokens per request: by GPU memory below 24 GiB, from 24 and from 48 GiB, at most what the "
                        "model knows.",
                        _OLLAMA_CONTEXT,
                    ),
                    "OLLAMA_NUM_PARALLEL": Default("1", "Requests at once; memory grows with each.", _OLLAMA_FAQ),
                    "OLLAMA_KV_CACHE_TYPE": Default("f16", "For keys and values of every model.", _OLLAMA_FAQ),
                    "OLLAMA_FLASH_ATTENTION": Default("auto", "On wherever backend and GPU can.", _OLLAMA_FAQ),
                    "OLLAMA_MAX_LOADED_MODELS": Default("3 x GPUs", "Models kept in memory at once.", _OLLAMA_FAQ),
                    "OLLAMA_KEEP_ALIVE": Default("5m", "How long an idle model stays in memory.", _OLLAMA_FAQ),
                }
            ),
            notes=(
                "A model that fits on one GPU stays on one; only a larger one is spread over all of them.",
                "Its logs show prompt batches of 512 tokens in older versions and 1024 since 0.30, which takes larger "
                "compute buffers.",
            ),
            source=_OLLAMA_FAQ,
            as_of="2026-11",
        ),
        "lm-studio": Frontend(
            name="LM Studio",
            defaults=MappingProxyType(
                {
                    "context length": Default("4096", "Tokens, unless chosen when loading.", _LM_STUDIO_LOG),
                    "max concurrent predictions": Default(
                        "4", "Requests at once, with the llama.cpp engine.", _LM_STUDIO_PARALLEL
                    ),
                    "gpu": Default(
                        "as much as fits", "Share of the layers on the GPU: off, 0 to 1, or max.", _LM_STUDIO_LOAD
                    ),
                    "K and V cache quantization": Default("off", "Keys and values in f16.", _LM_STUDIO_LOG),
                }
            ),
            notes=(
                "On a Mac it can also run MLX files, with its own MLX engine.",
                "Whether flash attention is on by default is not documented; it is a switch when loading.",
            ),
            source=_LM_STUDIO_LOAD,
            as_of="2026-11",
        ),
    }
)


def frontend_settings(name: str, gpu_bytes: int, model_context: int | None) -> Settings:
    """The llama.cpp settings a frontend runs a model with when nothing is chosen.

    `gpu_bytes` is the memory of all GPUs together, `model_context` the longest context the model knows.
    Raises InputError for a name that is not in FRONTENDS.
    """
    if name not in FRONTENDS:
        raise InputError(f"Unknown frontend '{name[:40]}'; choose one of {', '.join(FRONTENDS)}.")
    if name == "ollama":
        context = next(tokens for least, tokens in OLLAMA_CONTEXTS if gpu_bytes >= least * GIB)
        return Settings(context=min(context, model_context or context))
    return Settings(context=min(LM_STUDIO_CONTEXT, model_context or LM_STUDIO_CONTEXT), users=LM_STUDIO_USERS)
