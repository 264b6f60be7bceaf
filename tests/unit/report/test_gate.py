"""A pipeline is told by an exit status whether an answer is good enough; the catalogue is listed."""

from __future__ import annotations

import json

import pytest

from advisor.__main__ import main
from advisor.answer.status import STATUSES
from advisor.command_line import STATUSES as KNOWN
from advisor.foundation.errors import InputError
from advisor.models.catalogue import catalogue
from advisor.report.asking import answer_plan
from advisor.report.gate import Gate

QUERY = "model=qwen3-8b&machine=rtx-4090"


def test_statuses_of_the_command_line_are_those_of_the_engine() -> None:
    assert KNOWN == STATUSES


@pytest.mark.parametrize(
    ("asked", "ok"),
    [
        (["--status", "good"], True),
        (["--status", "good", "--min-tokens-per-s", "20", "--min-context", "8192"], True),
        (["--min-tokens-per-s", "100000"], False),
        (["--min-context", "100000000"], False),
        (["--max-first-token-s", "0.000001"], False),
        (["--min-quality-percent", "100.5"], False),
    ],
)
def test_exit_status_and_reasons(asked: list[str], ok: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", QUERY, *asked, "--format", "json"]) == (0 if ok else 1)
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is ok
    assert bool(found["missed"]) is not ok


def test_what_does_not_fit_passes_no_gate(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "model=llama-3.1-405b-instruct&machine=rtx-4090", "--status", "limited"]) == 1
    assert "not limited or better" in capsys.readouterr().out
    assert main(["check", "model=nix"]) == 2
    with pytest.raises(InputError, match="There is no status"):
        Gate(status="splendid")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["nan", "inf", "-5"])
def test_a_gate_that_nothing_could_miss_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--min-tokens-per-s", "--max-first-token-s", "--min-quality-percent"):
        assert main(["check", QUERY, option, value]) == 2
        assert "finite number from 0" in capsys.readouterr().err


def test_a_typical_value_is_what_counts() -> None:
    document = answer_plan(QUERY)
    speed = document["decision"]["plan"]["tokens_per_s"]
    assert not Gate(min_tokens_per_s=speed["typical"]).missed(document)
    assert Gate(min_tokens_per_s=speed["typical"] * 1.01).missed(document)


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "qwen3", "8b", "--format", "json", "--limit", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["id"] == "qwen3-8b"
    assert main(["models"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(catalogue())
    assert main(["machines", "2x", "3090", "--limit", "1"]) == 0
    assert capsys.readouterr().out.startswith("rtx-3090 ")
    assert main(["machines", "zzz"]) == 0
    assert capsys.readouterr().out == "No machine of the catalogue is called like 'zzz'.\n"
    with pytest.raises(SystemExit):
        main(["machines", "--limit", "0"])
