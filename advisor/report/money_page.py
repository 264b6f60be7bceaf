"""The third page: the assumptions that the comparison of money hangs on, and what no price has in it."""

from __future__ import annotations

from decimal import Decimal

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.turning_points import turning_points, turning_words
from advisor.costs.sensitivity import Sensitivity, savings
from advisor.report.document import Table
from advisor.words import say, say_all, told, written


def what_matters(found: Answer, shown: Candidate) -> Table | None:
    """The five inputs that move what owning saves a month most, and where each turns the comparison round."""
    points = turning_points(found, shown)
    if shown.costs is None or not points or savings(shown.costs) is None:
        return None
    currency = shown.costs.currency
    return Table(
        columns=(
            told("Assumption"),
            told("Planned"),
            told("Owning saves a month at half of it"),
            told("At half as much again"),
            told("Where it turns round"),
        ),
        rows=tuple(_row(each, currency) for each in points),
        right_aligned=(1, 2, 3),
    )


def _row(each: Sensitivity, currency: str) -> tuple[str, ...]:
    turns = say_all(turning_words(each), "report")
    return (
        say(each.label, "report"),
        told("{value:price}" if each.is_price else "{value:approx}", value=each.value),
        _saved(each.saves_from, currency),
        _saved(each.saves_to, currency),
        " ".join(turns) or told("Nowhere from a tenth to ten times of it."),
    )


def _saved(amount: Decimal, currency: str) -> str:
    if amount < 0:
        return written.amount(f"\u2212{written.money(-amount)}", currency)
    return told("{amount:money} {currency}", amount=amount, currency=currency)


def not_included(shown: Candidate) -> tuple[str, ...]:
    """What no price of this report has in it."""
    return () if shown.costs is None else say_all(shown.costs.not_included, "report")
