"""The question that pins one plan: every searched key is written, also where its value is the default."""

from __future__ import annotations

from typing import Any

from advisor.formats.gguf_sizes import SizedLevel
from advisor.formats.levels import written
from advisor.question.configuration import ModelChoice
from advisor.question.hardware import installed_cards
from advisor.question.question import Question
from advisor.runtimes.registry import runtime_by
from advisor.sizing.plan import Plan
from advisor.sources.resolved import ResolvedModel

_PUBLISHED = "published"


def pinned_query(question: Question, entry: ResolvedModel, plan: Plan) -> str:
    """The query that is answered by exactly this plan, whatever its verdict.

    A file or checkpoint as it is has no level to ask for: there the model's own address is the pin.
    """
    given: dict[str, Any] = {"model": address(question.model, entry), "runtime": plan.runtime}
    if not is_as_it_is(question.model, entry, plan):
        given["level"] = written(plan.level_id)
    given |= runtime_by(plan.runtime).told(plan)
    if len(installed_cards(question.machine)) > 1:
        given["use_gpus"] = len(plan.request.memory.devices)
    return question.with_values(**given).to_query(also=given)


def address(asked: ModelChoice, entry: ResolvedModel) -> str:
    """What names the model again: with its commit where it has one, else as it was asked for."""
    return asked.name if entry.id.startswith("{") else entry.id


def is_as_it_is(asked: ModelChoice, entry: ResolvedModel, plan: Plan) -> bool:
    """Whether the plan is of one GGUF file, or of a repository's own checkpoint, rather than of a level."""
    if isinstance(plan.sized, SizedLevel):
        return entry.file is not None and asked.level is None
    return plan.sized.format == _PUBLISHED
