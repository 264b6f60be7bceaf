"""The estimate for one model, level and task, from a given set of measurements."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Literal

import numpy as np

from advisor.foundation.evidence_words import independent
from advisor.foundation.kept_rows import Rows
from advisor.foundation.message import Message, Span, fact
from advisor.foundation.ranges import Range
from advisor.quality.divergence import Line, family_of, figure, fit_line
from advisor.quality.evidence import Evidence
from advisor.quality.level_groups import UNQUANTIZED, QualityLevel, known_level
from advisor.quality.lineage import lineage, slug
from advisor.quality.losses import GROUPS, REFERENCE_B, TIERS, LossModel, effective_b, fit, scores
from advisor.quality.tasks import DIVERGENCE, PERPLEXITY, SCORED_TASKS
from advisor.sources.local_measurements import LocalMeasurement

Basis = Literal["measured", "transferred", "estimated", "unknown"]

KV_CACHE_NOTE = fact("kv_cache_in_16_bits")
# Kept aside, they lie inside in about 7 of 10 cases: nine tenths of the scores are of the larger tests.
_SMALL_TESTS_NOTE = fact("small_tests_scatter")
_RECIPE_NOTE = fact("recipe_matters")
# What others are compared with.
AS_PUBLISHED = fact("quality_as_published")
_MEASURED = {DIVERGENCE: fact("of_divergence"), PERPLEXITY: fact("of_perplexity")}
_SCORE = "score"
_NOT_ABOVE_BITS = 3  # with fewer, nothing scores above the original but by an accident that says nothing
_MOST_EVIDENCE = 20  # rows handed out; `n` counts all
_SIMILAR_SIZE = math.log(3.0)
# The scatter of single scores, times this, so that nine of ten lie inside where their source, or their network, is left
# out. Another source's score of the same model and level narrows it hardly more than one of another level does.
_WIDENING = {"measured": 1.06, "transferred": 1.08, "estimated": 1.15}
_NO_SCORE_FOR_TASK, _NO_SCORE_FOR_LEVEL, _FRAGILE = 1.15, 1.3, 1.15
_FRAGILE_ACTIVE_B, _FRAGILE_TOTAL_B = 5.0, 2.0


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the estimate needs to know of a model. `active_parameters` is None or `parameters` for a dense one; with
    `fp4_experts` its experts were published in blocks of 4 bits."""

    id: str
    name: str
    family: str
    parameters: float
    active_parameters: float | None = None
    variant: str = "instruct"
    moe: bool = False
    fp4_experts: bool = False


@dataclass(frozen=True, slots=True)
class Quality:
    """What is kept of the 16-bit score, in percent.

    `kept` is where one published benchmark score of this task lies in about 9 of 10 cases. The benchmark's own
    noise is part of it: `high` may exceed 100, `typical` never does. Only `chat` stands for averages over several
    benchmarks, whose noise is smaller. For perplexity it is 16-bit / quantized perplexity. None: not known.
    `kld` is the mean divergence in nats, where there are measurements to place it. `n` counts the measurements
    that `basis` speaks of, `sources` the independent ones among where they come from, `evidence` holds the nearest of
    them, `notes` say it. Where `measured_here` is not empty, the figure is the newest
    of it; its range is that measurement's own error. `remarks` are what lowers or raises the figure beyond the level:
    the types of the KV cache, a file that its publisher trained for the level.
    """

    kept: Range | None
    basis: Basis
    n: int
    kld: Range | None
    evidence: Sequence[Evidence]
    notes: tuple[Message, ...]
    measured_here: tuple[LocalMeasurement, ...] = ()
    sources: int = 0
    remarks: tuple[Message, ...] = ()

    @property
    def of_original(self) -> bool:
        """Whether the weights are the original's own, which needs no measurement: at most the KV cache costs some."""
        return self.basis == "measured" and not self.n and not self.measured_here

    @property
    def low(self) -> float | None:
        return self.kept.low if self.kept else None

    @property
    def typical(self) -> float | None:
        return self.kept.typical if self.kept else None

    @property
    def high(self) -> float | None:
        return self.kept.high if self.kept else None


@dataclass(frozen=True, slots=True)
class _Subject:
    """A model as the fits see it; `size` is ln(effective size / 7 B)."""

    name: str
    lineage: str
    family: str
    size: float
    fragile: bool


@dataclass(frozen=True, slots=True)
class _Count:
    """How many measurements, of how many independent sources, and the fewest bits that were measured."""

    n: int
    sources: int
    least_bits: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """Everything that is worked out of a set of measurements, by their places in it.

    `of_model`, `of_lineage` and `of_group` are measurements by what is asked of them, `group_of` and `bits_of` are by
    the publisher's word for a level, `kept` is the share of the 16-bit score and `links` are sources by place.
    """

    loss: LossModel
    lines: Mapping[str, Line]
    scored_groups: frozenset[str]
    of_model: Mapping[tuple[str, str, str], Sequence[int]]
    of_lineage: Mapping[tuple[str, ...], Sequence[int]]
    of_group: Mapping[tuple[str, str], Sequence[tuple[float, int]]]
    group_of: Mapping[str, str]
    bits_of: Mapping[str, int]
    levels: Sequence[str]
    tasks: Sequence[str]
    kept: Sequence[float | None]
    links: Sequence[str]


def fitted_to(rows: Sequence[Evidence]) -> Fitted:
    """Fit to a set of measurements; deterministic."""
    data = scores(rows)
    loss = fit(data)
    by_level = np.exp(loss.level)
    lines = {task: fit_line([row for row in rows if row.task == task], by_level) for task in (DIVERGENCE, PERPLEXITY)}
    of_model: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    of_lineage: dict[tuple[str, ...], list[int]] = defaultdict(list)
    of_group: dict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
    group_of: dict[str, str] = {}
    for place, row in enumerate(rows):
        level = known_level(row.level)
        if not level or level.group not in _GROUP_NUMBER or (row.task in lines and figure(row) is None):
            continue
        if level.stock:
            of_model[slug(row.model), level.name, row.task].append(place)
        kind = row.task if row.task in lines else _SCORE
        of_lineage[lineage(row.model), kind].append(place)
        of_lineage[lineage(row.model), kind, level.group].append(place)
        size = math.log(effective_b(row.parameters_b, row.active_parameters_b) / REFERENCE_B)
        of_group[level.group, row.task].append((size, place))
        group_of[row.level] = level.group
    named = {name: known_level(name) for name in sorted({row.level for row in rows})}
    return Fitted(
        loss=loss,
        lines=lines,
        scored_groups=frozenset(GROUPS[number] for number in data.group.tolist()),
        of_model=dict(of_model),
        of_lineage=dict(of_lineage),
        of_group=dict(of_group),
        group_of=group_of,
        bits_of={name: level.bits for name, level in named.items() if level is not None},
        levels=[row.level for row in rows],
        tasks=[row.task for row in rows],
        kept=[row.retention_percent for row in rows],
        links=[row.source_url for row in rows],
    )


class Estimator:
    """Everything fitted to a set of measurements, or to what `fitted_to` made of the same; answers from memory
    afterwards."""

    def __init__(self, rows: Iterable[Evidence], fitted: Fitted | None = None):
        self.rows: Rows[Evidence] | tuple[Evidence, ...] = rows if isinstance(rows, Rows) else tuple(rows)
        self._fitted = found = fitted_to(self.rows) if fitted is None else fitted
        self._loss, self._lines = found.loss, found.lines
        self._noise: list[float] = self._loss.noise.tolist()
        self._bands: list[list[list[float]]] = self._loss.bands.tolist()
        self._scored_groups, self._group_of = found.scored_groups, found.group_of
        self._of_model, self._of_lineage, self._of_group = found.of_model, found.of_lineage, found.of_group
        # Caches of this very object, gone with it.
        self._table = lru_cache(320)(self._table_of)  # 25 KB each, and the catalogue has fewer
        self._line_range = lru_cache(1 << 15)(self._line_range_of)
        self._nearest = lru_cache(1 << 14)(self._nearest_of)
        self._kin = lru_cache(1 << 14)(self._kin_of)
        self._kin_count = lru_cache(1 << 10)(self._kin_count_of)

    def estimate(self, model: ModelFacts, level: QualityLevel, task: str) -> Quality:
        """`task` is an id of `TASKS`."""
        subject, level = _subject(model), _for(model, level)
        if model.variant == "embedding":
            return _unknown(fact("no_benchmark_of_embeddings"))
        if level.group == UNQUANTIZED:
            nothing = Range(0.0, 0.0, 0.0)
            kept = None if task == DIVERGENCE else Range(100.0, 100.0, 100.0)
            return Quality(kept, "measured", 0, nothing, (), (AS_PUBLISHED,))
        if level.group not in _GROUP_NUMBER:
            return _unknown(fact("no_measurement_of_level", level=level.name))
        basis, count, rows = self._behind(subject, level, task)
        kld, kept = self._line_range(DIVERGENCE, subject, level.group, level.bits >= 6), None
        if task == PERPLEXITY and (ratio := self._line_range(PERPLEXITY, subject, level.group, level.bits >= 6)):
            kept = Range(*(100 * math.exp(-value) for value in (ratio.high, ratio.typical, ratio.low)))
        elif task in _TASK_NUMBER:
            kept = self._kept(subject, level, task, basis)
        if kept is None and (task != DIVERGENCE or kld is None):
            what = _MEASURED.get(task, fact("of_score"))
            return _unknown(fact("no_measurement_of_task", what=what, level=level.name))
        own = self._scores_of(subject.name, level.name, task) if basis == "measured" else None
        notes = _notes(basis, count, level.name, level.bits, task, own)
        return Quality(kept, basis, count.n, kld, rows, notes, sources=count.sources)

    def typical(self, model: ModelFacts, level: QualityLevel, task: str) -> float | None:
        """The typical value of what `estimate` says is kept, without its range and what it rests on."""
        level = _for(model, level)
        if model.variant == "embedding" or level.group not in _GROUP_NUMBER or task not in _TASK_NUMBER:
            kept = self.estimate(model, level, task).kept
            return None if kept is None else kept.typical
        subject = _subject(model)
        losses, _ = self._table(subject.lineage, subject.size)
        return 100 - losses[_GROUP_NUMBER[level.group]][_TASK_NUMBER[task]]

    def _kept(self, subject: _Subject, level: QualityLevel, task: str, basis: Basis) -> Range:
        losses, units = self._table(subject.lineage, subject.size)
        number = _TASK_NUMBER[task]
        loss, unit = losses[_GROUP_NUMBER[level.group]][number], units[_GROUP_NUMBER[level.group]][number]
        unit *= _WIDENING[basis]
        if level.group not in self._scored_groups:
            unit *= _NO_SCORE_FOR_LEVEL
        elif (level.group, task) not in self._of_group:
            unit *= _NO_SCORE_FOR_TASK
        if subject.fragile and basis == "estimated":
            unit *= _FRAGILE
        below, above = self._bands[TIERS[level.bits]][number]
        typical = 100 - loss
        # Noise alone lifts a score above 16 bit's, however uncertain the loss is.
        most = 100 - below * self._noise[number]
        if level.bits < _NOT_ABOVE_BITS:
            most = 100.0
        low, high = max(0.0, typical - above * unit), max(typical, min(most, typical - below * unit))
        if own := self._scores_of(subject.name, level.name, task):
            low, high = min(low, own.typical), max(high, own.typical if level.bits >= _NOT_ABOVE_BITS else typical)
        return Range(low, typical, high)

    def _scores_of(self, name: str, level: str, task: str) -> Range | None:
        """The lowest, the mean and the highest published score of a model at a level and task, in percent of 16 bit."""
        rows = self._of_model.get((name, level, task), ())
        found = [kept for row in rows if (kept := self._fitted.kept[row]) is not None]
        return Range(min(found), statistics.fmean(found), max(found)) if found else None

    def _table_of(self, kin: str, size: float) -> tuple[list[list[float]], list[list[float]]]:
        losses, units = self._loss.table(kin, size)
        return losses.tolist(), units.tolist()

    def _line_range_of(self, task: str, subject: _Subject, group: str, fine: bool) -> Range | None:
        line, number = self._lines[task], _GROUP_NUMBER[group]
        if number not in line.measured:
            return None
        known = subject.lineage in line.model
        effect = line.model.get(subject.lineage, line.family.get(subject.family, 0.0))
        typical = line.at(number, subject.size, effect)
        low, high = (line.known if known else line.new)[fine]
        return Range(typical * math.exp(low), typical, typical * math.exp(high))

    def _rows(self, places: Iterable[int]) -> Sequence[Evidence]:
        """The nearest of them, as they are handed out."""
        nearest = list(islice(places, _MOST_EVIDENCE))
        return self.rows.only(nearest) if isinstance(self.rows, Rows) else tuple(self.rows[place] for place in nearest)

    def _behind(self, subject: _Subject, level: QualityLevel, task: str) -> tuple[Basis, _Count, Sequence[Evidence]]:
        if own := self._of_model.get((subject.name, level.name, task)):
            return "measured", self._count(own), self._rows(own)
        if (subject.lineage, task if task in self._lines else _SCORE) in self._of_lineage:
            return "transferred", *self._kin(subject.lineage, level, task)
        return "estimated", *self._nearest(level.group, task, round(2 * subject.size) / 2)

    def _count(self, places: Iterable[int]) -> _Count:
        listed, levels = list(places), self._fitted.levels
        bits = [bits for place in listed if (bits := self._fitted.bits_of.get(levels[place])) is not None]
        links = self._fitted.links
        return _Count(len(listed), independent(links[place] for place in listed), min(bits, default=0))

    def _kin_of(self, kin: str, level: QualityLevel, task: str) -> tuple[_Count, Sequence[Evidence]]:
        """Measurements of the same network that move the estimate: of the same kind, same level and task first."""
        kind, tasks, levels = task if task in self._lines else _SCORE, self._fitted.tasks, self._fitted.levels
        every = self._of_lineage.get((kin, kind), ())
        near = self._of_lineage.get((kin, kind, level.group), ())
        first = [row for row in near if tasks[row] == task] + [row for row in near if tasks[row] != task]
        group_of = self._group_of
        for row in every:
            if len(first) >= _MOST_EVIDENCE:
                break
            if group_of[levels[row]] != level.group:
                first.append(row)
        return self._kin_count(kin, kind), self._rows(first)

    def _kin_count_of(self, kin: str, kind: str) -> _Count:
        return self._count(self._of_lineage.get((kin, kind), ()))

    def _nearest_of(self, group: str, task: str, size: float) -> tuple[_Count, Sequence[Evidence]]:
        """Measurements at the level, of models of similar size if there are any; else for other tasks."""
        rows = self._of_group.get((group, task)) or [
            pair for other in SCORED_TASKS for pair in self._of_group.get((group, other), ()) if task in _TASK_NUMBER
        ]
        ordered = sorted((abs(own - size), place) for place, (own, _) in enumerate(rows))
        similar = [pair for pair in ordered if pair[0] <= _SIMILAR_SIZE] or ordered
        nearest = [rows[place][1] for _, place in similar]
        return self._count(nearest), self._rows(nearest)


_GROUP_NUMBER = {group: number for number, group in enumerate(GROUPS)}
_TASK_NUMBER = {task: number for number, task in enumerate(SCORED_TASKS)}


def _for(model: ModelFacts, level: QualityLevel) -> QualityLevel:
    """The level as it is of this model: experts that were published in 4 bits are taken over bit for bit, and only the
    rest is rounded, to 8."""
    taken_over = model.fp4_experts and level.name == "MXFP4_MOE"
    return replace(level, group="Q8_0", bits=8) if taken_over else level


@lru_cache(4096)
def _subject(model: ModelFacts) -> _Subject:
    total = model.parameters / 1e9
    active = (model.active_parameters or model.parameters) / 1e9 if model.moe else total
    return _Subject(
        name=slug(model.id),
        lineage=lineage(model.id),
        family=family_of(model.family),
        size=round(math.log(effective_b(total, active) / REFERENCE_B), 4),
        fragile=total < _FRAGILE_TOTAL_B or (model.moe and active < _FRAGILE_ACTIVE_B),
    )


def _unknown(why: Message) -> Quality:
    return Quality(None, "unknown", 0, None, (), (why,))


@lru_cache(4096)
def _notes(basis: Basis, behind: _Count, level: str, bits: int, task: str, own: Range | None) -> tuple[Message, ...]:
    n, what = behind.n, _MEASURED.get(task, fact("of_score"))
    if behind.sources == 1 or n == 1:
        count = fact("published_of_one_source", n=n, what=what)
    else:
        count = fact("published", n=n, what=what, sources=behind.sources)
    if basis == "measured":
        found = [fact("published_of_model", count=count, level=level)]
        if own is not None:
            several = fact("published_several", mean=own.typical, range=Span(own.low, own.high))
            found.append(fact("published_one", mean=own.typical) if n == 1 else several)
    elif basis == "transferred":
        found = [fact("placed_by_network", level=level, count=count)]
        if behind.least_bits > bits:
            found.append(fact("none_below_bits", bits=behind.least_bits))
    else:
        found = [fact("placed_by_others", count=count) if n else fact("placed_by_trend")]
    more = [_SMALL_TESTS_NOTE] if task == "reasoning" else []
    return (*found, *more, *([_RECIPE_NOTE] if bits <= 3 else []), KV_CACHE_NOTE)
