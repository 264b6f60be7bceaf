"""The one sentence about what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.costs.money import shown
from advisor.units import format_count

if TYPE_CHECKING:
    from advisor.costs.costs import BreakEven
    from advisor.costs.options import Option

_ADVICE = {"own": "own it", "rent": "rent it", "api": "use the API"}


def verdict_of(
    tokens: int,
    own: Option | None,
    rent: Option | None,
    api: Option | None,
    own_against_api: BreakEven | None,
    currency: str,
) -> str:
    """Where owning becomes cheaper than the API, what is planned, and the cheapest option in the typical case."""
    options = [option for option in (own, rent, api) if option is not None]
    planned = f"you plan {format_count(tokens)}"
    if not options:
        return f"No price is known for owning, renting or an API; {planned} tokens a month: give prices of your own."
    best = min(options, key=lambda option: option.monthly.typical)
    advice = _ADVICE[best.name]
    if best.name == "api" and own is not None:
        advice += ", or share the machine"
    costs = ", ".join(_priced(option, currency) for option in options)
    if own is None or api is None or own_against_api is None:
        return f"{planned[:1].upper()}{planned[1:]} tokens a month: {advice} (a month: {costs})."
    even = own_against_api.typical
    if even is None:
        limit = own.typical.unit_tokens
        reach = "" if limit is None else f": one machine serves at most {format_count(int(limit))} tokens a month"
        return f"At typical prices owning never beats the API{reach}; {planned}: {advice} (a month: {costs})."
    condition = f"Owning beats the API above {format_count(even)} tokens a month"
    if even <= tokens and own.monthly.typical > api.monthly.typical:
        condition += f", but not just after a machine has to be added, as here with {own.units[1]}"
    return f"{condition}; {planned}: {advice} (a month: {costs})."


def _priced(option: Option, currency: str) -> str:
    name = "API" if option.name == "api" else option.name
    cheapest = f" (from {option.monthly.low:,.2f})" if option.offers > 1 else ""
    return f"{name} {shown(option.monthly.typical, currency)}{cheapest}"
