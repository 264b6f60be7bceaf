"""Whether an answer is good enough: for a pipeline that checks a deployment before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from advisor.answer.status import STATUSES, Status
from advisor.foundation.errors import InputError, choose_one_of
from advisor.foundation.numbers import bare
from advisor.words import told


@dataclass(frozen=True, slots=True)
class Gate:
    """What is asked of an answer; None: no matter. Rates and waits are held to the typical value of the range.

    `status`: at least this good. `min_quality_percent` of the unquantized model's score.
    """

    status: Status | None = None
    min_tokens_per_s: float | None = None
    max_first_token_s: float | None = None
    min_context: int | None = None
    min_quality_percent: float | None = None

    def __post_init__(self) -> None:
        if self.status is not None and self.status not in STATUSES:
            raise InputError(
                "There is no status {status}: {choose}", status=repr(self.status), choose=choose_one_of(STATUSES)
            )
        for least in (self.min_tokens_per_s, self.max_first_token_s, self.min_context, self.min_quality_percent):
            # Nothing is below "not a number" or a negative one: a gate of it would let everything through.
            if least is not None and not (isfinite(least) and least >= 0):
                raise InputError("What an answer is held to must be a finite number from 0.")

    def missed(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        """What the compact answer misses, a sentence each; a figure that is not known is missed."""
        decision = document["decision"]
        plan, found = decision["plan"] or {}, []
        if self.status is not None and STATUSES.index(decision["status"]) > STATUSES.index(self.status):
            found.append(
                told("The status is {status}, not {asked} or better.", status=decision["status"], asked=self.status)
            )
        for name, key, least in (
            (told("tokens/s"), "tokens_per_s", self.min_tokens_per_s),
            (told("% of the quality"), "quality_percent", self.min_quality_percent),
        ):
            value = _typical(plan, key)
            if least is not None and (value is None or value < least):
                found.append(
                    told("{value} {name}, not {least} or more.", value=_said(value), name=name, least=_said(least))
                )
        wait, most = _typical(plan, "first_token_s"), self.max_first_token_s
        if most is not None and (wait is None or wait > most):
            found.append(told("{wait} s to the first token, not {most} or less.", wait=_said(wait), most=_said(most)))
        longest, least = plan.get("max_context"), self.min_context
        if least is not None and (longest is None or longest < least):
            found.append(told("A context of {longest}, not {least} or more.", longest=_said(longest), least=least))
        return tuple(found)


def _typical(plan: Mapping[str, Any], key: str) -> float | None:
    found = plan.get(key)
    return None if found is None else float(found["typical"])


def _said(value: float | None) -> str:
    return told("Unknown") if value is None else bare(value)
