"""What was measured here, in place of what is estimated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from advisor.foundation.message import Message, fact
from advisor.foundation.ranges import Range
from advisor.quality.estimator import Quality
from advisor.quality.tasks import DIVERGENCE, PERPLEXITY
from advisor.sources.local_measurements import LocalMeasurement

_NINE_IN_TEN = 1.645  # standard errors either way


def with_measured(estimate: Quality, measured_here: Sequence[LocalMeasurement], level: str, task: str) -> Quality:
    """The newest measurement of the level, with its own error as the range; `estimate` where there is none.

    Scores of tasks are not measured here: of those only the divergence beside them changes.
    """
    rows = tuple(row for row in measured_here if row.level == level)
    if not rows:
        return estimate
    newest = rows[0]
    found = replace(estimate, kld=_around(newest.kl_divergence, newest.kl_error))
    if task not in (DIVERGENCE, PERPLEXITY):
        return found
    increase = _around(math.log(newest.perplexity / newest.reference_perplexity), newest.increase_error or 0.0)
    kept = Range(*(100 * math.exp(-value) for value in (increase.high, increase.typical, increase.low)))
    return replace(
        found,
        kept=kept if task == PERPLEXITY else None,
        basis="measured",
        n=len(rows),
        evidence=(),
        notes=(_note(newest),),
        measured_here=rows,
        sources=1,
    )


def _around(value: float, error: float) -> Range:
    return Range(value - _NINE_IN_TEN * error, value, value + _NINE_IN_TEN * error)


def _note(row: LocalMeasurement) -> Message:
    return fact(
        "quality_measured_here",
        day=str(row.measured_on),
        name=row.name,
        matrix=fact("with_imatrix") if row.imatrix else fact("without_imatrix"),
        engine=row.engine,
        tokens=row.tokens,
        text=row.text or fact("own_text"),
    )
