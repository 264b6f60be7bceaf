"""`python -m advisor`: the JSON contract, readable tables, errors as one line with exit code 2."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from advisor.__main__ import main
from advisor.answer import answer as advise
from advisor.answer.answer import Answer, answer
from advisor.formats.gguf_sizes import size_levels
from advisor.models.catalogue import catalogue
from advisor.models.lookup import find_model
from advisor.question.question import Question
from advisor.report import compact

SCHEMAS = Path(compact.__file__).parent / "schemas"
ANSWER, SIZES = (
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8")))
    for name in ("answer", "sizes")
)
QUESTION = "model=llama-3.1-8b-instruct&machine=rtx-4090"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_sizes_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(run(capsys, "sizes", "llama-3.1-70b-instruct", "--format", "json"))
    SIZES.validate(document)
    assert document["model"]["parameters"] == 70_553_706_496
    levels = document["levels"]
    by_name = {(level["format"], level["level"], level["imatrix"]): level for level in levels}
    assert len(by_name) == len(levels)
    assert sum(level["format"] == "gguf" and not level["imatrix"] for level in levels) == 33
    q2 = by_name["gguf", "Q2_K", False]
    assert q2["tensor_bytes"] == 26_367_246_592
    assert q2["file_bytes"] > q2["tensor_bytes"]
    assert 2.9 < q2["bits_per_weight"] < 3.1
    awq = by_name["awq", "AWQ-W4A16-g128", False]
    assert awq["file_bytes"] == awq["tensor_bytes"] == 39_767_785_472


def test_an_importance_matrix_has_a_row_where_it_changes_the_size(capsys: pytest.CaptureFixture[str]) -> None:
    model = find_model("llama-3.1-8b-instruct").model
    levels = json.loads(run(capsys, "sizes", "llama-3.1-8b-instruct", "--format", "json"))["levels"]
    for sized in size_levels(model, imatrix=True):
        rows = [row for row in levels if row["level"] == sized.level.name]
        changes = sized.tensor_bytes != rows[0]["tensor_bytes"]
        assert [row["imatrix"] for row in rows] == ([False, True] if changes else [False])
        assert rows[-1]["tensor_bytes"] == sized.tensor_bytes
    assert any(row["imatrix"] for row in levels)


def test_full_sizes_say_what_they_are_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(run(capsys, "sizes", "llama-3.1-70b-instruct", "--format", "json", "--full"))
    SIZES.validate(document)
    by_name = {level["level"]: level for level in document["levels"] if not level["imatrix"]}
    assert sum(by_name["Q2_K"]["tensor_types"].values()) == 724
    assert by_name["AWQ-W4A16-g128"]["writer"].startswith("AutoAWQ")


def made(levels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of levels as stock tools make them, and the range of what others publish.

    Which single files are known hangs on the model's name, which a config does not have.
    """
    rows = []
    for row in levels:
        published = row["published"]
        span = None if published is None else (published["low_bytes"], published["high_bytes"])
        rows.append({**row, "published": span})
    return rows


def test_sizes_of_a_config_file_equal_those_of_the_catalogue(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(catalogue()["qwen3-30b-a3b"].config))
    from_file = run(capsys, "sizes", str(path), "--format", "json")
    known = run(capsys, "sizes", "qwen3-30b-a3b", "--format", "json")
    assert made(json.loads(from_file)["levels"]) == made(json.loads(known)["levels"])
    assert str(tmp_path) not in from_file


def test_plan_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    query = "model=llama-3.1-70b-instruct&machine=a100-sxm4-80gb&context=8192&users=1&gpus=2"
    text = run(capsys, "plan", query, "--format", "json")
    assert len(text) <= 5000
    document = json.loads(text)
    ANSWER.validate(document)
    assert document["query"] == query
    assert document["decision"]["plan"]["level"] == "Q6_K"
    assert document["decision"]["reasons"]
    with_flips = json.loads(run(capsys, "plan", query, "--format", "json", "--flips"))
    assert with_flips["flips"]
    assert with_flips | {"flips": []} == document
    whole = json.loads(run(capsys, "plan", query, "--format", "json", "--plans"))
    assert all(len(choice["plan"]["memory"]) == 3 for choice in whole["choices"])


def test_the_full_plan_has_every_level(capsys: pytest.CaptureFixture[str]) -> None:
    query = "model=llama-3.1-70b-instruct&machine=a100-sxm4-80gb&context=8192&users=1&gpus=2"
    document = json.loads(run(capsys, "plan", query, "--format", "json", "--full"))
    ANSWER.validate(document)
    assert {"scenario", "levels", "evidence", "bills", "recommendation"} <= set(document)
    for plan in document["levels"]:
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
                "projector_bytes",
                "adapter_bytes",
                "mtp_bytes",
            } == set(device)


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_batch_answers_line_by_line_and_stops_at_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    queries = [f"{QUESTION}&users=2", "machine=rtx-409", f"{QUESTION}&runtime=vllm"]
    path = tmp_path / "questions.txt"
    path.write_bytes("\ufeff# questions\n\n  \n{}\n{}\n#{}\r\n{}".format(*queries[:2], QUESTION, queries[2]).encode())
    assert main(("plan", "--batch", str(path))) == 0
    documents = lines_of(capsys.readouterr().out)
    assert [document["query"] for document in documents] == queries
    for document in documents:
        ANSWER.validate(document)
    assert [document["error"] is None for document in documents] == [True, False, True]
    alone = json.loads(run(capsys, "plan", queries[2], "--format", "json"))
    assert documents[2] == alone


def test_a_batch_of_sizes_reads_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(catalogue()["qwen3-30b-a3b"].config))
    text = f"llama-3.1-8b-instruct\nno-such-model\n{config}\n".encode() + b"\xff\xfe\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert main(("sizes", "--batch", "-")) == 0
    documents = lines_of(capsys.readouterr().out)
    for document in documents:
        SIZES.validate(document)
    assert [document["error"] is None for document in documents] == [True, False, True, False]
    known = lines_of(run(capsys, "sizes", "qwen3-30b-a3b", "--format", "json"))[0]
    assert made(documents[2]["levels"]) == made(known["levels"])


def test_an_answer_is_written_before_the_next_line_is_asked() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "advisor", "plan", "--batch", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for query in ("users=0", QUESTION):
            process.stdin.write(f"{query}\n".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["query"] == query
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_an_error_of_our_own_in_a_batch_ends_with_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "questions.txt"
    path.write_text(f"{QUESTION}&users=3\n{QUESTION}\n")

    def broken(question: Question, **_: object) -> Answer:
        if question.workload.users == 3:
            raise KeyError(str(tmp_path))
        return answer(question)

    monkeypatch.setattr(advise, "answer", broken)
    assert main(("plan", "--batch", str(path))) == 1
    output = capsys.readouterr()
    documents = lines_of(output.out)
    assert [document["error"] and document["error"]["kind"] for document in documents] == ["internal", None]
    assert str(tmp_path) not in output.out
    assert "KeyError" in output.err


def test_json_says_what_is_wrong_with_the_question(capsys: pytest.CaptureFixture[str]) -> None:
    for command, text in (("plan", "machine=rtx-409"), ("sizes", "lama-3.1-8b")):
        assert main((command, text, "--format", "json")) == 2
        error = json.loads(capsys.readouterr().out)["error"]
        assert error["kind"] == "input"
        assert error["did_you_mean"]


def test_a_query_is_answered_in_its_language_or_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    sentences = set()
    for lang in ("", "&lang=de", "&lang=fr"):
        assert main(("plan", QUESTION + lang, "--format", "json")) == 0
        decision = json.loads(capsys.readouterr().out)["decision"]
        sentences.add(decision["sentence"])
        assert decision["status"] in ("good", "limited")  # which is the same in all
    assert len(sentences) == 3
    for command in (
        ("plan", f"{QUESTION}&lang=zz"),
        ("deploy", f"{QUESTION}&lang=zz"),
        ("check", f"{QUESTION}&lang=zz"),
    ):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert "'zz'" in error
        assert "de-CH" in error


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan",),
        ("plan", QUESTION, "--batch", "-"),
        ("sizes",),
        ("plan", QUESTION, "--full"),
        ("plan", QUESTION, "--plans"),
        ("plan", "--batch", "/no/such/file"),
    ],
)
def test_a_wrong_command_line_ends_with_status_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(arguments)
    except SystemExit as stop:  # argparse's own
        status = int(str(stop.code))
    output = capsys.readouterr()
    assert status == 2
    assert not output.out
    assert "/no/such" not in output.err


def test_tables_are_readable(capsys: pytest.CaptureFixture[str]) -> None:
    table = run(capsys, "plan", "model=llama-3.1-8b-instruct&machine=rtx-4090")
    assert "Good: Run Llama 3.1 8B Instruct as Q8_0 on GeForce RTX 4090: " in table
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
