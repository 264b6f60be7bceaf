"""The answer as text for a terminal."""

from __future__ import annotations

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.choices import choices
from advisor.answer.reasons import reasons
from advisor.answer.verdict import verdict
from advisor.foundation.message import fact
from advisor.foundation.units import gb, gib
from advisor.report.named import role_word, status_word, verdict_word
from advisor.report.sizes import text_table
from advisor.words import say, say_all, told


def plan_table(answer: Answer) -> str:
    work = answer.question.workload
    lines = [
        told("{model} on {machine}", model=answer.entry.name, machine=answer.machine_name),
        told(
            "Context: {tokens} x {users}",
            tokens=say(fact("tokens", n=work.context)),
            users=say(fact("users", n=work.users)),
        ),
        f"{status_word(answer.status)}: {say(verdict(answer))}",
        *(f"  - {reason}" for reason in say_all(reasons(answer))),
        *(
            told("  or {role}: {gain}", role=role_word(other.role).lower(), gain=say(other.gain))
            for other in choices(answer)
        ),
        *(told("Note: {note}", note=note) for note in say_all(answer.notes)),
        "",
        text_table(
            (
                told("level"),
                told("file"),
                told("bits/weight"),
                told("memory"),
                told("free"),
                told("context"),
                told("quality"),
                told("tokens/s") if answer.shown.writes else told("inputs/s"),
                told("verdict"),
                told("rule of thumb"),
            ),
            [_row(candidate) for candidate in answer.candidates],
        ),
    ]
    return "\n".join(lines)


def _row(candidate: Candidate) -> tuple[str, ...]:
    plan, kept = candidate.plan, candidate.kept
    speed = candidate.tokens_per_s if candidate.writes else candidate.inputs_per_s
    return (
        plan.level,
        gb(plan.sized.file_bytes),
        f"{plan.sized.bits_per_weight:.2f}",
        gib(plan.needed_bytes),
        "?" if plan.free_bytes is None else gib(plan.free_bytes),
        f"{plan.max_context:,}" if plan.max_context else "-",
        "?" if kept is None else f"{kept.typical:.1f} %",
        "?" if speed is None else f"{speed.typical:.1f}",
        verdict_word(plan.verdict),
        f"{gb(plan.rule_of_thumb_bytes)} ({plan.rule_of_thumb_error:+.0%})",
    )
