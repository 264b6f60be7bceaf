"""What a level is called: its format and its name, as two formats may use one name."""

from __future__ import annotations

from typing import NamedTuple

GGUF = "GGUF"


class LevelId(NamedTuple):
    """The identity of a level. `format` is "GGUF", a family of safetensors such as "gptq", or "published"."""

    format: str
    name: str

    def __str__(self) -> str:
        """As links say it where the name alone would not do: "GGUF:Q4_K_M"."""
        return f"{self.format}:{self.name}"
