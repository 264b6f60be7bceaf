"""Lets the xllamacpp wheel's llama.cpp print its memory plan: the process behind `ask.ask_memory`."""

from __future__ import annotations

import sys
from pathlib import Path

from advisor.quantize import native

# ggml's numbers for the types a KV cache can have (ggml.h, enum ggml_type).
_CACHE_NUMBERS = {
    "f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20, "bf16": 30,
}  # fmt: skip
_AUTO, _OFF = -1, 0


def main(arguments: list[str]) -> None:
    path, context, users, micro_batch, flash, cache_k, cache_v, gpu_layers, on_host = arguments
    settings = {
        native.N_CTX: int(context),
        native.N_SEQ_MAX: int(users),
        native.N_UBATCH: int(micro_batch),
        native.N_BATCH: max(2048, int(micro_batch)),
        native.FLASH_ATTENTION: _AUTO if flash == "1" else _OFF,
        native.TYPE_K: _CACHE_NUMBERS[cache_k],
        native.TYPE_V: _CACHE_NUMBERS[cache_v],
    }
    native.print_memory(Path(path), settings, int(gpu_layers), offload_cache=on_host == "0")


if __name__ == "__main__":
    main(sys.argv[1:])
