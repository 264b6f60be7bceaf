"""A GGUF file at work in llama.cpp: the scores of a text's next tokens, or one vector for a whole text."""

from __future__ import annotations

from ctypes import POINTER, c_bool, c_int8, c_int32
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from advisor.quantize import native
from advisor.quantize.errors import RunFailed


class Network:
    """A GGUF file loaded to compute with, on this machine's CPU (and GPUs where the library has a driver for them).

    `repack` lets llama.cpp lay weights out anew for the processor, as it does by default: faster, and more memory.
    """

    def __init__(self, path: Path, context: int, threads: int, gpu_layers: int = -1, repack: bool = True):
        self._lib = native.runtime()
        self._context = self._model = None
        native.forget_errors()
        settings = self._lib.llama_model_default_params()
        settings.set(native.N_GPU_LAYERS, c_int32, gpu_layers)
        settings.set(native.EXTRA_BUFFERS, c_bool, repack)
        self._model = self._lib.llama_model_load_from_file(str(path).encode(), settings)
        if not self._model:
            native.failed(f"llama.cpp cannot load {path.name}")
        self.trained_context = int(self._lib.llama_model_n_ctx_train(self._model))
        self._vocabulary = self._lib.llama_model_get_vocab(self._model)
        self.vocabulary = int(self._lib.llama_vocab_n_tokens(self._vocabulary))
        self.first_token = (
            int(self._lib.llama_vocab_bos(self._vocabulary))
            if self._lib.llama_vocab_get_add_bos(self._vocabulary)
            else None
        )
        if self._lib.llama_model_has_encoder(self._model):
            self.close()
            raise RunFailed("{path} is no model that continues a text, so it has no perplexity.", path=path.name)
        parameters = self._lib.llama_context_default_params()
        for place, value in (
            (native.N_CTX, context),
            (native.N_BATCH, context),
            (native.N_UBATCH, min(512, context)),
            (native.N_THREADS, threads),
            (native.N_THREADS_BATCH, threads),
        ):
            parameters.set(place, c_int32, value)
        self._context = self._lib.llama_init_from_model(self._model, parameters)
        if not self._context:
            self.close()
            native.failed(f"llama.cpp cannot run {path.name}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._context:
            self._lib.llama_free(self._context)
        if self._model:
            self._lib.llama_model_free(self._model)
        self._context = self._model = None

    def tokens(self, text: str, special: bool = False) -> npt.NDArray[np.int32]:
        """The text as token numbers; those that the model wants around a text only with `special`."""
        raw = text.encode()
        room = np.empty(len(raw) + 8, dtype=np.int32)
        found = self._lib.llama_tokenize(
            self._vocabulary, raw, len(raw), room.ctypes.data_as(POINTER(c_int32)), len(room), special, False
        )
        if found < 0:
            native.failed("llama.cpp cannot tokenize the text")
        return room[:found].copy()

    def clear(self) -> None:
        """Forget all tokens seen so far."""
        self._lib.llama_memory_clear(self._lib.llama_get_memory(self._context), True)

    def scores(self, tokens: npt.NDArray[np.int32], wanted: slice) -> npt.NDArray[np.float32]:
        """Read `tokens` after those read before; the logits at the `wanted` places, shape (places, vocabulary)."""
        tokens = np.ascontiguousarray(tokens, dtype=np.int32)
        marks = np.zeros(len(tokens), dtype=np.int8)
        marks[wanted] = 1
        count = int(marks.sum())
        self.read(tokens, marks)
        if not count:
            return np.empty((0, self.vocabulary), dtype=np.float32)
        found = self._lib.llama_get_logits(self._context)
        return np.ctypeslib.as_array(found, (count, self.vocabulary)).copy()

    def read(self, tokens: npt.NDArray[np.int32], marks: npt.NDArray[np.int8] | None = None) -> None:
        """Compute `tokens` and wait until that is done; without `marks` scores are made for the last one only."""
        batch = native.Batch(
            n_tokens=len(tokens),
            token=tokens.ctypes.data_as(POINTER(c_int32)),
            logits=None if marks is None else marks.ctypes.data_as(POINTER(c_int8)),
        )
        if self._lib.llama_decode(self._context, batch) != 0:
            native.failed("llama.cpp stopped computing")
        self._lib.llama_synchronize(self._context)


class Embedder(Network):
    """A model that turns a whole text into one vector."""

    def __init__(self, path: Path, context: int, threads: int):
        super().__init__(path, context, threads, gpu_layers=0)
        self._lib.llama_set_embeddings(self._context, True)
        if self._lib.llama_pooling_type(self._context) <= 0:
            self.close()
            raise RunFailed("{path} does not say how its tokens become one vector.", path=path.name)
        self._room = min(context, self.trained_context)
        self._width = int(self._lib.llama_model_n_embd(self._model))

    def embed(self, text: str) -> npt.NDArray[np.float32]:
        """The text's vector; what is longer than the context is cut off."""
        tokens = self.tokens(text, special=True)
        if len(tokens) > self._room:
            tokens = np.append(tokens[: self._room - 1], tokens[-1])
        self.read(np.ascontiguousarray(tokens), np.ones(len(tokens), dtype=np.int8))
        found = self._lib.llama_get_embeddings_seq(self._context, 0)
        if not found:
            native.failed("llama.cpp made no vector")
        return np.ctypeslib.as_array(found, (self._width,)).copy()
