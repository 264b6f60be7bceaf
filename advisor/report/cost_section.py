"""The cost section of a report: options, totals over time, where they cross, and what a manager should know."""

from __future__ import annotations

from itertools import pairwise

from advisor.answer.candidate import Candidate
from advisor.answer.money_words import money_words
from advisor.costs.costs import Costs as Found
from advisor.costs.options import Option
from advisor.costs.series import MonthPoint, cumulative
from advisor.foundation.message import Message
from advisor.foundation.ranges import Range
from advisor.report.document import BreakEven, CostLine, CostOption, Costs
from advisor.words import names_a_key, say, say_all, to_tell, told

NAMES = {"own": to_tell("Own it"), "rent": to_tell("Rent it"), "api": to_tell("Pay per token")}
COMPARED_ONLY = to_tell("Data has to stay on own hardware: renting and the API are shown for comparison only.")
_DOING = {"own": to_tell("owning"), "rent": to_tell("renting"), "api": to_tell("paying per token")}
_LONGEST_BASIS = 110  # characters; more lines push the advice off the second page


def cost_section(shown: Candidate, own_hardware: bool = False) -> Costs | None:
    """None where no price is known. With `own_hardware`, data must not leave it: other options only compare."""
    costs = shown.costs
    if costs is None or not costs.options:
        return None
    best = costs.best(own_hardware)
    points = cumulative(costs)
    lines: dict[str, tuple[float, ...]] = {
        option.name: tuple(_paid(point, option.name) for point in points) for option in costs.options
    }
    even = costs.own_against_api
    return Costs(
        currency=costs.currency,
        options=tuple(_option(option, option is best) for option in costs.options),
        lines=tuple(CostLine(told(NAMES[name]), paid) for name, paid in lines.items()),
        break_evens=_break_evens(lines),
        note=" ".join(
            (
                *[told(COMPARED_ONLY)] * own_hardware,
                *say_all(money_words(shown), "report"),
                *[told("At the end the cost of owning falls by what the hardware is sold for.")] * _is_sold(costs),
                *say_all(_notes(costs), "report"),
                *(say(why, "report") for _, why in costs.missing),
            )
        ),
        tokens_per_month=float(costs.tokens_per_month),
        own_beats_api_from=None if even is None or even.typical is None else float(even.typical),
    )


def _is_sold(costs: Found) -> bool:
    return costs.own is not None and costs.own.resale > 0


def _paid(point: MonthPoint, name: str) -> float:
    return float({"own": point.own, "rent": point.rent, "api": point.api}[name] or 0)


def _option(option: Option, chosen: bool) -> CostOption:
    monthly, each = option.monthly, option.per_million_tokens
    return CostOption(
        name=told("{way}: {line}", way=told(NAMES[option.name]), line=say(option.title, "report")),
        upfront=float(option.upfront),
        monthly=Range(float(monthly.low), float(monthly.typical), float(monthly.high)),
        per_million_tokens=Range(float(each.low), float(each.typical), float(each.high)),
        basis=_basis(option),
        chosen=chosen,
    )


def _basis(option: Option) -> str:
    """How many offers it rests on, or the first thing to know about it that is short enough for a table."""
    if option.offers > 1:
        return told("{offers} offers: cheapest to dearest", offers=option.offers)
    short = say_all(option.notes, "report")
    return next((note for note in short if len(note) <= _LONGEST_BASIS), "")


def _notes(costs: Found) -> list[Message]:
    """What holds for all options; what is to be said about one alone, or to a user of the page, is in the appendix."""
    of_one = {note for option in costs.options for note in option.notes}
    of_all = (note for note in costs.notes if note not in of_one and not names_a_key(note))
    return [note for note in of_all if note.kind != "prices_old"][:2]


def _break_evens(lines: dict[str, tuple[float, ...]]) -> tuple[BreakEven, ...]:
    """Where owning has become cheaper than another option; the last month, which takes the resale off, is left out."""
    own = lines.get("own")
    if own is None:
        return ()
    found = []
    for name, theirs in lines.items():
        gaps = [mine - other for mine, other in zip(own, theirs, strict=True)][:-1]
        for month, (before, after) in enumerate(pairwise(gaps)):
            if before > 0 >= after:
                share = before / (before - after)
                cost = own[month] + share * (own[month + 1] - own[month])
                label = told(
                    "Owning has cost less than {doing} from month {month} on", doing=told(_DOING[name]), month=month + 1
                )
                found.append(BreakEven(month + share, cost, label))
                break
    return tuple(found)
