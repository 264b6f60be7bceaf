"""The columns of a comparison in a link."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.report.columns import changes_of, question_of_column, read_columns, without, write_columns

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["qwen3-32b", "gpt-oss-20b", "org/na~me@1%7E:Q4_K_M"]),
    "machine": st.sampled_from(["rtx-4090", "rtx-3090", "rtx-5090"]),
    "gpus": st.integers(1, 8),
    "host_memory_gib": st.sampled_from([64.0, 0.5]),
    "level": st.sampled_from(["Q4_K_M", "MXFP4"]),
    "context": st.sampled_from([4096, 8192, 32768]),
    "users": st.integers(1, 9),
    "kv_type_k": st.sampled_from(["f16", "q8_0"]),
    "gpu_layers": st.sampled_from(["all", "auto", 12]),
    "tensor_split": st.sampled_from(["3,1"]),
    "min_quality": st.sampled_from(["small", 95.5]),
    "commercial": st.booleans(),
}
QUESTIONS = st.fixed_dictionaries({}, optional=VALUES).map(Question.from_values)


@given(base=QUESTIONS, others=st.lists(QUESTIONS, max_size=3))
def test_a_question_beside_any_other_comes_back_as_it_was(base: Question, others: list[Question]) -> None:
    text = write_columns([changes_of(one, base) for one in others])
    found = [question_of_column(base, changes) for changes in read_columns(text)]
    assert [one.to_query() for one in found] == [one.to_query() for one in others]


@given(base=QUESTIONS, other=QUESTIONS, column=QUESTIONS)
def test_a_columns_model_and_machine_stay_when_the_first_ones_change(
    base: Question, other: Question, column: Question
) -> None:
    changes = changes_of(column, base)
    again = question_of_column(other, changes)
    for key in ("model", "machine", "gpus", "host_memory_gib", "level"):
        assert again.value(key) == column.value(key)


def test_what_a_column_does_not_say_it_has_in_common_with_the_first() -> None:
    base = Question.from_query("model=llama-3.3-70b-instruct&level=Q4_K_M&machine=rtx-3090&gpus=2&users=4")
    (changes,) = read_columns("machine~rtx-5090")
    found = question_of_column(base, changes)
    assert found.to_query() == "model=llama-3.3-70b-instruct&machine=rtx-5090&users=4&level=Q4_K_M"
    (changes,) = read_columns("model~qwen3-32b~users~.")
    assert question_of_column(base, changes).to_query() == "model=qwen3-32b&machine=rtx-3090&gpus=2"


def test_another_model_leaves_the_level_of_the_first() -> None:
    pinned = Question.from_query("model=qwen3-32b&machine=rtx-3090&gpus=2&level=Q4_K_M&gpu_layers=all&kv_type_k=q8_0")
    changes = {**changes_of(pinned, Question()), **without("model"), "model": "gpt-oss-20b"}
    assert question_of_column(Question(), changes).to_query() == "model=gpt-oss-20b&machine=rtx-3090&gpus=2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("machine", "key~value"),
        ("machine~rtx-4090~machine~rtx-3090", "twice"),
        ("~~".join(["users~1", "users~2", "users~3", "users~4"]), "compares 5 questions; at most 4"),
        ("model~" + "x" * 5000, "5,006 characters long"),
    ],
)
def test_a_link_that_cannot_be_read_is_refused_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_columns(text)


def test_a_column_of_unknown_keys_is_refused_where_it_is_asked() -> None:
    (changes,) = read_columns("machien~rtx-4090")
    with pytest.raises(InputError, match="machien"):
        question_of_column(Question(), changes)
