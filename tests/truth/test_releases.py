"""What each release of llama.cpp would allocate, as its planner said it (`tests/support/releases.py`)."""

from __future__ import annotations

import pytest

from advisor.question.configuration import LLAMA_CPP_RELEASES, NEWEST
from advisor.sizing.settings import RELEASES
from tests.support.releases import PLACED_FILE, Row, miss_mib, predicted_mib, rows

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


def _held_with_gpus(chosen: list[Row]) -> None:
    """Each buffer is equal but for a few; those whose weights nobody can name are bounded from above."""
    wrong, percents = _misses(chosen)
    assert not wrong
    assert percents.count(0) >= 0.93 * len(percents)
    assert sum(percent < -0.5 for percent in percents) <= 0.01 * len(percents)
    assert min(percents) > -40


@pytest.mark.parametrize("release", RELEASES)
def test_plans_with_gpus_are_those_of_the_release(release: str) -> None:
    of_release = [row for row in rows(PLACED_FILE) if row.settings.release == release]
    assert {row.settings.op_offload for row in of_release} == {False, True}
    assert len({row.model.architecture for row in of_release}) > 35
    _held_with_gpus(of_release[::_STEP])


@pytest.mark.sweep
@pytest.mark.parametrize("release", RELEASES)
def test_every_row_with_gpus(release: str) -> None:
    _held_with_gpus([row for row in rows(PLACED_FILE) if row.settings.release == release])


def test_the_question_knows_the_releases_of_the_table() -> None:
    assert (NEWEST, *sorted({row.settings.release for row in rows()})) == LLAMA_CPP_RELEASES
