"""What a plan costs: everything that prices depend on but its speed, which all plans on one machine share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from advisor.answer.serving import Wish
from advisor.costs.costs import Costs, cost_of
from advisor.costs.inputs import CostInputs
from advisor.costs.power import power_of
from advisor.costs.workload import Throughput
from advisor.foundation.caches import remembered
from advisor.foundation.errors import InputError
from advisor.foundation.ranges import Range
from advisor.foundation.units import MIB
from advisor.machines.catalogue import Machine

_COSTS_BYTES = 24 * MIB
_AS_FAST_AS_ANY = Range(1e6, 1e6, 1e6)  # tokens/s


@dataclass(frozen=True)
class Pricing:
    """`card` is what one of `devices` costs and draws, `hosted_as` the name under which hosts may offer the model.
    `wish` is how long whoever asks may be kept waiting.
    """

    inputs: CostInputs
    card: Machine
    devices: int
    hosted_as: str | None
    today: date
    wish: Wish

    def costs(self, speed: Throughput | None) -> Costs | None:
        """Owned, rented and per token; None for a machine that cannot be priced."""
        return _costs(self, speed)

    @property
    def load_watts(self) -> float | None:
        """Watts at the wall while all devices compute, with the computer around them; None where not known."""
        found = power_of(self.card, self.devices // self.card.count, self.inputs.power)
        return None if found is None else float(found.writing)

    def least(self) -> Costs | None:
        """The same for the fastest plan imaginable: no other costs less."""
        return _costs(self, Throughput(_AS_FAST_AS_ANY, _AS_FAST_AS_ANY))


def cost_of_a_million(costs: Costs | None) -> float | None:
    """A million tokens in the cheapest of the ways that are priced; None where there are no two of them."""
    cheapest = None if costs is None else costs.best()
    return None if cheapest is None else float(cheapest.per_million_tokens.typical)


@remembered(_COSTS_BYTES)
def _costs(pricing: Pricing, throughput: Throughput | None) -> Costs | None:
    try:
        return cost_of(pricing.hosted_as, pricing.card, pricing.devices, throughput, pricing.inputs, pricing.today)
    except InputError:
        return None
