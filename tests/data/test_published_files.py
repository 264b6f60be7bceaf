"""The tables of published files: what is known of them, and that the rule for those that are not holds."""

from __future__ import annotations

from statistics import median

import pytest

from advisor.formats.gguf_levels import LEVELS, Level
from advisor.formats.gguf_sizes import size_level
from advisor.formats.level_id import GGUF, LevelId
from advisor.formats.levels import find_level
from advisor.models.catalogue import catalogue
from advisor.sources.published_files import (
    FILES,
    REPOSITORIES,
    is_gated,
    likely_repository,
    published_file,
    read_published_files,
    read_published_repositories,
)
from tests.support.published import held_files

ROWS = read_published_files(FILES)


def test_no_file_is_far_from_the_size_of_its_level() -> None:
    """A wrong unit or a wrong file is: the largest mix of a publisher adds a third to the smallest level."""
    known = {row.model for row in ROWS if row.format == GGUF and row.bytes is not None}
    assert len(known) > 40
    for row in ROWS:
        if row.format == GGUF and row.bytes is not None:
            level = find_level(f"{row.format}:{row.level}")
            assert isinstance(level, Level)
            stock = size_level(catalogue()[row.model].model, level.stock).file_bytes
            assert 0.7 * stock < row.bytes < (1.6 if level.like else 1.4) * stock, row


def test_the_range_for_a_level_holds_nine_published_files_of_ten_and_is_narrow() -> None:
    files = list(held_files())
    assert len(files) > 500
    assert sum(file.inside for file in files) >= 0.9 * len(files)
    assert median(file.width for file in files) <= 0.08


def test_the_first_row_that_loads_is_the_one_that_is_named() -> None:
    for row in ROWS:
        entry = catalogue()[row.model]
        trained = {file.repo for file in entry.own_files if file.kind == "qat"}
        alike = [one for one in ROWS if (one.model, one.format, one.level) == (row.model, row.format, row.level)]
        first = next((one for one in alike if one.loads and one.repo not in trained), None)
        assert published_file(entry, LevelId(row.format, row.level)) == first
        if row.repo in trained:
            assert published_file(entry, LevelId(row.format, row.level), row.owner) == row


def test_a_likely_repository_is_of_an_owner_whose_usual_levels_are_known() -> None:
    rows = read_published_repositories(REPOSITORIES)
    for row in rows:
        entry = catalogue()[row.model]
        assert likely_repository(entry, LevelId(GGUF, "Q4_K_M"), 10**9) is not None
        assert {likely_repository(entry, LevelId(GGUF, name), 10**9) for name in LEVELS} >= {None}
    assert likely_repository(catalogue()["qwen3-32b"], LevelId("fp8", "FP8-dynamic"), 10**9) is None
    only = [row for row in rows if row.model == "exaone-4.0-32b"]
    assert [row.owner for row in only] == ["mradermacher"]
    # Its larger files are cut in a way that no program loads.
    assert likely_repository(catalogue()["exaone-4.0-32b"], LevelId(GGUF, "Q8_0"), 60 * 10**9) is None


@pytest.mark.parametrize(
    ("repository", "license", "gated"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", "llama3.3", True),
        ("google/gemma-3-27b-it", "gemma", True),
        ("google/gemma-4-31B-it", "apache-2.0", False),
        ("bartowski/Llama-3.3-70B-Instruct-GGUF", "llama3.3", False),
        ("Qwen/Qwen3-8B", "apache-2.0", False),
    ],
)
def test_who_asks_for_terms_first(repository: str, license: str, gated: bool) -> None:
    assert is_gated(repository, license) == gated
