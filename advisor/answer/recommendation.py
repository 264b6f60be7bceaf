"""What to do, all things considered: which model, on which machine, and whether to own, to rent or to pay per token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from advisor.answer.answer import Answer
from advisor.answer.assess import priced_as
from advisor.answer.policy import ALL_KEPT, NEARLY_ALL_KEPT
from advisor.answer.status import Status
from advisor.answer.verdict import leading, verdict
from advisor.costs.costs import by_the_token
from advisor.costs.options import Option
from advisor.foundation.caches import kept_beside
from advisor.foundation.message import NOTHING, Message, fact

Way = Literal["own", "rent", "api"]
_WELL: tuple[Status, ...] = ("good", "limited")
_SAID_OF_MACHINES = {"max_cost_per_month", "min_quality"}  # rules that a plan breaks and an API need not


@dataclass(frozen=True, eq=False)
class Recommendation:
    """`about` is the answer whose plan is to be run: the one asked for, or that of another model that leads.

    `own` and `rent` are of that plan, `api` is of the model that was asked for where a host has it, else of the same
    model; None: no price, or it does not run. `way` is what to do (None: nothing can be said for one of them), and
    `is_compared` says whether it was the cheapest of several. `decision` is one sentence.
    """

    asked: Answer
    about: Answer
    own: Option | None
    rent: Option | None
    api: Option | None
    way: Way | None
    is_compared: bool
    decision: Message

    @property
    def runs(self) -> bool:
        """Whether there is a plan that is to be run."""
        return self.about.chosen is not None

    @property
    def is_another(self) -> bool:
        """Whether another model than the one asked for is to be run on the machine."""
        return self.about is not self.asked

    @property
    def option(self) -> Option | None:
        """What `way` costs."""
        return None if self.way is None else self.of(self.way)

    def of(self, way: Way) -> Option | None:
        """One of the three, by its name."""
        return {"own": self.own, "rent": self.rent, "api": self.api}[way]

    @property
    def ways(self) -> tuple[Option, ...]:
        """Those with a price."""
        return tuple(one for one in (self.own, self.rent, self.api) if one is not None)

    @property
    def api_answer(self) -> Answer:
        """Whose model the API serves."""
        return self.asked if not self.is_another or _sold(self.asked) is not None else self.about


@kept_beside
def recommendation(found: Answer) -> Recommendation:
    """What to do about a question."""
    other = leading(found)
    about = found if other is None else other.found
    costs = about.shown.costs if about.chosen is not None else None
    own = None if costs is None else costs.own
    rent = None if costs is None else costs.rent
    sold = None if costs is None else costs.api
    api = sold if about is found and costs is not None else _sold(found) or sold
    stays = found.question.requirements.own_hardware
    way, is_compared = _way(found, about, (own, rent, api), stays)
    return Recommendation(
        found, about, own, rent, api, way, is_compared, _decision(found, about, (own, rent, api), way, is_compared)
    )


def _sold(found: Answer) -> Option | None:
    """The model by the token; None where nobody sells it, or a rule of the question stands against it."""
    if any(one.requirement not in _SAID_OF_MACHINES for one in found.decided.unmet):
        return None
    inputs = found.question.costs
    option = by_the_token(priced_as(found.entry), inputs, found.today)
    most = found.question.requirements.max_cost_per_month
    if isinstance(option, Message) or (most is not None and option.monthly.typical > most):
        return None
    return option


_Ways = tuple[Option | None, Option | None, Option | None]


def _way(found: Answer, about: Answer, ways: _Ways, stays: bool) -> tuple[Way | None, bool]:
    api = ways[2]
    priced = [one for one in ways if one is not None]
    if stays:
        return ("own" if about.chosen is not None and about.status in _WELL else None), False
    if about.chosen is None or about.status not in _WELL:
        # Nobody is told to buy a machine for what is damaged or slow.
        return ("api" if api is not None else None), False
    if not priced:
        return None, False
    best = min(priced, key=lambda option: option.monthly.typical)
    if len(priced) == 1 and best.name == "api":  # of the machine no price is known, so nothing speaks against it
        return None, False
    return best.name, len(priced) > 1


def _decision(found: Answer, about: Answer, ways: _Ways, way: Way | None, is_compared: bool) -> Message:
    """One sentence; where there is nothing to add to the verdict, that."""
    api = ways[2]
    if way == "api" and api is not None:
        return _by_api(found, about, ways, api)
    if about.chosen is None:
        return verdict(found)
    if about.status not in _WELL:
        return fact("advise_elsewhere", model=about.entry.name, machine=_machine(about), trouble=_trouble(about))
    option = next((one for one in ways if one is not None and one.name == way), None)
    if option is None:
        return _unpriced(found, about, api)
    return _on_a_machine(found, about, option, _others(found, ways, option) if is_compared else ())


def _unpriced(found: Answer, about: Answer, api: Option | None) -> Message:
    """To be run, on a machine of which no price is known."""
    model, level, machine, instead = about.entry.name, about.shown.level, _machine(about), _instead(found, about)
    if found.question.requirements.own_hardware:
        return fact("advise_at_home_unpriced", model=model, instead=instead, level=level, machine=machine)
    if api is None:
        return fact("advise_unpriced", model=model, instead=instead, level=level, machine=machine)
    if about is found:
        return fact(
            "advise_if_there",
            model=model,
            level=level,
            machine=machine,
            amount=api.monthly.typical,
            currency=found.question.costs.billing.currency,
        )
    return fact(
        "advise_if_there_instead",
        model=model,
        instead=instead,
        level=level,
        machine=machine,
        served=(found if _sold(found) is not None else about).entry.name,
        amount=api.monthly.typical,
        currency=found.question.costs.billing.currency,
    )


def _on_a_machine(found: Answer, about: Answer, option: Option, others: tuple[Message, ...]) -> Message:
    """To be run on a machine that is bought or rented; `others` are what it was compared with."""
    model, level, machine, instead = about.entry.name, about.shown.level, _machine(about), _instead(found, about)
    amount, currency, keeping = option.monthly.typical, found.question.costs.billing.currency, _keeping(about)
    if found.question.requirements.own_hardware:
        return fact(
            "advise_at_home",
            model=model,
            instead=instead,
            level=level,
            machine=machine,
            amount=amount,
            currency=currency,
            keeping=keeping,
        )
    if option.name == "own" and others:
        return fact(
            "advise_own",
            model=model,
            instead=instead,
            level=level,
            machine=machine,
            amount=amount,
            currency=currency,
            others=others,
            keeping=keeping,
        )
    if option.name == "own":
        return fact(
            "advise_own_only",
            model=model,
            instead=instead,
            level=level,
            machine=machine,
            amount=amount,
            currency=currency,
            keeping=keeping,
        )
    if others:
        return fact(
            "advise_rent",
            machine=machine,
            model=model,
            instead=instead,
            level=level,
            amount=amount,
            currency=currency,
            others=others,
            keeping=keeping,
        )
    return fact(
        "advise_rent_only",
        machine=machine,
        model=model,
        instead=instead,
        level=level,
        amount=amount,
        currency=currency,
        keeping=keeping,
    )


def _instead(found: Answer, about: Answer) -> Message:
    return NOTHING if about is found else fact("advise_instead", asked=found.entry.name)


def _by_api(found: Answer, about: Answer, ways: _Ways, api: Option) -> Message:
    amount, currency = api.monthly.typical, found.question.costs.billing.currency
    is_sold = _sold(found) is not None
    if about.chosen is None or about.status not in _WELL:
        return fact(
            "advise_api_rather",
            model=found.entry.name,
            amount=amount,
            currency=currency,
            machine=_machine(found),
            trouble=_trouble(found),
        )
    others = _others(found, ways, api)
    if about is not found and is_sold and others:
        return fact(
            "advise_api_led",
            model=found.entry.name,
            amount=amount,
            currency=currency,
            machine=_machine(found),
            trouble=_trouble(found),
            other=about.entry.name,
            others=others,
        )
    instead = NOTHING if about is found or is_sold else fact("advise_instead", asked=found.entry.name)
    serves = fact("api_serves_original")
    if api.precision is not None:
        serves = fact("api_serves", precision=api.precision)
    return fact(
        "advise_api",
        model=found.entry.name if is_sold else about.entry.name,
        instead=instead,
        amount=amount,
        currency=currency,
        others=others,
        serves=serves,
    )


def _machine(about: Answer) -> str:
    return about.hardware.name_of_used


def _trouble(found: Answer) -> Message:
    """What speaks against the plan of the model that was asked for, as a clause."""
    shown = found.shown
    if found.chosen is None:
        return fact("trouble_refused")
    if found.status == "slow" and shown.tokens_per_s is not None:
        return fact("trouble_slow", speed=shown.tokens_per_s.typical)
    if found.status == "limited":
        return fact("trouble_limited", level=shown.level)
    return fact("trouble_last_resort", level=shown.level)


def _keeping(about: Answer) -> Message:
    kept = about.shown.kept
    if kept is None:
        return NOTHING
    if kept.typical >= ALL_KEPT:
        return fact("advise_keeps_all")
    if kept.typical >= NEARLY_ALL_KEPT:
        return fact("advise_keeps_nearly_all")
    return fact("advise_keeps", kept=kept.typical)


def _others(found: Answer, ways: _Ways, option: Option) -> tuple[Message, ...]:
    """What the other ways cost a month."""
    currency = found.question.costs.billing.currency
    own, rent, api = (one if one is not option else None for one in ways)
    said = (
        None if own is None else fact("costs_owned", amount=own.monthly.typical, currency=currency),
        None if rent is None else fact("costs_rented", amount=rent.monthly.typical, currency=currency),
        None if api is None else fact("costs_by_api", amount=api.monthly.typical, currency=currency),
    )
    return tuple(one for one in said if one is not None)
