"""Reading a publisher's `config.json`: every number is checked and bounded before it is believed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from advisor.foundation.errors import InputError
from advisor.models.renamed import as_published

MAX_DIMENSION = (
    1 << 24
)  # the largest real one is a vocabulary of about 2**18 rows; n-gram tables reach 2**29 and say so
MAX_LAYERS = 2048
MAX_EXPERTS = 65536
# Wrappers of vision-language models keep the language model's fields one level down.
_TEXT_SECTIONS = ("text_config", "language_config", "llm_config")


class Config:
    """The language-model fields of a `config.json`, flattened and typed.

    Getters raise InputError with one sentence that names the key; `default=...` makes a key optional.
    """

    def __init__(self, raw: Mapping[str, Any]):
        if not isinstance(raw, Mapping):
            raise InputError("config.json must hold one JSON object with the model's fields.")
        self.raw = raw
        text: dict[str, Any] = {}
        for section in _TEXT_SECTIONS:
            if isinstance(raw.get(section), Mapping):
                text = dict(raw[section])
                break
        self._text_ties = text.get("tie_word_embeddings")
        self.values = as_published({**raw, **{key: value for key, value in text.items() if value is not None}})

    def get(self, key: str, default: Any = None) -> Any:
        value = self.values.get(key)
        return default if value is None else value

    def has(self, key: str) -> bool:
        return self.values.get(key) is not None

    def integer(self, *keys: str, default: int | None = None, low: int = 1, high: int = MAX_DIMENSION) -> int:
        """The first of `keys` that is present, as an integer within `low`..`high`."""
        for key in keys:
            value = self.values.get(key)
            if value is not None:
                return _bounded(key, value, low, high)
        if default is None:
            raise InputError("config.json lacks '{keys}', which this architecture needs.", keys=keys[0])
        return default

    def layers(self) -> int:
        return self.integer("num_hidden_layers", "n_layer", "n_layers", "num_layers", high=MAX_LAYERS)

    def experts(self, *keys: str, default: int | None = None) -> int:
        """A number of experts; 0, which says that there are none, only where `default` makes them optional."""
        return self.integer(*keys, default=default, low=1 if default is None else 0, high=MAX_EXPERTS)

    def flag(self, *keys: str, default: bool = False) -> bool:
        for key in keys:
            value = self.values.get(key)
            if value is not None:
                if not isinstance(value, bool):
                    raise InputError("config.json: '{name}' must be true or false.", name=key)
                return value
        return default

    def text(self, key: str, default: str = "") -> str:
        value = self.get(key, default)
        if not isinstance(value, str):
            raise InputError("config.json: '{name}' must be a text.", name=key)
        return value

    def section(self, key: str) -> Mapping[str, Any]:
        value = self.get(key, {})
        if not isinstance(value, Mapping):
            raise InputError("config.json: '{name}' must be an object.", name=key)
        return value

    def sequence(self, key: str, length: int | None = None) -> Sequence[Any]:
        """A list; with `length`, one entry per layer is demanded."""
        value = self.get(key)
        if value is None:
            raise InputError("config.json lacks '{name}', which this architecture needs.", name=key)
        if not isinstance(value, list) or len(value) > 8 * MAX_LAYERS:
            raise InputError("config.json: '{name}' must be a list.", name=key)
        if length is not None and len(value) < length:
            raise InputError(
                "config.json: '{name}' has {count} entries, but the model has {length} layers.",
                name=key,
                count=len(value),
                length=length,
            )
        return value if length is None else value[:length]

    def layer_types(self, layers: int) -> Sequence[str]:
        types = self.sequence("layer_types", layers)
        if not all(isinstance(item, str) for item in types):
            raise InputError("config.json: 'layer_types' must be a list of texts.")
        return types

    @property
    def architecture(self) -> str:
        """The transformers class name; the wrapper's when there is one."""
        names = self.raw.get("architectures")
        if isinstance(names, list) and names and isinstance(names[0], str):
            return names[0]
        model_type = self.raw.get("model_type")
        if isinstance(model_type, str) and model_type:
            return model_type
        raise InputError("config.json names no architecture: 'architectures' and 'model_type' are both missing.")

    @property
    def context_length(self) -> int | None:
        for key in ("max_position_embeddings", "max_sequence_length", "n_positions", "seq_length", "model_max_length"):
            if self.has(key):
                return self.integer(key, high=1 << 31)
        return None

    def tied(self, default: bool = False) -> bool:
        """Whether input and output embeddings are one matrix; the class default differs by family.

        Where a wrapper says one thing and its text model another, one of them is a default that nobody meant: a
        matrix too many is counted then rather than one too few.
        """
        said = [one for one in (self.raw.get("tie_word_embeddings"), self._text_ties) if isinstance(one, bool)]
        return all(said) if said else self.flag("tie_word_embeddings", default=default)


def integer_in(section: Mapping[str, Any], key: str, low: int = 1, high: int = MAX_DIMENSION) -> int:
    """Like `Config.integer`, for a nested object."""
    if section.get(key) is None:
        raise InputError("config.json lacks '{name}', which this architecture needs.", name=key)
    return _bounded(key, section[key], low, high)


def _bounded(key: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError("config.json: '{name}' must be a whole number.", name=key)
    if not math.isfinite(value) or value != int(value):
        raise InputError("config.json: '{name}' must be a whole number.", name=key)
    if not low <= value <= high:
        raise InputError(
            "config.json: '{name}' is {value:,}, outside the plausible range {low:,} to {high:,}.",
            name=key,
            value=int(value),
            low=low,
            high=high,
        )
    return int(value)
