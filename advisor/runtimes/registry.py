"""All runtimes, a line each."""

from __future__ import annotations

from typing import assert_never

from advisor.foundation.errors import InputError, choose_one_of, nearest, one_line, resembling
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP, LM_STUDIO, OLLAMA
from advisor.runtimes.mlx.runtime import MLX
from advisor.runtimes.runtime import Runtime
from advisor.runtimes.sglang.runtime import SGLANG
from advisor.runtimes.vllm.runtime import VLLM
from advisor.sizing.runtime_id import RuntimeId


def runtime_by(id_: RuntimeId) -> Runtime:
    """The runtime of this id."""
    match id_:
        case RuntimeId.LLAMA_CPP:
            return LLAMA_CPP
        case RuntimeId.OLLAMA:
            return OLLAMA
        case RuntimeId.LM_STUDIO:
            return LM_STUDIO
        case RuntimeId.VLLM:
            return VLLM
        case RuntimeId.MLX:
            return MLX
        case RuntimeId.SGLANG:
            return SGLANG
        case _:
            assert_never(id_)


def find_runtime(word: str) -> Runtime:
    """The runtime a word names, as links call it; raises InputError for another word."""
    if word in _BY_WORD:
        return _BY_WORD[word]
    close = resembling(word, _BY_WORD)
    hint = nearest(word, _BY_WORD) or choose_one_of(_BY_WORD)
    raise InputError("There is no runtime '{word}'; {hint}", close, word=one_line(word), hint=hint)


RUNTIMES: tuple[Runtime, ...] = tuple(runtime_by(one) for one in RuntimeId)
ENGINES: tuple[Runtime, ...] = tuple(one for one in RUNTIMES if one.engine is one.id)
_BY_WORD: dict[str, Runtime] = {str(one.id): one for one in RUNTIMES}
