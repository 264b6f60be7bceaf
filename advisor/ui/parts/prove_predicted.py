"""What the advisor says about a level before it is measured. Knows no Streamlit."""

from __future__ import annotations

import csv
import socket
from collections.abc import Mapping
from functools import cache
from typing import Any

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import AdvisorError, InputError
from advisor.foundation.ranges import Range
from advisor.machines.catalogue import machine
from advisor.machines.detect import detect
from advisor.models.catalogue import catalogue
from advisor.models.model import Model
from advisor.quality import ModelFacts, estimate_quality, facts_of
from advisor.quantize import tinylm
from advisor.quantize.allowed import QuantizeSettings
from advisor.quantize.memory_growth import MEASURED_CONTEXT
from advisor.quantize.predicted import Predicted
from advisor.quantize.run_request import TRY_IT_NOW
from advisor.quantize.runs import Run
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Memory
from advisor.sizing.placement import place
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings
from advisor.speed.backends import default_backend
from advisor.speed.estimate import Speed, estimate_speed
from advisor.speed.load import gguf_load
from advisor.ui.parts.prove_sources import model_of

# The smallest model with published measurements has 490 M: nothing is said of far smaller ones, whose speed
# is that of everything but the weights.
_LEAST_PARAMETERS = 300e6
_DIVERGENCE, _PERPLEXITY = 0.1, 0.35  # margins: a part of the text moves perplexity more
_SAME_TOP = 0.02
_NOISE = 0.002  # of perplexity, between two engines


def predicted_of(run: Run, result: Mapping[str, Any], settings: QuantizeSettings) -> Predicted:
    """All that can be said about one level of a run; `result` says how it was made."""
    file_bytes = result.get("predicted_file_bytes")
    try:
        model = model_of(run.request, settings)
    except (AdvisorError, OSError):  # the source may be gone or no longer allowed
        model = None
    if model is None:
        return Predicted(file_bytes=file_bytes)
    level, imatrix = str(result["level"]), bool(result.get("imatrix"))
    if not model.causal:
        return Predicted(size_level(model, LEVELS[level], imatrix).tensor_bytes, file_bytes)
    divergence, perplexity, same_top = _quality(run, model, level, imatrix)
    if run.request.method != "gguf":
        return Predicted(
            tensor_bytes=result["predicted_tensor_bytes"], kl_divergence=divergence, perplexity_increase=perplexity
        )
    # The catalogue's processor is that of this machine, which need not be the worker's.
    here = run.worker.startswith(f"{socket.gethostname()[:40]}:")
    speed = _speed(model, level, imatrix) if here and model.parameters >= _LEAST_PARAMETERS else None
    return Predicted(
        tensor_bytes=size_level(model, LEVELS[level], imatrix).tensor_bytes,
        file_bytes=file_bytes,
        memory_bytes=_memory(model, level, imatrix),
        kl_divergence=divergence,
        perplexity_increase=perplexity,
        same_top=same_top,
        prefill_per_s=speed.prefill_tokens_per_s if speed else None,
        decode_per_s=speed.decode_tokens_per_s if speed else None,
    )


def _quality(run: Run, model: Model, level: str, imatrix: bool) -> tuple[Range | None, Range | None, Range | None]:
    """KL divergence, how much higher the perplexity is (a fraction), and how often the first choice is the same."""
    if run.request.source == "tinylm":
        enough = run.request.chunks >= TRY_IT_NOW.chunks and not run.request.text
        return _recorded().get((level, imatrix), (None, None, None)) if enough else (None, None, None)
    if model.parameters < _LEAST_PARAMETERS:
        return None, None, None
    facts = _facts(run, model)
    kept = estimate_quality(facts, level, "perplexity").kept
    increase = None if kept is None else Range(100 / kept.high - 1, 100 / kept.typical - 1, 100 / kept.low - 1)
    return estimate_quality(facts, level).kld, increase, None


@cache
def _recorded() -> Mapping[tuple[str, bool], tuple[Range, Range, Range]]:
    """The tiny model by level and matrix, as llama.cpp's own programs measured it over the whole text."""
    found = {}
    with tinylm.RESULTS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["method"] == "llama-quantize" and row["same_top_pct"]:
                increase = float(row["ppl"]) / float(row["ppl_base"]) - 1
                same = float(row["same_top_pct"]) / 100
                found[row["level"], row["imatrix"] == "1"] = (
                    _around(float(row["kld_mean"]), _DIVERGENCE), _around(increase, _PERPLEXITY, _NOISE),
                    Range(max(0.0, same - _SAME_TOP), same, min(1.0, same + _SAME_TOP)),
                )  # fmt: skip
    return found


def _around(value: float, share: float, least: float = 0.0) -> Range:
    margin = max(share * abs(value), least)
    return Range(value - margin, value, value + margin)


def _facts(run: Run, model: Model) -> ModelFacts:
    known = {entry.hf_repo for entry in catalogue().values()}
    if run.request.source == "hub" and run.request.location in known:
        return facts_of(run.request.location)
    active = model.active_parameters if model.experts else None
    name = run.request.name
    return ModelFacts(name, name, "", model.parameters, active, variant="base", moe=bool(model.experts))


def _context(model: Model) -> int:
    return min(model.context_length or MEASURED_CONTEXT, MEASURED_CONTEXT)


def _memory(model: Model, level: str, imatrix: bool) -> int:
    """Weights, KV cache and buffers on the CPU."""
    settings = Settings(_context(model))
    memory = Memory((), None)
    (plan,) = LLAMA_CPP.plan(PlanRequest(model, memory, settings, stored=Levels(LEVELS[level].id, imatrix=imatrix)))
    return plan.host.needed_bytes


@kept_beside
def _speed(model: Model, level: str, imatrix: bool) -> Speed | None:
    """On this machine's CPU, where it is one of the catalogue."""
    try:
        here = machine(detect().cpu.machine)
    except InputError:
        return None
    context = _context(model)
    settings = Settings(context)
    placement = place(len(model.layers), ())
    load = gguf_load(model, LEVELS[level], placement, settings=settings, prompt_tokens=context, imatrix=imatrix)
    return estimate_speed(load, (here,), default_backend(here))
