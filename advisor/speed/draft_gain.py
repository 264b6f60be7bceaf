"""What a model's own layers for drafting (multi-token prediction) bring: tokens a step against what a step costs.

    gain = (1 + n x accepted(n)) x text / (1 + 0.6 x (R - 1) + c x n)

n tokens are drafted and read together with the last one. `accepted` falls with n, and by the text: more of code is
accepted than of prose. R is how many times the weights of one token are read for n + 1 of them (1 for dense models;
tokens that follow each other share experts, hence 0.6), and c, fitted by backend, what a drafted token costs besides.
Numbers are fitted to data/drafting.csv whenever they are first asked for.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from statistics import fmean, median
from typing import Literal

from advisor.foundation.evidence_words import independent
from advisor.foundation.ranges import Range
from advisor.models.catalogue import catalogue
from advisor.speed.backends import Backend
from advisor.speed.draft_evidence import DraftEvidence, Text, draft_evidence
from advisor.speed.shape import shape_of

# Qwen3.5 397B-A17B in vLLM gained 1.53 with two drafted tokens of which 89 % were accepted: a step took 1.82 times as
# long, and R is 2.2 (voipmonitor/rtx6kpro, optimization/speculative-decoding.md).
_SHARED_EXPERTS = 0.6
_NINE_IN_TEN = (0.05, 0.95)
_ENOUGH = 10  # rows of a backend, for a range of its own
_OWN_TO_TRUST = 2  # as many of the model's own move the estimate half way to them
# Of the logarithm of the gain, what is left with several users at once: in llama.cpp 1.70 for one, 1.08 for two, 1.00
# for four (sudoingX/qwen38-mtp, sweeps/multi-gpu.md); in vLLM 1.52 for one and for 32 still.
_LEFT_IN_LLAMA_CPP = {1: 1.0, 2: 0.15, 3: 0.05}
_MOST_IN_VLLM = 32
_BUSY = Range(0.7, 1.0, 1.5)  # beyond that: 0.71 at high load (vLLM's post of 2024-10-17) to what few users gain
_LIKE: Mapping[Backend, Backend] = {"mlx": "metal"}

MOST = 3.2  # no estimate is higher
TEXTS: Mapping[str, Text] = {"code": "code", "math": "code"}  # of a task; others are mixed


@dataclass(frozen=True, slots=True)
class Drafting:
    """What a load drafts: so many tokens a step, for such text."""

    drafted: int
    text: Text = "mixed"


@dataclass(frozen=True, slots=True)
class Gain:
    """How many times faster is written. `accepted` is the share of drafted tokens that are taken.

    It rests on `n` measurements of `sources`, `own` of which are of this model or another of its very shape.
    """

    times: Range
    accepted: float
    n: int
    sources: int
    own: int

    def of(self, plain: Range) -> Range:
        """A rate with drafting; both errors are independent, so that their logarithms add as squares."""
        typical, times = plain.typical * self.times.typical, self.times
        below = math.hypot(math.log(plain.typical / plain.low), math.log(times.typical / times.low))
        above = math.hypot(math.log(plain.high / plain.typical), math.log(times.high / times.typical))
        return Range(typical * math.exp(-below), typical, typical * math.exp(above))


def gain(drafting: Drafting, backend: Backend, users: int, reads: float, model_id: str | None) -> Gain:
    """What drafting brings to each of `users`; `reads` is R of the formula, `model_id` as `Shape.known_as`."""
    fit = _fitted()
    group = _LIKE.get(backend, backend)
    expected = fit.gain(drafting, group, reads)
    ends = fit.ends.get(group, fit.ends[""])
    own = [row for row in fit.all_rows if model_id and _shape(row.model_id) == model_id and row.backend == group]
    if own:
        off = median(math.log((row.speed_up or 1) / fit.gain(_drafting(row), group, reads)) for row in own)
        expected *= math.exp(off * len(own) / (len(own) + _OWN_TO_TRUST))
    rows = own or [row for row in fit.rows if row.backend == group] or fit.rows
    times = _with_users(Range(expected * ends[0], expected, expected * ends[1]), backend, users)
    accepted = min(1.0, (fit.tokens(drafting) - 1) / drafting.drafted)
    return Gain(times, accepted, len(rows), independent(row.source_url for row in rows), len(own))


def _with_users(alone: Range, backend: Backend, users: int) -> Range:
    if backend == "vllm":
        return alone if users <= _MOST_IN_VLLM else _BUSY
    left = _LEFT_IN_LLAMA_CPP.get(users, 0.0)
    low, typical, high = (min(MOST, each**left) for each in (alone.low, alone.typical, alone.high))
    # What is left of a gain is as uncertain as that was; nobody loses more for company.
    return Range(min(low, typical * 0.9), typical, max(high, typical * 1.1))


@dataclass(frozen=True)
class _Fit:
    """`accepted` by drafted tokens, `text` as factors on tokens a step, `cost` by backend ("": all), fitted to `rows`.

    `all_rows` are those of mixtures of experts too, `ends` the range of a gain by backend, as factors.
    """

    accepted: Mapping[int, float]
    text: Mapping[Text, float]
    cost: Mapping[str, float]
    rows: Sequence[DraftEvidence]
    all_rows: Sequence[DraftEvidence]
    ends: Mapping[str, tuple[float, float]]

    def tokens(self, drafting: Drafting) -> float:
        """Tokens a step, the one that is always written included."""
        known = self.accepted.get(drafting.drafted) or self.accepted[max(self.accepted)]
        found = (1 + drafting.drafted * known) * self.text[drafting.text]
        return min(1.0 + drafting.drafted, max(1.0, found))

    def gain(self, drafting: Drafting, group: str, reads: float) -> float:
        step = 1 + _SHARED_EXPERTS * (reads - 1) + self.cost.get(group, self.cost[""]) * drafting.drafted
        return min(MOST, self.tokens(drafting) / step)


@cache
def _fitted() -> _Fit:
    return fit(draft_evidence())


def fit(evidence: Iterable[DraftEvidence]) -> _Fit:
    """Medians of what was measured: simple, as most rows are of one model."""
    own = [row for row in evidence if row.method == "mtp"]
    measured = [row for row in own if row.speed_up and row.backend and (row.users == 1 or row.backend == "vllm")]
    rows = [row for row in measured if row.users == 1 and not _routed(row)]
    found = _Fit(_accepted(own), _texts(rows), {"": 0.0}, rows, measured, {})
    costs: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        assert row.speed_up  # noqa: S101
        cost = (found.tokens(_drafting(row)) / row.speed_up - 1) / row.drafted
        for group in ("", row.backend):
            costs[group].append(cost)
    found = replace(found, cost={key: median(of) for key, of in costs.items()})
    # What text is written is not known: the range is that of all, seen from a mixture.
    mixed = {row: math.log((row.speed_up or 1) / found.gain(Drafting(row.drafted), row.backend, 1.0)) for row in rows}
    ends = {"": _ends(list(mixed.values()))}
    for group in {row.backend for row in rows}:
        own_of = [mixed[row] for row in rows if row.backend == group]
        ends[group] = _ends(own_of) if len(own_of) >= _ENOUGH else ends[""]
    return replace(found, ends=ends)


@lru_cache(maxsize=64)
def _shape(model_id: str) -> str | None:
    entry = catalogue().get(model_id)
    return None if entry is None else shape_of(entry.model).known_as


def _drafting(row: DraftEvidence) -> Drafting:
    return Drafting(row.drafted, row.text)


def _routed(row: DraftEvidence) -> bool:
    """Whether it is a mixture of experts, of whose steps the constants of dense models say nothing."""
    return "-A" in row.model or row.model.startswith(("GLM-5", "MiniMax", "Kimi"))


def _accepted(rows: Iterable[DraftEvidence]) -> dict[int, float]:
    """The mean share by drafted tokens, never rising with them."""
    seen: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        if row.accepted is not None:
            seen[row.drafted].append(row.accepted)
    found: dict[int, float] = {}
    least = 1.0
    for drafted in sorted(seen):
        least = found[drafted] = min(least, fmean(seen[drafted]))
    return found


def _texts(rows: Iterable[DraftEvidence]) -> dict[Text, float]:
    """How many times more tokens a step yields of code and of prose than of a mixture, in the same runs."""
    runs: dict[tuple[object, ...], dict[Text, float]] = defaultdict(dict)
    for row in rows:
        assert row.speed_up  # noqa: S101
        runs[row.device, row.drafted, row.model, row.version][row.text] = row.speed_up
    kinds: tuple[Literal["code", "prose"], ...] = ("code", "prose")
    both = [run for run in runs.values() if len(run) == 3]
    return {"mixed": 1.0, **{kind: median(run[kind] / run["mixed"] for run in both) for kind in kinds}}


def _ends(off: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(off)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in _NINE_IN_TEN)
    return math.exp(min(low, 0.0)), math.exp(max(high, 0.0))
