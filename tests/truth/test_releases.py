"""What each release of llama.cpp would allocate on one CPU, as its planner said it (`tests/support/releases.py`)."""

from __future__ import annotations

import pytest

from advisor.question.configuration import LLAMA_CPP_RELEASES, NEWEST
from advisor.sizing.settings import RELEASES
from tests.support.releases import Row, miss_mib, predicted_mib, rows

_STEP = 5  # rows of the suite: one of so many


def _misses(chosen: list[Row]) -> tuple[list[str], list[float]]:
    """Rows whose weights or cache differ, and by how many percent compute buffers do."""
    wrong, percents = [], []
    for row in chosen:
        weights, cache, compute = map(miss_mib, predicted_mib(row), row.told)
        if weights or cache:
            wrong.append(f"{row.model_id} {row.level} {row.settings}: {weights:+.1f}, {cache:+.1f} MiB")
        percents.append(100 * compute / max(1, row.told[2]))
    return wrong, percents


def _held(chosen: list[Row]) -> None:
    wrong, percents = _misses(chosen)
    assert not wrong
    assert sorted(map(abs, percents))[int(0.95 * len(percents))] <= 1
    assert min(percents) >= -0.5


@pytest.mark.parametrize("release", RELEASES)
def test_plans_are_those_of_the_release(release: str) -> None:
    of_release = [row for row in rows() if row.settings.release == release]
    assert len(of_release) > 200
    assert len({row.model.architecture for row in of_release}) > 40
    _held(of_release[::_STEP])


@pytest.mark.sweep
@pytest.mark.parametrize("release", RELEASES)
def test_every_row(release: str) -> None:
    _held([row for row in rows() if row.settings.release == release])


def test_the_question_knows_the_releases_of_the_table() -> None:
    assert (NEWEST, *sorted({row.settings.release for row in rows()})) == LLAMA_CPP_RELEASES
