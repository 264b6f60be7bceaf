"""A context beyond what a model was trained for: how its positions are stretched, and how programs are told."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Literal

from advisor.foundation.numbers import bare

Scaling = Literal["none", "linear", "yarn"]


@dataclass(frozen=True, slots=True)
class Extension:
    """`context` tokens for a model that knows `trained`; its positions were `original` before any scaling of its own.

    `published` are what the publisher says of its rotary positions and stays (JSON), None where that is not known.
    `nested` says that its config keeps them under `text_config`, `architecture` is llama.cpp's name for it.
    """

    scaling: Scaling
    context: int
    trained: int
    original: int
    architecture: str
    published: str | None = None
    nested: bool = False

    @property
    def factor(self) -> float:
        """How many times as far positions reach, rounded up."""
        return math.ceil(100 * self.context / self.original) / 100

    def config_overrides(self, key: str) -> str | None:
        """Changes to a `config.json` as JSON, with the scaling under `key`; None where its own is not known."""
        if self.scaling == "none" or self.published is None:
            return None
        scaled: dict[str, object] = {**json.loads(self.published), "rope_type": self.scaling, "factor": self.factor}
        told: dict[str, object] = {key: scaled}
        if self.scaling == "yarn":  # whose length in the config is the stretched one
            scaled["original_max_position_embeddings"] = self.original
            told["max_position_embeddings"] = self.context
        return json.dumps({"text_config": told} if self.nested else told)

    def llama_cpp_options(self) -> tuple[object, ...]:
        """Options of llama.cpp, which without YaRN serves no more than what the file says unless that is changed."""
        length = ("--override-kv", f"{self.architecture}.context_length=int:{self.context}")
        match self.scaling:
            case "yarn":
                scale = bare(self.factor)
                return ("--rope-scaling", "yarn", "--rope-scale", scale, "--yarn-orig-ctx", self.original)
            case "linear":
                return ("--rope-scaling", "linear", "--rope-scale", bare(self.factor), *length)
            case "none":
                return length
