"""Popular claims about quantization, each tested against the measurements.

The claims are those of the usual five-line table (percent of quality kept by bits) and of the advice around it. No
figure here is typed in but the claims themselves; all are computed from data/quality.csv.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from advisor.foundation.message import NOTHING, Message, fact
from advisor.quality.divergence import figure
from advisor.quality.evidence import Evidence, evidence
from advisor.quality.level_groups import QualityLevel, known_level
from advisor.quality.lineage import lineage
from advisor.quality.losses import GROUPS, effective_b
from advisor.quality.tasks import DIVERGENCE, SCORED_TASKS

Outcome = Literal["holds", "holds partly", "not supported"]

_LARGE_B, _SMALL_B = (45.0, 1e4), (6.0, 10.0)
_ACTIVATIONS_TOO = {"NVFP4", "MXFP4 W4A4"}
_HARD_TESTS = {"gpqa", "bbh", "musr"}
# A gap between medians smaller than this, in points, is within what single scores at 8 bits move by chance.
_VISIBLE = 0.5
_MOST_SHARE, _HALF = 2 / 3, 0.5
_BITS = {"3 bits and less": fact("bits_3_or_less"), "4 bits": fact("bits_4"), "8 bits": fact("bits_8")}
_ENOUGH_NETWORKS = 10  # fewer cannot speak for all models


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim, what the `n` measurements say (`numbers`, percent kept unless named otherwise), and the outcome."""

    id: str
    claim: Message
    outcome: Outcome
    numbers: Mapping[str, float]
    n: int
    sentence: Message


@dataclass(frozen=True, slots=True)
class _Score:
    row: Evidence
    level: QualityLevel
    kept: float
    size: float


def _scores(rows: Iterable[Evidence]) -> list[_Score]:
    """Scores of levels that round weights only, as the claims mean it, without experiments in plain rounding."""
    return [
        _Score(row, level, row.retention_percent, effective_b(row.parameters_b, row.active_parameters_b))
        for row in rows
        if row.task in SCORED_TASKS
        and row.retention_percent is not None
        and (level := known_level(row.level))
        and level.group in GROUPS
        and level.group not in _ACTIVATIONS_TOO
        and (level.stock or not level.group.endswith("rounded"))
    ]


def _spread(scores: Sequence[_Score]) -> tuple[float, float, float]:
    """Tenth percentile, median and ninetieth percentile of percent kept."""
    tenths = statistics.quantiles((score.kept for score in scores), n=10, method="inclusive")
    return tenths[0], tenths[4], tenths[8]


def _median(scores: Iterable[_Score]) -> float:
    return statistics.median(score.kept for score in scores)


def _rounded(numbers: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3 if abs(value) < 1 else 1) for name, value in numbers.items()}


def _of_bits(scores: Sequence[_Score], bits: int) -> list[_Score]:
    return [score for score in scores if score.level.bits == bits]


def _share_between(id_: str, claim: Message, scores: Sequence[_Score], low: float, high: float, bits: int) -> Claim:
    """A line of the table: it holds where the median and most single scores lie in the stated range."""
    own = _of_bits(scores, bits)
    tenth, median, ninetieth = _spread(own)
    inside = sum(low <= score.kept <= high for score in own) / len(own)
    below, above = sum(s.kept < low for s in own) / len(own), sum(s.kept > high for s in own) / len(own)
    outcome: Outcome = "not supported"
    if low <= median <= high:
        outcome = "holds" if inside >= _HALF else "holds partly"
    elif inside >= 0.25:
        outcome = "holds partly"
    where = fact("claim_in") if low <= median <= high else fact("claim_above") if median > high else fact("claim_below")
    sentence = fact(
        "claimed_range",
        scores=len(own),
        median=median,
        where=where,
        low=tenth,
        high=ninetieth,
        below=below,
        above=above,
    )
    numbers = {"median": median, "p10": tenth, "p90": ninetieth, "share_inside": inside, "share_below": below}
    return Claim(id_, claim, outcome, _rounded(numbers), len(own), sentence)


def _table(scores: Sequence[_Score]) -> list[Claim]:
    plain = [row for row in evidence() if row.task == DIVERGENCE and row.level in ("F16", "BF16")]
    worst = max((row.quantized_value or 0.0 for row in plain if row.benchmark == "kld-mean"), default=0.0)
    return [
        Claim(
            "fp16",
            fact("claim_fp16"),
            "holds partly",
            _rounded({"kld_nats": worst}),
            len(plain),
            fact("claim_fp16_tested", nats=worst),
        ),
        _share_between("int8", fact("claim_int8"), scores, 98.5, 99.5, 8),
        _share_between("int4", fact("claim_int4"), scores, 95, 98, 4),
        _share_between("int3", fact("claim_int3"), scores, 90, 95, 3),
        _share_between("int2", fact("claim_int2"), scores, 85, 92, 2),
    ]


def _paired(
    scores: Sequence[_Score], harder: Callable[[_Score], bool], easier: Callable[[_Score], bool]
) -> list[tuple[int, float]]:
    """Bits and kept(harder) - kept(easier), where one source measured both for one model and level."""
    cells: dict[tuple[str, str, str], list[_Score]] = {}
    for score in scores:
        cells.setdefault((score.row.model, score.row.level, score.row.source), []).append(score)
    pairs = []
    for cell in cells.values():
        hard, easy = [s for s in cell if harder(s)], [s for s in cell if easier(s)]
        if hard and easy:
            pairs.append((cell[0].level.bits, _median(hard) - _median(easy)))
    return pairs


def _math_drops_more(scores: Sequence[_Score]) -> Claim:
    def harder(score: _Score) -> bool:
        return score.row.task == "math" or score.row.benchmark in _HARD_TESTS

    pairs = _paired(scores, harder, lambda score: score.row.task == "knowledge")
    low = [gap for bits, gap in pairs if bits <= 3]
    four = [gap for bits, gap in pairs if bits == 4]
    eight = [gap for bits, gap in pairs if bits == 8]
    gaps = {"3 bits and less": low, "4 bits": four, "8 bits": eight}
    medians = {name: statistics.median(found) for name, found in gaps.items() if found}
    drops = [name for name, gap in medians.items() if gap < -_VISIBLE]
    outcome: Outcome = "holds" if len(drops) == len(medians) else "holds partly" if drops else "not supported"
    sentence = fact(
        "claim_math_tested",
        gaps=tuple(
            fact("claim_gap", gap=gap, bits=_BITS[name], pairs=len(gaps[name])) for name, gap in medians.items()
        ),
        drop=fact("claim_drop_at", bits=tuple(_BITS[name] for name in drops)) if drops else fact("claim_no_drop"),
    )
    numbers = {f"gap, {name}": gap for name, gap in medians.items()}
    return Claim("math-and-reasoning", fact("claim_math"), outcome, _rounded(numbers), len(pairs), sentence)


def _instruct_better(rows: Sequence[Evidence]) -> Claim:
    """Pairs of base and tuned model of one network at one level, from one kind of source and the same test."""
    cells: dict[tuple[str, ...], dict[bool, list[float]]] = {}
    for row in rows:
        kept = 100 / row.ppl_ratio if row.ppl_ratio else row.retention_percent
        level = known_level(row.level)
        if kept is not None and (level is None or level.bits <= 4):
            key = (lineage(row.model), row.level, row.benchmark, row.source.split(":")[0])
            cells.setdefault(key, {}).setdefault(row.variant == "base", []).append(kept)
    pairs = [(key, cell) for key, cell in cells.items() if len(cell) == 2]
    gaps = [statistics.median(cell[False]) - statistics.median(cell[True]) for _, cell in pairs]
    networks = len({key[0] for key, _ in pairs})
    better = sum(gap > 0 for gap in gaps) / len(gaps) if gaps else 0.0
    median = statistics.median(gaps) if gaps else 0.0
    outcome: Outcome = "not supported"
    if better > _HALF and median > 0:
        clear = better >= _MOST_SHARE and median > _VISIBLE and networks >= _ENOUGH_NETWORKS
        outcome = "holds" if clear else "holds partly"
    sentence = fact("claim_instruct_tested", pairs=len(gaps), networks=networks, better=better, median=median)
    numbers = {"share_better": better, "median_gap": median, "networks": float(networks)}
    return Claim("instruct", fact("claim_instruct"), outcome, _rounded(numbers), len(gaps), sentence)


def _large_better(scores: Sequence[_Score]) -> Claim:
    def of(bounds: tuple[float, float], low_bits: bool) -> list[_Score]:
        return [
            score
            for score in scores
            if bounds[0] <= score.row.parameters_b <= bounds[1]
            and (score.level.bits <= 3 if low_bits else score.level.bits == 4)
            and score.row.task in ("knowledge", "reasoning", "chat", "math", "code")
        ]

    large, small = of(_LARGE_B, False), of(_SMALL_B, False)
    large_low, small_low = of(_LARGE_B, True), of(_SMALL_B, True)
    (p10_large, at_large, _), (p10_small, at_small, _) = _spread(large), _spread(small)
    below_large, below_small = _median(large_low), _median(small_low)
    ladders = _divergences(70, 8, "llama-3-")
    wins = [at_large > at_small, p10_large > p10_small, below_large > below_small]
    exception = ladders is not None and ladders[0] > ladders[1]
    outcome: Outcome = "not supported" if not any(wins) else "holds partly" if exception or not all(wins) else "holds"
    sentence = fact(
        "claim_70b_tested",
        large=at_large,
        small=at_small,
        worst_large=p10_large,
        worst_small=p10_small,
        below_large=below_large,
        below_small=below_small,
        yet=fact("claim_70b_yet", large=ladders[0], small=ladders[1]) if ladders and exception else NOTHING,
    )
    numbers = {"large": at_large, "small": at_small, "large_p10": p10_large, "small_p10": p10_small,
               "large_3_bits_or_less": below_large, "small_3_bits_or_less": below_small}  # fmt: skip
    n = len(large) + len(small) + len(large_low) + len(small_low)
    return Claim("70b", fact("claim_70b"), outcome, _rounded(numbers), n, sentence)


def _divergences(large: int, small: int, prefix: str) -> tuple[float, float] | None:
    """Median perplexity ratio of two sizes of a family over the k-quants that both were measured at."""
    ratios: dict[str, dict[str, list[float]]] = {}
    for row in evidence():
        level = known_level(row.level)
        if row.ppl_ratio and level and level.stock and level.gguf and level.bits <= 4:
            ratios.setdefault(lineage(row.model), {}).setdefault(level.name, []).append(row.ppl_ratio)
    one, other = ratios.get(f"{prefix}{large}b", {}), ratios.get(f"{prefix}{small}b", {})
    both = sorted(one.keys() & other.keys())
    if not both:
        return None
    return (
        statistics.median(statistics.median(one[name]) for name in both),
        statistics.median(statistics.median(other[name]) for name in both),
    )


def _best_per_bit() -> Claim:
    """Divergence of every stock level of the models measured at Q4_K_M and around it."""
    ladders: dict[str, dict[str, list[float]]] = {}
    for row in evidence():
        level, value = known_level(row.level), figure(row)
        if row.task == DIVERGENCE and level and level.stock and level.gguf and value:
            ladders.setdefault(row.model, {}).setdefault(level.name, []).append(value)
    middle, after, before, smaller = [], [], [], []
    for found in ladders.values():
        ladder = {name: statistics.median(values) for name, values in found.items()}
        if "Q4_K_M" not in ladder:
            continue
        middle.append(ladder["Q4_K_M"])
        after += [ladder["Q4_K_M"] / ladder["Q5_K_M"]] if "Q5_K_M" in ladder else []
        before += [ladder["Q3_K_M"] / ladder["Q4_K_M"]] if "Q3_K_M" in ladder else []
        smaller += [ladder["IQ4_XS"] / ladder["Q4_K_M"]] if "IQ4_XS" in ladder else []
    ratios = {
        "Q3_K_M / Q4_K_M": statistics.median(before),
        "Q4_K_M / Q5_K_M": statistics.median(after),
        "IQ4_XS / Q4_K_M": statistics.median(smaller),
    }
    scores = [s.kept for s in _scores(evidence()) if s.level.name == "Q4_K_M" and s.level.stock]
    knee = ratios["Q3_K_M / Q4_K_M"] > ratios["Q4_K_M / Q5_K_M"]
    outcome: Outcome = "holds partly" if knee and statistics.median(scores) >= 99 else "not supported"
    kept = statistics.median(scores)
    sentence = fact(
        "claim_q4_k_m_tested",
        down=ratios["Q3_K_M / Q4_K_M"],
        up=ratios["Q4_K_M / Q5_K_M"],
        smaller=ratios["IQ4_XS / Q4_K_M"],
        kept=kept,
        scores=len(scores),
    )
    n = len(middle) + len(after) + len(before) + len(smaller) + len(scores)
    return Claim("q4-k-m", fact("claim_q4_k_m"), outcome, _rounded(ratios), n, sentence)


@cache
def claims() -> tuple[Claim, ...]:
    """All claims with their outcomes, the table's lines first."""
    scores = _scores(evidence())
    return (
        *_table(scores),
        _math_drops_more(scores),
        _instruct_better(evidence()),
        _large_better(scores),
        _best_per_bit(),
    )
