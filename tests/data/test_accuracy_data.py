"""`data/accuracy.csv` says what comes out when it is counted again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from advisor.answer.accuracy import Accuracy, accuracy
from tests.support import accuracy as counted
from tests.support.reference import MEMORY_FILES, SIZE_FILES, memory_rows, size_rows


def lines(kind: str, left_out: str = "") -> list[Accuracy]:
    return [line for line in accuracy() if line.kind == kind and line.left_out == left_out]


@pytest.mark.parametrize(
    ("count", "kept"),
    [
        (lambda: counted.speed("source"), lambda: [one for one in lines("speed", "source") if "decode" in one.what]),
        (lambda: counted.quality("networks"), lambda: lines("quality", "network")),
    ],
    ids=["speed", "quality"],
)
def test_how_often_ranges_hold_comes_out_again(
    count: Callable[[], Iterator[Accuracy]], kept: Callable[[], list[Accuracy]]
) -> None:
    again, said = list(count()), kept()
    assert [(one.what, one.rows, one.source) for one in again] == [(one.what, one.rows, one.source) for one in said]
    for new, old in zip(again, said, strict=True):
        assert new.inside == pytest.approx(old.inside, abs=1), f"run: {old.command}"
        assert new.typical_miss == pytest.approx(old.typical_miss, rel=0.02), f"run: {old.command}"
        assert new.range_width == pytest.approx(old.range_width, rel=0.02), f"run: {old.command}"
        assert (new.sources, new.again, new.unstated) == (old.sources, old.again, old.unstated), f"run: {old.command}"
        assert new.far_apart == (old.far_apart and pytest.approx(old.far_apart, rel=0.02)), f"run: {old.command}"


def test_every_row_of_llamacpps_is_counted() -> None:
    """That the figures themselves are equal, `tests/truth/` asserts for each of these rows."""
    (sizes,) = lines("sizes")
    assert sizes.rows == sizes.equal == sum(len(size_rows(file)) for file in SIZE_FILES)
    weights, cache, buffers = lines("memory")
    told = sum(1 for file in MEMORY_FILES for _ in memory_rows(file))
    assert {weights.rows, weights.equal, cache.rows, cache.equal, buffers.rows} == {told}
    assert buffers.equal is not None
    assert 0.99 * told < buffers.equal < told
