"""Which inputs move a comparison most, and where each of them turns it round: asked of the engine, never derived."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from advisor.costs.costs import Costs, cost_of
from advisor.costs.inputs import CostInputs
from advisor.costs.money import decimal
from advisor.costs.workload import Throughput
from advisor.foundation.message import Message, fact
from advisor.machines.catalogue import Machine

MOST_TELLING = 5
_SWING = Decimal("0.5")
_FARTHEST = Decimal(10)  # times; what would have to change more than that is no reason to hesitate
_STEPS = (Decimal("1.1"), Decimal("1.3"), Decimal("1.6"), Decimal(2), Decimal(3), Decimal(5), _FARTHEST)
_DIGITS = 3
# Prices of one way, of which its bill is so many.
_API_PRICES = ("api_input_price", "api_output_price", "api_cached_price")
_OF_ONE_WAY = frozenset(
    (*_API_PRICES, "electricity_price", "device_price", "host_price", "instance_price", "resale_percent")
)
Values = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Flip:
    """The first value, with three digits, at which another way is the cheapest: `way` ("own", "rent" or "api")."""

    value: Decimal
    way: str


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What owning saves a month against the cheapest other option when one input is half and half as much again.

    Negative: owning costs more. `from_value` and `to_value` are that input's values, `value` is the planned one.
    `keys` are the input's keys in a question (none: the speed of a request alone, in tokens/s). `less` and `more` are
    where a smaller and a larger value turn the comparison round, as far as a tenth and ten times of it.
    """

    label: Message
    keys: tuple[str, ...]
    value: Decimal
    from_value: Decimal
    to_value: Decimal
    saves_from: Decimal
    saves_to: Decimal
    less: Flip | None = None
    more: Flip | None = None

    @property
    def is_price(self) -> bool:
        """Whether the input is an amount of money."""
        return any(name == "currency" for name, _ in self.label.figures)

    @property
    def swing(self) -> Decimal:
        """How far apart the two answers are."""
        return abs(self.saves_to - self.saves_from)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question about one plan, to be asked again with other values."""

    costs: Costs
    model_id: str | None
    machine: Machine
    devices: int
    speed: Throughput | None

    def with_values(self, values: Values) -> Costs:
        inputs = self.costs.inputs.with_values(**{key: float(value) for key, value in values.items()})
        return self._ask(self.speed, inputs)

    def with_speed(self, factor: Decimal) -> Costs:
        """Every speed so many times as high."""
        if self.speed is None:
            return self.costs
        times = float(factor)
        speed = replace(
            self.speed,
            decode=self.speed.decode.scaled(times),
            prefill=self.speed.prefill and self.speed.prefill.scaled(times),
            together=self.speed.together and self.speed.together.scaled(times),
            reading_together=self.speed.reading_together and self.speed.reading_together.scaled(times),
        )
        return self._ask(speed, self.costs.inputs)

    def _ask(self, speed: Throughput | None, inputs: CostInputs) -> Costs:
        return cost_of(self.model_id, self.machine, self.devices, speed, inputs, self.costs.today)


@dataclass(frozen=True, slots=True)
class _Input:
    """One input: its values at a factor, and the costs with these.

    One that `only_rises` makes one way dearer (or cheaper) the higher it is, and leaves the others as they are: the
    cheapest way then changes once, if at all.
    """

    label: Message
    keys: tuple[str, ...]
    value: Callable[[Decimal], Decimal]
    ask: Callable[[Decimal], Costs]
    only_rises: bool = False


def sensitivity(
    costs: Costs, model_id: str | None, machine: Machine, devices: int, speed: Throughput | None, flips: bool = False
) -> tuple[Sensitivity, ...]:
    """The five inputs that move what owning saves most, the largest swing first; with `flips` also where each turns the
    comparison round, which costs some hundred times as much. The other arguments are those that `costs` came from.

    Empty where there is nothing to own, or nothing to compare it with.
    """
    asked = _Asked(costs, model_id, machine, devices, speed)
    found = []
    for each in _inputs(asked):
        ends = [savings(each.ask(factor)) for factor in (1 - _SWING, 1 + _SWING)]
        if ends[0] is None or ends[1] is None:
            return ()
        low, high = each.value(1 - _SWING), each.value(1 + _SWING)
        row = Sensitivity(each.label, each.keys, each.value(Decimal(1)), low, high, ends[0], ends[1])
        found.append((row, each))
    telling = sorted(found, key=lambda pair: -pair[0].swing)[:MOST_TELLING]
    if not flips:
        return tuple(row for row, _ in telling)
    return tuple(replace(row, less=_flip(asked, each, True), more=_flip(asked, each, False)) for row, each in telling)


def savings(costs: Costs) -> Decimal | None:
    """What owning saves a month against the cheapest other option, typically; negative where it costs more."""
    others = [option.monthly.typical for option in (costs.rent, costs.api) if option is not None]
    return None if costs.own is None or not others else min(others) - costs.own.monthly.typical


def _inputs(asked: _Asked) -> Iterator[_Input]:
    """Those that have a value; speeds last."""
    costs = asked.costs
    known, currency = _typical_values(costs), costs.inputs.billing.currency
    for label, keys, most in (
        (fact("input_api_prices", currency=currency), _API_PRICES, None),
        (fact("input_electricity_price", currency=currency), ("electricity_price",), None),
        (fact("input_price_of", machine=asked.machine.name, currency=currency), ("device_price",), None),
        (fact("input_host_price", currency=currency), ("host_price",), None),
        (fact("input_instance_price", currency=currency), ("instance_price",), None),
        (fact("input_requests"), ("requests_per_day",), None),
        (fact("input_peak"), ("peak_factor",), None),
        (fact("input_utilisation"), ("utilisation_percent",), Decimal(100)),
        (fact("input_resale"), ("resale_percent",), Decimal(100)),
        (fact("input_staff"), ("admin_hours", "operation_hours"), None),
        (fact("input_capital"), ("cost_of_capital_percent",), Decimal(100)),
    ):
        base = {key: known[key] for key in keys if known.get(key)}
        if base:
            yield _of_keys(asked, label, base, most)
    if asked.speed is not None:
        alone = decimal(round(asked.speed.decode.typical, 4))
        yield _Input(fact("input_speed"), (), lambda factor: alone * factor, asked.with_speed)


def _of_keys(asked: _Asked, label: Message, base: Values, most: Decimal | None) -> _Input:
    def values(factor: Decimal) -> Values:
        least = Decimal(1) if "peak_factor" in base else Decimal(0)
        scaled = {key: max(least, value * factor) for key, value in base.items()}
        return scaled if most is None else {key: min(value, most) for key, value in scaled.items()}

    first = next(iter(base))
    return _Input(
        label,
        tuple(base),
        lambda factor: values(factor)[first],
        lambda factor: asked.with_values(values(factor)),
        _OF_ONE_WAY.issuperset(base),
    )


def _typical_values(costs: Costs) -> dict[str, Decimal]:
    """The inputs that, given by the user, would lead to the typical case as it is."""
    load = costs.inputs.load
    values = {"requests_per_day": decimal(load.requests_per_day), "peak_factor": decimal(load.peak_factor)}
    for option in costs.options:
        values.update(option.typical_inputs)
    return values


def _flip(asked: _Asked, each: _Input, down: bool) -> Flip | None:
    """The nearest value below or above the planned one at which another way is the cheapest."""
    now = _cheapest(asked.costs)
    value = each.value(Decimal(1))
    if now is None or not value:
        return None

    def differs(at: Decimal) -> bool:
        return _cheapest(each.ask(at / value)) not in (now, None)

    steps = (_rounded(each.value(1 / step if down else step), down) for step in _STEPS)
    reached = [other for other in dict.fromkeys(steps) if other != value and each.value(other / value) == other]
    if each.only_rises and reached and not differs(reached[-1]):
        return None
    same = value
    for other in reached:  # as far as this input goes
        if differs(other):
            return _between(each, value, same, other, differs, down)
        same = other
    return None


def _between(
    each: _Input, value: Decimal, same: Decimal, other: Decimal, differs: Callable[[Decimal], bool], down: bool
) -> Flip:
    """By bisection between a value with the same answer and one with another, to three digits."""
    while True:
        middle = _rounded((same + other) / 2, down)
        if middle in (same, other) or not min(same, other) < middle < max(same, other):
            break
        same, other = (same, middle) if differs(middle) else (middle, other)
    return Flip(other, _cheapest(each.ask(other / value)) or "")


def _cheapest(costs: Costs) -> str | None:
    best = costs.best()
    return None if best is None else best.name


def _rounded(value: Decimal, down: bool) -> Decimal:
    """With three digits, away from the planned value."""
    places = Decimal(1).scaleb(value.adjusted() + 1 - _DIGITS)
    return value.quantize(places, ROUND_FLOOR if down else ROUND_CEILING)
