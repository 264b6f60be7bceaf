"""llama.cpp as the prebuilt xllamacpp wheel carries it, called through its C interface.

The wheel's own API offers neither quantization nor the scores of a prompt, but its library exports the C functions.
Structures are filled by the library and handed back; only fields whose place is confirmed by their documented
default are ever changed, so that a release with another layout is refused instead of misread.
"""

from __future__ import annotations

import ctypes
import importlib.util
from ctypes import (
    POINTER,
    c_bool,
    c_char_p,
    c_float,
    c_int,
    c_int8,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_void_p,
)
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from advisor.formats.ggml_types import Type
from advisor.formats.gguf_levels import row_bytes
from advisor.foundation.places import real_run_install
from advisor.quantize.errors import RunFailed, ToolMissing

INSTALL = f"install it with: {real_run_install()}"
_ROOM = 512  # bytes; the structures take 144 and 80


class Parameters(ctypes.Structure):
    """Room for a parameter structure of the library, larger than any version's."""

    _fields_ = (("raw", c_uint8 * _ROOM),)

    def get(self, place: int, kind: type[Any]) -> Any:
        return kind.from_buffer(self, place).value

    def set(self, place: int, kind: type[Any], value: Any) -> None:
        kind.from_buffer(self, place).value = value


# Place and documented default (llama.h, llama_context_default_params and llama_model_default_params).
N_CTX, N_BATCH, N_UBATCH, N_SEQ_MAX, N_THREADS, N_THREADS_BATCH, FLASH_ATTENTION = 0, 4, 8, 12, 28, 32, 52
TYPE_K, TYPE_V, OFFLOAD_KQV, SWA_FULL, KV_UNIFIED = 104, 108, 137, 140, 141
_CONTEXT_DEFAULTS = (
    (N_CTX, c_int32, 512),
    (N_BATCH, c_int32, 2048),
    (N_UBATCH, c_int32, 512),
    (N_SEQ_MAX, c_int32, 1),
    (N_THREADS, c_int32, 4),
    (N_THREADS_BATCH, c_int32, 4),
    (FLASH_ATTENTION, c_int32, -1),
    (TYPE_K, c_int32, 1),
    (TYPE_V, c_int32, 1),
    (OFFLOAD_KQV, c_bool, True),
    (SWA_FULL, c_bool, True),
    (KV_UNIFIED, c_bool, False),
)
N_GPU_LAYERS, EXTRA_BUFFERS = 16, 74
_MODEL_DEFAULTS = ((N_GPU_LAYERS, c_int32, -1), (EXTRA_BUFFERS, c_bool, True))


class Batch(ctypes.Structure):
    """llama_batch: tokens of one sequence, and which of them scores are wanted for."""

    _fields_ = (
        ("n_tokens", c_int32),
        ("token", POINTER(c_int32)),
        ("embd", c_void_p),
        ("pos", c_void_p),
        ("n_seq_id", c_void_p),
        ("seq_id", c_void_p),
        ("logits", POINTER(c_int8)),
    )


_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "ggml_quantize_chunk": (c_size_t, (c_int, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p)),
    "llama_version": (c_char_p, ()),
    "llama_backend_init": (None, ()),
    "llama_supports_gpu_offload": (c_bool, ()),
    "llama_log_set": (None, (c_void_p, c_void_p)),
    "llama_context_default_params": (Parameters, ()),
    "llama_model_default_params": (Parameters, ()),
    "llama_model_load_from_file": (c_void_p, (c_char_p, Parameters)),
    "llama_model_free": (None, (c_void_p,)),
    "llama_model_get_vocab": (c_void_p, (c_void_p,)),
    "llama_model_n_ctx_train": (c_int32, (c_void_p,)),
    "llama_model_has_encoder": (c_bool, (c_void_p,)),
    "llama_vocab_n_tokens": (c_int32, (c_void_p,)),
    "llama_vocab_bos": (c_int32, (c_void_p,)),
    "llama_vocab_get_add_bos": (c_bool, (c_void_p,)),
    "llama_tokenize": (c_int32, (c_void_p, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool)),
    "llama_init_from_model": (c_void_p, (c_void_p, Parameters)),
    "llama_free": (None, (c_void_p,)),
    "llama_get_memory": (c_void_p, (c_void_p,)),
    "llama_memory_clear": (None, (c_void_p, c_bool)),
    "llama_decode": (c_int32, (c_void_p, Batch)),
    "llama_synchronize": (None, (c_void_p,)),
    "llama_get_logits": (POINTER(c_float), (c_void_p,)),
    "llama_model_n_embd": (c_int32, (c_void_p,)),
    "llama_set_embeddings": (None, (c_void_p, c_bool)),
    "llama_pooling_type": (c_int, (c_void_p,)),
    "llama_get_embeddings_seq": (POINTER(c_float), (c_void_p, c_int32)),
}

_LogFunction = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p)
_errors: list[str] = []


def _log(level: int, text: bytes, _: int) -> None:
    if level == 4:  # errors
        _errors.append(text.decode("utf-8", "replace").strip())


_keep_log = _LogFunction(_log)  # alive as long as the library


def is_installed() -> bool:
    return importlib.util.find_spec("xllamacpp") is not None


@cache
def library() -> ctypes.CDLL:
    """The library; raises ToolMissing where it is not installed or differs from what is expected here."""
    found = importlib.util.find_spec("xllamacpp")
    folders = (found.submodule_search_locations if found else None) or []
    files = [path for folder in folders for ending in ("*.so", "*.pyd") for path in Path(folder).glob(ending)]
    if not files:
        raise ToolMissing("Quantizing needs the package xllamacpp: {install}", install=INSTALL)
    try:
        loaded = ctypes.CDLL(str(files[0]))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        raise ToolMissing(
            "The installed xllamacpp {version} lacks functions that are needed here: {install}",
            version=version("xllamacpp"),
            install=INSTALL,
        ) from None
    loaded.llama_log_set(ctypes.cast(_keep_log, c_void_p), None)
    return loaded


@cache
def runtime() -> ctypes.CDLL:
    """The library ready to run models; raises ToolMissing where its structures are laid out differently."""
    lib = library()
    context, model = lib.llama_context_default_params(), lib.llama_model_default_params()
    for parameters, defaults in ((context, _CONTEXT_DEFAULTS), (model, _MODEL_DEFAULTS)):
        if any(parameters.get(place, kind) != value for place, kind, value in defaults):
            raise ToolMissing(
                "The installed xllamacpp {version} lays out its settings in a way that is not known here: {install}",
                version=version("xllamacpp"),
                install=INSTALL,
            )
    lib.llama_backend_init()
    return lib


def engine_name() -> str:
    """What a measurement names beside its figures."""
    return f"llama.cpp {library().llama_version().decode()} (xllamacpp {version('xllamacpp')})"


def quantize_rows(
    kind: Type, rows: npt.NDArray[np.float32], weights: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.uint8]:
    """Rows of float32, shape (rows, columns), as bytes of `kind`, shape (rows, bytes per row).

    `weights` is the importance of each column. The calling thread lets others run meanwhile.
    """
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    count, columns = rows.shape
    target = np.empty((count, row_bytes(kind, columns)), dtype=np.uint8)
    matrix = None if weights is None else np.ascontiguousarray(weights, dtype=np.float32)
    written = library().ggml_quantize_chunk(
        kind.value,
        rows.ctypes.data,
        target.ctypes.data,
        0,
        count,
        columns,
        None if matrix is None else matrix.ctypes.data,
    )
    if written != target.nbytes:
        raise RunFailed(
            "llama.cpp wrote {written:,} bytes of {kind} where {nbytes:,} were expected.",
            written=written,
            kind=kind.name,
            nbytes=target.nbytes,
        )
    return target


def forget_errors() -> None:
    """Before something new is begun, whose own errors are to be told."""
    _errors.clear()


def failed(what: str) -> NoReturn:
    """Raise RunFailed with the first error that llama.cpp told since."""
    said = next((line for line in _errors if line), "it gives no reason")  # later ones only say that it failed
    raise RunFailed(f"{what}: {said}")
