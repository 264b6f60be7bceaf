"""The recommendation on worked cases: what is chosen, why, what stands in the way, and what would flip it."""

from __future__ import annotations

import pytest
from advisor.answer.recommend import SMALL_LOSS
from advisor.answer.smaller_models import smaller_models
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.answer.answer import Answer, answer
from advisor.answer.flips import flips
from advisor.foundation.errors import InputError
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.words import say, say_all

LLAMA_70B = "model=llama-3.1-70b-instruct"
MODELS = st.sampled_from(sorted(catalogue()))


def asked(query: str) -> Answer:
    return answer(Question.from_query(query))


def card(gib: float, count: int = 1) -> str:
    return f"machine=custom&memory_gib={gib:g}&gpus={count}&bandwidth_gb_s=1000"


@pytest.mark.parametrize(
    ("query", "level"),
    [
        # The article's own: 70B on two A100, one A100, a Mac Studio, a 24 GB card, a laptop.
        (f"{LLAMA_70B}&machine=a100-sxm4-80gb&gpus=2", "Q6_K"),
        (f"{LLAMA_70B}&machine=a100-sxm4-80gb", "Q6_K"),
        (f"{LLAMA_70B}&machine=apple-m2-ultra-192gb", "Q6_K"),
        (f"{LLAMA_70B}&machine=apple-m3-ultra-80c-512gb", "Q6_K"),
        (f"{LLAMA_70B}&machine=rtx-4090", "IQ2_XXS"),
        (f"{LLAMA_70B}&machine=rtx-4060-laptop", None),
        ("model=llama-3.1-8b-instruct&machine=rtx-4060-laptop", "Q5_K_M"),
        # With requirements the smallest level that meets them is enough.
        (f"{LLAMA_70B}&machine=a100-sxm4-80gb&gpus=2&min_quality=lossless", "Q3_K_M"),
        (f"{LLAMA_70B}&machine=a100-sxm4-80gb&min_quality=small", "IQ3_XXS"),
        (f"{LLAMA_70B}&machine=a100-sxm4-80gb&min_quality=works", "IQ2_XS"),
        (f"{LLAMA_70B}&machine=a100-sxm4-80gb&min_tokens_per_s=20", "Q4_K_M"),
        (f"{LLAMA_70B}&machine=a100-sxm4-80gb&own_hardware=on", "Q6_K"),
        (f"{LLAMA_70B}&machine=a100-sxm4-80gb&commercial=on", "Q6_K"),
        (f"{LLAMA_70B}&machine=rtx-4090&min_quality=lossless", None),
        (f"{LLAMA_70B}&machine=a100-sxm4-80gb&max_cost_per_month=50", None),
        ("model=c4ai-command-r-plus&machine=a100-sxm4-80gb&commercial=on", None),
        # What is known of the host counts: slower but usable beats fast but visibly worse.
        (f"{LLAMA_70B}&machine=rtx-4090&host_memory_gib=64", "IQ3_M"),
        # Cards described by the user.
        (f"{LLAMA_70B}&{card(48)}", "Q4_K_M"),
        (f"model=llama-3.1-8b-instruct&{card(9)}", "Q6_K"),
        (f"model=llama-3.2-1b-instruct&{card(8)}", "Q8_0"),
        (f"model=gpt-oss-20b&{card(16)}", "MXFP4"),
        (f"model=llama-3.1-405b-instruct&{card(24)}", None),
    ],
)
def test_worked_cases(query: str, level: str | None) -> None:
    found = asked(query)
    choice = found.recommendation
    assert choice.level == level
    assert choice.reasons
    assert len(choice.alternatives) <= 3
    assert level not in {other.level for other in choice.alternatives}
    said = say_all((*choice.reasons, *(one.reason for one in choice.alternatives)))
    assert all(sentence.endswith(".") for sentence in said)
    if found.chosen is not None:
        assert found.chosen.plan.fits
        assert not found.chosen.unmet(found.question.requirements, found.entry.license)
        assert not choice.in_the_way


@pytest.mark.parametrize(
    ("query", "requirement", "words"),
    [
        (f"{LLAMA_70B}&machine=rtx-4090&min_quality=lossless", "min_quality", "at least 99 % is asked for"),
        (f"{LLAMA_70B}&machine=rtx-4090&min_tokens_per_s=500", "min_tokens_per_s", "500 are asked for"),
        (f"{LLAMA_70B}&machine=a100-sxm4-80gb&max_first_token_s=0.01", "max_first_token_s", "at most 0.01 s"),
        (f"{LLAMA_70B}&machine=a100-sxm4-80gb&max_cost_per_month=50", "max_cost_per_month", "at most 50"),
        (
            "model=c4ai-command-r-plus&machine=a100-sxm4-80gb&commercial=on",
            "commercial",
            "cc-by-nc-4.0 does not allow commercial use",
        ),
    ],
)
def test_what_is_in_the_way_is_named_with_how_much(query: str, requirement: str, words: str) -> None:
    found = asked(query)
    (unmet,) = found.recommendation.in_the_way
    assert unmet.requirement == requirement
    assert words in say(unmet.message)
    assert unmet.message in found.recommendation.reasons
    assert requirement == "commercial" or (unmet.gap is not None and unmet.gap > 0)


def test_requirements_that_contradict_each_other_are_said_to() -> None:
    found = asked(f"{LLAMA_70B}&machine=a100-sxm4-80gb&min_quality=99&min_tokens_per_s=30")
    assert found.recommendation.level is None
    text = " ".join(say_all(found.recommendation.reasons))
    assert "but not together" in text
    assert "99 % is asked for" in text
    assert "tokens/s to each user; 30 are asked for" in text


def test_what_no_level_can_break_or_mend_is_said_once() -> None:
    found = asked(f"{LLAMA_70B}&machine=a100-sxm4-80gb&max_cost_per_month=50")
    assert not found.recommendation.alternatives
    assert say(found.recommendation.reasons[0]) == "Q6_K would fit, but not every requirement is met."


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("min_quality=101", "from 0 to 100"),
        ("min_quality=-1", "from 0 to 100"),
        ("min_quality=perfect", "min_quality=perfect is not possible"),
        ("task=cooking", "Unknown task 'cooking'"),
        ("task=perplexity", "has no score to keep"),
        ("min_tokens_per_s=0", "min_tokens_per_s=0 is not possible"),
        ("max_cost_per_month=-5", "max_cost_per_month=-5 is not possible"),
        ("max_first_token_s=nan", "max_first_token_s=nan is not possible"),
        ("commercial=maybe", "commercial=maybe is not possible"),
    ],
)
def test_what_cannot_be_required_is_one_clear_sentence(query: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        Question.from_query(query)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@given(model=MODELS, gib=st.floats(1, 400), count=st.integers(1, 4))
@settings(max_examples=25)
def test_no_better_level_on_the_ladder_would_have_fitted(model: str, gib: float, count: int) -> None:
    found = asked(f"model={model}&{card(round(gib, 2), count)}&context=512")
    choice = found.recommendation
    usual = [level.name for level in LLAMA_CPP.ladder.usual]
    fitting = [level for level in usual if any(p.level == level and p.verdict == "fits" for p in found.plans)]
    if choice.level in usual:
        assert choice.level == fitting[0]
    elif choice.level is None:
        assert not fitting


@given(model=MODELS, gib=st.sampled_from((8, 16, 24, 48, 80)), least=st.sampled_from((90, 95, 97, 99)))
@settings(max_examples=15)
def test_asking_for_more_quality_never_gives_less(model: str, gib: float, least: int) -> None:
    base = f"model={model}&{card(gib)}&context=512"
    lower, higher = asked(f"{base}&min_quality={least - 5}"), asked(f"{base}&min_quality={least}")
    if higher.chosen is not None:
        assert lower.chosen is not None
        assert lower.chosen.file_bytes <= higher.chosen.file_bytes
        if not higher.chosen.writes:  # an encoder: what is asked of its quality at chat is not looked at
            assert any("min_quality is not looked at" in note for note in say_all(higher.notes))
            return
        assert higher.chosen.kept is not None
        assert higher.chosen.kept.typical >= least


def test_the_same_question_has_the_same_answer() -> None:
    query = f"{LLAMA_70B}&machine=rtx-4090&min_quality=works"
    one, other = asked(query), asked(f"{query}&margin_percent=4")
    assert one.recommendation == other.recommendation
    assert smaller_models(one) == smaller_models(other)


def test_flips_come_true() -> None:
    found = asked(f"{LLAMA_70B}&{card(48)}")
    assert found.chosen is not None
    sentences = say_all(flips(found))
    missing = min(c.plan.missing_bytes for c in found.candidates if c.level == "Q5_K_M")
    assert sentences[0].endswith("more memory: Q5_K_M.")
    more = asked(f"{LLAMA_70B}&{card(48 + missing / 2**30 / 0.96 + 0.1)}")
    assert more.recommendation.level == "Q5_K_M"
    reach = found.chosen.plan.max_context
    assert sentences[1].startswith(f"Above {reach:,} tokens per user: ")
    beyond = asked(f"{LLAMA_70B}&{card(48)}&context={reach + 1024}")
    assert beyond.recommendation.level != "Q4_K_M"
    assert beyond.recommendation.level == sentences[1].removesuffix(".").rpartition(": ")[2]


def test_a_flip_to_more_cards_comes_true() -> None:
    query = f"{LLAMA_70B}&machine=rtx-4090&gpus=2&min_quality=lossless"
    found = asked(query)
    assert found.recommendation.level is not None
    (sentence,) = (one for one in say_all(flips(found)) if "users on" in one)
    users = int(sentence.removeprefix("From ").partition(" ")[0])
    assert ", with " in sentence
    assert asked(f"{query}&users={users}").recommendation.level is None
    machine, _, level = sentence.removesuffix(".").partition(": ")[2].partition(", with ")
    count = machine.partition(" x ")[0]
    more = asked(f"{LLAMA_70B}&machine=rtx-4090&gpus={count}&min_quality=lossless&users={users}")
    assert more.recommendation.level == level
    assert not any("more memory" in one for one in say_all(flips(found)))


def test_what_a_better_level_breaks_is_the_reason() -> None:
    found = asked(f"{LLAMA_70B}&machine=a100-sxm4-80gb&min_tokens_per_s=20")
    assert "20 are asked for" in say(found.recommendation.reasons[0])


def test_where_nothing_is_recommended_nothing_flips() -> None:
    assert flips(asked(f"{LLAMA_70B}&machine=rtx-4060-laptop")) == ()


@pytest.mark.parametrize(
    "query",
    [
        f"{LLAMA_70B}&machine=rtx-4090",
        f"{LLAMA_70B}&machine=rtx-4060-laptop",
        "model=deepseek-v3&machine=rtx-5090",
        "model=qwen2.5-72b-instruct&machine=rtx-3090&min_tokens_per_s=20",
        "model=kimi-k3&machine=rtx-4090",  # many to choose from, of some of which only the month of release is known
    ],
)
def test_smaller_models_meet_everything_with_small_loss(query: str) -> None:
    found = asked(query)
    suggested = smaller_models(found)
    assert 1 <= len(suggested) <= 2
    for one in suggested:
        assert one.model_id is not None
        other = answer(found.question.with_values(model=one.model_id, level=one.level))
        assert other.model.parameters < found.model.parameters
        assert other.chosen is not None
        assert other.chosen.verdict == "fits"
        assert other.chosen.kept is not None
        assert other.chosen.kept.typical >= SMALL_LOSS
        assert "of its own 16-bit score" in say(one.reason)
        entry = catalogue()[one.model_id]
        assert found.entry.entry is not None
        assert entry.variant == found.entry.entry.variant


def test_a_model_that_fits_well_needs_no_smaller_one() -> None:
    assert smaller_models(asked(f"{LLAMA_70B}&machine=a100-sxm4-80gb")) == ()


def test_a_forbidding_licence_is_not_answered_with_another() -> None:
    found = asked("model=c4ai-command-r-plus&machine=a100-sxm4-80gb&commercial=on")
    assert smaller_models(found)
    for one in smaller_models(found):
        assert catalogue()[one.model_id or ""].license not in ("cc-by-nc-4.0", "mrl", "qwen-research")


@pytest.mark.parametrize("machine", ["rtx-4090", "ryzen-ai-max-395-64gb"])
def test_mlx_is_for_macs_only(machine: str) -> None:
    with pytest.raises(InputError, match="choose a Mac"):
        asked(f"model=llama-3.1-8b-instruct&machine={machine}&runtime=mlx")


@pytest.mark.parametrize("machine", ["gtx-1080-ti", "arc-b580"])
def test_a_card_on_which_the_runtime_has_no_level_gets_the_reason_and_what_runs(machine: str) -> None:
    with pytest.raises(
        InputError, match=r"^No level of gpt-oss 20B runs with vLLM on .*: .*; use runtime=llama\.cpp\.$"
    ):
        asked(f"model=gpt-oss-20b&machine={machine}&runtime=vllm")
    assert asked(f"model=gpt-oss-20b&machine={machine}&runtime=llama.cpp").candidates


def test_a_card_that_is_too_small_for_every_level_gets_a_sentence() -> None:
    found = asked("model=gpt-oss-20b&machine=rx-9060-xt-8gb&runtime=vllm")
    assert found.recommendation.level is None
    assert say(found.recommendation.reasons[0]).startswith("No level fits on Radeon RX 9060 XT 8GB")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        # Pinned: nothing is said of levels that nobody looked at.
        (f"{LLAMA_70B}&level=Q6_K", "Q6_K does not fit on "),
        (f"{LLAMA_70B}&machine=rtx-3050-laptop-4gb", "No level fits on "),
        ("model=llama-3.1-8b-instruct&level=Q8_0&margin_percent=50&machine=rtx-4080", "Q8_0 fits on "),
        (
            "model=llama-3.1-8b-instruct&margin_percent=50&machine=rtx-3050-laptop-4gb&context=512",
            "No level fits with ",
        ),
        # A host that nobody knows lacks nothing that could be counted.
        ("model=llama-3.1-8b-instruct&level=Q4_K_M&gpu_layers=20&machine=rtx-4090", "Q4_K_M runs on "),
    ],
)
def test_why_nothing_fits_agrees_with_the_verdict(query: str, sentence: str) -> None:
    found = asked(query)
    plan, reasons = found.shown.plan, " ".join(say_all(found.recommendation.reasons))
    assert reasons.startswith(sentence)
    assert "lacks 0 B" not in reasons
    assert ("Ways out" in reasons) == (plan.missing_bytes > 0)
    if plan.verdict == "tight":
        assert ("without the safety margin" in reasons) == (plan.missing_bytes > 0)
    if "With at most" in reasons:
        assert plan.max_context < found.question.workload.context


@pytest.mark.parametrize(
    ("query", "verdict"),
    [
        ("model=llama-3.1-8b-instruct&level=Q4_K_M&cpu_moe_layers=1", "fits"),
        ("model=deepseek-coder-v2-lite-instruct&level=Q4_K_M&cpu_moe_layers=1", "fits"),  # its first layer is dense
        ("model=deepseek-coder-v2-lite-instruct&level=Q4_K_M&cpu_moe_layers=2", "fits with offload"),
    ],
)
def test_only_experts_that_there_are_go_to_the_host(query: str, verdict: str) -> None:
    assert asked(f"{query}&machine=rtx-4090&host_memory_gib=64").shown.verdict == verdict
