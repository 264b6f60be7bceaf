"""Which runtimes there are. What each of them can is in `advisor.runtimes`, one folder an engine."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never


class RuntimeId(StrEnum):
    """A runtime as links and data call it, in the order in which one is looked for.

    A new one goes here first: mypy then names each choice that does not know it yet.
    """

    LLAMA_CPP = "llama.cpp"
    OLLAMA = "ollama"
    LM_STUDIO = "lm-studio"
    VLLM = "vllm"
    MLX = "mlx"
    SGLANG = "sglang"

    @property
    def loader(self) -> str:
        """Its program that loads files, as its makers write it."""
        match self:
            case RuntimeId.LLAMA_CPP | RuntimeId.OLLAMA | RuntimeId.LM_STUDIO:
                return "llama.cpp"
            case RuntimeId.VLLM:
                return "vLLM"
            case RuntimeId.SGLANG:
                return "SGLang"
            case RuntimeId.MLX:
                return "mlx-lm"
            case _:
                assert_never(self)
