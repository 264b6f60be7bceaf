"""What a level costs in quality, from published measurements.

>>> from advisor.quality import estimate_quality
>>> estimate_quality("llama-3.1-70b-instruct", "Q4_K_M", "math").kept
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache

from advisor.errors import InputError, one_line
from advisor.models.catalogue import find_model
from advisor.quality.estimator import KV_CACHE_NOTE, Basis, Estimator, ModelFacts, Quality
from advisor.quality.evidence import Evidence, evidence
from advisor.quality.levels import find_quality_level
from advisor.quality.tasks import DEMANDS, SCORED_TASKS, TASKS, Demand, find_task

__all__ = [
    "DEMANDS",
    "KV_CACHE_NOTE",
    "SCORED_TASKS",
    "TASKS",
    "Basis",
    "Demand",
    "Evidence",
    "ModelFacts",
    "Quality",
    "estimate_quality",
    "facts_of",
]


@cache
def _estimator() -> Estimator:
    return Estimator(evidence())


_level = lru_cache(4096)(find_quality_level)
_task = lru_cache(256)(find_task)


@cache
def facts_of(model_id: str) -> ModelFacts:
    """What the estimate needs to know of a catalogue model; raises InputError for an unknown id."""
    entry = find_model(model_id)
    moe = any("expert" in key for key in _keys(entry.config)) and entry.model.experts > 0
    return ModelFacts(
        id=entry.id,
        name=entry.name,
        family=entry.family,
        parameters=entry.parameters.counted,
        active_parameters=entry.model.active_parameters if moe else None,
        variant=entry.variant,
        moe=moe,
    )


def _keys(config: Mapping[str, object]) -> set[str]:
    """Every key of a config, those of nested sections too."""
    found = set(config)
    for value in config.values():
        if isinstance(value, dict):
            found |= _keys(value)
    return found


def estimate_quality(
    model: str | ModelFacts,
    level: str,
    task: str = "chat",
    format: str | None = None,
    bits_per_weight: float | None = None,
) -> Quality:
    """What `model` at `level` keeps of its 16-bit quality in `task`; see `Quality` for what the range means.

    `model` is a catalogue id or facts. `level` is the name of a GGUF or safetensors level or a publisher's spelling
    of one (`bnb-nf4`, `UD-Q2_K_XL`). A level of another name is placed by its `bits_per_weight` (file bits /
    parameters) among llama.cpp's k-quants. `format` only guards against a mix-up. The answer is the same for the
    same data; the first call fits the model to the data (about 0.3 s), later ones take microseconds.

    Raises InputError for an unknown model, level, task or impossible figures.
    """
    facts = facts_of(model) if isinstance(model, str) else model
    if not 1e6 <= facts.parameters <= 1e14 or not 0 < (facts.active_parameters or 1) <= facts.parameters:
        raise InputError(
            f"Model '{one_line(facts.name)}' cannot have {facts.parameters:g} parameters of which "
            f"{facts.active_parameters or facts.parameters:g} are active; give both as plain counts."
        )
    found = _level(level, bits_per_weight)
    if format is not None and (format == "gguf") != found.gguf and found.group:
        raise InputError(f"Level '{one_line(level)}' does not belong to the format '{one_line(format)}'.")
    return _estimator().estimate(facts, found, _task(task))
