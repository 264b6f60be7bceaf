"""The one shape of every cost: so much for each whole machine, plus so much for each token.

A machine serves only so many tokens a month at the planned speed. So its cost is a staircase, an API's a straight line
through zero, and where two of them cross follows by arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise

from advisor.costs.money import cents
from advisor.foundation.message import Message, fact


@dataclass(frozen=True, slots=True)
class Step:
    """One item of the bill, unrounded: `per_unit` a month for each machine or instance, `per_token` for each token.

    `how` says in words and numbers what `per_unit` and `per_token` come from.
    """

    label: Message
    per_unit: Decimal
    per_token: Decimal
    how: Message


@dataclass(frozen=True, slots=True)
class Line:
    """One item of a month's bill, in whole cents of the question's currency."""

    label: Message
    amount: Decimal
    how: Message


@dataclass(frozen=True, slots=True)
class Staircase:
    """`unit_tokens`: how many tokens a month one machine serves with the peaks planned; None: no limit is known.

    `vat`: the share put on top of the bill.
    """

    steps: tuple[Step, ...]
    unit_tokens: Decimal | None
    vat: Decimal
    has_units: bool = True

    @property
    def per_unit(self) -> Decimal:
        """What a month of one machine costs before it serves a token, unrounded."""
        return sum((step.per_unit for step in self.steps), Decimal(0)) * (1 + self.vat)

    @property
    def per_token(self) -> Decimal:
        """What each token adds, unrounded."""
        return sum((step.per_token for step in self.steps), Decimal(0)) * (1 + self.vat)

    def units(self, tokens: int) -> int:
        """Whole machines or instances needed for so many tokens a month: the load at its peak over their speed."""
        if not self.has_units:
            return 0
        if self.unit_tokens is None:
            return 1
        return max(1, int((tokens / self.unit_tokens).to_integral_value(ROUND_CEILING)))

    def bill(self, tokens: int) -> tuple[Line, ...]:
        """The month's bill; its sum is `cost`."""
        units = self.units(tokens)
        lines = [
            Line(step.label, cents(units * step.per_unit + tokens * step.per_token), step.how) for step in self.steps
        ]
        if self.vat:
            net = sum((line.amount for line in lines), Decimal(0))
            lines.append(
                Line(fact("bill_vat"), cents(net * self.vat), fact("how_vat", percent=self.vat * 100, net=net))
            )
        return tuple(lines)

    def cost(self, tokens: int) -> Decimal:
        """A month with so many tokens, in whole cents; it never falls when tokens rise."""
        units = self.units(tokens)
        net = sum((cents(units * step.per_unit + tokens * step.per_token) for step in self.steps), Decimal(0))
        return net + cents(net * self.vat) if self.vat else net

    def exact_cost(self, tokens: int) -> Decimal:
        """The same, unrounded: for where two of them cross, which whole cents would blur."""
        return self.units(tokens) * self.per_unit + tokens * self.per_token

    def break_even(self, per_token: Decimal) -> int | None:
        """The fewest tokens a month from which this costs no more than something at `per_token` a token.

        None: it never does, because the tokens that one machine can serve are worth less than the machine. Further
        machines do not change that: each adds the same cost and the same tokens.
        """
        gain = per_token - self.per_token
        if gain <= 0:
            return None
        tokens = int((self.per_unit / gain).to_integral_value(ROUND_CEILING))
        if self.unit_tokens is not None and tokens > self.unit_tokens:
            return None
        return max(1, tokens)


@dataclass(frozen=True, slots=True)
class Crossing:
    """From `tokens` a month on, and until the next crossing, `cheaper` costs less than `dearer`."""

    tokens: int
    cheaper: str
    dearer: str


def crossings(
    first: tuple[str, Callable[[int], Decimal]], second: tuple[str, Callable[[int], Decimal]], grid: Iterable[int]
) -> tuple[Crossing, ...]:
    """Where the cheaper of two costs changes between neighbours of a rising grid, to the token, by bisection."""
    (name, cost), (other_name, other_cost) = first, second

    def is_dearer(tokens: int) -> bool:
        return cost(tokens) > other_cost(tokens)

    found = []
    for start, end in pairwise(grid):
        before = is_dearer(start)
        if before == is_dearer(end):
            continue
        low, high = start, end
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if is_dearer(middle) == before else (low, middle)
        found.append(Crossing(high, *((name, other_name) if before else (other_name, name))))
    return tuple(found)
