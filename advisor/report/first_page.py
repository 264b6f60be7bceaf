"""The first page: what to do, what it costs, what people get, how sure each figure is, and when to look again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from advisor.answer.flips import flips
from advisor.answer.money_words import money_words
from advisor.answer.option import users_that_fit
from advisor.answer.recommendation import Recommendation
from advisor.answer.turning_points import turning_points, turning_words
from advisor.answer.verdict import verdict
from advisor.costs.money import OLD_AFTER_DAYS, UsedPrice
from advisor.costs.sensitivity import Sensitivity
from advisor.foundation.message import Message, Span
from advisor.foundation.ranges import Range
from advisor.report.brief import Brief, Figure
from advisor.report.how_sure import (
    day_of_price,
    day_of_quality,
    day_of_speed,
    of_quality,
    of_speed,
    quality_in_words,
    speed_in_words,
    telling_price,
)
from advisor.report.money_figures import load_of, money_of
from advisor.report.ways import ways_of
from advisor.sizing.plan import Plan
from advisor.words import say, say_all, told, written_day

_NEAR = 3  # times: a way whose low end is dearer than that of the other's high end would have to change very much
_MOST_OF_MONEY, _MOST_OF_PLAN = 3, 3  # of what would change the decision; the rest is on the third page


def brief_of(found: Recommendation) -> Brief:
    """The first page of the report about a question."""
    changes = _changes(found)
    return Brief(
        decision=say(found.decision, "report"),
        beside=_beside(found),
        sure=_sure(found),
        load=load_of(found),
        money=tuple(money_of(found)),
        gets=tuple(_gets_of_api(found) if found.way == "api" else _gets(found)),
        ways=ways_of(found),
        changes=(*filter(None, (_steady(found),)), *changes),
        look_again=_look_again(found, bool(changes)),
    )


def _beside(found: Recommendation) -> str:
    """What the page says of the plan, where the decision is another sentence."""
    said = verdict(found.asked)
    if found.decision == said:
        return ""
    if found.way != "api" or not found.runs:
        return say(said, "report")
    return told("If you run a model yourself all the same: {verdict}", verdict=say(said, "report"))


def _sure(found: Recommendation) -> tuple[str, ...]:
    """In how many draws it is so, and whether the ways are of equal quality; where all are of the plan asked for."""
    if not found.is_compared or found.is_another:
        return ()
    return say_all(money_words(found.about.shown)[1:], "report")


def _gets_of_api(found: Recommendation) -> Iterator[Figure]:
    """What a host says, or does not."""
    option = found.api
    sure = told("not measured")
    if option is not None and option.precision is not None:
        value, words = option.precision, told("is how the typical host says it serves the model")
    else:
        value, words = told("the original's"), told("as hosts are taken to serve it, where they say nothing else")
    yield Figure("quality", told("Quality"), value, words=words, confidence=sure)
    yield Figure("speed", told("Speed"), told("not listed"), words=told("no host promises one"), confidence="")
    limits = told("within the limits that the host sets")
    yield Figure("users", told("Users at once"), told("any number"), words=limits, confidence=sure)


def _gets(found: Recommendation) -> Iterator[Figure]:
    """What the plan gives to those who use it; nothing where there is no plan."""
    if not found.runs:
        return
    about, shown = found.about, found.about.shown
    if shown.writes:
        kept = shown.kept
        if kept is None:
            yield Figure("quality", told("Quality against the original"), told("not known"))
        else:
            typical = min(kept.typical, 100)
            yield Figure(
                "quality",
                told("Quality against the original"),
                told("{kept:.1f} %", kept=typical),
                ""
                if kept.low == kept.high
                else told("{low:.0f} to {high:.0f} %", low=kept.low, high=min(kept.high, 100)),
                quality_in_words(typical),
                of_quality(shown),
                day_of_quality(shown),
            )
    users = about.question.workload.users
    sure, dated = of_speed(shown), day_of_speed(shown)
    if (speed := shown.tokens_per_s) is not None and shown.writes:
        label = told("Speed for each user") if users > 1 else told("Speed")
        said = _range("speed", label, speed, told("tokens/s"))
        yield replace(said, words=speed_in_words(speed.typical), confidence=sure, as_of=dated)
    elif (inputs := shown.inputs_per_s) is not None:
        yield replace(_range("inputs", told("Speed"), inputs, told("inputs/s")), confidence=sure, as_of=dated)
    else:
        yield Figure("speed", told("Speed"), told("not known"))
    first = None if shown.speed is None or not shown.writes else shown.speed.time_to_first_token_s
    if first is not None:
        waits = told("for one user's prompt, on an idle machine")
        said = _range("first_token", told("First word after"), first, told("s"))
        yield replace(said, words=waits, confidence=told("estimated"))
    yield Figure(
        "users",
        told("Users at once"),
        told("{users:,}", users=users),
        words=_room(found, users),
        confidence=told("computed from its memory"),
    )


def _range(key: str, label: str, values: Range, unit: str) -> Figure:
    value = told("{value:rough} {unit}", value=values.typical, unit=unit)
    return Figure(key, label, value, told("{range:span rough} {unit}", range=Span(values.low, values.high), unit=unit))


def _room(found: Recommendation, users: int) -> str:
    """How many full contexts there is room for; an encoder keeps none."""
    if not found.about.shown.writes:
        return ""
    plan = found.about.shown.plan
    most = int(users_that_fit(plan))
    if plan.at_once is None and most > users:  # beside the margin, which stays free
        most = max(users, int(most - _margin_in_users(plan)))
    if most < users:
        return told("{most:,} of them with a full context at the same time", most=most)
    if most == users:
        return told("each with a full context")
    return told("room for {most:,} with full contexts", most=most)


def _margin_in_users(plan: Plan) -> float:
    """For how many users' contexts the margin would have room, which is not to be used."""
    users = plan.settings.users
    held = [(place.capacity_bytes or 0, place.kv_cache_bytes / users) for place in (plan.devices or (plan.host,))]
    return max((plan.request.margin * capacity / each for capacity, each in held if each), default=0.0)


def _changes(found: Recommendation) -> tuple[str, ...]:
    """Where the money turns round, the largest lever first; and what leads to another plan, where one is to be run."""
    said: list[str] = []
    own, billing = found.own, found.asked.question.costs.billing
    turns = say_all((one for each in _points(found) for one in turning_words(each)), "report")
    said += turns[:_MOST_OF_MONEY]
    if found.way in ("api", "rent") and own is not None and found.about.chosen is not None:
        said.append(
            told(
                "If data has to stay on your own hardware: {model} as {level} there, for about {amount:money} "
                "{currency} a month.",
                model=found.about.entry.name,
                level=found.about.shown.level,
                amount=own.monthly.typical,
                currency=billing.currency,
            )
        )
    if found.way == "api":
        return tuple(said)
    plans = [flip.sentence for flip in flips(found.about)]
    return (*said, *say_all(plans[:_MOST_OF_PLAN], "report"))


def _steady(found: Recommendation) -> str:
    """That nothing of what money hangs on most turns it round, where that is so."""
    points = _points(found)
    if not points or any(each.less or each.more for each in points):
        return ""
    return told(
        "None of the {count} figures that matter most makes another way the cheapest, from a tenth to ten times of "
        "what is planned.",
        count=len(points),
    )


def _points(found: Recommendation) -> tuple[Sensitivity, ...]:
    """What money hangs on most, where the decision is about the plan that was asked for."""
    if not found.is_compared or found.is_another:
        return ()
    return turning_points(found.about, found.about.shown)


def _look_again(found: Recommendation, has_changes: bool) -> str:
    oldest = oldest_price(found)
    if oldest is None:
        if has_changes:
            return told("No price here grows old; look again as soon as something above happens.")
        return told("No price here grows old; look again when another model or machine comes into question.")
    today, label = found.asked.today, say(_without_range(oldest.label), "report")
    if oldest.as_of is None and oldest.checked is not None:
        due = oldest.checked + timedelta(days=OLD_AFTER_DAYS)
        if due > today:
            return told(
                "Look again on {day}: the source of the price that the decision hangs on most ({price}) names no day, "
                "and was read on {read}.",
                day=written_day(due),
                price=label,
                read=written_day(oldest.checked),
            )
    if oldest.as_of is None:
        return told(
            "Ask for fresh prices before you sign: the source of the price that the decision hangs on most ({price}) "
            "does not say from which day it is. Then look again {days} days later.",
            price=label,
            days=OLD_AFTER_DAYS,
        )
    due, seen = oldest.as_of + timedelta(days=OLD_AFTER_DAYS), written_day(oldest.as_of)
    if due <= today:
        return told(
            "Ask for fresh prices before you sign: the oldest that the decision hangs on ({price}) is of {seen}, "
            "{age:,} days ago. Then look again {days} days later.",
            price=label,
            seen=seen,
            age=(today - oldest.as_of).days,
            days=OLD_AFTER_DAYS,
        )
    if has_changes:
        return told(
            "Look again on {day}, when the oldest price that the decision hangs on ({price}, of {seen}) is {days} days "
            "old, or as soon as something above happens.",
            day=written_day(due),
            price=label,
            seen=seen,
            days=OLD_AFTER_DAYS,
        )
    return told(
        "Look again on {day}, when the oldest price that the decision hangs on ({price}, of {seen}) is {days} days "
        "old.",
        day=written_day(due),
        price=label,
        seen=seen,
        days=OLD_AFTER_DAYS,
    )


def _without_range(label: Message) -> Message:
    """What a price is of, without the ends that its source gives."""
    what = dict(label.figures).get("what")
    return what if label.kind == "price_in_range" and isinstance(what, Message) else label


def oldest_price(found: Recommendation) -> UsedPrice | None:
    """The oldest price that matters: of the way to go, and of the cheapest other one where that is not far off
    and something turns the decision round."""
    chosen = found.option or (found.ways[0] if found.ways else None)
    if chosen is None:
        return None
    others = sorted((one for one in found.ways if one is not chosen), key=lambda one: one.monthly.typical)
    near = [one for one in others[:1] if one.monthly.low <= _NEAR * chosen.monthly.high]
    if found.asked.question.requirements.own_hardware or _steady(found):
        near = []
    prices = [price for option in (chosen, *near) if (price := telling_price(option)) is not None]
    return min(prices, key=day_of_price, default=None)
