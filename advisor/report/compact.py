"""The compact answer as JSON, `answer/1`: what scripts and agents read. A contract, in `schemas/answer.schema.json`.

Bytes are integers, a range is an object of low, typical and high, what is not known is null. Only what is shown is
worked out: quality, cost and the longest context of the chosen plan and of the choices beside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

from advisor.answer.answer import Answer, answer
from advisor.answer.assess import writes_text
from advisor.answer.candidate import Candidate
from advisor.answer.pinned import address, pinned_query
from advisor.answer.smaller_models import smaller_models
from advisor.answer.status import status_of
from advisor.foundation.data_release import data_release
from advisor.foundation.errors import InputError
from advisor.foundation.ranges import Range
from advisor.foundation.version import VERSION
from advisor.question.question import MAX_QUERY_LENGTH
from advisor.report.compact_money import money_document, region_notes
from advisor.report.from_answer import verdict_sentence
from advisor.report.gain import gain_sentence
from advisor.report.sizes import FORMAT
from advisor.runtimes.registry import runtime_by
from advisor.sizing.plan import DeviceMemory
from advisor.words import say, say_all

SCHEMA = "answer/1"
_DIGITS, _DECIMALS = 4, 4  # of estimates, which are never that exact
_MOST_BYTES, _BYTES_PER_DEVICE = 5000, 500  # 5 KB on two devices, 8 KB on eight
_VISIBLE_POINTS, _NOTICEABLE = 0.3, 1.1  # what people see of quality kept, and of anything they can count
_SAID = {
    "last resort": "That is a last resort: look at another model or a larger machine first.",
    "slow": "That is slower than people read.",
    "not as asked": "That is not as asked.",
}


def answer_document(found: Answer, query: str, *, whole_plans: bool = False) -> dict[str, Any]:
    """The compact answer; `query` is repeated as asked. With `whole_plans` choices carry whole plans."""
    shown = found.shown if found.candidates else None
    choices = list(_choices(found, shown, whole_plans)) if shown is not None else []
    document = {
        **_head(query),
        "error": None,
        "model": model_document(found),
        "machine": {"name": found.machine_name, "devices": [card.name for card in found.hardware.installed]},
        "decision": _decision(found, shown),
        "choices": [],
        "flips": [],
        "money": None if shown is None or shown.verdict == "does not fit" else money_document(shown, found),
        "notes": list(dict.fromkeys(say_all((*found.notes, *(shown.plan.notes if shown is not None else ()))))),
    }
    if document["money"] is not None and shown is not None:
        document["notes"] += region_notes(shown, found.question.costs.rent.region)
    document["choices"] = choices if whole_plans else _fitting(choices, document, len(found.memory.devices))
    return document


def _fitting(choices: list[Any], document: dict[str, Any], devices: int) -> list[Any]:
    """As many of the choices as keep the answer small."""
    left = _MOST_BYTES + _BYTES_PER_DEVICE * max(0, devices - 2) - _size(document)
    kept = []
    for choice in choices:
        left -= _size(choice) + 1
        if left < 0:
            break
        kept.append(choice)
    return kept


def _size(document: dict[str, Any]) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def refusal_document(query: str, error: dict[str, Any]) -> dict[str, Any]:
    """What stands for an answer where there is none; `error` has a kind ("input" or "internal") and a message."""
    return {
        **_head(query),
        "error": error,
        **dict.fromkeys(("model", "machine", "decision")),
        "choices": [],
        "flips": [],
        "money": None,
        "notes": [],
    }


def _head(query: str) -> dict[str, Any]:
    shown = query if len(query) <= MAX_QUERY_LENGTH else f"{query[:MAX_QUERY_LENGTH]}..."
    return {"schema": SCHEMA, "version": VERSION, "data_release": data_release(), "query": shown}


def model_document(found: Answer) -> dict[str, Any]:
    model = found.model
    return {
        "id": address(found.question.model, found.entry),
        "name": found.entry.name,
        "parameters": model.parameters,
        "active_parameters": model.active_parameters,
    }


def _decision(found: Answer, shown: Candidate | None) -> dict[str, Any]:
    status = "does not fit" if shown is None else _status(found, shown)
    sentence = verdict_sentence(found)
    if found.chosen is not None and status in _SAID:
        sentence = f"{sentence} {_SAID[status]}"
    return {
        "status": status,
        "leads": None,
        "sentence": sentence,
        "reasons": list(say_all(found.recommendation.reasons)),
        "plan": None if shown is None else plan_document(found, shown),
    }


def plan_document(found: Answer, candidate: Candidate) -> dict[str, Any]:
    """PLAN of the contract."""
    plan, speed, quality = candidate.plan, candidate.speed, candidate.quality
    writes = writes_text(found.entry, found.model)
    prefill = speed.prefill_tokens_per_s if speed is not None else None
    document = {
        **_which(found, candidate),
        "tensor_bytes": int(plan.sized.tensor_bytes),
        "missing_bytes": int(plan.missing_bytes),
        "memory": [_place(f"GPU {number}", device) for number, device in enumerate(plan.devices)]
        + [_place("host", plan.host)],
        "max_context": plan.max_context,
        "kv_tokens": plan.kv_tokens,
        "max_concurrency": None if plan.max_concurrency is None else figure(plan.max_concurrency),
        "served_share": None if plan.served_share is None else figure(plan.served_share),
        "quality_percent": _range(quality.kept),
        "quality_basis": quality.basis if quality.kept is not None else None,
        "tokens_per_s": _range(candidate.tokens_per_s) if writes else None,
        "total_tokens_per_s": _range(speed.total_decode_tokens_per_s) if speed is not None and writes else None,
        "prefill_tokens_per_s": _range(prefill),
        "first_token_s": _range(speed.time_to_first_token_s) if speed is not None and writes else None,
        "speed_basis": speed.basis if speed is not None else None,
        "query": pinned_query(found.question, found.entry, plan),
    }
    if not writes:
        tokens = found.question.workload.prompt
        document["inputs_per_s"] = None if prefill is None else _range(prefill.scaled(1 / tokens))
    return document


def brief_document(found: Answer, candidate: Candidate) -> dict[str, Any]:
    """BRIEF of the contract, without its status."""
    return {
        **_which(found, candidate),
        "max_context": candidate.plan.max_context,
        "quality_percent": _range(candidate.kept),
        "tokens_per_s": _range(candidate.tokens_per_s) if writes_text(found.entry, found.model) else None,
        "query": pinned_query(found.question, found.entry, candidate.plan),
    }


def _which(found: Answer, candidate: Candidate) -> dict[str, Any]:
    plan = candidate.plan
    runtime = runtime_by(plan.runtime)
    kinds, told = runtime.cache_types(plan), runtime.told(plan)
    return {
        "model_id": address(found.question.model, found.entry),
        "runtime": plan.runtime,
        "format": getattr(plan.sized, "format", FORMAT),
        "level": plan.level,
        "kv_type_k": kinds[0],
        "kv_type_v": kinds[1],
        "gpu_layers": told.get("gpu_layers"),
        "cpu_moe_layers": told.get("cpu_moe_layers"),
        "verdict": plan.verdict,
        "file_bytes": int(plan.sized.file_bytes),
    }


def _place(name: str, held: DeviceMemory) -> dict[str, Any]:
    return {
        "place": name,
        "capacity_bytes": None if held.capacity_bytes is None else int(held.capacity_bytes),
        "needed_bytes": int(held.needed_bytes),
        "weights_bytes": int(held.weights_bytes),
        "kv_cache_bytes": int(held.kv_cache_bytes),
        "compute_bytes": int(held.compute_bytes - held.passing_bytes),
        "passing_bytes": int(held.passing_bytes),
        "overhead_bytes": int(held.overhead_bytes),
        "other_bytes": int(held.draft_bytes),
    }


def _status(found: Answer, candidate: Candidate) -> str:
    return status_of(candidate, found.question.requirements, found.entry.license, writes_text(found.entry, found.model))


def _choices(found: Answer, shown: Candidate, whole_plans: bool) -> Iterator[dict[str, Any]]:
    """Another model where this one loses visibly; then today's alternatives that have something over the plan shown.

    One a role; a tight one is a choice only where nothing fits.
    """
    document = plan_document if whole_plans else brief_document
    for there, gain in islice(_other_models(found), 1):
        plan = document(there, there.shown) | {"status": _status(there, there.shown)}
        yield {"role": "other model", "gain": gain, "plan": plan}
    by_level = {candidate.level: candidate for candidate in found.candidates}
    taken = {""}
    for other in found.recommendation.alternatives:
        candidate = by_level[other.level]
        if candidate.verdict == "does not fit" or (shown.plan.fits and not candidate.plan.fits):
            continue
        if (role := _role(candidate, shown)) not in taken:
            taken.add(role)
            plan = document(found, candidate) | {"status": _status(found, candidate)}
            yield {"role": role, "gain": gain_sentence(role, candidate, shown, say(other.reason)), "plan": plan}


def _other_models(found: Answer) -> Iterator[tuple[Answer, str]]:
    """The same question about each model suggested instead, at the level it is suggested at, and why it is."""
    for other in smaller_models(found):
        changed = {"model": other.model_id, "level": other.level, "runtime": found.runtime, "context_used": None}
        try:
            yield answer(found.question.with_values(**changed), today=found.today), say(other.reason)
        except InputError:
            continue


def _role(candidate: Candidate, shown: Candidate) -> str:
    """What the candidate visibly has over the one shown, by its figures; "" where that is nothing."""
    kept, against = candidate.kept, shown.kept
    if kept is not None and against is not None and kept.typical >= against.typical + _VISIBLE_POINTS:
        return "better quality"
    if candidate.plan.max_context >= shown.plan.max_context * _NOTICEABLE and candidate.plan.max_context:
        return "longer context"
    speed, usual = candidate.tokens_per_s, shown.tokens_per_s
    if speed is not None and usual is not None and speed.typical >= usual.typical * _NOTICEABLE:
        return "faster"
    return ""


def _range(estimate: Range | None) -> dict[str, float | int] | None:
    if estimate is None:
        return None
    return {"low": figure(estimate.low), "typical": figure(estimate.typical), "high": figure(estimate.high)}


def figure(value: float) -> float | int:
    """An estimate with four digits, four decimals at most: a number that JSON prints without an exponent."""
    if not value:
        return 0
    decimals = max(0, min(_DECIMALS, _DIGITS - 1 - math.floor(math.log10(abs(value)))))
    rounded = round(value, decimals)
    return int(rounded) if rounded == int(rounded) else rounded
