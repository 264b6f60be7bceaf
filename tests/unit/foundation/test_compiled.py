"""What is kept is what would be made anew, whatever happened to the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from advisor.foundation.compiled import compiled, stamp_of


def test_made_once_for_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", str(tmp_path))
    made: list[int] = []

    def make() -> list[int]:
        made.append(len(made))
        return [*made]

    assert compiled("numbers", "one", make) == compiled("numbers", "one", make) == [0]
    assert compiled("numbers", "two", make) == [0, 1]
    file = tmp_path / "compiled" / "numbers.json"
    whole = file.read_text("utf-8")
    for broken in ("", "{", "[]", whole[:-5], json.dumps(json.loads(whole) | {"value": [7]})):
        file.write_text(broken, "utf-8")
        assert 7 not in compiled("numbers", "two", make)
    assert [path.name for path in file.parent.iterdir()] == ["numbers.json"]


def test_without_a_folder_it_is_made_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", "")
    assert compiled("numbers", "one", lambda: 1) == 1
    (tmp_path / "file").write_text("", "utf-8")
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", str(tmp_path / "file"))
    assert compiled("numbers", "one", lambda: 2) == 2


def test_a_stamp_changes_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "data"
    before = stamp_of(path)
    path.write_text("1", "utf-8")
    after = stamp_of(path)
    assert len({before, after}) == 2
    path.write_text("12", "utf-8")
    assert stamp_of(path) != after
