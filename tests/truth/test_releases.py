"""What each release of llama.cpp would allocate, as its planner said it (`tests/support/releases.py`)."""

from __future__ import annotations

import pytest

from advisor.question.configuration import LLAMA_CPP_RELEASES, NEWEST
from advisor.sizing.placement import HOST
from advisor.sizing.settings import RELEASES, Settings
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
    assert percents.count(0) >= 0.97 * len(percents)
    assert min(percents) >= -0.5


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


# Of kinds that fresh draws found: model, level, release, users, micro-batch, context, layers on so many GPUs that
# compute for the host, device, MiB of its compute buffer.
FOUND = [
    # what users' few tokens leave on the host
    ("lfm2-1.2b", "Q4_K_M", "2026-10", 8, 64, 2908, 0, 1, 0, 122),
    ("lfm2-1.2b", "Q4_K_M", "2026-10", 8, 64, 2908, 0, 1, HOST, 5),
    ("kimi-linear-48b-a3b-instruct", "Q4_K_M", "2026-10", 8, 128, 2908, 0, 1, 0, 490),
    ("kimi-linear-48b-a3b-instruct", "Q4_K_M", "2026-10", 8, 128, 2908, 0, 1, HOST, 20),
    ("qwen3.5-0.8b", "Q4_K_M", "2026-10", 8, 128, 2908, 0, 1, 0, 322),
    ("granite-4.0-h-micro", "Q4_K_M", "2026-08", 8, 128, 2908, 0, 1, HOST, 31),
    # the part of a scan that is copied
    ("granite-4.0-h-micro", "Q4_K_M", "2026-08", 4, 1024, 2048, 0, 1, 0, 573),
    ("granite-4.0-h-micro", "Q4_K_M", "2026-10", 4, 1024, 2048, 0, 1, 0, 581),
    ("nvidia-nemotron-nano-9b-v2", "Q4_K_M", "2026-09", 1, 1536, 8192, 0, 1, 0, 1460),
    ("nvidia-nemotron-nano-9b-v2", "F16", "2026-10", 1, 2048, 8192, 0, 1, 0, 2179),
    # fused attention given up for queries that were left on a GPU
    ("gemma-3n-e2b-it", "Q4_K_M", "2026-10", 4, 512, 97313, 0, 1, 0, 3287),
    ("gemma-3n-e2b-it", "Q4_K_M", "2026-10", 4, 512, 97313, 0, 1, HOST, 227),
]
# Delta nets of several users that are not fused.
BOUNDED = [
    ("qwen3.5-0.8b", "Q4_K_M", "2026-08", 2, 1024, 1720, 24, 2, 0, 106),
    ("qwen3.5-0.8b", "Q4_K_M", "2026-08", 8, 64, 1024, 24, 2, 1, 61),
    ("kimi-linear-48b-a3b-instruct", "Q4_K_M", "2026-08", 8, 2048, 1024, 26, 2, 0, 1300),
]
# Of models of which nobody knows which weight each operation reads: the same with layers whose experts are on the host,
# and a smaller buffer for those after the level. The bounds of the first three were too low.
LENT = [
    ("deepseek-v4-flash", "IQ4_XS", 4, 128, 14494, 38, 43, 2, 0, 2178),
    ("minimax-m3", "Q4_K_M", 1, 1024, 627, 18, 12, 1, 0, 2078),
    ("minimax-m3", "Q4_K_M", 1, 512, 2884, 51, 52, 3, 1, 122),
    ("deepseek-v4-flash", "Q8_0", 1, 512, 18390, 0, 0, 1, 0, 2342),
    ("deepseek-v4-flash", "Q4_K_M", 1, 128, 23126, 16, 43, 3, 0, 2834),
]


def _row(found: tuple[str, str, str, int, int, int, int, int, int, int]) -> Row:
    model, level, release, users, batch, context, layers, gpus, device, told = found
    settings = Settings(context, users, micro_batch=batch, gpu_layers=layers, release=release)
    return Row(model, level, settings, (0, 0, told), gpus, device)


@pytest.mark.parametrize("row", [_row(one) for one in FOUND])
def test_what_hybrids_need_of_a_gpu_that_computes_for_the_host(row: Row) -> None:
    assert miss_mib(predicted_mib(row)[2], row.told[2]) == 0


@pytest.mark.parametrize("row", [_row(one) for one in BOUNDED])
def test_what_is_not_fused_is_bounded_from_above(row: Row) -> None:
    assert row.told[2] <= predicted_mib(row)[2] < 1.3 * row.told[2]


@pytest.mark.parametrize(
    ("model", "level", "users", "batch", "context", "layers", "experts", "gpus", "device", "told"), LENT
)
def test_what_nobody_knows_the_weights_of_is_bounded_from_above(
    model: str,
    level: str,
    users: int,
    batch: int,
    context: int,
    layers: int,
    experts: int,
    gpus: int,
    device: int,
    told: int,
) -> None:
    placed = Settings(context, users, micro_batch=batch, gpu_layers=layers, cpu_moe_layers=experts, release="2026-10")
    assert told <= predicted_mib(Row(model, level, placed, gpus=gpus, device=device))[2] < 1.4 * told


def test_the_question_knows_the_releases_of_the_table() -> None:
    assert (NEWEST, *sorted({row.settings.release for row in rows()})) == LLAMA_CPP_RELEASES
