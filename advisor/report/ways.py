"""Owning, renting and an API side by side: price, where the data goes, quality, speed and the main risk of each."""

from __future__ import annotations

from decimal import Decimal

from advisor.answer.candidate import Candidate
from advisor.answer.recommendation import Recommendation, Way
from advisor.costs.money import MoneyRange
from advisor.costs.options import Option
from advisor.costs.price_rows import REGION_NAMES, Region
from advisor.foundation.message import Span
from advisor.report.brief import Ways
from advisor.report.cost_section import NAMES
from advisor.report.how_sure import days_of_money
from advisor.words import say, told

_WAYS: tuple[Way, ...] = ("own", "rent", "api")
_NONE = "–"
_IDLE = 0.2  # share of the hours, below which what is paid for idle hours is the main risk
_MANY = 3  # offers, of which there is a middle
_APART = Decimal("1.5")  # dearest over cheapest offer


def ways_of(found: Recommendation) -> Ways:
    """The table. What has no price says why in its first cell."""
    years = found.asked.question.costs.billing.years
    rows = (
        (told("What"), *(_what(found, way) for way in _WAYS)),
        (told("At once"), *(_upfront(found, way) for way in _WAYS)),
        (told("A month"), *(_amount(found, way, "monthly") for way in _WAYS)),
        (told("Over {years} years", years=years), *(_amount(found, way, "total") for way in _WAYS)),
        (told("A million tokens"), *(_amount(found, way, "per_million_tokens") for way in _WAYS)),
        (told("Prices of"), *(_dated(found, way) for way in _WAYS)),
        (told("Where data goes"), *(_data(found, way) for way in _WAYS)),
        (told("Quality"), *(_quality(found, way) for way in _WAYS)),
        (told("Speed"), *(_speed(found, way) for way in _WAYS)),
        (told("Main risk"), *(_risk(found, way) for way in _WAYS)),
    )
    chosen = None if found.option is None or found.way is None else _WAYS.index(found.way)
    return Ways(tuple(told(NAMES[way]) for way in _WAYS), rows, chosen)


def in_words(amounts: MoneyRange, currency: str) -> str:
    """ "60 USD (33 to 104)"."""
    if amounts.low == amounts.high:
        return told("{amount:money} {currency}", amount=amounts.typical, currency=currency)
    return told(
        "{amount:money} {currency} ({range:span money})",
        amount=amounts.typical,
        currency=currency,
        range=Span(amounts.low, amounts.high),
    )


def _what(found: Recommendation, way: Way) -> str:
    option, about = found.of(way), found.about
    if way == "api":
        model = found.api_answer.entry.name
        if option is None and not found.runs and found.asked.decided.unmet:
            return told("No host promises what is asked for.")
        if option is None:
            return _why_not(found, way)
        host = say(option.title, "report")
        if option.offers < _MANY:
            return told("{model} from {host}", model=model, host=host)
        return told(
            "{model}; the middle of {offers} prices is that of {host}", model=model, offers=option.offers, host=host
        )
    if not found.runs:
        return told("{model} does not run on {machine} as asked", model=about.entry.name, machine=about.machine_name)
    if option is None:
        return _why_not(found, way)
    return told(
        "{model} as {level}: {what}", model=about.entry.name, level=about.shown.level, what=say(option.title, "report")
    )


def _why_not(found: Recommendation, way: Way) -> str:
    costs = found.about.shown.costs
    why = None if costs is None else dict(costs.missing).get(way)
    return told("No price is known.") if why is None else say(why, "report")


def _upfront(found: Recommendation, way: Way) -> str:
    option = found.of(way)
    if option is None:
        return _NONE
    if not option.upfront:
        return told("nothing")
    return in_words(upfront_of(option), found.asked.question.costs.billing.currency)


def upfront_of(option: Option) -> MoneyRange:
    """What is paid at once, in its three cases."""
    paid = [outlay.upfront for outlay in option.outlays]
    return MoneyRange(min(paid), option.upfront, max(paid))


def _amount(found: Recommendation, way: Way, what: str) -> str:
    option = found.of(way)
    if option is None:
        return _NONE
    amounts: MoneyRange = getattr(option, what)
    return in_words(amounts, found.asked.question.costs.billing.currency)


def _dated(found: Recommendation, way: Way) -> str:
    option = found.of(way)
    if option is None:
        return _NONE
    dated = days_of_money(option) or told("your own prices")
    if option.offers > 1:
        return told("{offers} providers, {dated}", offers=option.offers, dated=dated)
    return dated


def _data(found: Recommendation, way: Way) -> str:
    region, option = found.asked.question.costs.rent.region, found.of(way)
    if way == "own":
        return told("stays on your own hardware")
    if option is None:
        return _NONE
    if way == "rent":
        if not _holds(option, region):
            return told("to a data centre of the provider, in any country")
        return told("to a data centre of the provider, region {region}", region=say(REGION_NAMES[region], "report"))
    if not _holds(option, region):
        return told("every question and answer goes to the host, in any country")
    return told(
        "every question and answer goes to the host, region {region}", region=say(REGION_NAMES[region], "report")
    )


def _holds(option: Option | None, region: Region) -> bool:
    """Whether a region was asked for that all of the offers are in."""
    if option is None or region == "any":
        return False
    return not any(note.kind == "hosts_region_not_known" for note in option.notes)


def _gives(found: Recommendation, way: Way) -> bool:
    """Whether there is a plan to be had: on a machine that somebody rents out, or on one's own."""
    return found.runs and (way == "own" or found.of(way) is not None)


def _quality(found: Recommendation, way: Way) -> str:
    option = found.of(way)
    if way != "api":
        return _kept(found.about.shown) if _gives(found, way) else _NONE
    if option is None:
        return _NONE
    if option.precision is None:
        return told("taken to be the original's")
    return told("as {precision}, as the host says", precision=option.precision)


def _kept(shown: Candidate) -> str:
    if shown.kept is None:
        return told("not known")
    kept = min(shown.kept.typical, 100)
    if shown.kept.low == shown.kept.high:
        return told("{kept:.1f} % of the original's", kept=kept)
    return told(
        "{kept:.1f} % of the original's ({low:.0f} to {high:.0f})",
        kept=kept,
        low=shown.kept.low,
        high=min(shown.kept.high, 100),
    )


def _speed(found: Recommendation, way: Way) -> str:
    if way == "api":
        return _NONE if found.api is None else told("no host lists it")
    shown = found.about.shown
    speed = shown.tokens_per_s if shown.writes else shown.inputs_per_s
    if not _gives(found, way):
        return _NONE
    if speed is None:
        return told("not known")
    ends = Span(speed.low, speed.high)
    if not shown.writes:
        return told("{speed:rough} inputs/s ({range:span rough})", speed=speed.typical, range=ends)
    if found.about.question.workload.users > 1:
        return told("{speed:rough} tokens/s for each user ({range:span rough})", speed=speed.typical, range=ends)
    return told("{speed:rough} tokens/s ({range:span rough})", speed=speed.typical, range=ends)


def _risk(found: Recommendation, way: Way) -> str:
    option = found.of(way)
    if option is None:
        return _NONE
    if way == "api":
        if option.precision is None:
            return told("The host may change price or model, and does not say how exactly it serves it.")
        return told("The host may change price or model.")
    status = found.about.status
    if status == "last resort":
        return told("What it writes is visibly damaged, or comes too slowly.")
    if status == "slow":
        return told("It writes more slowly than people read.")
    return _risk_of_owning(option) if way == "own" else _risk_of_renting(found, option)


def _risk_of_owning(option: Option) -> str:
    busy = option.utilisation
    if busy is None or busy >= _IDLE:
        return told("It is paid at once, whatever the load turns out to be.")
    if busy < 0.01:
        return told("It computes less than 1 % of the time, and is paid for all of it.")
    return told("It computes {percent:.0f} % of the time, and is paid for all of it.", percent=100 * busy)


def _risk_of_renting(found: Recommendation, option: Option) -> str:
    if found.asked.question.costs.rent.term == "spot":
        return told("It may be taken away at any time.")
    if option.offers > 1 and option.monthly.high >= option.monthly.low * _APART:
        return told("Providers ask very different prices, and change them.")
    return told("The price may change, and the machine be sold out.")
