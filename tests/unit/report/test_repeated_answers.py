"""An answer is given again while nothing has changed that it follows from, and only then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.report import repeated_answers
from advisor.report.repeated_answers import answer_before

ROOT = Path(__file__).resolve().parents[3]
QUERY = "model=qwen3-8b&machine=rtx-4090"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", str(tmp_path))
    return []


def answered(asked: list[str], text: str, command: str = "plan", flags: str = "", status: int = 0) -> tuple[str, int]:
    def make() -> tuple[str, int]:
        asked.append(text)
        return f"answer {len(asked)}", status

    return answer_before(command, text, flags, make)


def test_the_same_question_is_answered_once(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered(asked, QUERY) == answered(asked, QUERY) == ("answer 1", 0)
    assert answered(asked, QUERY, flags="--flips")[0] == "answer 2"
    assert answered(asked, f"{QUERY}&users=2")[0] == "answer 3"
    assert answered(asked, "qwen3-8b", "sizes")[0] == answered(asked, "qwen3-8b", "sizes")[0] == "answer 4"
    monkeypatch.setattr(repeated_answers, "program_state", lambda _data: "another program")
    assert answered(asked, QUERY)[0] == "answer 5"


@pytest.mark.parametrize(
    "text",
    ["", "machine=rtx-4090", "model=org/name", "model=nix", "model=../x", f"{QUERY}&draft=org/name", "model=%00"],
)
def test_what_may_change_elsewhere_is_asked_anew(asked: list[str], text: str) -> None:
    assert answered(asked, text) != answered(asked, text)


def test_a_refusal_is_not_kept(asked: list[str]) -> None:
    assert answered(asked, QUERY, status=2) == ("answer 1", 2)
    assert answered(asked, QUERY) == ("answer 2", 0)


def test_old_answers_go(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated_answers, "_MOST", 3)
    for users in range(1, 7):
        answered(asked, f"{QUERY}&users={users}")
    assert len(list((tmp_path / "compiled").iterdir())) == 3


def test_one_process_after_another(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "advisor", "plan", QUERY, "--format", "json"]
    environment = os.environ | {"LLM_FIT_ADVISOR_CACHE": str(tmp_path)}
    lines = [
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True).stdout for _ in range(2)
    ]
    assert lines[0] == lines[1]
    assert json.loads(lines[0])["decision"]["status"] == "good"
