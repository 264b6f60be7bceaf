"""A case of the article: what it says, the questions that ask our engine the same, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from advisor.answer.answer import answer
from advisor.answer.plans import runtime_name
from advisor.answer.status import Status
from advisor.foundation.message import Message, fact
from advisor.foundation.ranges import Range
from advisor.machines.machine import Machine
from advisor.question.question import Question
from advisor.sizing.plan import Verdict

Outcome = Literal["holds", "holds with a condition", "does not hold"]
Kind = Literal["machine", "survey", "advice", "blind test", "gptq", "awq", "gguf", "workstation"]
Set = Literal["consumer cards", "24 GB cards", "Mac Studios", "laptops"]

STATUS_WORDS: dict[Status, Message] = {
    "good": fact("case_good"),
    "limited": fact("case_limited"),
    "slow": fact("case_slow"),
    "last resort": fact("case_last_resort"),
    "does not fit": fact("case_too_small"),
    "not as asked": fact("case_not_as_asked"),
}
OUTCOME_WORDS: dict[Outcome, Message] = {
    "holds": fact("case_holds"),
    "holds with a condition": fact("case_holds_if"),
    "does not hold": fact("case_fails"),
}


@dataclass(frozen=True, slots=True)
class Case:
    """`query` asks the engine what the article speaks of; `also` what belongs beside it.

    `said_gb` is a size as the article gives it, in GB of 1000^3 bytes; `level` what it is about; `over` the machines
    that a survey asks one by one; `source` where a method is described.
    """

    id: str
    kind: Kind
    says: Message
    query: str
    also: tuple[str, ...] = ()
    said_gb: float | None = None
    level: str | None = None
    over: Set | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what is decided on it. Bytes; tokens of context for each user, None where nobody looked for them;
    percent of the 16-bit score kept; tokens/s of each user.
    """

    query: str
    model: str
    machine: str
    runtime: str
    level: str
    status: Status
    verdict: Verdict
    file_bytes: int
    missing_bytes: int
    max_context: int | None
    kept: Range | None
    tokens_per_s: Range | None

    @property
    def runs(self) -> bool:
        return self.status not in ("does not fit", "not as asked")

    @property
    def serves(self) -> bool:
        """Whether it is of use: good or limited."""
        return self.status in ("good", "limited")


@dataclass(frozen=True, slots=True)
class Worked:
    """A case worked through: the outcome, its condition where it has one, why, and every question that was asked."""

    case: Case
    outcome: Outcome
    facts: tuple[Message, ...]
    asked: tuple[Asked, ...] = ()
    condition: Message | None = None


def ask(query: str, today: date, reach: bool = True) -> Asked:
    """What the engine decides now, with the longest context unless `reach` says that nobody needs it; raises InputError
    where a question cannot be answered.
    """
    found = answer(Question.from_query(query), today=today)
    shown = found.shown
    return Asked(
        query=query,
        model=found.entry.name,
        machine=found.machine_name,
        runtime=runtime_name(found.runtime),
        level=shown.level,
        status=found.status,
        verdict=shown.verdict,
        file_bytes=shown.file_bytes,
        missing_bytes=shown.plan.missing_bytes,
        max_context=shown.plan.max_context if reach else None,
        kept=shown.kept,
        tokens_per_s=shown.tokens_per_s,
    )


def does(asked: Asked) -> Message:
    """What a plan keeps and how fast it is, as far as that is known."""
    kept, speed = asked.kept, asked.tokens_per_s
    if kept is None:
        return fact("case_runs") if speed is None else fact("case_writes", speed=speed.typical)
    if speed is None:
        return fact("case_keeps", kept=min(kept.typical, 100))
    return fact("case_keeps_and_writes", kept=min(kept.typical, 100), speed=speed.typical)


def is_laptop(machine: Machine) -> bool:
    """Laptop GPUs, and Apple's chips but the Ultra, which only desktops have."""
    return machine.kind == "laptop-gpu" or (machine.kind == "apple-silicon" and "Ultra" not in machine.name)
