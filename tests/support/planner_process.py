"""Asks the llama.cpp inside an xllamacpp wheel for its memory plans; run by the Python that has the wheel.

Nothing but the standard library: lines of JSON come in, one answer in JSON for each goes out. Every question gets a
process of its own, as llama.cpp ends the process on a failed assertion. Structures are filled by the library, and a
field is only changed where the defaults around it say that it is the one meant.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from ctypes import POINTER, byref, c_bool, c_char_p, c_int32
from pathlib import Path
from typing import Any

_ROOM = 512
_FIT_PRINT = "_Z16common_fit_printPKcP18llama_model_paramsP20llama_context_params"
_CACHE_NUMBERS = {
    "f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20, "bf16": 30,
}  # fmt: skip
_TYPES = 104
_LAYERS = 16


class Parameters(ctypes.Structure):
    """Room for a parameter structure of any release."""

    _fields_ = (("raw", ctypes.c_uint8 * _ROOM),)

    def set(self, place: int, kind: type[Any], value: Any) -> None:
        kind.from_buffer(self, place).value = value


def _library() -> ctypes.CDLL:
    found = importlib.util.find_spec("xllamacpp")
    folders = (found.submodule_search_locations if found else None) or []
    files = [path for folder in folders for path in Path(folder).glob("*.so")]
    if not files:
        sys.exit("This Python has no xllamacpp: pip install xllamacpp")
    return ctypes.CDLL(str(files[0]))


def _place(raw: bytes, wanted: bytes, places: Sequence[int], what: str) -> int:
    """The first of the places where the defaults read as wanted."""
    for place in places:
        if raw[place : place + len(wanted)] == wanted:
            return place
    sys.exit(f"The library lays out its settings in an unknown way: {what} is not where it was.")


class Planner:
    """The library, and where its settings lie."""

    def __init__(self) -> None:
        self.lib = _library()
        for name in ("llama_context_default_params", "llama_model_default_params"):
            getattr(self.lib, name).restype = Parameters
        self.report = getattr(self.lib, _FIT_PRINT)
        self.report.restype, self.report.argtypes = None, (c_char_p, POINTER(Parameters), POINTER(Parameters))
        context = bytes(self.lib.llama_context_default_params().raw)
        model = bytes(self.lib.llama_model_default_params().raw)
        self.flash = _place(context, b"\xff\xff\xff\xff\0\0\0\0", (48, 52), "flash attention")
        self.switches = _place(context, bytes((0, 1, 1, 1, 1, 0)), (128, 136), "offload_kqv")
        self.repacked = _place(model, bytes((0, 0, 1, 0)), (64, 72), "use_extra_bufts") + 2
        _place(context, bytes((1, 0, 0, 0, 1, 0, 0, 0)), (_TYPES,), "the type of the cache")
        _place(model, b"\xff\xff\xff\xff\1\0\0\0", (_LAYERS,), "n_gpu_layers")
        self.lib.llama_backend_init()

    def print_plan(self, asked: dict[str, Any]) -> None:
        """Let the library print the plan of one device."""
        model, context = self.lib.llama_model_default_params(), self.lib.llama_context_default_params()
        model.set(_LAYERS, c_int32, 0)
        model.set(self.repacked, c_bool, False)  # weights repacked for the CPU would not be counted
        numbers = {
            0: asked["n_ctx"], 4: max(2048, asked["n_ubatch"]), 8: asked["n_ubatch"], 12: asked["n_parallel"],
            self.flash: -1 if asked["flash_attn"] == "auto" else 0,
            _TYPES: _CACHE_NUMBERS[asked["cache_k"]], _TYPES + 4: _CACHE_NUMBERS[asked["cache_v"]],
        }  # fmt: skip
        for place, value in numbers.items():
            context.set(place, c_int32, value)
        context.set(self.switches + 4, c_bool, False)  # swa_full, as llama.cpp's programs set it
        context.set(self.switches + 5, c_bool, asked["unified"] == 1)
        self.report(asked["path"].encode(), byref(model), byref(context))
        ctypes.CDLL(None).fflush(None)


def _answered(planner: Planner, asked: dict[str, Any]) -> list[int] | None:
    """Weights, cache and compute buffer in whole MiB; None where llama.cpp refuses."""
    read, write = os.pipe()
    if not (child := os.fork()):
        os.dup2(write, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            planner.print_plan(asked)
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as said:
        words = said.read().split()
    os.waitpid(child, 0)
    return [int(word) for word in words[1:4]] if len(words) == 4 and words[0] == "Host" else None


def main() -> None:
    """Answer all lines."""
    planner = Planner()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answered(planner, json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
