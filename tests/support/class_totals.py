"""How many weights PyTorch finds in the classes of llama.cpp's converter: `tests/truth/class_totals.json`.

`python -m tests.support.class_totals PYTHON`, where PYTHON has transformers, PyTorch and Pillow, counts all rows anew.
A row says how its class is counted: `origin` is "default" for the config that transformers writes, `given` being what
it is made with, or "known:NAME" and "catalogue:ID" for real ones; `built` is the class of transformers that has its
tensors, mostly itself, and `section` the part of a real config that it takes. The model is built on the meta device,
without weights; tied ones count once. `parameters` is what a GGUF file of the text model holds: `total` without what is
`beside` it and with what is `held`. Where the code is in a repository alone, there is no `built`: the total is that of
`known_totals.json`, with its source, and `held` what the class has beside that model.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.models.catalogue import catalogue
from tests.support import known_totals
from tests.support.reference import TRUTH

FILE = Path(TRUTH) / "class_totals.json"
_PROGRAM = Path(__file__).with_name("class_totals_process.py")
Row = dict[str, Any]
# Weights that are no part of the text model, or that the converter drops or writes as metadata.
_BESIDE = {
    "vision": r"(^|\.)(vision_\w+|visual|embed_vision|vqmodel|generation_\w+|aligner|connector|merger)\.",
    "audio": r"(^|\.)(audio_\w+|embed_audio)\.|^model\.encoder\.",
    "projector": r"(^|\.)(multi_modal_projector|projector)\.",
    "pooler": r"(^|\.)pooler\.",
    "head for masked words": r"^(cls\.predictions|vocab_\w+|decoder|head)\.",
    "activation, in metadata": r"\.act_fn\.",
}
# Buffers that a GGUF file holds as tensors.
_HELD = r"e_score_correction_bias|layer_scalar|expert_bias"


def rows() -> list[Row]:
    """All of the table."""
    found: list[Row] = json.loads(FILE.read_text("utf-8"))
    return found


def config_of(row: Row) -> Row:
    """The config that a row's class is sized from."""
    kind, _, name = row["origin"].partition(":")
    if kind == "default":
        config: Mapping[str, Any] = row["config"]
    elif kind == "catalogue":
        config = catalogue()[name].config
    else:
        config = next(one["config"] for one in known_totals.rows() if one["name"] == name)
    return {**config, "architectures": [row["class"]]}


def counted(row: Row, answer: Row, version: str) -> Row:
    """The row with what transformers answered."""
    found: Row = {key: row[key] for key in ("class", "built", "origin", "given", "section") if key in row}
    if row["origin"] == "default":
        section = row.get("section")
        found["config"] = {section: answer["config"]} if section else answer["config"]
    weights, buffers = answer["weights"], answer["buffers"]
    beside = _beside(row, weights) + _padding(row, answer)
    held = Counter({_last(name): size for name, size in buffers.items() if re.search(_HELD, name)})
    held += _made(row, answer)
    total = sum(weights.values())
    own = "" if row["built"] == row["class"] else ", whose tensors it has"
    return found | {
        "total": total,
        "beside": dict(beside),
        "held": dict(held),
        "parameters": total - beside.total() + held.total(),
        "source": f"transformers {version}: {row['built']}{own}",
    }


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _beside(row: Row, weights: Mapping[str, int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, size in weights.items():
        for part, pattern in _BESIDE.items():
            if part == "head for masked words" and not row["class"].endswith("MaskedLM"):
                continue
            if re.search(pattern, name):
                found[part] += size
                break
    return found


def _padding(row: Row, answer: Row) -> Counter[str]:
    """RoBERTa's first positions are never used, and dropped."""
    config = answer["config"]
    if not re.match("XLMRoberta|Roberta|Camembert", row["built"]):
        return Counter()
    return Counter({"padding positions": (config["pad_token_id"] + 1) * config["hidden_size"]})


def _made(row: Row, answer: Row) -> Counter[str]:
    """What the file has and transformers' model has not.

    Gemma 3n: keys and values of layers that take others', which published files have; the converter adds rows to its
    table by layer, for as many tokens as the other has. Muse Glimmer: the converter writes its one factor of queries
    and keys as norms.
    """
    config = answer["config"].get("text_config", answer["config"])
    if row["built"].startswith("MuseGlimmer"):
        return Counter({"norms of queries and keys": 2 * config["num_hidden_layers"] * config["head_dim"]})
    if not row["built"].startswith("Gemma3n"):
        return Counter()
    head = config["head_dim"]
    inner = config["num_key_value_heads"] * head
    rows_left = config["vocab_size"] - config["vocab_size_per_layer_input"]
    return Counter(
        {
            "shared keys and values": config["num_kv_shared_layers"] * (2 * inner * config["hidden_size"] + head),
            "rows by layer": rows_left * config["num_hidden_layers"] * config["hidden_size_per_layer_input"],
        }
    )


def _key(row: Row) -> tuple[str, str]:
    return row["class"], row["origin"]


def main() -> None:
    """Count all rows anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python")
    table = rows()
    asked = [row for row in table if row.get("built")]
    lines = [
        {key: row[key] for key in ("built", "given", "section") if key in row}
        | ({} if row["origin"] == "default" else {"config": config_of(row)})
        for row in asked
    ]
    done = subprocess.run(
        [parser.parse_args().python, str(_PROGRAM)],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=900,
        check=True,
    )
    version, *answers = (json.loads(line[1:]) for line in done.stdout.splitlines() if line.startswith("@"))
    new = {
        (row["class"], row["origin"]): counted(row, answer, version) for row, answer in zip(asked, answers, strict=True)
    }
    totals = {f"known:{row['name']}": row for row in known_totals.rows()}
    for row in table:
        if not row.get("built"):
            total, held = totals[row["origin"]]["parameters"], row.get("held", {})
            new[_key(row)] = {
                "class": row["class"], "origin": row["origin"], "total": total, "beside": {}, "held": held,
                "parameters": total + sum(held.values()), "source": totals[row["origin"]]["source"],
            }  # fmt: skip
    FILE.write_text("[\n" + ",\n".join(json.dumps(new[_key(row)]) for row in table) + "\n]\n", "utf-8")


if __name__ == "__main__":
    main()
