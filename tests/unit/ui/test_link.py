"""The link as the page reads and writes it."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from hypothesis import Phase, given, settings

from advisor.question.configuration import SEARCHED
from advisor.question.question import FIELDS, MAX_QUERY_LENGTH, Question
from advisor.ui.asking import ask
from advisor.ui.link import START, ReadLink, changed_link, read_link
from tests.support.random_questions import page_questions


def read(query: str) -> ReadLink:
    return read_link(parse_qs(query, keep_blank_values=True))


@settings(max_examples=150, derandomize=True, phases=[Phase.generate])
@given(page_questions())
def test_a_question_survives_the_way_through_the_page(question: Question) -> None:
    query = question.to_query()
    if len(query) > MAX_QUERY_LENGTH:
        return
    found = read(query)
    left_out = question.given - found.written.keys()
    assert len(found.problems) == len(left_out)
    assert left_out <= {"use_gpus", "other_machine"}  # more cards than there are, or of two vendors
    held = Question.from_values(found.written)
    assert held == question.with_values(**dict.fromkeys(left_out))
    assert held.pins == question.pins - left_out


def test_nothing_asked_is_the_start_question_and_keys_of_the_page_ask_nothing() -> None:
    assert read("").written == START
    assert read("tab=Cost").written == START
    assert read("machine=rtx-4090&tab=Cost").written == {"machine": "rtx-4090"}


def test_what_is_given_twice_or_too_long_is_left_out() -> None:
    assert read("gpus=2&gpus=3").problems == ("'gpus' is given 2 times; give it once. It was left out.",)
    found = read("model=" + "A" * 50_000)
    assert found.written == START
    assert len(found.problems) == 1


def test_a_default_that_is_searched_for_stays_pinned_where_it_is_written() -> None:
    for key, value in (("kv_type_k", "f16"), ("kv_offload", "on"), ("use_gpus", "1"), ("gpu_layers", "all")):
        changed = changed_link({"model": "llama-3.2-3b-instruct", "machine": "rtx-4090"}, {key: value})
        assert Question.from_values(changed).pins == {key}
        assert key not in changed_link(changed, {key: None})


def test_other_defaults_leave_the_link() -> None:
    held = {"model": "gpt-oss-20b", "machine": "rtx-4090", "users": "3"}
    assert "users" not in changed_link(held, {"users": 1})
    assert changed_link(held, {"flash_attention": False})["flash_attention"] == "off"


def test_a_front_end_s_own_defaults_hold_until_somebody_chooses() -> None:
    held = {"model": "gpt-oss-20b", "machine": "rtx-4090"}
    ollama = changed_link(held, {"runtime": "ollama"})
    assert "context" not in ollama
    assert changed_link(ollama, {"context": 8192})["context"] == "8192"
    assert "context" not in changed_link(changed_link(ollama, {"context": 8192}), {"runtime": "llama.cpp"})


def test_cards_of_two_vendors_stay_with_the_backend_that_drives_both() -> None:
    link = "model=gpt-oss-20b&machine=rtx-3090&other_machine=rx-7900-xtx"
    assert "other_machine" not in read(link).written
    assert "other_machine" in read(f"{link}&backend=vulkan").written
    assert read("machine=rtx-3090&gpus=2&backend=metal").written["gpus"] == "2"


@pytest.mark.parametrize("machine", ["apple-m4-max-40c-128gb", "cpu-dual-ddr5-6000", "custom", "rtx-5090"])
def test_another_machine_takes_only_what_it_has(machine: str) -> None:
    held = {"model": "gpt-oss-20b", "machine": "rtx-3090", "gpus": "3", "use_gpus": "2", "host_memory_gib": "64"}
    held |= {"other_machine": "rtx-3060-12gb", "tensor_split": "3,1,1,1", "context": "16384"}
    changed = changed_link(held, {"machine": machine})
    assert changed["context"] == "16384"
    found = read_link({key: [value] for key, value in changed.items()})
    assert not found.problems
    assert ask(found).answer is not None
    back = changed_link(changed, {"machine": "rtx-4090"})
    assert "memory_gib" not in back


def test_every_searched_key_is_one_of_the_question() -> None:
    assert set(FIELDS) >= SEARCHED


def test_a_machine_written_with_its_number_becomes_two_keys() -> None:
    found = read_link({"machine": ["2x RTX 3090"]})
    assert found.written == {"machine": "rtx-3090", "gpus": "2"}
    assert not found.problems
