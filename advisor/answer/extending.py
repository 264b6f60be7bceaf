"""A context beyond what the model was trained for: whether it can be asked for, and what that means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from advisor.models.model import Model
from advisor.question.configuration import AUTO, Workload
from advisor.runtimes.extension import Extension, Scaling
from advisor.sources.resolved import ResolvedModel

MOST_TIMES = 8  # as far as publishers and papers stretch positions without training; beyond, nobody measures anything
_SCALINGS: dict[str, Scaling] = {AUTO: "yarn", "yarn": "yarn", "linear": "linear", "none": "none"}
_KEPT = ("rope_theta", "partial_rotary_factor", "mrope_section", "mrope_interleaved")


def can_extend(model: Model) -> bool:
    """Whether its positions are such that they can be stretched."""
    return model.causal and any(mixer.rotary_size for mixer in model.mixers)


def most_context(model: Model) -> int | None:
    """The longest context that can be asked for; None: any."""
    if model.context_length is None:
        return None
    return model.context_length * (MOST_TIMES if can_extend(model) else 1)


def extension_of(work: Workload, entry: ResolvedModel, model: Model) -> Extension | None:
    """What is to be told beside the context; None where the model knows so much."""
    trained = model.context_length
    if trained is None or work.context <= trained:
        return None
    config = _config(entry)
    nested = isinstance(config.get("text_config"), Mapping)
    text = config["text_config"] if nested else config
    rope = text.get("rope_parameters") or text.get("rope_scaling") or {}
    own_kind = str(rope.get("rope_type", rope.get("type", ""))) if isinstance(rope, Mapping) else ""
    original = rope.get("original_max_position_embeddings") if own_kind == "yarn" else None
    return Extension(
        scaling=_SCALINGS[work.rope_scaling],
        context=work.context,
        trained=trained,
        original=original if isinstance(original, int) and 0 < original <= trained else trained,
        architecture=model.architecture,
        published=_published(text, rope),
        nested=nested,
    )


def _config(entry: ResolvedModel) -> Mapping[str, Any]:
    if entry.entry is not None:
        return entry.entry.config
    found = entry.repository.config if entry.repository is not None else None
    return found if found is not None else {}


def _published(text: Mapping[str, Any], rope: Any) -> str | None:
    """What stays of the publisher's figures, None where layers of several kinds have figures of their own."""
    if not isinstance(rope, Mapping) or any(isinstance(value, Mapping) for value in rope.values()):
        return None
    kept = {key: rope.get(key, text.get(key)) for key in _KEPT}
    return None if kept["rope_theta"] is None else json.dumps({k: one for k, one in kept.items() if one is not None})
