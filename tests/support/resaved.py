"""Configs of the catalogue as transformers saves them again: `python -m tests.support.resaved PYTHON`, where PYTHON has
transformers (PyTorch is not needed), writes `tests/truth/resaved_configs.json`.

Its configuration classes read a publisher's config and write their own: keys renamed, lists of layers' kinds in the
place of patterns, what is the class's default left out. Whoever fine-tunes a model publishes such a config.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

from advisor.models.catalogue import catalogue
from tests.support.reference import TRUTH

FILE = Path(TRUTH) / "resaved_configs.json"
# One of each family whose keys transformers renames, and a few whose it does not.
MODELS = (
    *("qwen3-30b-a3b", "qwen3-vl-30b-a3b-instruct", "qwen3.5-35b-a3b", "qwen3-8b", "llama-3.1-8b-instruct"),
    *("gemma-4-31b-it", "gemma-4-e2b-it", "gemma-4-12b-it", "gemma-3n-e4b-it", "gemma-3-12b-it"),
    *("mistral-small-3.1-24b-instruct-2503", "mistral-small-4-119b-2603", "ministral-3-8b-instruct-2512"),
    "mixtral-8x7b-instruct-v0.1",
    *("deepseek-v4-flash", "deepseek-v3", "minimax-m3", "mimo-v2-flash", "north-mini-code-1.0", "gpt-oss-20b"),
    *("granite-4.0-h-small", "nemotron-3-nano-30b-a3b", "lfm2-8b-a1b", "glm-4.5-air", "olmoe-1b-7b-0125-instruct"),
)  # fmt: skip
_PROGRAM = """
import json, sys
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
transformers.logging.set_verbosity_error()
for line in sys.stdin:
    raw = json.loads(line)
    kind = getattr(transformers, CONFIG_MAPPING_NAMES[raw["model_type"]])
    saved = json.loads(kind.from_dict(raw).to_json_string(use_diff=True))
    print("@" + json.dumps({"architectures": raw["architectures"], **saved}))
"""


def rows() -> dict[str, dict[str, Any]]:
    """Configs by the catalogue's id."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
    return found


def main() -> None:
    """Have all of them saved again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python")
    asked = "".join(json.dumps(catalogue()[name].config) + "\n" for name in MODELS)
    done = subprocess.run(
        [parser.parse_args().python, "-c", _PROGRAM],
        input=asked,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    saved = [line[1:] for line in done.stdout.splitlines() if line.startswith("@")]
    lines = (f"{json.dumps(name)}: {text}" for name, text in zip(MODELS, saved, strict=True))
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
