"""Lets the xllamacpp wheel's llama.cpp print its memory plan: the process behind `ask.ask_memory`."""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, byref, c_bool, c_char_p, c_int32
from pathlib import Path

from advisor.quantize import native

# ggml's numbers for the types a KV cache can have (ggml.h, enum ggml_type).
_CACHE_NUMBERS = {
    "f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20, "bf16": 30,
}  # fmt: skip
_AUTO, _OFF = -1, 0
# llama.cpp: common/fit.cpp, what llama-fit-params calls; a C++ function, so its name carries its arguments' types.
_FIT_PRINT = "_Z16common_fit_printPKcP18llama_model_paramsP20llama_context_params"


def can_ask() -> bool:
    """Whether the library brings llama.cpp's own memory report along."""
    return native.is_installed() and hasattr(native.library(), _FIT_PRINT)


def print_memory(
    path: Path, settings: dict[int, int], gpu_layers: int, offload_cache: bool = True, unified: bool = False
) -> None:
    """Let llama.cpp print the memory a file would take, without loading it: a line for each device, MiB, to stdout.

    `settings` maps places of the context's settings to values. Only for a process of its own.
    """
    lib = native.runtime()
    report = getattr(lib, _FIT_PRINT)
    report.restype, report.argtypes = None, (c_char_p, POINTER(native.Parameters), POINTER(native.Parameters))
    model, context = lib.llama_model_default_params(), lib.llama_context_default_params()
    model.set(native.N_GPU_LAYERS, c_int32, gpu_layers)
    model.set(native.EXTRA_BUFFERS, c_bool, False)  # weights repacked for the CPU would not be counted
    for place, value in settings.items():
        context.set(place, c_int32, value)
    context.set(native.OFFLOAD_KQV, c_bool, offload_cache)
    context.set(native.KV_UNIFIED, c_bool, unified)
    context.set(native.SWA_FULL, c_bool, False)  # as llama.cpp's programs do
    report(str(path).encode(), byref(model), byref(context))
    ctypes.CDLL(None).fflush(None)


def main(arguments: list[str]) -> None:
    path, context, users, micro_batch, flash, cache_k, cache_v, gpu_layers, on_host, unified = arguments
    settings = {
        native.N_CTX: int(context),
        native.N_SEQ_MAX: int(users),
        native.N_UBATCH: int(micro_batch),
        native.N_BATCH: max(2048, int(micro_batch)),
        native.FLASH_ATTENTION: _AUTO if flash == "1" else _OFF,
        native.TYPE_K: _CACHE_NUMBERS[cache_k],
        native.TYPE_V: _CACHE_NUMBERS[cache_v],
    }
    print_memory(Path(path), settings, int(gpu_layers), offload_cache=on_host == "0", unified=unified == "1")


if __name__ == "__main__":
    main(sys.argv[1:])
