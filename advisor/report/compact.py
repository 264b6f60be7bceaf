"""The compact answer as JSON, `answer/1`: what scripts and agents read. A contract, in `schemas/answer.schema.json`.

Bytes are integers, a range is an object of low, typical and high, what is not known is null. Only what is shown is
worked out: quality, cost and the longest context of the chosen plan and of the choices beside it.
"""

from __future__ import annotations

import json
import math
from typing import Any

from advisor.answer.answer import Answer
from advisor.answer.assess import writes_text
from advisor.answer.choices import Choice, choices
from advisor.answer.flips import Flip, flips
from advisor.answer.option import Option
from advisor.answer.pinned import address, pinned_query
from advisor.answer.reasons import reasons
from advisor.answer.verdict import leading, verdict
from advisor.foundation.data_release import data_release
from advisor.foundation.ranges import Range
from advisor.foundation.version import VERSION
from advisor.quality.scale import Beside
from advisor.question.question import MAX_QUERY_LENGTH
from advisor.report.compact_money import money_document, region_notes
from advisor.report.sizes import FORMAT
from advisor.sizing.plan import DeviceMemory
from advisor.sizing.runtime_id import RuntimeId
from advisor.words import say, say_all

SCHEMA = "answer/1"
_DIGITS, _DECIMALS = 4, 4  # of estimates, which are never that exact
_MOST_BYTES, _BYTES_PER_DEVICE = 5000, 500  # 5 KB on two devices, 8 KB on eight
_FEWEST_REASONS = 3


def answer_document(
    found: Answer, query: str, *, whole_plans: bool = False, with_flips: bool = False
) -> dict[str, Any]:
    """The compact answer; `query` is repeated as asked. With `whole_plans` choices and flips carry whole plans; with
    `with_flips` what would change it is asked, at the cost of several searches.
    """
    shown = found.shown
    document = {
        **_head(query),
        "error": None,
        "model": model_document(found),
        "machine": {"name": found.machine_name, "devices": [card.name for card in found.hardware.installed]},
        "decision": _decision(found),
        "choices": [],
        "flips": [],
        "money": None if shown.verdict == "does not fit" else money_document(shown, found),
        "notes": list(dict.fromkeys(say_all((*found.notes, *shown.plan.notes)))),
    }
    if document["money"] is not None:
        document["notes"] += region_notes(shown, found.question.costs.rent.region)
    beside = [_choice(choice, whole_plans) for choice in choices(found)]
    document["choices"] = beside if whole_plans else _fitting(beside, document, len(found.memory.devices))
    if with_flips:
        document["flips"] = [_flip(flip, whole_plans) for flip in flips(found)]
    return document


def _fitting(choices: list[Any], document: dict[str, Any], devices: int) -> list[Any]:
    """As many of the choices as keep the answer small; rather than one of them the last reasons are left out of
    `document`. A choice that leads is the answer, and one reason for the plan of the model asked for is then enough.
    """
    most = _MOST_BYTES + _BYTES_PER_DEVICE * max(0, devices - 2)
    decision = document["decision"]
    _shorten(decision["reasons"], _FEWEST_REASONS, document, choices, most)
    if decision["leads"] is not None:
        _shorten(decision["reasons"], 1, document, choices[:1], most)
    left = most - _size(document)
    kept: list[Any] = []
    for choice in choices:
        left -= _size(choice) + 1
        if left < 0:
            break
        kept.append(choice)
    return kept


def _shorten(reasons: list[str], fewest: int, document: dict[str, Any], choices: list[Any], most: int) -> None:
    """Drop the last reasons of `document` until these choices have room in it."""
    needed = sum(_size(choice) + 1 for choice in choices)
    while len(reasons) > fewest and _size(document) + needed > most:
        reasons.pop()


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


def _decision(found: Answer) -> dict[str, Any]:
    other = leading(found)
    return {
        "status": found.status,
        "leads": None if other is None else other.entry.id,
        "sentence": say(verdict(found)),
        "reasons": list(say_all(reasons(found))),
        "plan": plan_document(found, found.decided),
    }


def _choice(choice: Choice, whole_plans: bool) -> dict[str, Any]:
    plan = _plan(choice.found, choice.option, whole_plans)
    said = {"role": choice.role, "gain": say(choice.gain), "plan": plan}
    return said if choice.scores is None or not whole_plans else said | {"scores": _scores(choice.scores)}


def _scores(beside: Beside) -> dict[str, Any]:
    """The published scores that show best how another model stands to the one asked for."""
    row = beside.one
    return {
        "task": row.task,
        "benchmark": row.benchmark,
        "unit": row.unit,
        "score": row.score,
        "instead": beside.other.score,
        "source": row.source,
        "source_url": row.source_url,
        "as_of": row.as_of,
    }


def _flip(flip: Flip, whole_plans: bool) -> dict[str, Any]:
    there = flip.found
    return {
        "change": flip.change,
        "at": figure(flip.at),
        "unit": flip.unit,
        "ask": flip.question.to_query(),
        "plan": None if there is None or there.status == "does not fit" else _plan(there, there.decided, whole_plans),
        "sentence": say(flip.sentence),
    }


def _plan(found: Answer, option: Option, whole: bool) -> dict[str, Any]:
    document = plan_document if whole else brief_document
    return document(found, option) | {"status": option.status}


def plan_document(found: Answer, option: Option) -> dict[str, Any]:
    """PLAN of the contract."""
    candidate = option.candidate
    plan, speed, quality = candidate.plan, candidate.speed, candidate.quality
    writes = writes_text(found.entry, found.model)
    prefill = speed.prefill_tokens_per_s if speed is not None else None
    document = {
        **_which(found, option),
        "tensor_bytes": int(plan.sized.tensor_bytes),
        "missing_bytes": int(plan.missing_bytes),
        "memory": [_place(f"GPU {number}", device) for number, device in enumerate(plan.devices)]
        + [_place("host", plan.host)],
        "max_context": plan.max_context,
        "kv_tokens": plan.kv_tokens,
        "max_concurrency": None if plan.max_concurrency is None else figure(plan.max_concurrency),
        "served_share": None if plan.served_share is None else figure(plan.served_share),
        "quality_percent": range_document(quality.kept),
        "quality_basis": quality.basis if quality.kept is not None else None,
        "tokens_per_s": range_document(candidate.tokens_per_s) if writes else None,
        "total_tokens_per_s": range_document(speed.total_decode_tokens_per_s) if speed is not None and writes else None,
        "prefill_tokens_per_s": range_document(prefill),
        "first_token_s": range_document(speed.time_to_first_token_s) if speed is not None and writes else None,
        "speed_basis": speed.basis if speed is not None else None,
        "query": pinned_query(option.setup.question, found.entry, plan),
    }
    if not writes:
        tokens = found.question.workload.prompt
        document["inputs_per_s"] = None if prefill is None else range_document(prefill.scaled(1 / tokens))
    return document


def brief_document(found: Answer, option: Option) -> dict[str, Any]:
    """BRIEF of the contract, without its status."""
    candidate = option.candidate
    return {
        **_which(found, option),
        "max_context": candidate.plan.max_context,
        "quality_percent": range_document(candidate.kept),
        "tokens_per_s": range_document(candidate.tokens_per_s) if writes_text(found.entry, found.model) else None,
        "query": pinned_query(option.setup.question, found.entry, option.plan),
    }


def _which(found: Answer, option: Option) -> dict[str, Any]:
    plan, runtime = option.plan, option.setup.runtime
    kinds, told = runtime.cache_types(plan.request), runtime.told(plan)
    return {
        "model_id": address(found.question.model, found.entry),
        "runtime": plan.runtime,
        "format": getattr(plan.sized, "format", FORMAT),
        "level": plan.level,
        "kv_type_k": kinds[0],
        "kv_type_v": kinds[1],
        "gpu_layers": told.get("gpu_layers"),
        "cpu_moe_layers": told.get("cpu_moe_layers"),
        "llama_cpp": plan.settings.release if runtime.engine is RuntimeId.LLAMA_CPP else None,
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
        "other_bytes": int(held.other_bytes),
        **({"used_bytes": int(held.used_bytes)} if held.used_bytes else {}),
    }


def range_document(estimate: Range | None) -> dict[str, float | int] | None:
    """RANGE of the contract."""
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
