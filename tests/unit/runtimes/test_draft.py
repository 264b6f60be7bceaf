"""A draft model beside the main one: its memory, its command, and what can be said about its speed."""

from __future__ import annotations

import pytest

from advisor.answer.answer import answer
from advisor.answer.launching import launch_of
from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.errors import InputError
from advisor.foundation.units import GIB
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.report.as_json import plan_document
from advisor.runtimes.commands import commands
from advisor.runtimes.llama_cpp.draft import expected_tokens
from advisor.runtimes.llama_cpp.memory_lines import memory_lines
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Device, Memory
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings
from advisor.words import say, say_all

LINK = "model=llama-3.1-8b-instruct&machine=rtx-4090&level=Q4_K_M"
DRAFTING = f"{LINK}&draft=llama-3.2-1b-instruct"


def test_a_draft_model_takes_what_it_would_take_alone() -> None:
    plain, drafting = (answer(Question.from_query(link)).plans[0] for link in (LINK, DRAFTING))
    memory = Memory((Device("GPU", 24 * GIB, 0),), None)
    draft = catalogue()["llama-3.2-1b-instruct"].model
    alone = LLAMA_CPP.plan(PlanRequest(draft, memory, Settings(8192), stored=Levels(LEVELS["Q8_0"].id)))[0]
    assert drafting.devices[0].beside.draft == alone.devices[0].needed_bytes > GIB
    assert drafting.devices[0].needed_bytes == plain.devices[0].needed_bytes + alone.devices[0].needed_bytes
    assert drafting.devices[0].overhead_bytes == plain.devices[0].overhead_bytes
    assert drafting.max_context < plain.max_context or drafting.max_context == 131_072
    lines = memory_lines(drafting, catalogue()["llama-3.1-8b-instruct"].model)
    for holder in (*drafting.devices, drafting.host):
        assert sum(line.bytes for line in lines if line.place == holder.name) == holder.needed_bytes
    assert {line.component for line in lines} >= {"draft weights", "draft KV cache", "draft compute"}
    assert all(line.word == "modelled" for line in lines if line.component.startswith("draft"))


def test_a_draft_model_can_be_what_does_not_fit() -> None:
    tight = "model=llama-3.1-70b-instruct&machine=rtx-3090&gpus=2&level=Q4_K_M"
    assert answer(Question.from_query(tight)).plans[0].verdict == "fits"
    assert answer(Question.from_query(f"{tight}&draft=llama-3.2-3b-instruct")).plans[0].verdict == "does not fit"


def test_level_and_users_of_the_draft_count() -> None:
    sizes = [
        answer(Question.from_query(f"{DRAFTING}{more}")).plans[0].devices[0].beside.draft
        for more in ("&draft_level=Q4_K_M", "", "&users=4")
    ]
    assert sizes == sorted(set(sizes))


def test_the_command_names_the_draft_model() -> None:
    found = answer(Question.from_query(DRAFTING))
    server = next(one for one in commands(launch_of(found, found.shown)) if say(one.title) == "llama-server")
    words = " ".join(server.text.replace("\\", " ").split())
    assert "--spec-type draft-simple -md Llama-3.2-1B-Instruct-Q8_0.gguf -ngld all" in words


def test_nothing_is_claimed_about_speed_without_a_rate_of_acceptance() -> None:
    plain, drafting = (answer(Question.from_query(link)) for link in (LINK, DRAFTING))
    assert drafting.candidates[0].tokens_per_s == plain.candidates[0].tokens_per_s
    assert any(
        "nobody has published how many of its tokens are accepted. With 41 to 67 %" in note
        for note in say_all(drafting.notes)
    )


def test_with_a_rate_of_acceptance_the_gain_is_told_as_a_range() -> None:
    def told(percent: int) -> str:
        notes = say_all(answer(Question.from_query(f"{DRAFTING}&draft_accepted_percent={percent}")).notes)
        return next(note for note in notes if "are accepted" in note)

    def tokens(percent: int) -> float:
        return float(told(percent).partition("writes about ")[2].partition(" tokens/s")[0])

    assert "3 at a time" in told(70)
    plain = answer(Question.from_query(LINK)).candidates[0].tokens_per_s
    assert plain is not None
    assert tokens(0) < plain.typical < tokens(90) < 4 * plain.typical


def test_tokens_expected_of_a_step() -> None:
    assert expected_tokens(0) == 1
    assert expected_tokens(1) == 4
    assert expected_tokens(0.5) == pytest.approx(1 + 0.5 + 0.25 + 0.125)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("draft=llama-3.1-70b-instruct", "is no smaller than Llama 3.1 8B Instruct"),
        ("draft=llama-3.1-8b-instruct", "is no smaller than"),
        ("draft=qwen3-0.6b", "drafts only with the same vocabulary"),
        ("draft=lama-3.2-1b-instruct", "did you mean 'llama-3.2-1b-instruct'"),
        ("draft=llama-3.2-1b-instruct&draft_level=Q9", "Unknown draft level"),
        ("draft=llama-3.2-1b-instruct&draft_accepted_percent=170", "draft_accepted_percent=170 is not possible"),
        ("draft=llama-3.2-1b-instruct&runtime=ollama", "not for ollama"),
    ],
)
def test_a_draft_that_cannot_be_is_one_sentence(query: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        answer(Question.from_query(f"{LINK}&{query}"))


def test_json_names_what_the_draft_takes() -> None:
    devices = plan_document(answer(Question.from_query(DRAFTING)))["plans"][0]["devices"]
    assert devices[0]["draft_bytes"] > GIB
