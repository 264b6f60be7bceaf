"""How much a process grows that answers questions about models it never meets again: 200 to warm up, then 2,400.

Every model is a config.json of its own, as people paste them. What grows without end is remembered by somebody: the
caches are bounded by bytes (advisor/foundation/caches.py), so most of them together stay below their bound.
Takes minutes: `python -m tests.benchmarks.cache_growth [number of configs]`.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from advisor.answer.answer import Answer, answer
from advisor.foundation.units import MIB
from advisor.question.question import Question

WARM_UP = 200
CONFIGS = 2400
EVERY = 200
# What people run, one after the other: each engine keeps things of its own about a model.
QUESTIONS = (
    "machine=rtx-4090&context=8192",
    "machine=rtx-3090&gpus=2&context=16384&users=2",
    "machine=h100-sxm5-80gb&runtime=vllm&context=8192&users=8",
    "machine=apple-m3-max-40c-64gb&runtime=mlx&context=8192",
)


def config(number: int) -> dict[str, Any]:
    """A dense model like Qwen3 8B that nobody published: no two numbers give the same tensors."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": 4096,
        "intermediate_size": 8192 + 256 * (number % 64),
        "num_hidden_layers": 24 + number // 64,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
        "tie_word_embeddings": False,
    }


def ask(folder: Path, number: int) -> Answer:
    """One question about one new model."""
    path = folder / f"{number}" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(config(number)), "utf-8")
    query = f"model={path}&{QUESTIONS[number % len(QUESTIONS)]}"
    found = answer(Question.from_query(query), allow_local=True)
    assert found.candidates
    return found


def resident() -> float:
    """MiB of this process in memory, without what only waits to be collected."""
    gc.collect()
    return float(psutil.Process().memory_info().rss) / MIB


def main() -> None:
    configs = int(sys.argv[1]) if len(sys.argv) > 1 else CONFIGS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(WARM_UP):
            ask(folder, number)
        before, start = resident(), time.process_time()
        print(f"after {WARM_UP:,} configs: {before:,.0f} MiB")
        for number in range(WARM_UP, WARM_UP + configs):
            ask(folder, number)
            if (number + 1 - WARM_UP) % EVERY == 0:
                each = (time.process_time() - start) / (number + 1 - WARM_UP) * 1000
                grown = resident() - before
                print(f"and {number + 1 - WARM_UP:,} more: {grown:+,.0f} MiB, {each:.0f} ms CPU each", flush=True)


if __name__ == "__main__":
    main()
