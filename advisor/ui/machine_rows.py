"""What "Machines for a model" shows: every machine as a row of plain values, kept for all visitors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import floor

from advisor.answer.machines_for_model import FittingMachine, Shopping, machines_tried, on_any_machine, shopping
from advisor.answer.plans import runtime_name
from advisor.answer.status import Status
from advisor.costs.money import UsedPrice
from advisor.costs.options import Option as Way
from advisor.foundation.message import Message
from advisor.foundation.ranges import Range
from advisor.machines.catalogue import machines
from advisor.question.question import Question
from advisor.sizing.plan import Verdict
from advisor.ui.main_price import main_price
from advisor.ui.sweeps import Steps, Sweep
from advisor.words import say, say_all

Key = tuple[Question, frozenset[str], date]
_KEPT = 24  # tables, of half a megabyte each


@dataclass(frozen=True, slots=True)
class Bill:
    """One way to get it: the typical month with its range, what is paid at first, and for what exactly."""

    title: str
    monthly: float
    low: float
    high: float
    upfront: float
    units: int
    offers: int
    not_included: tuple[str, ...]
    price: UsedPrice
    per_million_tokens: float


@dataclass(frozen=True, slots=True)
class MachineRow:
    """A machine in the smallest number that runs the model well, with the best level there. `query` asks for it in
    full; `users` have room at once with a full context each; `watts` are at the wall while it computes.
    """

    id: str
    name: str
    vendor: str
    kind: str
    released: int | None
    query: str
    status: Status
    rank: int
    is_whole: bool
    as_fast_as_asked: bool
    level: str
    runtime: str
    verdict: Verdict
    kept: Range | None
    tokens_per_s: Range | None
    inputs_per_s: Range | None
    memory_bytes: int
    users: int
    watts: float | None
    own: Bill | None
    rent: Bill | None
    own_monthly: float | None
    rent_monthly: float | None


@dataclass(frozen=True, slots=True)
class Machines:
    """The machines that run it, in order; what was assumed; how many do not; and the price by the token."""

    rows: tuple[MachineRow, ...]
    assumed: tuple[str, ...]
    too_small: int
    api: Bill | None
    no_api: str


def key_of(question: Question, today: date) -> Key:
    """What is alike for all who ask about this model."""
    asked = on_any_machine(question)
    return asked, asked.pins, today


def _machines(key: Key) -> Steps[Machines]:
    question, _, today = key
    total, tried = len(machines()), []
    for row in machines_tried(question, today):
        tried.append(row)
        yield len(tried), total
    return machines_of(shopping(question, tried, today))


def machines_of(found: Shopping) -> Machines:
    """What is kept of it."""
    return Machines(
        rows=tuple(_row(one) for one in found.machines),
        assumed=say_all(found.assumed, "page"),
        too_small=found.too_small,
        api=_bill(found.api),
        no_api=_said(found.no_api),
    )


def _said(message: Message | None) -> str:
    return " ".join(say_all(() if message is None else (message,), "page"))


def _row(row: FittingMachine) -> MachineRow:
    chosen = row.chosen
    plan, costs = chosen.plan, chosen.costs
    on_host = plan.host.needed_bytes if plan.verdict == "fits with offload" else 0
    return MachineRow(
        id=row.machine.id,
        name=row.name,
        vendor=row.machine.vendor,
        kind=row.machine.kind,
        released=row.machine.release_year,
        query=row.question.to_query(),
        status=row.option.status,
        rank=row.rank,
        is_whole=row.is_whole,
        as_fast_as_asked=row.as_fast_as_asked,
        level=chosen.level,
        runtime=runtime_name(plan.runtime),
        verdict=chosen.verdict,
        kept=chosen.kept,
        tokens_per_s=chosen.tokens_per_s,
        inputs_per_s=chosen.inputs_per_s,
        memory_bytes=plan.needed_bytes + on_host,
        users=floor(row.option.figures.users_that_fit),
        watts=chosen.pricing.load_watts,
        own=None if costs is None else _bill(costs.own),
        rent=None if costs is None else _bill(costs.rent),
        own_monthly=chosen.own_monthly,
        rent_monthly=chosen.rent_monthly,
    )


def _bill(way: Way | None) -> Bill | None:
    if way is None:
        return None
    return Bill(
        title=say(way.title, "page"),
        monthly=float(way.monthly.typical),
        low=float(way.monthly.low),
        high=float(way.monthly.high),
        upfront=float(way.upfront),
        units=way.units[1],
        offers=way.offers,
        not_included=_not_included(way),
        price=main_price(way),
        per_million_tokens=float(way.per_million_tokens.typical),
    )


def _not_included(way: Way) -> tuple[str, ...]:
    """What the price leaves out."""
    found: list[str] = []
    for note in way.notes:
        if note.kind == "not_counted":
            missing = dict(note.figures)["missing"]
            if isinstance(missing, tuple):
                found += say_all((one for one in missing if isinstance(one, Message)), "report")
    return tuple(found)


MACHINES: Sweep[Key, Machines] = Sweep(_machines, _KEPT)
