"""Names of models as people and programs write them, and what is suggested for those that mean nothing."""

from __future__ import annotations

import csv
import re

import pytest

from advisor.costs.api_prices import family_of
from advisor.foundation.errors import InputError
from advisor.foundation.places import data_folder
from advisor.models.catalogue import catalogue
from advisor.models.find import find_models, suggest, the_only_model
from advisor.models.lookup import find_model
from advisor.models.names import find_by_host_name, find_by_name, find_by_ollama_name, find_by_repository
from advisor.models.not_sized import NOT_SIZED_FILE, read_not_sized
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


# As people type them into the box, and as scripts hand them on from another host.
TYPED = """
glm 4.5 air: glm-4.5-air
glm air: glm-4.5-air
deepseek r1 70b: deepseek-r1-distill-llama-70b
r1 70b: deepseek-r1-distill-llama-70b
r1 distill qwen 32b: deepseek-r1-distill-qwen-32b
qwen coder 30b: qwen3-coder-30b-a3b-instruct
qwen 2.5 coder 7b: qwen2.5-coder-7b-instruct
llama scout: llama-4-scout-17b-16e-instruct
nemotron nano 9b: nvidia-nemotron-nano-9b-v2
north mini code: north-mini-code-1.0
nomic embed: nomic-embed-text-v1.5
command-r+: c4ai-command-r-plus
llama-3-3-70b-instruct: llama-3.3-70b-instruct
Meta-Llama-3_3-70B-Instruct: llama-3.3-70b-instruct
Meta-Llama-3.1-70B-Instruct-AWQ-INT4: llama-3.1-70b-instruct
databricks-meta-llama-3-3-70b-instruct: llama-3.3-70b-instruct
databricks-meta-llama-3-1-8b-instruct: llama-3.1-8b-instruct
meta.llama3-3-70b-instruct-v1:0: llama-3.3-70b-instruct
us.meta.llama3-1-8b-instruct-v1:0: llama-3.1-8b-instruct
meta.llama3-70b-instruct-v1:0: llama-3-70b-instruct
mistral.mistral-7b-instruct-v0:2: mistral-7b-instruct-v0.2
mistral.mixtral-8x7b-instruct-v0:1: mixtral-8x7b-instruct-v0.1
us.deepseek.r1-v1:0: deepseek-r1
openai.gpt-oss-120b-1:0: gpt-oss-120b
qwen.qwen3-coder-30b-a3b-v1:0: qwen3-coder-30b-a3b-instruct
accounts/fireworks/models/llama-v3p3-70b-instruct: llama-3.3-70b-instruct
accounts/fireworks/models/deepseek-v3p1: deepseek-v3.1
@cf/meta/llama-3.3-70b-instruct-fp8-fast: llama-3.3-70b-instruct
llama-3.3-70b-versatile: llama-3.3-70b-instruct
llama-3.1-8b-instant: llama-3.1-8b-instruct
openrouter/meta-llama/llama-3.3-70b-instruct:free: llama-3.3-70b-instruct
together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo: llama-3.3-70b-instruct
vertex_ai/meta/llama-3.3-70b-instruct-maas: llama-3.3-70b-instruct
bedrock/us.meta.llama3-3-70b-instruct-v1:0: llama-3.3-70b-instruct
ollama/llama3.3:70b: llama-3.3-70b-instruct
"""


@pytest.mark.parametrize("line", TYPED.split("\n")[1:-1])
def test_what_people_type_and_what_hosts_call_a_model_is_that_model(line: str) -> None:
    typed, _, model = line.rpartition(": ")
    assert check_model(typed).partition(":")[0] == model  # what it says of a level is tested elsewhere
    assert find_models(typed)[0].id == model


@pytest.mark.parametrize(
    ("typed", "among"),
    [
        ("r1 distill", "deepseek-r1-distill-llama-70b"),
        ("nemotron super", "llama-3.3-nemotron-super-49b-v1.5"),
        ("gpt oss", "gpt-oss-20b"),
        ("llama 70b", "llama-3.3-70b-instruct"),
        ("qwen3 coder", "qwen3-coder-30b-a3b-instruct"),
        ("granite 4 tiny", "granite-4.0-h-tiny"),
    ],
)
def test_where_several_may_be_meant_they_are_named(typed: str, among: str) -> None:
    assert among in {found.id for found in find_models(typed)}
    with pytest.raises(InputError) as caught:
        check_model(typed)
    assert caught.value.suggestions


@pytest.mark.parametrize("typed", ["a", "a/a/a", "x/mxbai", "instruct", "70b", "v0.1", "reasoning 8b"])
def test_a_letter_a_path_or_a_size_alone_names_no_model(typed: str) -> None:
    assert the_only_model(typed) is None


def test_no_host_s_name_is_taken_for_another_model() -> None:
    with (data_folder() / "prices" / "api.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["open_weights"] == "yes"]
    served = {family_of(model) for model in catalogue()}
    known = 0
    for row in rows:
        name = row["model"]
        found = find_by_host_name(name) or find_by_repository(name)
        if found is not None and found.id != "deepseek-r1-0528-qwen3-8b":  # which is priced as Qwen3 8B
            known += 1
            assert family_of(found.id) == row["family"], name
    assert known > 0.9 * sum(row["family"] in served for row in rows)


@pytest.mark.parametrize(
    ("typed", "repository"),
    [
        ("Command A+", "CohereLabs/command-a-plus-05-2026-bf16"),
        ("command-a-plus-05-2026", "CohereLabs/command-a-plus-05-2026-bf16"),
        ("deepseek-v4-pro-0813", "deepseek-ai/DeepSeek-V4-Pro-0813"),
        ("accounts/fireworks/models/kimi-k2p7-code", "moonshotai/Kimi-K2.7-Code"),
        ("Mistral Medium 3.5", "mistralai/Mistral-Medium-3.5-128B"),
    ],
)
def test_a_model_that_is_known_and_not_sized_says_where_it_is_read_from(typed: str, repository: str) -> None:
    with pytest.raises(InputError, match="its config was not readable when the catalogue was made") as caught:
        find_any_model(typed)
    assert caught.value.suggestions == (repository,)


def test_what_is_sized_is_not_listed_as_not_sized() -> None:
    assert not [row.name for row in read_not_sized(NOT_SIZED_FILE) if find_by_repository(row.repo) is not None]


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
