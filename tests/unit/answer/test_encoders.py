"""Embedding models and rerankers: inputs a second instead of writing, and no quality at chat."""

from __future__ import annotations

import pytest

from advisor.answer.answer import Answer, answer
from advisor.answer.assess import writes_text
from advisor.answer.launching import launch_of
from advisor.answer.reasons import reasons
from advisor.answer.verdict import verdict
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.report.as_text import plan_table
from advisor.report.from_answer import report_of
from advisor.runtimes.registry import runtime_by
from advisor.sources.resolved import from_entry
from advisor.speed import speed_of
from advisor.speed.explain import explanation
from advisor.words import say, say_all
from tests.support.decided import chosen_level, why

ENCODERS = [entry.id for entry in catalogue().values() if entry.variant == "embedding"]


def of(query: str) -> Answer:
    return answer(Question.from_query(query))


@pytest.mark.parametrize("model_id", ENCODERS)
def test_an_encoder_has_inputs_a_second_and_writes_nothing(model_id: str) -> None:
    found = of(f"model={model_id}&machine=rtx-4090&context=512&prompt_tokens=256")
    chosen = found.chosen
    assert chosen is not None
    assert chosen.level in ("F16", "Q8_0")
    assert chosen.kept is None
    assert chosen.tokens_per_s is None
    speed = chosen.speed
    assert speed is not None
    assert speed.prefill_tokens_per_s is not None
    assert speed.inputs_per_s is not None
    assert speed.inputs_per_s.typical == pytest.approx(speed.prefill_tokens_per_s.typical / 256)
    assert speed.inputs_per_s.low < speed.inputs_per_s.typical < speed.inputs_per_s.high
    assert speed.time_to_first_token_s is None
    assert [fact.kind for fact in reasons(found) if fact.kind in ("reads_inputs", "writes", "writes_slowly")] == [
        "reads_inputs"
    ]
    said = " ".join(say_all((*reasons(found), *found.notes, *explanation(speed))))
    assert "inputs of 256 tokens a second" in said
    assert f"{found.model.width:,} numbers" in said


@pytest.mark.parametrize("model_id", ["bge-m3", "qwen3-embedding-0.6b"])
@pytest.mark.parametrize("runtime", ["llama.cpp", "ollama", "vllm"])
def test_nothing_that_is_shown_says_it_writes(model_id: str, runtime: str) -> None:
    found = of(f"model={model_id}&machine=rtx-4090&context=512&prompt_tokens=256&runtime={runtime}")
    report = report_of(found)
    texts = [plan_table(found), str(report), why(found)]
    for text in texts:
        assert "writes about" not in text
        assert "Writing" not in text
        assert "tokens/s for each user" not in text
    assert "inputs/s" in texts[0]


def test_reading_fewer_bits_at_a_time_or_more_inputs_is_what_it_is() -> None:
    alone, together = (
        of(f"model=all-minilm-l6-v2&machine=rtx-4090&context=512&prompt_tokens=64&users={users}").shown.inputs_per_s
        for users in (1, 16)
    )
    assert alone is not None
    assert together is not None
    assert together.typical > 2 * alone.typical  # a pass costs the same for one short input as for eight


def test_what_is_asked_of_writing_is_not_looked_at_and_a_note_says_so() -> None:
    plain = of("model=bge-m3&machine=rtx-4090&context=512&prompt_tokens=256")
    asked = of(
        "model=bge-m3&machine=rtx-4090&context=512&prompt_tokens=256&min_tokens_per_s=900&min_quality=99&max_first_token_s=0.01"
    )
    assert chosen_level(asked) == chosen_level(plain)
    assert any(
        "min_quality, min_tokens_per_s, max_first_token_s are not looked at" in note for note in say_all(asked.notes)
    )
    dear = of("model=bge-m3&machine=rtx-4090&context=512&max_cost_per_month=1")
    assert [one.requirement for one in dear.decided.unmet] == ["max_cost_per_month"]


LONG = "model=bge-m3&machine=rtx-4090&context=4096&prompt_tokens=3000&runtime={runtime}"


def commands_of(found: Answer) -> str:
    launch = launch_of(found, found.shown)
    lines = (command.text for command in runtime_by(found.runtime).commands(launch))
    return " ".join(" ".join(lines).replace("\\\n", " ").split())


@pytest.mark.parametrize(
    ("runtime", "told"),
    [("llama.cpp", "-b 3000 -ub 3000"), ("ollama", "PARAMETER num_batch 3000"), ("lm-studio", "lms load")],
)
def test_an_input_is_read_in_one_batch_and_its_memory_is_counted(runtime: str, told: str) -> None:
    query = LONG.format(runtime=runtime)
    found = of(query)
    assert found.status == "good"
    assert found.shown.plan.settings.micro_batch == 3000
    assert any("with ubatch=3000, as llama.cpp's own 512 would refuse it" in note for note in say_all(found.notes))
    assert told in commands_of(found)
    written = of(f"{query}&ubatch=3000")
    assert written.shown.plan == found.shown.plan
    assert not any("would refuse it" in note for note in say_all(written.notes))
    short = of(query.replace("3000", "300"))
    assert short.shown.plan.settings.micro_batch == 512
    assert short.shown.plan.devices[0].compute_bytes < found.shown.plan.devices[0].compute_bytes


def test_a_batch_that_is_too_small_for_the_inputs_is_kept_where_it_is_written_and_said() -> None:
    found = of("model=bge-m3&machine=rtx-4090&context=4096&prompt_tokens=2048&ubatch=512")
    assert found.status == "limited"
    assert found.shown.plan.settings.micro_batch == 512
    assert "refuses inputs of 2,048 tokens" in say(verdict(found))
    assert any("set ubatch=2048" in note for note in say_all(found.notes))
    assert "ubatch=512" in found.question.to_query()


def test_models_that_read_in_pieces_keep_the_usual_batch() -> None:
    for model in ("qwen3-embedding-0.6b", "llama-3.2-3b-instruct"):
        found = of(f"model={model}&machine=rtx-4090&context=4096&prompt_tokens=2048&runtime=llama.cpp")
        assert found.shown.plan.settings.micro_batch == 512


def test_models_that_write_are_not_encoders() -> None:
    for entry in catalogue().values():
        assert writes_text(from_entry(entry), entry.model) == (entry.variant != "embedding")


@pytest.mark.parametrize("machine", ["rtx-4090", "apple-m4-max-40c-64gb", "rx-7900-xtx", "ryzen-ai-max-395-128gb"])
def test_a_fuller_context_slows_the_prompt(machine: str) -> None:
    rates = []
    for used in (0, 1024, 8192, 65536, 131072):
        found = speed_of("llama-3.1-8b-instruct", machine, "Q4_K_M", context_used=used, prompt_tokens=1024)
        assert found is not None
        assert found.prefill_tokens_per_s is not None
        rates.append(found.prefill_tokens_per_s.typical)
    assert rates[0] == rates[1]  # the prompt itself is what fills it
    assert rates[1] > rates[2] > rates[3] > rates[4]
    assert rates[1] > 1.5 * rates[4]
