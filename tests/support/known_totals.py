"""What llama.cpp's planner says of the models in `tests/truth/known_totals.json`.

`python -m tests.support.known_totals PYTHON`, where PYTHON has an xllamacpp wheel, writes each row's model as a header
without weights, with the metadata that its config implies and the row's own `metadata`; `told` becomes the planner's
whole MiB of weights, cache and compute on the CPU. That it loads at all says that llama.cpp asks for these tensors and
no others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from gguf.constants import GGUFValueType as Kind

from advisor.formats.gguf_levels import LEVELS
from advisor.models.blueprints import model_from_config
from advisor.models.mixers import Attention
from advisor.models.model import Model
from advisor.quantize.gguf_writing import Entry
from advisor.quantize.header_only import write_header_only
from advisor.sizing.settings import Settings
from tests.support.reference import TRUTH

FILE = Path(TRUTH) / "known_totals.json"
LEVEL, SETTINGS = "Q8_0", Settings(4096)
_PROGRAM = Path(__file__).with_name("planner_process.py")
_ASKED = {
    "n_ctx": 4096,
    "n_parallel": 1,
    "n_ubatch": 512,
    "flash_attn": "auto",
    "cache_k": "f16",
    "cache_v": "f16",
    "unified": 0,
    "n_gpus": 0,
    "gpu_layers": 999,
    "n_cpu_moe": 0,
    "lends": False,
}


def rows() -> list[dict[str, Any]]:
    """All of the table."""
    found: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
    return found


def metadata(model: Model, more: dict[str, Any]) -> list[Entry]:
    """What a converter would write of it, by the shapes of its blocks, with `more` of its own."""
    name = model.architecture
    attention = next((one for one in model.mixers if isinstance(one, Attention)), None)
    inner = next((getattr(layer.feed_forward, "inner", 0) for layer in model.layers if layer.feed_forward), 0)
    routed = next((layer.routed for layer in model.layers if layer.routed), None)
    values: dict[str, Any] = {
        "block_count": len(model.layers), "context_length": model.context_length or 4096,
        "embedding_length": model.width,
        "feed_forward_length": inner, "vocab_size": model.vocabulary, "attention.layer_norm_epsilon": 1e-5,
        "attention.layer_norm_rms_epsilon": 1e-5, "rope.freq_base": 10000.0,
    }  # fmt: skip
    if attention is not None:
        values |= {
            "attention.head_count": attention.heads, "attention.head_count_kv": attention.kv_heads,
            "attention.key_length": attention.head_size, "attention.value_length": attention.value_head_size,
            "rope.dimension_count": attention.head_size,
        }  # fmt: skip
    if routed is not None:
        values |= {
            "expert_count": routed.experts, "expert_used_count": routed.used,
            "expert_feed_forward_length": routed.inner,
        }  # fmt: skip
    found = [Entry("general.architecture", name, Kind.STRING)]
    for key, value in {**values, **more}.items():
        if value is not None:
            found.append(_entry(key if key.startswith("tokenizer.") else f"{name}.{key}", value))
    return found


def _entry(key: str, value: Any) -> Entry:
    if isinstance(value, list):
        return Entry(key, value, Kind.ARRAY, _kind(value[0]))
    return Entry(key, value, _kind(value))


def _kind(value: Any) -> Kind:
    if isinstance(value, bool):
        return Kind.BOOL
    return Kind.UINT32 if isinstance(value, int) else Kind.FLOAT32 if isinstance(value, float) else Kind.STRING


def told(python: str, found: list[dict[str, Any]]) -> list[list[int] | None]:
    """The planner's answer to each row: None where its llama.cpp does not load the model."""
    with tempfile.TemporaryDirectory(prefix="known-") as folder:
        lines = []
        for number, row in enumerate(found):
            path, model = Path(folder) / f"{number}.gguf", model_from_config(row["config"])
            write_header_only(path, model, LEVELS[LEVEL], metadata(model, row.get("metadata", {})))
            lines.append(json.dumps({**_ASKED, "path": str(path)}))
        done = subprocess.run(
            [python, str(_PROGRAM)],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            timeout=600,
            check=True,
        )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [next(iter(answer.values())) if answer else None for answer in answers]


def main() -> None:
    """Ask of all rows and keep what is told; a row that llama.cpp does not load has none."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python")
    options, found = parser.parse_args(), rows()
    for row, answer in zip(found, told(options.python, found), strict=True):
        row.pop("told", None)
        if answer:
            row["told"] = answer
    FILE.write_text("[\n" + ",\n".join(json.dumps(row) for row in found) + "\n]\n", "utf-8")


if __name__ == "__main__":
    main()
