"""What the compact answer says of money: the ways with a price, which is cheapest, and where a price may not hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.money_words import money_words
from advisor.costs.costs import Costs
from advisor.costs.draws import chances_of
from advisor.costs.money import MoneyRange
from advisor.costs.options import Option
from advisor.costs.price_rows import REGION_NAMES, Region
from advisor.report.cost_document import peak_document
from advisor.words import say, say_all


def money_document(shown: Candidate, found: Answer) -> dict[str, Any] | None:
    """`cheapest` in the typical case: only where two ways have a price and data may leave the own hardware. `draws`: in
    which share of draws over the ranges each is. `peak`: the busiest hour.
    """
    costs = shown.costs
    if costs is None:
        return None
    best = None if found.question.requirements.own_hardware else costs.best()
    chances, peak = chances_of(costs), peak_document(costs.peak)
    return {
        "currency": costs.currency,
        **{name: _option(costs, name) for name in ("own", "rent", "api")},
        "cheapest": None if best is None else best.name,
        "draws": None if chances is None else {name: round(share, 2) for name, share in chances.of},
        "peak": None if peak is None else {key: peak[key] for key in ("machines", "full_percent", "wait_s")},
        "sentence": " ".join(say_all(money_words(shown))),
    }


def region_notes(shown: Candidate, region: Region) -> list[str]:
    """That a way with a price may not lie in the region that was asked for."""
    options = () if shown.costs is None or region == "any" else shown.costs.options
    notes = (say(note) for option in options for note in option.notes)
    return [note for note in notes if say(REGION_NAMES[region]) in note]


def _option(costs: Costs, name: str) -> dict[str, Any] | None:
    option: Option | None = getattr(costs, name)
    if option is None:
        return None
    return {
        "title": say(option.title),
        "per_month": _amounts(option.monthly),
        "per_million_tokens": _amounts(option.per_million_tokens),
        "upfront": _amount(option.upfront),
    }


def _amounts(amounts: MoneyRange) -> dict[str, float | int]:
    return {"low": _amount(amounts.low), "typical": _amount(amounts.typical), "high": _amount(amounts.high)}


def _amount(amount: Decimal) -> float | int:
    """As it was rounded where it was computed; without an exponent."""
    return int(amount) if amount == int(amount) else float(amount)
