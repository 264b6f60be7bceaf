"""What memory a file takes while it runs, measured as the growth of a process and cleared of what is not the model's.

A process that runs a model also holds Python, the library, and what llama.cpp needs for a model of any size. The first
two are still there when the model has been let go, the last is what a model that weighs next to nothing takes: both are
measured first and counted off, so that the rest is what a plan counts: weights, KV cache and compute buffers.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.freed_memory import give_back
from advisor.models.blueprints import model_from_config
from advisor.quantize.header_only import metadata_of_config, write_header_only
from advisor.quantize.network import Network
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.reading import read_from_path

MEASURED_CONTEXT = 512  # tokens; what speed and memory are measured with, where a model was trained for that many
# A network of 64 columns and one layer: 60 kB of weights.
_NEXT_TO_NOTHING = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 64,
    "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1, "vocab_size": 32,
    "max_position_embeddings": MEASURED_CONTEXT, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "tie_word_embeddings": True,
}  # fmt: skip
_FEW = 32  # tokens, so that its own buffers are next to nothing too
_SCORE_BYTES = 4  # float32


@dataclass(frozen=True, slots=True)
class MeasuredMemory:
    """Bytes. `model` is the file's alone, `without_model` what a model takes that weighs next to nothing."""

    model: int
    without_model: int


def measured_context(model: Path) -> int:
    """Tokens that a file is measured with."""
    header = read_gguf_header(read_from_path(model), model.name)
    return min(MEASURED_CONTEXT, header.number(f"{header.architecture}.context_length") or MEASURED_CONTEXT)


def measure_memory(model: Path, threads: int) -> MeasuredMemory:
    """Only in a process of its own; raises RunFailed."""
    context = measured_context(model)
    with tempfile.TemporaryDirectory(prefix="memory-") as scratch:
        nothing = Path(scratch) / "nothing.gguf"
        shape = model_from_config(_NEXT_TO_NOTHING)
        write_header_only(nothing, shape, LEVELS["F16"], metadata_of_config(shape, _NEXT_TO_NOTHING))
        _growth(nothing, _FEW, threads)  # what stays for good, such as the threads, is taken now
        without_model = _growth(nothing, _FEW, threads)
    return MeasuredMemory(max(0, _growth(model, context, threads) - without_model), without_model)


def _growth(model: Path, context: int, threads: int) -> int:
    """Bytes held at work that are given back when the model is let go, without the scores that were asked for.

    Every score is asked for: buffers are laid out for that, and what is never written takes no memory. Weights are not
    repacked for the processor: that holds them twice for a while.
    """
    process = psutil.Process()
    with Network(model, context, threads, gpu_layers=0, repack=False) as network:
        tokens = np.arange(context - 1, dtype=np.int32) % network.vocabulary
        network.read(tokens, np.ones(len(tokens), dtype=np.int8))
        network.read(tokens[:1].copy())
        held = process.memory_info().rss
        scores = len(tokens) * network.vocabulary * _SCORE_BYTES
    give_back()
    return max(0, held - process.memory_info().rss - scores)
