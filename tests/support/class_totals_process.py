"""Run by a Python with transformers and PyTorch: the tensors of models on the meta device, one question a line.

A question has `built`, the class; `config`, a real one, or none for the class's default, made with `given`; and
`section`, the part of a real config that the class takes. The answer has the config as transformers writes it, and how
many weights and buffers there are by name, with `#` for numbers; tied weights count once.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch
import transformers


def _by_name(tensors: Iterable[tuple[str, Any]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for name, tensor in tensors:
        found[re.sub(r"\.\d+(?=\.|$)", ".#", name)] += tensor.numel()
    return dict(found)


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    kind = getattr(transformers, asked["built"])
    real = asked.get("config")
    if real is None:
        config = kind.config_class(**asked.get("given", {}))
    else:
        part = real.get(asked.get("section", ""), real)
        config = kind.config_class.from_dict({**part, **asked.get("given", {})})
    written = json.loads(config.to_json_string(use_diff=True))
    config._attn_implementation = "eager"
    with torch.device("meta"):
        model = kind(config)
    model.tie_weights()
    kept = model.state_dict()
    buffers = [(name, tensor) for name, tensor in model.named_buffers() if name in kept]
    return {"config": written, "weights": _by_name(model.named_parameters()), "buffers": _by_name(buffers)}


def main() -> None:
    transformers.logging.set_verbosity_error()
    sys.stdout.write("@" + json.dumps(transformers.__version__) + "\n")
    for line in sys.stdin:
        sys.stdout.write("@" + json.dumps(_answer(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
