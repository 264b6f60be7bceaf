"""`python -m advisor`: the JSON contract, readable tables, errors as one line with exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.__main__ import main
from advisor.models.catalogue import catalogue


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_sizes_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    levels = json.loads(run(capsys, "sizes", "llama-3.1-70b-instruct", "--format", "json"))
    by_name = {level["level"]: level for level in levels}
    assert len(by_name) == len(levels)
    assert [level["format"] == "gguf" for level in levels] == [True] * 33 + [False] * (len(levels) - 33)
    q2 = by_name["Q2_K"]
    assert q2["tensor_bytes"] == 26_367_246_592
    assert q2["format"] == "gguf"
    assert q2["file_bytes"] > q2["tensor_bytes"]
    assert 2.9 < q2["bits_per_weight"] < 3.1
    assert sum(q2["tensor_types"].values()) == 724
    awq = by_name["AWQ-W4A16-g128"]
    assert awq["file_bytes"] == awq["tensor_bytes"] == 39_767_785_472
    assert awq["writer"].startswith("AutoAWQ")
    assert set(q2) <= set(awq)


def test_sizes_of_a_config_file_equal_those_of_the_catalogue(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(catalogue()["qwen3-30b-a3b"].config))
    from_file = run(capsys, "sizes", str(path), "--format", "json")
    assert from_file == run(capsys, "sizes", "qwen3-30b-a3b", "--format", "json")


def test_plan_as_json_keeps_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    query = "model=llama-3.1-70b-instruct&machine=a100-sxm4-80gb&context=8192&users=1&gpus=2"
    document = json.loads(run(capsys, "plan", query, "--format", "json"))
    assert {"scenario", "model", "machine", "plans", "recommendation"} <= set(document)
    assert document["recommendation"]["level"] == "Q6_K"
    assert document["recommendation"]["reasons"]
    for plan in document["plans"]:
        assert {"level", "format", "runtime", "verdict", "devices", "host", "max_context"} <= set(plan)
        assert len(plan["devices"]) == 2
        for device in (*plan["devices"], plan["host"]):
            assert {
                "name",
                "capacity_bytes",
                "weights_bytes",
                "kv_cache_bytes",
                "compute_bytes",
                "overhead_bytes",
                "draft_bytes",
            } == set(device)
    only = json.loads(run(capsys, "plan", f"{query}&level=Q4_K_M", "--format", "json"))
    assert [plan["level"] for plan in only["plans"]] == ["Q4_K_M"]


def test_tables_are_readable(capsys: pytest.CaptureFixture[str]) -> None:
    table = run(capsys, "plan", "model=llama-3.1-8b-instruct&machine=rtx-4090")
    assert "Recommended: Q6_K" in table
    assert "rule of thumb" in table
    sizes = run(capsys, "sizes", "llama-3.1-8b-instruct")
    assert "Q4_K_M" in sizes
    assert "FP8-dynamic" in sizes
    assert "llmcompressor" in sizes
    assert "the writer stops" in run(capsys, "sizes", "gpt-oss-20b")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sizes", "no-such-model"), "Unknown model"),
        (("sizes", "/no/such/config.json"), "There is no file config.json"),
        (("plan", "model=llama-3.1-8b-instruct&machine=rtx-409"), "rtx-4090"),
        (("plan", "context=0"), "context=0"),
    ],
)
def test_errors_are_one_line_on_stderr(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert not output.out
    assert message in output.err
    assert output.err.count("\n") == 1
    assert "/no/such" not in output.err


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"architectures": 7}', "[" * 100_000, "\x00\x01", '{"hidden_size": 1e400}']
)
def test_a_broken_config_file_is_one_line(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    assert main(("sizes", str(path))) == 2
    output = capsys.readouterr()
    assert output.err.count("\n") == 1
    assert str(tmp_path) not in output.err


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "advisor", "plan", "users=0"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr == "error: users=0 is not possible: it must be greater than or equal to 1.\n"
