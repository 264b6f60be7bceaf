"""Everything in a text that somebody pasted, tool by tool; a paste may hold the output of several."""

from __future__ import annotations

from advisor.foundation.errors import InputError
from advisor.sources.pastes import (
    amd_smi,
    apple,
    host,
    llama_bench,
    llama_log,
    lspci,
    nvidia_smi,
    ollama_log,
    serving_bench,
    vllm_log,
    xpu_smi,
)
from advisor.sources.pastes.text import Reading, lines_of

_READERS = (
    *(nvidia_smi.read, amd_smi.read, xpu_smi.read, lspci.read, apple.read),
    *(host.read_lscpu, host.read_free, host.read_dxdiag),
    *(llama_bench.read, llama_log.read, ollama_log.read, vllm_log.read, serving_bench.read),
)


def read_paste(text: str) -> tuple[Reading, ...]:
    """What each tool printed; raises InputError where none of them is in it."""
    lines = lines_of(text)
    found = tuple(reading for reader in _READERS if (reading := reader(lines)) is not None)
    if not found:
        raise InputError(
            "Nothing in this text is known: read are nvidia-smi, rocm-smi, amd-smi, xpu-smi, lspci, system_profiler, "
            "lscpu, free and dxdiag, llama-bench, and the logs of llama.cpp, Ollama, vLLM and SGLang."
        )
    return found
