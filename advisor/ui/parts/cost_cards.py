"""The upper half of the cost page in pieces: its headline, a card for each way, and what stands beside the chart."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from advisor.answer.candidate import Candidate
from advisor.answer.equal_terms import quality_words, speed_words
from advisor.answer.money_words import is_equal
from advisor.costs.costs import Costs
from advisor.costs.draws import chances_of
from advisor.costs.options import Option
from advisor.costs.power import grid_of
from advisor.costs.workload import Peak
from advisor.foundation.numbers import approx, money, plural, rough, span
from advisor.foundation.ranges import Range
from advisor.ui.legend import NAMES, RECOMMENDED, number
from advisor.ui.main_price import main_price
from advisor.ui.parts.html import words
from advisor.ui.parts.price_seen import seen
from advisor.words import say

_CHEAPEST = {"own": "Owning costs least", "rent": "Renting costs least", "api": "An API costs least"}
_MILLION = 1_000_000
_HALF, _FULL, _HARDLY_ANY = 0.5, 0.98, 0.01
BEHIND_MORE = "More, “Load and money”"


def headline(candidate: Candidate, costs: Costs, best: Option | None, keeps_data: bool) -> str:
    """Which way costs least; at typical prices only, where it does so in fewer than half of the draws."""
    if best is None:
        return "Nothing to compare" if costs.options else "No price is known"
    if keeps_data:
        return "Owning, as data must stay"
    chances, said = chances_of(costs), _CHEAPEST[best.name]
    if chances is not None and chances.share(best.name) < _HALF:
        said = f"{said} at typical prices only"
    kept = candidate.kept
    if best.name != "api" and costs.api is not None and kept is not None and not is_equal(kept):
        said = f"{said}, at less quality"
    return said


def busiest(peak: Peak | None) -> str:
    """How many machines, how full, and what happens then."""
    if peak is None:
        return ""
    busy = f"In the busiest hour {plural(peak.machines, 'machine')} {'is' if peak.machines == 1 else 'are'}"
    if peak.wait_s is None or peak.full > _FULL:
        return f"{busy} full, and requests queue up."
    waits = "hardly any request waits"
    if peak.waiting >= _HARDLY_ANY:
        waits = f"{100 * peak.waiting:.0f} % of the requests wait, {rough(peak.wait_s)} s on average over all"
    most = plural(peak.machines * peak.places, "request")
    return f"{busy} {100 * peak.full:.0f} % full with up to {most} at once; {waits}."


def rates(costs: Costs) -> str:
    """The exchange rates of what was converted, with their dates."""
    rates = [price for price in costs.prices if price.is_rate]
    said = (
        f"{number(rate.value)} {say(rate.label, 'page')}"
        + (f" ({rate.as_of:%-d %B %Y})" if rate.as_of is not None else " (yours)")
        for rate in rates
    )
    return f"Converted at {', '.join(said)}." if rates else ""


def way_card(candidate: Candidate, costs: Costs, name: str, best: Option | None) -> str:
    """One way as a card: what it costs a month within which range, of what, and what quality and speed that buys."""
    option: Option | None = getattr(costs, name)
    mark = f"{RECOMMENDED} " if best is not None and best.name == name else ""
    title = f"<h2>{mark}{escape(NAMES[name])}</h2>"
    if option is None:
        why = dict(costs.missing).get(name)
        return (
            f'<article class="way">{title}<p>{words(say(why, "page") if why else "No price is known.")}</p></article>'
        )
    monthly, each = option.monthly, option.per_million_tokens
    facts = [
        f"{money(each.typical)} {costs.currency} for a million tokens ({span(each, money)})",
        say(option.title, "page"),
    ]
    if option.upfront:
        facts.insert(0, f"{money(option.upfront)} {costs.currency} to buy")
    if option.offers > 1:
        facts.append(f"The median of {option.offers} providers")
    terms = (quality_words(candidate, option), speed_words(candidate, option))
    facts += [say(one, "page") for one in terms if one is not None]
    said = "".join(f"<p>{words(fact)}</p>" for fact in facts) + _seen(option)
    price = f'<span class="price">{words(f"{money(monthly.typical)} {costs.currency}")}</span> a month'
    between = f'<span class="small">{words(span(monthly, money))}</span>'
    return f'<article class="way">{title}<p>{price}{between}</p>{said}</article>'


def _seen(option: Option) -> str:
    """Where the price of a way stands, and of which month it is."""
    price = main_price(option)
    link = seen(price)
    return f'<p class="small">{words(say(price.label, "page"))}: {link}</p>' if link else ""


def power(costs: Costs) -> Iterator[str]:
    """What owning draws a month, and what that emits where it is known."""
    if costs.energy_kwh_per_month is None:
        yield "The power of this machine is not known."
        return
    yield f"Owned, it draws {_much(costs.energy_kwh_per_month, 'kWh', 'MWh')} a month"
    if costs.co2_kg_per_month is None:
        yield f"(CO2: give “CO2 (g per kWh)” under {BEHIND_MORE})."
    else:
        yield f"and emits {_much(costs.co2_kg_per_month, 'kg', 't')} of CO2, {_grid(costs)}."


def _grid(costs: Costs) -> str:
    """At how much CO2 a kWh, and whose figure that is."""
    grid = grid_of(costs.inputs.power)
    if grid is None:
        return f"at your {approx(costs.inputs.power.co2_g_per_kwh or 0)} g a kWh"
    return f"at {number(grid.g_per_kwh)} g a kWh as electricity in {grid.country} made in {grid.year}"


def _much(values: Range, unit: str, thousand: str) -> str:
    if values.typical >= _MILLION:
        values, unit = values.scaled(0.001), thousand
    return f"about {rough(values.typical)} {unit} ({span(values, rough)})"
