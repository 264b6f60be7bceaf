"""The tables of published files: what a command names is of the size that the plan counts with."""

from __future__ import annotations

import pytest

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_levels
from advisor.formats.level_id import GGUF, LevelId
from advisor.models.catalogue import catalogue
from advisor.quality.own_files import is_native
from advisor.sources.published_files import (
    FILES,
    REPOSITORIES,
    is_gated,
    likely_repository,
    published_file,
    read_published_files,
    read_published_repositories,
)

ROWS = read_published_files(FILES)
MOST_OFF = 0.02  # a publisher's own mix is another file than the one that was planned


def test_every_file_is_of_the_size_of_its_level() -> None:
    known = {row.model for row in ROWS if row.format == GGUF and row.size_gb is not None}
    assert len(known) > 40
    for model in known:
        sizes = {sized.level.name: sized.file_bytes for sized in size_levels(catalogue()[model].model)}
        for row in ROWS:
            own = is_native(catalogue()[row.model], LevelId(row.format, row.level))
            if row.model == model and row.format == GGUF and row.bytes is not None and not own:
                assert row.bytes == pytest.approx(sizes[row.level], rel=MOST_OFF), row


def test_the_first_row_is_the_one_that_is_named() -> None:
    for row in ROWS:
        found = published_file(catalogue()[row.model], LevelId(row.format, row.level))
        assert found == next(one for one in ROWS if (one.model, one.level) == (row.model, row.level))


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
