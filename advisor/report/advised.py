"""What runs on a machine and what to buy for a model, as short lists for programs."""

from __future__ import annotations

from typing import Any

from advisor.answer.candidate import Candidate
from advisor.answer.machines_for_model import machines_for
from advisor.answer.models_for_machine import models_on
from advisor.answer.pinned import pinned_query
from advisor.question.question import Question
from advisor.report.compact import figure, range_document
from advisor.sources.resolve import find_any_model
from advisor.sources.resolved import from_entry


def runs_here_document(question: Question, limit: int) -> dict[str, Any]:
    """The best models of the catalogue on the question's machine, the good ones first.

    Raises InputError where there is no such machine. `left_out` counts what runs there too, `do_not_run` what does not.
    """
    rows = models_on(question)
    running = [row for row in rows if row.chosen is not None]
    found = [
        {
            "model_id": row.entry.id,
            "name": row.entry.name,
            "status": row.status,
            **_plan(row.chosen),
            "query": pinned_query(row.option.setup.question, from_entry(row.entry), row.chosen.plan),
        }
        for row in running[:limit]
        if row.chosen is not None and row.option is not None
    ]
    return {"models": found, "left_out": len(running) - len(found), "do_not_run": len(rows) - len(running)}


def to_buy_document(question: Question, limit: int) -> dict[str, Any]:
    """Machines that run the question's model, the good ones first and of those the cheapest a month.

    `left_out` counts what runs it too, `do_not_run` what does not. Raises InputError where there is no such model.
    """
    shopping, entry = machines_for(question), find_any_model(question.model.name)
    found = [
        {
            "machine_id": row.machine.id,
            "gpus": row.gpus,
            "name": row.name,
            "status": row.option.status,
            **_plan(row.chosen),
            "own_per_month": _rounded(row.chosen.own_monthly),
            "rent_per_month": _rounded(row.chosen.rent_monthly),
            "price_usd": None if (price := row.machine.price_on(None)) is None else _rounded(price.typical * row.gpus),
            "query": pinned_query(row.option.setup.question, entry, row.chosen.plan),
        }
        for row in shopping.machines[:limit]
    ]
    return {
        "currency": question.value("currency"),
        "machines": found,
        "left_out": len(shopping.machines) - len(found),
        "do_not_run": shopping.too_small,
    }


def _plan(chosen: Candidate) -> dict[str, Any]:
    return {
        "runtime": str(chosen.plan.runtime),
        "level": chosen.level,
        "file_bytes": int(chosen.file_bytes),
        "tokens_per_s": range_document(chosen.tokens_per_s),
        "quality_percent": range_document(chosen.kept),
    }


def _rounded(value: float | None) -> float | int | None:
    return None if value is None else figure(value)
