"""What a repository's name alone tells of its files, where the Hub is not asked."""

from __future__ import annotations

import csv

import pytest
from huggingface_hub import constants

from advisor.answer.answer import answer
from advisor.models.catalogue import catalogue
from advisor.models.names import find_by_repository
from advisor.question.question import Question
from advisor.sources.form_in_name import level_in_name
from advisor.sources.resolve import check_model, find_any_model
from advisor.words import say_all
from tests.support.reference import TRUTH

META = "meta-llama/Llama-3.1-405B-Instruct-FP8"
NODE = {"machine": "h100-sxm5-80gb", "gpus": "8"}
_GROUPS = ("-g128", "-g64", "-g32", "-asym")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def _bits(level: str) -> str:
    """The scheme without what no name tells."""
    for group in _GROUPS:
        level = level.replace(group, "")
    return level.removeprefix("AWQ-")


def test_published_repositories_are_what_their_names_say() -> None:
    with (TRUTH / "published_checkpoints.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    named, known = 0, catalogue()
    for row in rows:
        entry = known[row["shape"]]
        level = level_in_name(row["repo"], entry)
        if row["repo"] == entry.hf_repo:
            assert level is None
        elif level is not None:
            named += 1
            assert _bits(level) == _bits(row["level"]), row["repo"]
    assert named >= 95


@pytest.mark.parametrize(
    "text",
    [
        *(META, "meta-llama/Meta-Llama-3.1-405B-Instruct-FP8", f"vllm serve {META} --tensor-parallel-size 8"),
        *(f"https://huggingface.co/{META}", "Llama-3.1-405B-Instruct-FP8", "llama-3.1-405b-instruct:FP8-fbgemm"),
    ],
)
def test_metas_own_fp8_is_found_by_its_name(text: str) -> None:
    """Case 41: its attention has 16 bit, so a card of eight holds 57 GiB of it, not 48."""
    for name in (text, check_model(text)):
        found = find_any_model(name)
        assert (found.id, found.level) == ("llama-3.1-405b-instruct", "FP8-fbgemm")


def test_files_that_only_a_name_tells_of_are_planned_as_if_they_had_been_read() -> None:
    asked = answer(Question.from_values({"model": META, **NODE}))
    plan = asked.shown.plan
    assert (plan.runtime, plan.level, plan.verdict) == ("vllm", "FP8-fbgemm", "fits")
    assert plan.devices[0].weights_bytes / 2**30 == pytest.approx(56.8, abs=0.1)
    assert "The repository's own files (FP8-fbgemm) fit with vLLM" in " ".join(say_all(asked.notes))
    small = answer(Question.from_values({"model": META, "machine": "rtx-4090"}))
    assert small.beside is not None
    assert small.beside.level == "FP8-fbgemm"
    assert "do not fit with vLLM" in " ".join(say_all(small.notes))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"runtime": "llama.cpp"}, "is not for llama.cpp"),
        ({"gpu_layers": "20"}, "is a setting of llama.cpp"),
        ({"machine": "apple-m1-max-32gb"}, "NVIDIA and AMD"),
    ],
)
def test_where_the_named_files_do_not_run_the_others_are_planned_and_it_is_said(more: dict[str, str], why: str) -> None:
    asked = answer(Question.from_values({"model": "Qwen/Qwen3-32B-AWQ", "machine": "rtx-4090", **more}))
    assert asked.shown.plan.level != "AWQ-W4A16-g128"
    assert "(AWQ-W4A16-g128) are not among the plans: " in " ".join(say_all(asked.notes))
    assert why in " ".join(say_all(asked.notes))


@pytest.mark.parametrize(
    ("repository", "level"),
    [
        ("Qwen/Qwen3-32B-AWQ", "AWQ-W4A16-g128"),
        ("RedHatAI/Meta-Llama-3.1-405B-Instruct-FP8", "FP8-static"),
        ("somebody/Qwen3-32B-Q8_0-GGUF", "Q8_0"),
        ("bartowski/Qwen3-32B-GGUF", None),
        ("somebody/Qwen3-32B-UD-Q4_K_XL-GGUF", None),
        ("mlx-community/Qwen3-32B-4bit", "MLX-4bit-g64"),
        ("unsloth/Qwen3-32B-bnb-4bit", "NF4"),
        ("cyankiwi/Qwen3.8-27B-AWQ-BF16-INT4", "W4A16-g32"),
        ("RedHatAI/Muse-Glimmer-30B-FP8-block", "FP8-block128"),
        ("google/gemma-3-12b-it-qat-q4_0-gguf", "Q4_0"),
    ],
)
def test_levels_of_names(repository: str, level: str | None) -> None:
    assert level_in_name(repository, find_by_repository(repository)) == level
