"""Blueprints: from a `config.json` to a model, per architecture.

A blueprint composes the blocks of `advisor.models.mixers` and `advisor.models.feed_forward`; it holds no
sizes of its own. An architecture without a blueprint is named as unknown, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from advisor.foundation.errors import InputError, one_line
from advisor.models.blueprints.common import REGISTRY
from advisor.models.config import Config
from advisor.models.model import Model
from advisor.models.tower import tower_of

__all__ = ["known_architectures", "model_from_config"]

for _family in iter_modules(__path__):  # importing a family registers its blueprints
    import_module(f"{__name__}.{_family.name}")


def known_architectures() -> list[str]:
    return sorted(REGISTRY)


def model_from_config(raw: Mapping[str, Any]) -> Model:
    """The model a `config.json` describes.

    Raises InputError, in one sentence, for an unknown architecture or for a missing or implausible field.
    """
    config = Config(raw)
    blueprint = REGISTRY.get(config.architecture)
    if blueprint is None:
        raise InputError(
            "Architecture '{architecture}' is not known to this version.",
            architecture=one_line(config.architecture, 80),
        )
    try:
        model = blueprint(config)
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # Lists and nested objects of a config can be malformed in more ways than it pays to name one by one.
        name, reason = one_line(config.architecture, 80), f"{type(error).__name__}: {one_line(error, 80)}"
        raise InputError(
            "config.json: a field of this {name} has an unexpected form ({reason}).", name=name, reason=reason
        ) from None
    tower = tower_of(raw, model.width)
    return model if tower is None else replace(model, tower=tower)
