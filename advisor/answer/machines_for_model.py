"""Which machine to buy or rent for this model: every machine of the catalogue in the smallest number that will do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from advisor.answer.candidate import Candidate
from advisor.answer.decide import search_for
from advisor.answer.option import Option
from advisor.answer.status import STATUSES
from advisor.foundation.caches import remembered
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.foundation.numbers import exact
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
    *("other_machine", "memory_gib", "bandwidth_gb_s", "backend", "use_gpus"),
    *("gpu_layers", "cpu_moe_layers", "tensor_split"),
)


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
        wish, speed = self.question.requirements.min_tokens_per_s, self.chosen.tokens_per_s
        return wish is None or (speed is not None and speed.typical >= wish)

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
    how many do not.
    """

    machines: tuple[FittingMachine, ...]
    assumed: tuple[Message, ...]
    too_small: int

    @property
    def cheapest(self) -> FittingMachine | None:
        """Of the best there are, those that hold everything on their GPUs where there are any: nobody buys a machine to
        be too small.
        """
        priced = [row for row in self.machines if row.monthly is not None]
        best = [row for row in priced if _order(row) == _order(priced[0])]
        return next((row for row in best if row.chosen.is_whole), next(iter(best), None))


def machines_for(question: Question, today: date | None = None) -> Shopping:
    """Every machine of the catalogue for the question's model and requirements, in the smallest number that runs it
    well, each by the same decision.

    The good ones first, and of those with one status by what a month costs, owned or rented; those without a price at
    the end. The question's own machine does not matter.
    """
    blank = question.with_values(**dict.fromkeys(_NOT_SEARCHED_FOR)).with_values(machine="any", gpus=1)
    return _machines_for(blank, blank.pins, today or datetime.now(UTC).date())


@remembered(_TABLES_BYTES)
def _machines_for(question: Question, pins: frozenset[str], today: date) -> Shopping:
    entry = find_any_model(question.model.name)
    rows = [_machine_for(question, entry, one, today) for one in machines().values()]
    found = [row for row in rows if row is not None]
    found.sort(key=lambda row: (_order(row), row.monthly is None, row.monthly or 0.0, row.gpus, row.machine.name))
    return Shopping(tuple(found), (fact("sizes_assumed"),), len(machines()) - len(found))


def _order(row: FittingMachine) -> int:
    """The good ones first; a limited plan is bought by nobody who can have a good one."""
    return STATUSES.index(row.option.status) + (not row.as_fast_as_asked)


def _machine_for(question: Question, entry: ResolvedModel, one: Machine, today: date) -> FittingMachine | None:
    """The smallest number that does it well; else the number that does it best."""
    best: FittingMachine | None = None
    sizes = list(_sizes(one))
    for place, changes in enumerate(sizes):
        asked = question.with_values(machine=one.id, **changes)
        try:
            _, search = search_for(asked, entry, today)
            last = place == len(sizes) - 1 and best is None
            option = search.best() if last or search.may_be("good") else None
        except InputError:
            continue
        if option is None or not option.runs:
            continue
        found = FittingMachine(one, asked.machine.gpus, asked, option)
        if _order(found) == 0:
            return found
        best = found if best is None or _order(found) < _order(best) else best
    return best


def _sizes(one: Machine) -> Iterable[Mapping[str, Any]]:
    """What may be bought of a machine, the smallest first."""
    if one.kind == CPU_KIND:
        return [{"memory_gib": float(size)} for size in CPU_RAM_GIB]
    if one.unified:
        return [{"host_memory_gib": None}]
    return [{"gpus": count} for count in (COUNTS[:1] if one.kind == _LAPTOP else COUNTS)]
