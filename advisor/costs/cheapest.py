"""What to do, in one message. With fewer than two priced ways there is nothing to decide, and it says so."""

from __future__ import annotations

from advisor.costs.break_even import BreakEven
from advisor.costs.options import Option
from advisor.foundation.message import Message, fact

_DOING = {"own": fact("owning"), "rent": fact("renting"), "api": fact("an_api")}
_NAMES = {"own": fact("way_own"), "rent": fact("way_rent"), "api": fact("way_api")}


def cheapest_of(options: tuple[Option, ...]) -> Option | None:
    """The cheapest in the typical case; None where there are not two to choose between."""
    return min(options, key=lambda option: option.monthly.typical) if len(options) > 1 else None


def verdict_of(tokens: int, options: tuple[Option, ...], own_against_api: BreakEven | None, currency: str) -> Message:
    """Where owning becomes cheaper than the API, what is planned, and the cheapest option in the typical case."""
    best = cheapest_of(options)
    if not options:
        return fact("no_price_at_all", tokens=tokens)
    if best is None:
        (only,) = options
        others = tuple(doing for name, doing in _DOING.items() if name != only.name)
        return fact("only_one_price", tokens=tokens, price=_priced(only, currency), others=others)
    by_name = {option.name: option for option in options}
    own, api = by_name.get("own"), by_name.get("api")
    advice = _advice(best, tuple(_priced(option, currency) for option in options))
    if own is None or api is None or own_against_api is None:
        return fact("advised", tokens=tokens, advice=advice)
    even = own_against_api.typical
    if even is None:
        limit = own.typical.unit_tokens
        if limit is None:
            return fact("never_even", tokens=tokens, advice=advice)
        return fact("never_even_when_busy", limit=int(limit), tokens=tokens, advice=advice)
    if even <= tokens and own.monthly.typical > api.monthly.typical:
        return fact("even_but_a_machine_added", even=even, machines=own.units[1], tokens=tokens, advice=advice)
    return fact("even_above", even=even, tokens=tokens, advice=advice)


def _advice(best: Option, prices: tuple[Message, ...]) -> Message:
    if best.name == "own":
        return fact("own_it", prices=prices)
    return fact("rent_it", prices=prices) if best.name == "rent" else fact("use_the_api", prices=prices)


def _priced(option: Option, currency: str) -> Message:
    way, month = _NAMES[option.name], option.monthly
    if option.offers > 1 and month.low < month.typical:
        return fact("priced_from", way=way, currency=currency, amount=month.typical, low=month.low)
    return fact("priced", way=way, currency=currency, amount=month.typical)
