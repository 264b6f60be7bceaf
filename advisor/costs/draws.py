"""How sure a comparison is: the ways drawn at random over their ranges, and how often each is the cheapest.

A range holds nine of ten: 5 % of the draws lie at each end or beyond it, half below what is typical, and between those
every value is as likely as another. Owned and rented machines share the speed; each item of an owner's bill is drawn by
itself; of what is rented or paid by the token one provider is drawn. The seed is fixed, so the same question has the
same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from advisor.costs.options import Cases, Option
from advisor.foundation.compiled import kept
from advisor.foundation.message import Message, fact

if TYPE_CHECKING:
    from advisor.costs.costs import Costs

DRAWS = 1000
_PLACES = (0.05, 0.5, 0.95)
_Draws = NDArray[np.float64]
_DOING = {"own": fact("owning"), "rent": fact("renting"), "api": fact("an_api")}
_NEARLY = 0.95


@dataclass(frozen=True, slots=True)
class Chances:
    """In which share of the draws each way with a price is the cheapest."""

    of: tuple[tuple[str, float], ...]

    def share(self, name: str) -> float:
        """0 for a way without a price."""
        return dict(self.of).get(name, 0.0)


def chances_of(costs: Costs) -> Chances | None:
    """How often each way is the cheapest; None where there are not two of them."""
    if len(costs.options) < 2:
        return None
    drawn = np.stack([_cost(option, costs.tokens_per_month) for option in costs.options])
    cheapest = drawn.argmin(axis=0)
    return Chances(
        tuple((option.name, float((cheapest == place).mean())) for place, option in enumerate(costs.options))
    )


def chances_words(chances: Chances, best: str) -> Message:
    """In how many of ten draws what is cheapest at typical prices is so, and what is so more often, if anything."""
    share, doing = chances.share(best), _DOING[best]
    other, more = max(((name, part) for name, part in chances.of if name != best), key=lambda each: each[1])
    if share >= more:
        return fact("cheapest_in", doing=doing, often=_often(share))
    return fact("cheapest_less_often", doing=doing, often=_often(share), other=_DOING[other], more=_often(more))


def _often(share: float) -> Message:
    if share == 1:
        return fact("often_all")
    if share > _NEARLY:
        return fact("often_most")
    return fact("often_hardly") if share < 1 - _NEARLY else fact("often", tenths=round(10 * share))


def _cost(option: Option, tokens: int) -> _Draws:
    """A month of one way in each draw."""
    each = np.stack([_drawn(cases, tokens) for cases in option.offered])
    taken = (_uniform(f"provider of {option.name}") * len(each)).astype(int)
    drawn: _Draws = each[taken, np.arange(DRAWS)]
    return drawn


def _drawn(cases: Cases, tokens: int) -> _Draws:
    low, typical, high = cases
    units: _Draws = np.full(DRAWS, float(typical.units(tokens)))
    if low.unit_tokens and typical.unit_tokens and high.unit_tokens:
        reach = _between("speed", low.unit_tokens, typical.unit_tokens, high.unit_tokens)
        units = np.maximum(1, np.ceil(tokens / reach)) + typical.spares
    counted: _Draws = np.full(DRAWS, float(tokens))
    if low.busy_tokens and typical.busy_tokens and high.busy_tokens:
        busy = _between("speed", low.busy_tokens, typical.busy_tokens, high.busy_tokens)
        counted = np.minimum(counted, units * busy)
    total: _Draws = np.zeros(DRAWS)
    for one, two, three in zip(low.steps, typical.steps, high.steps, strict=True):
        about = two.label.kind
        fixed = _between(about, one.per_unit, two.per_unit, three.per_unit)
        if two.paid == "each":
            total += units * fixed
        elif two.paid == "once":
            total += fixed
        else:
            total += np.where(units > 1, units * fixed, 0)
        each = _between(about, one.per_token, two.per_token, three.per_token)
        total += (counted if two.while_busy else tokens) * each
    return total * float(1 + typical.vat)


def _between(about: str, *cases: Decimal) -> _Draws:
    values = [float(value) for value in cases]
    if values[0] == values[1] == values[2]:
        return np.full(DRAWS, values[1])
    return np.interp(_uniform(about), _PLACES, values)


@lru_cache(maxsize=64)
def _uniform(about: str) -> _Draws:
    """The same for the same thing, whichever else is drawn."""
    drawn = kept("draws-", about, f"{np.__version__} {DRAWS}", lambda: _drawn_anew(about).tobytes())
    return np.frombuffer(drawn)


def _drawn_anew(about: str) -> _Draws:
    # What draws takes longer to load than to draw.
    return np.random.default_rng(crc32(about.encode())).random(DRAWS)
