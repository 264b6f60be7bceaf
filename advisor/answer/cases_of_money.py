"""The case about money: the 2,000-dollar workstation, and what becomes of it when eight work on it at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from advisor.answer.answer import Answer, answer
from advisor.answer.case import STATUS_WORDS, Asked, Case, Outcome, Worked, ask
from advisor.costs.article import article
from advisor.costs.money import converter_of
from advisor.costs.options import Option
from advisor.costs.pay_per_token import closed_models
from advisor.costs.workload import tokens_per_machine
from advisor.foundation.message import Message, fact
from advisor.question.question import Question

_THOUSANDS = 2000  # dollars a month: the least that can be called "thousands"


def workstation(case: Case, today: date) -> Worked:
    """The machine busy day and night, alone and with several at once, against hosts of the same model and closed ones.

    It holds where owning is cheaper than the median host and most closed models ask thousands for as many tokens; not
    at all where neither a host nor any closed model is dearer.
    """
    alone = article(today)
    asked = [ask(case.query, today), *(ask(query, today) for query in case.also)]
    busy = _as_busy_as_it_can(case.also[0], today)
    facts: list[Message] = [
        alone.result,
        *(said for query, one in zip(case.also, asked[1:], strict=True) for said in _each(query, one)),
    ]
    outcome: Outcome = "does not hold"
    condition = None
    if busy is not None:
        found, own, api = busy
        inputs = found.question.costs
        tokens = inputs.load.tokens_per_month
        closed = [
            host.bill().cost(tokens) for host in closed_models(inputs, converter_of(inputs.billing, today), today)
        ]
        reaching = sum(amount >= _THOUSANDS for amount in closed)
        total = found.shown.speed and found.shown.speed.total_decode_tokens_per_s
        facts.append(
            fact(
                "case_busy",
                users=found.question.workload.users,
                total=total.typical if total else 0.0,
                tokens=tokens,
                own=own.monthly.typical,
                api=api.monthly.typical,
                cheapest=api.monthly.low,
                reaching=reaching,
                closed=len(closed),
            )
        )
        cheaper = own.monthly.typical < api.monthly.typical
        if cheaper and reaching > len(closed) / 2:
            outcome = "holds"
        elif cheaper or reaching:
            outcome = "holds with a condition"
            condition = fact("case_if_busy", users=found.question.workload.users)
        asked.append(ask(found.question.to_query(), today))
    return Worked(case, outcome, tuple(facts), tuple(asked), condition)


def _each(query: str, several: Asked) -> Iterator[Message]:
    """What each of several gets who work at once, with how much context."""
    asked, speed = Question.from_query(query).workload, several.tokens_per_s
    if speed is not None:
        yield fact(
            "case_each",
            users=asked.users,
            context=asked.context,
            level=several.level,
            runtime=several.runtime,
            speed=speed.typical,
            status=STATUS_WORDS[several.status],
        )


def _as_busy_as_it_can(query: str, today: date) -> tuple[Answer, Option, Option] | None:
    """The same question with as many requests a day as one machine serves with all at work, and its bills."""
    question = Question.from_query(query)
    load = question.costs.load
    throughput = answer(question, today=today).shown.throughput
    most = None if throughput is None else tokens_per_machine(throughput, load, "typical")
    if most is None:
        return None
    a_day = int(most / (load.tokens_in + load.tokens_out) * 12 / 365)
    found = answer(question.with_values(requests_per_day=float(max(1, a_day))), today=today)
    costs = found.shown.costs
    if costs is None or costs.own is None or costs.api is None:
        return None
    return found, costs.own, costs.api
