"""What would turn the comparison of money round: the five inputs that move it most, each asked of the engine again."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.answer.answer import Answer
from advisor.answer.assess import priced_as
from advisor.answer.candidate import Candidate
from advisor.costs.sensitivity import Flip, Sensitivity, sensitivity
from advisor.foundation.caches import kept_beside
from advisor.foundation.message import Message, fact

_DOING = {"own": fact("owning"), "rent": fact("renting"), "api": fact("an_api")}


def turning_points(found: Answer, shown: Candidate) -> tuple[Sensitivity, ...]:
    """The five inputs with the largest swing first; () where nothing is owned or nothing can be compared with it."""
    return _of_shown(found) if shown is found.shown else _asked(found, shown)


@kept_beside
def _of_shown(found: Answer) -> tuple[Sensitivity, ...]:
    """Of the plan that every page is about: a report says them twice, and each costs a hundred bills."""
    return _asked(found, found.shown)


def _asked(found: Answer, shown: Candidate) -> tuple[Sensitivity, ...]:
    if shown.costs is None:
        return ()
    devices = max(1, len(found.hardware.installed))
    card, model = found.hardware.average_card, priced_as(found.entry)
    return sensitivity(shown.costs, model, card, devices, shown.throughput, flips=True)


def turning_words(each: Sensitivity) -> Iterator[Message]:
    """A sentence for each side on which an input turns the comparison round."""
    for flip in (each.less, each.more):
        if flip is not None:
            yield _words(each, flip)


def _words(each: Sensitivity, flip: Flip) -> Message:
    what, value, planned, doing = each.label, flip.value, each.value, _DOING[flip.way]
    if each.is_price:
        if value < planned:
            return fact("price_below", input=what, value=value, planned=planned, doing=doing)
        return fact("price_above", input=what, value=value, planned=planned, doing=doing)
    if value < planned:
        return fact("turns_below", input=what, value=value, planned=planned, doing=doing)
    return fact("turns_above", input=what, value=value, planned=planned, doing=doing)
