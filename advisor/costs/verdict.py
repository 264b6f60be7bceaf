"""The one sentence about what to do. With fewer than two priced ways there is nothing to decide, and it says so."""

from __future__ import annotations

from advisor.costs.break_even import BreakEven
from advisor.costs.money import shown
from advisor.costs.options import Option
from advisor.foundation.units import format_count

_ADVICE = {"own": "own it", "rent": "rent it", "api": "use the API"}
_DOING = {"own": "owning", "rent": "renting", "api": "an API"}


def cheapest_of(options: tuple[Option, ...]) -> Option | None:
    """The cheapest in the typical case; None where there are not two to choose between."""
    return min(options, key=lambda option: option.monthly.typical) if len(options) > 1 else None


def verdict_of(tokens: int, options: tuple[Option, ...], own_against_api: BreakEven | None, currency: str) -> str:
    """Where owning becomes cheaper than the API, what is planned, and the cheapest option in the typical case."""
    planned = f"you plan {format_count(tokens)}"
    best = cheapest_of(options)
    if not options:
        return f"No price is known for owning, renting or an API; {planned} tokens a month: give prices of your own."
    if best is None:
        return f"{planned[:1].upper()}{planned[1:]} tokens a month: {_alone(options, currency)}"
    by_name = {option.name: option for option in options}
    own, api = by_name.get("own"), by_name.get("api")
    advice = f"{_ADVICE[best.name]} (a month: {', '.join(_priced(option, currency) for option in options)})."
    if own is None or api is None or own_against_api is None:
        return f"{planned[:1].upper()}{planned[1:]} tokens a month: {advice}"
    even = own_against_api.typical
    if even is None:
        limit = own.typical.unit_tokens
        busy = "" if limit is None else f", even with every machine busy ({format_count(int(limit))} tokens a month)"
        return f"At typical prices owning never beats the API{busy}; {planned}: {advice}"
    condition = f"Owning beats the API above {format_count(even)} tokens a month"
    if even <= tokens and own.monthly.typical > api.monthly.typical:
        condition += f", but not just after a machine has to be added, as here with {own.units[1]}"
    return f"{condition}; {planned}: {advice}"


def _alone(options: tuple[Option, ...], currency: str) -> str:
    """What is known where nothing can be compared."""
    (only,) = options
    others = " or ".join(words for name, words in _DOING.items() if name != only.name)
    return f"{_priced(only, currency)}; no price is known for {others}, so nothing can be compared."


def _priced(option: Option, currency: str) -> str:
    name = "API" if option.name == "api" else option.name
    spread = option.offers > 1 and option.monthly.low < option.monthly.typical
    cheapest = f" (from {option.monthly.low:,.2f})" if spread else ""
    return f"{name} {shown(option.monthly.typical, currency)}{cheapest}"
