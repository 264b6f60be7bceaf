"""Asking from Python: a question in, what to run out, with the units in the names as in the compact answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from advisor.answer.answer import Answer, answer
from advisor.answer.reasons import reasons
from advisor.answer.status import Status
from advisor.answer.verdict import verdict
from advisor.foundation.ranges import Range
from advisor.question.question import Question
from advisor.report.compact import answer_document, plan_document
from advisor.sizing.plan import Verdict
from advisor.words import say, say_all


@dataclass(frozen=True, slots=True)
class AskedPlan:
    """The chosen plan. Bytes are integers; ranges hold low, typical and high; None is what is not known.

    `query` asks for exactly this plan again.
    """

    runtime: str
    format: str
    level: str
    verdict: Verdict
    file_bytes: int
    needed_bytes: int
    max_context: int | None
    tokens_per_s: Range | None
    quality_percent: Range | None
    query: str


@dataclass(frozen=True)
class Asked:
    """What a question is answered with: the decision of the dashboard.

    `answer` is the engine's own object, with every plan that was looked at.
    """

    status: Status
    sentence: str
    reasons: tuple[str, ...]
    plan: AskedPlan
    answer: Answer = field(repr=False)
    query: str = field(repr=False)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The compact answer as JSON has it (`answer/1`), with choices, money and notes."""
        return answer_document(self.answer, self.query)


def ask(query: str | Mapping[str, Any] = "", /, *, allow_local: bool = True, **keys: Any) -> Asked:
    """Answer a question: a query string as links have it, or its keys: ask(model="qwen3-32b", machine="rtx-4090").

    Keys beside a query replace its own. Raises `advisor.foundation.errors.InputError`, in one sentence with
    `suggestions`, for what cannot be answered. `allow_local` lets the model be a path on this machine.
    """
    question = _question(query, keys)
    found = answer(question, allow_local=allow_local)
    plan = plan_document(found, found.decided)
    chosen = found.shown
    return Asked(
        status=found.status,
        sentence=say(verdict(found)),
        reasons=tuple(say_all(reasons(found))),
        plan=AskedPlan(
            runtime=plan["runtime"],
            format=plan["format"],
            level=chosen.level,
            verdict=chosen.verdict,
            file_bytes=int(chosen.file_bytes),
            needed_bytes=int(chosen.plan.needed_bytes),
            max_context=chosen.plan.max_context,
            tokens_per_s=chosen.tokens_per_s,
            quality_percent=chosen.kept,
            query=plan["query"],
        ),
        answer=found,
        query=query if isinstance(query, str) and query and not keys else question.to_query(),
    )


def _question(query: str | Mapping[str, Any], keys: Mapping[str, Any]) -> Question:
    if not isinstance(query, str):
        return Question.from_values({**query, **keys})
    if not keys:
        return Question.from_query(query)
    return Question.from_values({**(Question.from_query(query).chosen() if query else {}), **keys})
