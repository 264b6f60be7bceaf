"""What somebody offers, whichever way: a machine to buy, an instance to rent, a host to pay by the token."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from advisor.costs.money import UsedPrice
from advisor.costs.price_rows import Case
from advisor.costs.staircase import Staircase
from advisor.foundation.message import Message


@dataclass(frozen=True, slots=True)
class Purchase:
    """One machine bought: what it costs at once, what it fetches in the end, and its electricity.

    `joining`: network and rack of each where there are several machines, of which `alone` is needed by one as well.
    `kwh_per_unit` a month whatever it serves, `kwh_per_token` for each token.
    """

    upfront: Decimal
    alone: Decimal
    joining: Decimal
    resale: Decimal
    kwh_per_unit: Decimal
    kwh_per_token: Decimal

    def paid(self, machines: int) -> Decimal:
        """What so many of it cost at once."""
        return machines * (self.upfront + (self.joining if machines > 1 else self.alone))


@dataclass(frozen=True, slots=True)
class Offer:
    """One offer with its bill in each of the cases.

    `title` says what it is, `name` tells it from others. `region` is where it is and `precision` in how many bits a
    host serves the weights, if that is stated; `purchases` are
    the cases of what is bought. `typical_inputs`: its typical prices by the keys under which a user would give them.
    """

    provider: str
    name: str
    title: Message
    bills: tuple[tuple[Case, Staircase], ...]
    prices: tuple[UsedPrice, ...]
    typical_inputs: tuple[tuple[str, Decimal], ...] = ()
    notes: tuple[Message, ...] = ()
    purchases: tuple[tuple[Case, Purchase], ...] = ()
    region: str | None = None
    precision: str | None = None

    def bill(self, case: Case = "typical") -> Staircase:
        """The bill in one case; whatever is paid by the token alone has one bill for all of them."""
        return dict(self.bills)[case]

    def purchase(self, case: Case) -> Purchase:
        """What is bought, in one case; raises KeyError where nothing is."""
        return dict(self.purchases)[case]


Offers: TypeAlias = tuple[Offer, ...] | Message  # of one way; or why there is none
