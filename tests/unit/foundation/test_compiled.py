"""What is kept is what would be made anew, whatever happened to the file."""

from __future__ import annotations

import os
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
    file = tmp_path / "compiled" / "numbers.compiled"
    whole = file.read_bytes()
    for broken in (b"", b"{", whole[:-5], whole[:-1] + b"\x07", whole + b"0"):
        file.write_bytes(broken)
        assert compiled("numbers", "two", make) == [*made[:-1], len(made) - 1]
        assert file.stat().st_mode & 0o077 == 0 or os.name == "nt"
    assert [path.name for path in file.parent.iterdir()] == ["numbers.compiled"]


def test_kinds_of_values_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", str(tmp_path))
    value = {("a", 1): (0.1, None, "é"), "b": [frozenset((1, 2)), b"", True]}
    for _ in range(2):
        found = compiled("kinds", "", lambda: value)
        assert found == value
        assert type(found["b"]) is list


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_what_others_may_have_written_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", str(tmp_path))
    compiled("numbers", "", lambda: 1)
    file = tmp_path / "compiled" / "numbers.compiled"
    assert compiled("numbers", "", lambda: 2) == 1
    file.chmod(0o666)
    assert compiled("numbers", "", lambda: 3) == 3
    assert compiled("numbers", "", lambda: 4) == 3, "it was not written anew"
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert compiled("numbers", "", lambda: 5) == 5
    monkeypatch.setattr(os, "geteuid", lambda: elsewhere.stat().st_uid + 1)
    assert compiled("numbers", "", lambda: 6) == 6


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
