"""Blueprints: from a `config.json` to a model, per architecture.

A blueprint composes the blocks of `advisor.models.mixers` and `advisor.models.feed_forward`; it holds no
sizes of its own. Of an architecture without one the usual decoder is assumed only where every key of its config is one
of that decoder's, and the model says so; else it is named as unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from advisor.foundation.errors import InputError, one_line
from advisor.models.blueprints.common import REGISTRY
from advisor.models.blueprints.usual import usual_decoder
from advisor.models.config import Config
from advisor.models.mistral_params import config_of_params
from advisor.models.model import Model, Names
from advisor.models.refused import REFUSED
from advisor.models.tower import tower_of
from advisor.models.wrappers import Inner, inner_of, parts_left_out

__all__ = ["known_architectures", "known_to_nobody", "model_from_config", "names_of"]


def known_architectures() -> list[str]:
    return sorted(REGISTRY.files())


def model_from_config(raw: Mapping[str, Any]) -> Model:
    """The model a `config.json` describes: of a wrapper the text model within, with what is known of the parts beside.

    Raises InputError, in one sentence, for an unknown architecture or for a missing or implausible field.
    """
    Config(raw)  # which refuses what is no object
    return replace(_model(config_of_params(raw)), names=names_of(raw))


def names_of(raw: Mapping[str, Any]) -> Names | None:
    """What a config calls its model; None where it does not say."""
    classes, kind = raw.get("architectures"), raw.get("model_type")
    first = classes[0] if isinstance(classes, list) and classes and isinstance(classes[0], str) else ""
    kind = kind if isinstance(kind, str) else ""
    return Names(first[:200], kind[:200]) if first or kind else None


def _model(raw: Mapping[str, Any]) -> Model:
    config = Config(raw)
    name = config.architecture
    inner: Inner | None = None
    if name not in REGISTRY:
        inner = inner_of(raw, name, REGISTRY)
        if inner is None:
            if name not in REFUSED and (usual := usual_decoder(raw)) is not None:
                return usual
            raise _unknown(name)
        config = Config(inner.config)
    name = config.architecture
    model = _built(name, config)
    tower = tower_of(raw, model.width)
    if tower is not None:
        model = replace(model, tower=tower)
    if inner is None:
        return model
    model = model if inner.labels is None else model.with_scores(inner.labels)
    return replace(model, notes=(*model.notes, *parts_left_out(inner, tower is not None)))


def known_to_nobody(raw: Mapping[str, Any]) -> bool:
    """Whether no blueprint is for a config's architecture; raises InputError where it names none."""
    name = Config(raw).architecture
    return name not in REGISTRY and inner_of(raw, name, REGISTRY) is None


def _unknown(name: str) -> InputError:
    shown = one_line(name, 80)
    if (why := REFUSED.get(name)) is not None:
        return InputError(
            "Architecture '{architecture}' is not sized from its config alone: {why}. Give a GGUF file of it, whose "
            "header says enough.",
            architecture=shown,
            why=why,
        )
    return InputError(
        "Architecture '{architecture}' is not known to this version. Give a GGUF file of it, or a repository with GGUF "
        "or safetensors files: what their headers say is enough.",
        architecture=shown,
    )


def _built(name: str, config: Config) -> Model:
    try:
        return REGISTRY[name](config)
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # Lists and nested objects of a config can be malformed in more ways than it pays to name one by one.
        reason = f"{type(error).__name__}: {one_line(error, 80)}"
        raise InputError(
            "config.json: a field of this {name} has an unexpected form ({reason}).",
            name=one_line(name, 80),
            reason=reason,
        ) from None
