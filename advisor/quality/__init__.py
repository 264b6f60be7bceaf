"""What a level costs in quality, from published measurements.

>>> from advisor.quality import estimate_quality
>>> estimate_quality("llama-3.1-70b-instruct", "Q4_K_M", "math").kept
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from advisor.foundation.compiled import of_the_program
from advisor.foundation.errors import InputError, one_line
from advisor.foundation.numbers import given
from advisor.models.catalogue import catalogue
from advisor.models.lookup import find_model
from advisor.quality.estimator import KV_CACHE_NOTE, Basis, Estimator, ModelFacts, Quality, fitted_to
from advisor.quality.evidence import Evidence, evidence
from advisor.quality.kept_fit import plain, thawed
from advisor.quality.level_groups import QualityLevel, find_quality_level
from advisor.quality.lineage import slug
from advisor.quality.measured_here import with_measured
from advisor.quality.tasks import DEMANDS, SCORED_TASKS, TASKS, Demand, find_task
from advisor.sources.local_measurements import LocalMeasurement

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
    "facts_of_row",
    "typically_kept",
]


@cache
def _estimator() -> Estimator:
    rows = evidence()
    return Estimator(rows, thawed(of_the_program("quality", lambda: plain(fitted_to(rows)))))


_LONGEST_NAME = 200

_level = lru_cache(4096)(find_quality_level)
_task = lru_cache(256)(find_task)


@cache
def _other_names() -> tuple[Mapping[str, str], Mapping[str, Evidence]]:
    """Catalogue ids by the slug of their Hub name, and a measurement of each model by the slug of its name."""
    by_hub_name = {slug(entry.hf_repo): model_id for model_id, entry in catalogue().items()}
    return by_hub_name, {slug(row.model): row for row in evidence()}


@lru_cache(4096)
def facts_of(model: str) -> ModelFacts:
    """What the estimate needs to know of a model of the catalogue or of the evidence.

    `model` is a catalogue id or the model's name on the Hub; raises InputError for an unknown one.
    """
    if model not in catalogue() and len(model) <= _LONGEST_NAME:
        by_hub_name, measured = _other_names()
        if (found := slug(model)) in by_hub_name:
            model = by_hub_name[found]
        elif found in measured and found not in catalogue():
            return facts_of_row(measured[found])
        elif found in catalogue():
            model = found
    entry = find_model(model)
    moe = any("expert" in key for key in _keys(entry.config)) and entry.model.experts > 0
    return ModelFacts(
        id=entry.id,
        name=entry.name,
        family=entry.family,
        parameters=entry.parameters.counted,
        active_parameters=entry.model.active_parameters if moe else None,
        variant=entry.variant,
        moe=moe,
        fp4_experts=entry.published_in_fp4,
    )


def facts_of_row(row: Evidence) -> ModelFacts:
    """The measured model's facts as its row states them."""
    active = row.active_parameters_b
    return ModelFacts(
        id=row.model,
        name=row.model,
        family=row.family,
        parameters=row.parameters_b * 1e9,
        active_parameters=active * 1e9 if active else None,
        variant=row.variant,
        moe=active is not None,
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
    level: str | QualityLevel,
    task: str = "chat",
    format: str | None = None,
    bits_per_weight: float | None = None,
    measured_here: Sequence[LocalMeasurement] = (),
) -> Quality:
    """What `model` at `level` keeps of its 16-bit quality in `task`; see `Quality` for what the range means.

    `model` is a catalogue id, a Hub name or facts. `level` is the name of a GGUF or safetensors level or a
    publisher's spelling of one (`bnb-nf4`, `UD-Q2_K_XL`), or a level as the evidence sees it. A level of another name
    is placed by its `bits_per_weight` (file bits / parameters) among llama.cpp's k-quants. `format` only guards
    against a mix-up. `measured_here`, of this very model and newest first, takes at the same level the place of
    estimated divergence and perplexity. The answer is the same for the same data; the first call fits the
    model to the data (about 0.3 s), later ones take microseconds.

    Raises InputError for an unknown model, level, task or impossible figures.
    """
    facts = facts_of(model) if isinstance(model, str) else model
    _check(facts)
    found = _level(level, bits_per_weight) if isinstance(level, str) else level
    if format is not None and (format == "gguf") != found.gguf and found.group:
        raise InputError(
            "Level '{found}' does not belong to the format '{format}'.",
            found=one_line(found.name),
            format=one_line(format),
        )
    chosen = _task(task)
    return with_measured(_estimator().estimate(facts, found, chosen), measured_here, found.name, chosen)


def typically_kept(facts: ModelFacts, level: str, task: str) -> float | None:
    """The typical value of what `estimate_quality` says that a level keeps, without what it rests on."""
    _check(facts)
    return _estimator().typical(facts, _level(level, None), _task(task))


def _check(facts: ModelFacts) -> None:
    if not 1e6 <= facts.parameters <= 1e14 or not 0 < (facts.active_parameters or 1) <= facts.parameters:
        raise InputError(
            "Model '{facts}' cannot have {parameters} parameters of which {active_parameters} are "
            "active; give both as plain counts.",
            facts=one_line(facts.name),
            parameters=given(facts.parameters),
            active_parameters=given(facts.active_parameters or facts.parameters),
        )
