"""Which machine to buy or rent for this model: every machine of the catalogue in the smallest number that will do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol, TypeVar

from advisor.answer.assess import priced_as
from advisor.answer.candidate import Candidate
from advisor.answer.decide import search_for
from advisor.answer.option import Option
from advisor.answer.search import Search
from advisor.answer.status import STATUSES, Status
from advisor.costs.costs import by_the_token
from advisor.costs.options import Option as Way
from advisor.foundation.caches import remembered
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.foundation.numbers import exact
from advisor.foundation.turns import breathe
from advisor.foundation.units import MIB
from advisor.machines.capacity import CPU_KIND
from advisor.machines.catalogue import Machine, machines
from advisor.question.question import Question
from advisor.sources.resolve import ResolvedModel, find_any_model

COUNTS = (1, 2, 4, 8)  # of equal cards in one host
CPU_RAM_GIB = (64, 128, 256)  # what is assumed of a machine whose memory the buyer chooses
_TABLES_BYTES = 24 * MIB  # of what was answered last
_LAPTOP = "laptop-gpu"
# Of the machine that was asked about; where its layers lay belongs to it too.
_NOT_SEARCHED_FOR = (
    *("other_machine", "memory_gib", "bandwidth_gb_s", "backend", "use_gpus", "wired_limit_mb"),
    *("used_mib", "host_used_mib"),
    *("gpu_layers", "cpu_moe_layers", "tensor_split"),
)
# A machine that is sold with its memory has that, whatever stands in the computer that was asked about.
_OWN_RAM = dict.fromkeys(("ram_type", "ram_channels", "ram_sockets"))


@dataclass(frozen=True, eq=False)
class FittingMachine:
    """The smallest number of one machine that runs it well; `question` shows it, `option` is what is decided there."""

    machine: Machine
    gpus: int
    question: Question
    option: Option

    @property
    def chosen(self) -> Candidate:
        """What is to be run."""
        return self.option.candidate

    @property
    def as_fast_as_asked(self) -> bool:
        """Whether it typically writes as fast as is wished: who buys a machine means it."""
        return self.chosen.as_fast_as(self.question.requirements.min_tokens_per_s)

    @property
    def rank(self) -> int:
        """0 where it runs the model well, more where it does not; a limited plan is bought by nobody who can have a
        good one."""
        return STATUSES.index(self.option.status) + (not self.as_fast_as_asked)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the model lies on the host."""
        return self.chosen.is_whole

    @property
    def name(self) -> str:
        """What to buy, in words."""
        if self.machine.needs_memory:
            return f"{self.machine.name}, {exact(self.question.machine.memory_gib or 0)} GiB of RAM"
        devices = self.gpus * self.machine.count
        return f"{devices} x {self.machine.name}" if devices > 1 and self.machine.count == 1 else self._set

    @property
    def _set(self) -> str:
        return f"{self.gpus} x {self.machine.name}" if self.gpus > 1 else self.machine.name

    @property
    def monthly(self) -> float | None:
        """The cheaper of owned and rented, in the question's currency; None where no price is known."""
        return self.chosen.monthly(self.question.requirements.own_hardware)


@dataclass(frozen=True, eq=False)
class Shopping:
    """What to buy or rent: the machines that run it, good ones first and of those the cheapest, what was assumed, and
    how many do not. `api` is what it costs by the token instead; where it is None, `no_api` says why.
    """

    machines: tuple[FittingMachine, ...]
    assumed: tuple[Message, ...]
    too_small: int
    api: Way | None
    no_api: Message | None

    @property
    def cheapest(self) -> FittingMachine | None:
        """Owned or rented, whichever costs less."""
        return cheapest_of(self.machines, lambda row: row.monthly)


class Offer(Protocol):
    """What is chosen among."""

    @property
    def rank(self) -> int: ...
    @property
    def is_whole(self) -> bool: ...


Offered = TypeVar("Offered", bound=Offer)


def cheapest_of(rows: Iterable[Offered], price: Callable[[Offered], float | None]) -> Offered | None:
    """The cheapest of the best that have a price: of those that hold everything on their GPUs where there are any, as
    nobody buys a machine to be too small.
    """
    best = best_of(rows, price)
    return min([row for row in best if row.is_whole] or best, key=lambda row: price(row) or 0.0, default=None)


def best_of(rows: Iterable[Offered], price: Callable[[Offered], float | None]) -> Sequence[Offered]:
    """Those with a price that run it as well as any other with a price."""
    priced = [row for row in rows if price(row) is not None]
    rank = min((row.rank for row in priced), default=0)
    return [row for row in priced if row.rank == rank]


def machines_for(question: Question, today: date | None = None) -> Shopping:
    """Every machine of the catalogue for the question's model and requirements, in the smallest number that runs it
    well, each by the same decision.

    The good ones first, and of those with one status by what a month costs, owned or rented; those without a price at
    the end. The question's own machine does not matter.
    """
    blank = on_any_machine(question)
    return _machines_for(blank, blank.pins, today or datetime.now(UTC).date())


def on_any_machine(question: Question) -> Question:
    """The question without its machine and what lay where there: alike for all who ask about a model."""
    return question.with_values(**dict.fromkeys(_NOT_SEARCHED_FOR)).with_values(machine="any", gpus=1)


@remembered(_TABLES_BYTES)
def _machines_for(question: Question, pins: frozenset[str], today: date) -> Shopping:
    return shopping(question, machines_tried(question, today), today)


def machines_tried(question: Question, today: date) -> Iterator[FittingMachine | None]:
    """The machines one after the other, in the order of the catalogue, for whoever shows how far it is; None for one
    that does not run it."""
    entry = find_any_model(question.model.name)
    return (_machine_for(question, entry, one, today) for one in machines().values())


def shopping(question: Question, tried: Iterable[FittingMachine | None], today: date) -> Shopping:
    """The good ones first, of those with one status by what a month costs, and what a host takes for the tokens."""
    rows = list(tried)
    found = [row for row in rows if row is not None]
    found.sort(key=lambda row: (row.rank, row.monthly is None, row.monthly or 0.0, row.gpus, row.machine.name))
    api, no_api = _by_the_token(question, today)
    return Shopping(tuple(found), (fact("sizes_assumed"),), len(rows) - len(found), api, no_api)


def _by_the_token(question: Question, today: date) -> tuple[Way | None, Message | None]:
    found = by_the_token(priced_as(find_any_model(question.model.name)), question.costs, today)
    return (None, found) if isinstance(found, Message) else (found, None)


def _machine_for(question: Question, entry: ResolvedModel, one: Machine, today: date) -> FittingMachine | None:
    """The smallest number that does it well; else the smallest that does as well as the largest."""
    breathe()
    short: list[tuple[Question, Search]] = []
    for changes in _sizes(one):
        asked = question.with_values(machine=one.id, **changes)
        with suppress(InputError):
            _, search = search_for(asked, entry, today)
            found = _fitting(one, asked, search) if search.reaches("good") else None
            if found is not None and found.rank == 0:
                return found
            short.append((asked, search))
    return _as_good_as_the_largest(one, short)


def _fitting(one: Machine, asked: Question, search: Search, least: Status = "last resort") -> FittingMachine | None:
    """What a search decides; None where nothing is to be run, or nothing of a status."""
    option = search.best(least=least)
    return FittingMachine(one, asked.machine.gpus, asked, option) if option is not None and option.runs else None


def _as_good_as_the_largest(one: Machine, numbers: Sequence[tuple[Question, Search]]) -> FittingMachine | None:
    """The smallest of these numbers: more of a machine never does worse."""
    most = _fitting(one, *numbers[-1]) if numbers else None
    if most is None:
        return None
    for asked, search in numbers[:-1]:
        found = _fitting(one, asked, search, most.option.status)
        if found is not None and found.rank <= most.rank:
            return found
    return most


def _sizes(one: Machine) -> Iterable[Mapping[str, Any]]:
    """What may be bought of a machine, the smallest first."""
    if one.kind == CPU_KIND:
        return [{"memory_gib": float(size), **_OWN_RAM} for size in CPU_RAM_GIB]
    if one.unified:
        return [{"host_memory_gib": None, **_OWN_RAM}]
    return [{"gpus": count} for count in (COUNTS[:1] if one.kind == _LAPTOP else COUNTS)]
