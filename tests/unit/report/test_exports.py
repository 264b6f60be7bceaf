"""Plans as CSV, questions as YAML and back."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.answer.answer import Answer, answer
from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.report.as_json import plan_document
from advisor.report.exports import (
    QUESTION_BYTES,
    csv_text,
    plans_csv,
    question_from_yaml,
    question_to_yaml,
    safe_cell,
)
from advisor.sizing.settings import CACHE_TYPES
from tests.support.random_questions import from_nothing


@pytest.fixture(
    scope="module", params=["machine=rtx-4090", "machine=h100-sxm5-80gb&gpus=2", "machine=custom&memory_gib=48"]
)
def answered(request: pytest.FixtureRequest) -> Answer:
    return answer(Question.from_query(f"model=llama-3.1-8b-instruct&context=8192&{request.param}"))


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_holds_every_plan_with_the_figures_of_the_json(answered: Answer) -> None:
    rows = read(plans_csv(answered))
    document = plan_document(answered)
    assert [row["level"] for row in rows] == [plan["level"] for plan in document["plans"]]
    assert [row["level"] for row in rows if row["recommended"] == "yes"] == [document["recommendation"]["level"]]
    for row, plan, planned in zip(rows, document["plans"], answered.plans, strict=True):
        assert int(row["file_bytes"]) == plan["file_bytes"]
        assert int(row["needed_bytes"]) == planned.needed_bytes
        assert row["free_bytes"] == ("" if planned.free_bytes is None else str(planned.free_bytes))
        assert row["model"] == "llama-3.1-8b-instruct"
        held = sum(int(row[f"device_{part}_bytes"]) for part in ("weights", "kv_cache", "compute", "overhead"))
        assert int(row["device_capacity_bytes"]) - held == planned.free_bytes
        assert int(row["host_weights_bytes"]) == planned.host.weights_bytes


def test_a_machine_without_devices_has_its_figures_on_the_host() -> None:
    cpu = answer(Question.from_query("model=llama-3.1-8b-instruct&machine=cpu-dual-ddr5-5600&memory_gib=64"))
    rows = read(plans_csv(cpu))
    assert all(row["host_capacity_bytes"] for row in rows)
    assert "device_weights_bytes" not in rows[0]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "\tx",  # spreadsheets drop these, and look at what follows
        "\rx",
        "\nx",
        "\t",
        " =1",
        '=HYPERLINK("http://x")',
        "\uff1d1",
        "\u3000@x",
        "-",
    ],
)
def test_no_text_becomes_a_formula(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
    (row,) = read(csv_text(("a",), [{"a": text}]))
    assert row["a"] == f"'{text}"


def test_numbers_stay_numbers() -> None:
    assert [safe_cell(value) for value in (-1, -0.5, 3, True, None, "a=b", "")] == [-1, -0.5, 3, True, "", "a=b", ""]
    assert csv_text(("n", "=x"), [{"n": -1.5}]) == "n,'=x\r\n-1.5,\r\n"


@given(st.text(max_size=30))
def test_any_text_survives_csv_and_starts_harmlessly(text: str) -> None:
    (row,) = read(csv_text(("a", "b"), [{"a": text, "b": "end"}]))
    assert row["a"].removeprefix("'") == text.removeprefix("'")
    assert not row["a"].lstrip().startswith(("=", "+", "-", "@"))
    assert row["b"] == "end"


questions = st.builds(
    Question.of,
    model=st.text(min_size=1, max_size=80).filter(lambda text: max(text) <= "\ud7ff"),
    machine=st.sampled_from(["rtx-4090", "null", "off", "1e3", "2026-01-01", "- x", "a: b", "#", "'", "true", "70"]),
    gpus=st.integers(1, 64),
    memory_gib=st.none() | st.floats(0.001, 1000),
    context=st.integers(1, 1 << 27),
    users=st.integers(1, 256),
    kv_type_k=st.sampled_from(list(CACHE_TYPES)),
    level=st.none() | st.sampled_from(["Q4_K_M", "F16"]),
    imatrix=st.booleans(),
    mtp=st.booleans(),
    gpu_layers=st.none() | st.integers(0, 4096),
    margin_percent=from_nothing(50),
)


@given(questions)
def test_a_question_survives_yaml(question: Question) -> None:
    assert question_from_yaml(question_to_yaml(question)) == question
    assert question_from_yaml(question_to_yaml(question).encode()) == question


def test_yaml_keeps_a_default_that_was_chosen_over_the_frontends() -> None:
    question = Question.from_query("runtime=ollama&context=8192")
    again = question_from_yaml(question_to_yaml(question))
    assert question.given == {"runtime", "context"}
    assert again.given == question.given | {"model", "machine"}


def test_yaml_is_what_a_person_would_write() -> None:
    question = Question.of(
        model="llama-3.1-8b-instruct", machine="rtx-4090", users=4, flash_attention=False, gpu_layers=20
    )
    expected = "model: llama-3.1-8b-instruct\nmachine: rtx-4090\nusers: 4\nflash_attention: 'off'\ngpu_layers: 20\n"
    assert question_to_yaml(question) == expected
    written = "# ours\nmodel: llama-3.1-8b-instruct\nusers: 4\nflash_attention: off\ngpu_layers: 20\nlevel:\n"
    assert question_from_yaml(written) == question
    assert question_from_yaml("gpu_layers: all\n") == Question.of(gpu_layers="all")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must hold lines like"),
        ("just words", "must hold lines like"),
        ("- a\n- b", "must hold lines like"),
        ("a: [", "is no YAML in line 1"),
        ("a: b\n\tc: d", "is no YAML in line 2"),
        ("a: !!python/object/apply:os.system [ls]", "is no YAML in line 1"),
        ("model: x\nmodel: y", "'model' is given twice"),
        ("a: &x [1]\nb: *x", "anchors"),
        ("model: {a: 1}", "'model' in the scenario file must be a key with one plain value"),
        ("model: 2026-01-01", "'model' in the scenario file must be"),
        ("1: 2", "'1' in the scenario file must be"),
        ("? [a, b]\n: c", "found unhashable key"),
        ("modle: x", "did you mean 'model'"),
        ("users: yes", "users=on is not possible"),
        ("users: 100000", "users=100000 is not possible"),
        ("margin_percent: .nan", "margin_percent"),
        ("a: " + "[" * 5000, "nested"),
        ("x" * (QUESTION_BYTES + 1), "at most 16,384"),
        (b"\xff\xfe\xfa", "not UTF-8"),
        (b"a: \x00", "no YAML that can be read"),
        ("--- a\n--- b", "is no YAML"),
        ("users: " + "9" * 6000, "scenario file|users"),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(text: str | bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        question_from_yaml(text)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_file_is_read_or_refused(content: Any) -> None:
    try:
        assert isinstance(question_from_yaml(content), Question)
    except InputError as error:
        assert str(error).isprintable()
