"""The one shape of every cost: so much for each whole machine, plus so much for each token.

A machine serves only so many tokens a month at the planned speed. So its cost is a staircase, an API's a straight line
through zero, and where two of them cross follows by arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from typing import Literal

from advisor.costs.money import cents
from advisor.foundation.message import Message, fact

_MOST_MACHINES = 1 << 30


@dataclass(frozen=True, slots=True)
class Step:
    """One item of the bill, unrounded: `per_unit` a month for each machine or instance, `per_token` for each token.

    `while_busy`: `per_token` is for the time a token takes alone, so it is not paid for more tokens than fill the
    hours (`Staircase.busy_tokens`): a machine that is never idle computes for several at once.
    `per_unit` is paid for "each" machine, "once" for all of them together, or for each where there are "several".
    `how` says in words and numbers what `per_unit` and `per_token` come from.
    """

    label: Message
    per_unit: Decimal
    per_token: Decimal
    how: Message
    while_busy: bool = False
    paid: Literal["each", "once", "several"] = "each"

    def fixed(self, units: int) -> Decimal:
        """A month of so many machines before they serve a token, unrounded."""
        if self.paid == "each" or (self.paid == "several" and units > 1):
            return units * self.per_unit
        return self.per_unit if self.paid == "once" else Decimal(0)


@dataclass(frozen=True, slots=True)
class Line:
    """One item of a month's bill, in whole cents of the question's currency."""

    label: Message
    amount: Decimal
    how: Message


@dataclass(frozen=True, slots=True)
class Staircase:
    """`unit_tokens`: how many tokens a month one machine serves with the peaks planned; None: no limit is known.

    `busy_tokens`: how many fill all its hours one by one, after which it is never idle; None: not known.
    `vat`: the share put on top of the bill. `spares` machines are there besides those that the load takes.
    """

    steps: tuple[Step, ...]
    unit_tokens: Decimal | None
    vat: Decimal
    has_units: bool = True
    busy_tokens: Decimal | None = None
    spares: int = 0

    @property
    def per_token(self) -> Decimal:
        """What each token adds, unrounded, until a machine is never idle."""
        return sum((step.per_token for step in self.steps), Decimal(0)) * (1 + self.vat)

    def units(self, tokens: int) -> int:
        """Whole machines or instances for so many tokens a month: the load at its peak over their speed, and spares."""
        if not self.has_units:
            return 0
        if self.unit_tokens is None:
            return 1 + self.spares
        return max(1, int((tokens / self.unit_tokens).to_integral_value(ROUND_CEILING))) + self.spares

    def bill(self, tokens: int) -> tuple[Line, ...]:
        """The month's bill; its sum is `cost`."""
        lines = [Line(step.label, cents(amount), step.how) for step, amount in self._amounts(tokens)]
        if self.vat:
            net = sum((line.amount for line in lines), Decimal(0))
            lines.append(
                Line(fact("bill_vat"), cents(net * self.vat), fact("how_vat", percent=self.vat * 100, net=net))
            )
        return tuple(lines)

    def cost(self, tokens: int) -> Decimal:
        """A month with so many tokens, in whole cents; it never falls when tokens rise."""
        net = sum((cents(amount) for _, amount in self._amounts(tokens)), Decimal(0))
        return net + cents(net * self.vat) if self.vat else net

    def exact_cost(self, tokens: int) -> Decimal:
        """The same, unrounded: for where two of them cross, which whole cents would blur."""
        return sum((amount for _, amount in self._amounts(tokens)), Decimal(0)) * (1 + self.vat)

    def counted(self, tokens: int) -> Decimal:
        """The tokens of `tokens` for which the machines compute a time of their own."""
        most = self._most(self.units(tokens))
        return Decimal(tokens) if most is None else min(Decimal(tokens), most)

    def busy_share(self, tokens: int) -> float | None:
        """The share of the hours in which the machines compute; None where that is not known."""
        most = self._most(self.units(tokens))
        return None if not most else float(self.counted(tokens) / most)

    def _most(self, units: int) -> Decimal | None:
        return None if self.busy_tokens is None else units * self.busy_tokens

    def _amounts(self, tokens: int) -> list[tuple[Step, Decimal]]:
        units, counted = self.units(tokens), self.counted(tokens)
        return [
            (step, step.fixed(units) + (counted if step.while_busy else tokens) * step.per_token)
            for step in self.steps
            if step.paid != "several" or units > 1
        ]

    def break_even(self, per_token: Decimal) -> int | None:
        """The fewest tokens a month from which this costs no more than something at `per_token` a token.

        None: it never does, because the tokens that a machine can serve are worth less than the machine. Only what all
        machines share, such as spares and staff, can make many of them pay where one does not.
        """
        found = self._reached(per_token, 1)
        if found is None and self.unit_tokens is not None and self._shares:
            # From two machines on each further one adds the same cost and the same tokens.
            low, high = 2, _MOST_MACHINES
            while low < high:
                middle = (low + high) // 2
                low, high = (middle + 1, high) if self._reached(per_token, middle) is None else (low, middle)
            found = self._reached(per_token, low)
        return found

    @property
    def _shares(self) -> bool:
        return bool(self.spares) or any(step.paid == "once" for step in self.steps)

    def _reached(self, per_token: Decimal, machines: int) -> int | None:
        """The fewest tokens that so many machines at work can serve at which they cost no more."""
        units = machines + self.spares
        fixed = sum((step.fixed(units) for step in self.steps), Decimal(0)) * (1 + self.vat)
        busy = sum((step.per_token for step in self.steps if step.while_busy), Decimal(0)) * (1 + self.vat)
        paid = [(fixed, per_token - self.per_token)]
        if self.busy_tokens is not None:  # where a machine is never idle, what it pays while busy is all paid
            paid.append((fixed + busy * units * self.busy_tokens, per_token - self.per_token + busy))
        reached = [cost / gain for cost, gain in paid if gain > 0]
        if not reached:
            return None
        tokens = max(1, int(min(reached).to_integral_value(ROUND_CEILING)))
        return None if self.unit_tokens is not None and tokens > machines * self.unit_tokens else tokens


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
