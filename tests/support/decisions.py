"""Random questions to the decision, how they are asked, and what of an answer its properties read.

Everything is read from the compact answer (`answer/1`), so that nothing here depends on how a decision is made.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from advisor.answer.answer import answer
from advisor.answer.status import Status
from advisor.foundation.errors import InputError
from advisor.machines.catalogue import Machine, machine, machines
from advisor.models.catalogue import catalogue
from advisor.quality.tasks import SCORED_TASKS
from advisor.question.configuration import CUSTOM_MACHINE
from advisor.question.question import FIELDS, Question
from advisor.question.requirements import GOALS
from advisor.report.compact import answer_document
from tests.support.sweep import TODAY

Values = Mapping[str, str]  # a question by key, as a link writes it
Document = Mapping[str, Any]  # an answer, or a plan of one

RANKS: tuple[Status, ...] = ("good", "limited", "slow", "last resort", "not as asked", "does not fit")
VISIBLE_POINTS, NOTICEABLE = 0.3, 1.1  # of quality kept; of anything people count
ENOUGH_TOKENS_PER_S = 60.0  # faster than that is the same to whoever reads
HOST_GIB = (32, 64, 128, 256, 512)
FLOOR_PERCENT = 97.0

# Weights of the kinds of machine that questions are drawn from.
_PLACES = {
    "one card": 28,
    "equal cards": 24,
    "unequal cards": 8,
    "custom": 12,
    "apple-silicon": 12,
    "unified-memory-pc": 6,
    "cpu-platform": 10,
}
_CARDS = ("consumer-gpu", "laptop-gpu", "workstation-gpu", "datacenter-gpu")
_CUSTOM_GIB = ("4", "6", "8", "12", "16", "20", "24", "32", "48", "80", "96", "141")
_CUSTOM_GB_S = ("200", "450", "900", "1800", "3350")
_RAM_GIB = ("16", "32", "64", "128", "256", "512", "768")
_CONTEXTS = (1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144)
_USERS = ("1", "1", "1", "1", "2", "3", "4", "8", "16", "50")
_LEVELS = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K", "IQ4_XS", "F16")
# A wish is made by so large a share of the questions.
_WISHES: Mapping[str, tuple[float, tuple[str, ...]]] = {
    "task": (0.3, SCORED_TASKS),
    "min_quality": (0.25, ("95", "97", "98.5", "99", "99.5")),
    "min_tokens_per_s": (0.25, ("3", "8", "15", "30", "60", "200")),
    "max_first_token_s": (0.1, ("0.3", "2", "10", "60")),
    "commercial": (0.1, ("on",)),
    "goal": (0.25, GOALS),
}
_PINNED = 0.1  # of the questions each


def drawn(seed: str, number: int) -> dict[str, str]:
    """The question of this number: any model, on any kind of machine, for any work, sometimes with wishes and pins."""
    draw = random.Random(f"{seed} {number}")
    entry = catalogue()[draw.choice(sorted(catalogue()))]
    limit = entry.model.context_length or 8192
    contexts = [context for context in _CONTEXTS if context <= limit] or [limit]
    values = {"model": entry.id, **_place(draw), "context": str(draw.choice(contexts)), "users": draw.choice(_USERS)}
    for key, (share, options) in _WISHES.items():
        if key in FIELDS and draw.random() < share:
            values[key] = draw.choice(options)
    return values | _pins(draw, machine(values["machine"]) if values["machine"] != CUSTOM_MACHINE else None)


def _place(draw: random.Random) -> dict[str, str]:
    kind = draw.choices(list(_PLACES), list(_PLACES.values()))[0]
    if kind in ("apple-silicon", "unified-memory-pc"):
        return {"machine": draw.choice(_of_kind(kind)).id}
    if kind == "cpu-platform":
        return {"machine": draw.choice(_of_kind(kind)).id, "memory_gib": draw.choice(_RAM_GIB)}
    values = {}
    if kind == "custom":
        values = {"machine": CUSTOM_MACHINE, "memory_gib": draw.choice(_CUSTOM_GIB)}
        if draw.random() < 0.7:
            values["bandwidth_gb_s"] = draw.choice(_CUSTOM_GB_S)
    else:
        first = draw.choice(_of_kind(draw.choice(_CARDS)))
        values = {"machine": first.id}
        if kind == "unequal cards":
            others = [one for name in _CARDS for one in _of_kind(name) if one.vendor == first.vendor and one != first]
            values |= {"other_machine": draw.choice(others).id}
    if kind == "equal cards" or (kind == "custom" and draw.random() < 0.3):
        values["gpus"] = str(draw.choice((2, 3, 4)))
    if draw.random() < 0.5:
        values["host_memory_gib"] = draw.choice(_RAM_GIB)
    return values


@cache
def _of_kind(kind: str) -> tuple[Machine, ...]:
    return tuple(one for one in machines().values() if one.kind == kind)


def _pins(draw: random.Random, chosen: Machine | None) -> dict[str, str]:
    """What is not left to us: the runtime, the level, the types of the KV cache, each in a few questions."""
    pins: dict[str, str] = {}
    if draw.random() < _PINNED:
        usual = ["llama.cpp", "ollama", "lm-studio"]
        if chosen is None or chosen.vendor in ("NVIDIA", "AMD"):
            usual += ["vllm", "vllm"]
        pins["runtime"] = draw.choice([*usual, "mlx"] if chosen is not None and chosen.vendor == "Apple" else usual)
    gguf = pins.get("runtime") not in ("vllm", "mlx")
    if draw.random() < _PINNED and gguf:
        pins["level"] = draw.choice(_LEVELS)
    if draw.random() < _PINNED and gguf:
        pins["kv_type_k"] = pins["kv_type_v"] = draw.choice(("f16", "q8_0"))
    return pins


@lru_cache(2048)
def ask(query: str, flips: bool = False, plans: bool = False) -> Document | None:
    """The compact answer; None where the question is refused. `plans`: choices and flips carry whole plans."""
    try:
        found = answer(Question.from_query(query), today=TODAY)
    except InputError:
        return None
    return answer_document(found, query, whole_plans=plans, with_flips=flips)


def query_of(values: Values) -> str:
    return urlencode(values)


def values_of(query: str) -> dict[str, str]:
    return dict(parse_qsl(query))


def changed(values: Values, **others: str | None) -> str:
    """The query of the same question with other values; None takes one out."""
    return query_of({key: value for key, value in {**values, **others}.items() if value is not None})


def number_of(values: Values, key: str) -> float:
    """What a question says under a key, or what holds where it is silent; 0 where that is nothing."""
    return float(values.get(key) or FIELDS[key].default or 0)


def typical(plan: Document, figure: str) -> float | None:
    estimate = plan.get(figure)
    return None if estimate is None else float(estimate["typical"])


def quality(plan: Document) -> float | None:
    """Percent kept of the 16-bit score at the task that is asked for."""
    return typical(plan, "quality_percent")


def speed(plan: Document) -> float | None:
    """Tokens/s for each user."""
    return typical(plan, "tokens_per_s")


def overall(plan: Document) -> float | None:
    """Percent kept of the 16-bit score at all tasks together, whatever task was asked for."""
    values = values_of(plan["query"])
    if "task" not in values:
        return quality(plan)
    found = ask(changed(values, task=None))
    return None if found is None or found["decision"]["plan"] is None else quality(found["decision"]["plan"])


def is_split(plan: Document) -> bool:
    """Whether layers or experts are left to the host; on a machine without a device they always are."""
    return plan["gpu_layers"] not in (None, "all") or bool(plan["cpu_moe_layers"])


def is_unified(values: Values) -> bool:
    """Whether GPU and host share one memory on the machine of a question."""
    return values["machine"] != CUSTOM_MACHINE and machine(values["machine"]).unified


def identity(plan: Document) -> tuple[Any, ...]:
    """What makes two plans the same answer."""
    keys = ("model_id", "runtime", "format", "level", "kv_type_k", "kv_type_v")
    return (*(plan[key] for key in keys), "split" if is_split(plan) else "whole")


def offered(found: Document | None) -> tuple[Any, ...] | None:
    """The identity of the plan that an answer decides for; None where nothing fits, or the question is refused."""
    if found is None or found["decision"]["plan"] is None or found["decision"]["status"] == "does not fit":
        return None
    return identity(found["decision"]["plan"])


def rank(found: Document | None) -> int:
    """Of a decision, the best first; a refusal is worse than everything."""
    return len(RANKS) if found is None else RANKS.index(found["decision"]["status"])


def in_short(plan: Document) -> str:
    """A plan in a few words, for the report of a violation."""
    kept, written = quality(plan), speed(plan)
    figures = f"{'?' if kept is None else kept} %, {'?' if written is None else written} tok/s"
    types = f"{plan['kv_type_k']}/{plan['kv_type_v']}"
    place = "split" if is_split(plan) else "whole"
    return f"{plan['model_id']} {plan['runtime']} {plan['level']} {types} {place} ({plan['verdict']}, {figures})"


def said(found: Document | None) -> str:
    """A decision in a few words."""
    if found is None:
        return "refused"
    plan = found["decision"]["plan"]
    return f"{found['decision']['status']}: {'no plan' if plan is None else in_short(plan)}"


def problem_unless(holds: bool, problem: str) -> str:
    """What a check yields: nothing where it holds."""
    return "" if holds else problem
