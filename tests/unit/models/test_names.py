"""Names of models as people and programs write them, and what is suggested for those that mean nothing."""

from __future__ import annotations

import csv
import re

import pytest

from advisor.foundation.errors import InputError
from advisor.foundation.places import data_folder
from advisor.models.catalogue import catalogue
from advisor.models.find import suggest
from advisor.models.lookup import find_model
from advisor.models.names import find_by_name, find_by_ollama_name, find_by_repository
from advisor.sources.resolve import check_model, find_any_model


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("llama3.3:70b-instruct-q4_K_M", "llama-3.3-70b-instruct:Q4_K_M"),
        ("llama3.1:70b-instruct-q4_K_M", "llama-3.1-70b-instruct:Q4_K_M"),
        ("llama3.3:70b-instruct-fp16", "llama-3.3-70b-instruct:F16"),
        ("gemma3:27b-it-qat", "gemma-3-27b-it:Q4_0"),
        ("deepseek-r1:32b", "deepseek-r1-distill-qwen-32b"),
        ("deepseek-r1:70b", "deepseek-r1-distill-llama-70b"),
        ("deepseek-r1:671b", "deepseek-r1"),
        ("deepseek-r1:8b", "deepseek-r1-0528-qwen3-8b"),
        ("llama3.1", "llama-3.1-8b-instruct"),
        ("llama3.1:latest", "llama-3.1-8b-instruct"),
        ("llama3.3", "llama-3.3-70b-instruct"),
        ("llama3.2-vision:11b", "llama-3.2-11b-vision-instruct"),
        ("gpt-oss:120b", "gpt-oss-120b"),
        ("qwen3:30b-a3b", "qwen3-30b-a3b"),
        ("qwen3:30b", "qwen3-30b-a3b"),
        ("qwen2.5vl:7b", "qwen2.5-vl-7b-instruct"),
        ("mixtral:8x7b", "mixtral-8x7b-instruct-v0.1"),
        ("mistral", "mistral-7b-instruct-v0.3"),
        ("mistral-small3.1", "mistral-small-3.1-24b-instruct-2503"),
        ("deepseek-coder-v2:16b", "deepseek-coder-v2-lite-instruct"),
        ("llama4:scout", "llama-4-scout-17b-16e-instruct"),
        ("command-r-plus", "c4ai-command-r-plus"),
        ("phi3:14b", "phi-3-medium-4k-instruct"),
        ("GPT-OSS 120B", "gpt-oss-120b"),
        ("Qwen3 30B A3B", "qwen3-30b-a3b"),
        ("qwen3 30b a3b", "qwen3-30b-a3b"),
        ("DeepSeek-R1-Distill-Qwen-32B", "deepseek-r1-distill-qwen-32b"),
        ("Llama 3.3 70B", "llama-3.3-70b-instruct"),
        ("DeepSeek R1", "deepseek-r1"),
        ("LLAMA-3.1-8B-INSTRUCT", "llama-3.1-8b-instruct"),
        ("ollama run llama3.3:70b", "llama-3.3-70b-instruct"),
        ("ollama pull deepseek-r1", "deepseek-r1-0528-qwen3-8b"),
        ("deepseek-r1", "deepseek-r1"),
        ("$ ollama run qwen3:8b 'why is the sky blue?'", "qwen3-8b"),
        ("`qwen3-8b`", "qwen3-8b"),
        ('"qwen3-8b",', "qwen3-8b"),
        ("qwen3-8b/", "qwen3-8b"),
        ("qwen3-8b:q5_k_m", "qwen3-8b:Q5_K_M"),
    ],
)
def test_a_name_means_a_model_of_the_catalogue(name: str, model: str) -> None:
    assert check_model(name) == model
    entry, _, level = model.partition(":")
    found = find_any_model(name)
    assert (found.id, found.level) == (entry, level or None)
    again = find_any_model(model)  # what a link holds
    assert (again.id, again.level) == (found.id, found.level)


def test_every_model_is_found_by_its_own_spellings() -> None:
    for entry in catalogue().values():
        for name in (entry.id, entry.name, entry.hf_repo.rpartition("/")[2]):
            for spelt in (name, name.upper(), name.replace("-", " "), name.replace("-", "_")):
                found = find_by_name(spelt)
                assert found is not None, spelt
                assert found.model.parameters == entry.model.parameters, (spelt, found.id)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Hermes-3-Llama-3.1-8B",
            "Qwen3-8B-abliterated",
            "codellama:7b",
            "llama3.3:8b",
            "no-such-model",
            "70",
            "gguf",
        ),
        *("instruct", "1", "", "llama", "x" * 10_000, "gpt-oss:120b-cloud", "qwen3-coder-vl:30b", "gemma-3-99b"),
    ],
)
def test_other_models_are_not_taken_for_known_ones(name: str) -> None:
    assert find_by_name(name) is None
    assert find_by_ollama_name(name) is None


def size(model_id: str) -> str:
    return f"{catalogue()[model_id].model.parameters / 1e9:.0f}"


@pytest.mark.parametrize(
    "name", ["lama-3.1-70b", "llama-3.1-70b-instrukt", "Llama 3.1 70B tuned", "qwen3-8b-abliterated"]
)
def test_a_hint_is_of_the_same_family_and_size(name: str) -> None:
    with pytest.raises(InputError, match=r"^Unknown model .*; did you mean '.*'\?$") as caught:
        find_any_model(name)
    assert caught.value.suggestions
    for found in caught.value.suggestions:
        assert found.startswith(("llama-3.1", "qwen3"))
        assert size(found) in ("71", "8")
        assert found in str(caught.value)


@pytest.mark.parametrize("name", ["llama3.3:8b", "mistral-small9.9:24b", "nonsense", "foo-8b", "gemma-3-99b"])
def test_no_hint_where_nothing_is_of_the_same_family_and_size(name: str) -> None:
    assert suggest(name) == ()
    with pytest.raises(InputError, match=r"^Unknown model '[^']*'\.$") as caught:
        find_any_model(name)
    assert caught.value.suggestions == ()
    with pytest.raises(InputError, match=r"^Unknown model '[^']*'\.$"):
        find_model(name)


def test_names_that_no_rule_can_know_have_a_source_and_mean_something_else() -> None:
    with (data_folder() / "ollama_names.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert row["source"].startswith("https://ollama.com/library/")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", row["read"])
        assert row["means"] != row["name"]
        # What a rule finds by itself is no row.
        if row["name"] != "codellama":
            assert find_by_name(row["name"]) is not find_by_ollama_name(row["name"])


@pytest.mark.parametrize(
    ("repository", "model"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b-instruct"),
        ("META-LLAMA/llama-3.3-70b-instruct", "llama-3.3-70b-instruct"),
        ("bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", "llama-3.1-8b-instruct"),
        ("bartowski/Qwen_Qwen3-32B-GGUF", "qwen3-32b"),
        ("unsloth/Llama-3.3-70B-Instruct-unsloth-bnb-4bit", "llama-3.3-70b-instruct"),
        ("RedHatAI/Llama-3.3-70B-Instruct-quantized.w4a16", "llama-3.3-70b-instruct"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic", "llama-3.1-8b-instruct"),
        ("mlx-community/Qwen3-30B-A3B-4bit-DWQ", "qwen3-30b-a3b"),
        ("turboderp/Llama-3.3-70B-Instruct-exl2", "llama-3.3-70b-instruct"),
        ("google/gemma-3-27b-it-qat-q4_0-gguf", "gemma-3-27b-it"),
        ("hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4", "llama-3.1-70b-instruct"),
        ("mradermacher/QwQ-32B-i1-GGUF", "qwq-32b"),
        ("Intel/Qwen3-32B-int4-AutoRound", "qwen3-32b"),
        ("NousResearch/Hermes-3-Llama-3.1-8B", None),
        ("acme/Qwen3-8B-abliterated-GGUF", None),
        ("acme/gguf", None),
        ("", None),
    ],
)
def test_a_repository_that_was_made_by_quantizing_leads_to_its_model(repository: str, model: str | None) -> None:
    found = find_by_repository(repository)
    assert (found.id if found is not None else None) == model
