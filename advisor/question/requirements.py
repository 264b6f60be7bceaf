"""What the user will not go without, as hard rules; and which of them an option breaks, by how much.

A part of the question: field names are keys of the link, and defaults may never change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from advisor.foundation.errors import ImpossibleValue, InputError, choose_one_of, nearest, one_line, resembling
from advisor.foundation.message import Message, fact
from advisor.foundation.parts import Part
from advisor.quality.tasks import DEMANDS, SCORED_TASKS, find_task

_DEMANDS = {demand.id: demand for demand in DEMANDS}
_DEMAND_NAMES = {
    "lossless": fact("demand_lossless"),
    "small": fact("demand_small"),
    "works": fact("demand_works"),
}


def _switch(value: Any) -> Any:
    return {"on": True, "off": False}.get(value, value) if isinstance(value, str) else value


Switch = Annotated[bool, BeforeValidator(_switch), PlainSerializer(lambda on: "on" if on else "off")]


def known(options: Mapping[str, object] | tuple[str, ...], what: str | Message) -> Any:
    """A validator that refuses a word which is none of `options`, naming the nearest."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value not in options:
            close = resembling(value, options)
            hint = nearest(value, options) or choose_one_of(options)
            raise ImpossibleValue(
                "Unknown {what} '{value}'; {hint}", close, what=what, value=one_line(value), hint=hint
            )
        return value

    return BeforeValidator(check)


def _task(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        found = find_task(value)
    except InputError as error:
        raise ImpossibleValue.because(error) from None
    if found not in SCORED_TASKS:
        raise ImpossibleValue("task={task} has no score to keep; {hint}", task=found, hint=choose_one_of(SCORED_TASKS))
    return found


def _percent(value: Any) -> Any:
    if not isinstance(value, str) or value in _DEMANDS:
        return value
    try:
        return float(value)
    except ValueError:
        raise ImpossibleValue(
            "min_quality={value} is not possible: give a percentage or one of {demands}.",
            value=one_line(value),
            demands=", ".join(_DEMANDS),
        ) from None


def _at_most_all(value: float | str | None) -> float | str | None:
    if isinstance(value, float) and not 0 <= value <= 100:
        raise ImpossibleValue(
            "min_quality={value:exact} is not possible: it is the percentage of the 16-bit score to keep, from 0 "
            "to 100.",
            value=value,
        )
    return value


Goal = Literal["balanced", "quality", "speed", "many-users", "cheapest"]
GOALS: tuple[Goal, ...] = get_args(Goal)


class Requirements(Part):
    """Hard rules (None: not asked for), and what is to be made best among what they allow.

    `min_quality` is the percentage of the 16-bit score at `task` that must be kept, as a number or as a word of
    `DEMANDS`; `min_tokens_per_s` is for each user, and a wish, no rule: speeds are estimates, and a plan just short of
    it may be the better one. `max_first_token_s` is for a prompt of `prompt_tokens`; `max_cost_per_month` is in the
    question's currency. `own_hardware` says that data must not leave it.
    """

    task: Annotated[str, BeforeValidator(_task)] = "chat"
    min_quality: Annotated[float | str | None, BeforeValidator(_percent)] = None
    min_tokens_per_s: float | None = Field(None, gt=0, le=1_000_000)
    max_first_token_s: float | None = Field(None, gt=0, le=1_000_000)
    max_cost_per_month: float | None = Field(None, gt=0, le=1_000_000_000)
    commercial: Switch = False
    own_hardware: Switch = False
    goal: Annotated[Goal, known(GOALS, "goal")] = "balanced"

    @model_validator(mode="after")
    def _possible(self) -> Requirements:
        _at_most_all(self.min_quality)
        return self

    @property
    def least_percent(self) -> float | None:
        """The percentage behind `min_quality`."""
        if isinstance(self.min_quality, str):
            return _DEMANDS[self.min_quality].percent
        return self.min_quality

    def is_enough(self, percent: float) -> bool:
        """Whether it asks for no more than so many percent kept, to the hundredth that figures are told to."""
        least = self.least_percent
        return least is None or round(percent, 2) >= least

    @property
    def quality_asked(self) -> Message:
        """What is asked of quality."""
        least = self.least_percent
        if least is None:
            return fact("no_least_quality")
        if isinstance(self.min_quality, str):
            return fact("demand", demand=_DEMAND_NAMES[self.min_quality], percent=least)
        return fact("least_percent", percent=least)


@dataclass(frozen=True, slots=True)
class Unmet:
    """A requirement that is not met: its key, the fact with its figures, and by what share it is missed.

    `gap` is relative (0.5: half as much again is needed) and None where a figure is not known.
    """

    requirement: str
    message: Message
    gap: float | None
