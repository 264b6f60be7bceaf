"""Which models vLLM, SGLang and mlx-lm have code for: never silently good where that is not known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.answer.answer import answer
from advisor.answer.verdict import verdict
from advisor.foundation.errors import InputError
from advisor.models.blueprints import model_from_config
from advisor.models.catalogue import catalogue
from advisor.models.model import Model, Names
from advisor.question.question import Question
from advisor.runtimes.architectures import loading_of, table
from advisor.runtimes.registry import RUNTIMES
from advisor.sizing.runtime_id import RuntimeId
from advisor.words import say
from tests.support.runtime_architectures import mlx_names, sglang_names, vllm_names

VLLM, SGLANG, MLX = RuntimeId.VLLM, RuntimeId.SGLANG, RuntimeId.MLX


def _named(architecture: str, model_type: str = "") -> Model:
    return replace(catalogue()["qwen3-0.6b"].model, names=Names(architecture, model_type))


@pytest.mark.parametrize(
    ("runtime", "architecture", "loads"),
    [
        (VLLM, "LlamaForCausalLM", "yes"),
        (VLLM, "Qwen3ForSequenceClassification", "yes"),  # another head on a network that it knows
        (VLLM, "Qwen3NextForCausalLM", "yes"),
        (VLLM, "InternLMForCausalLM", "no"),  # until 0.23.0
        (VLLM, "BambaForCausalLM", "unsure"),  # until 0.23.0, and still in transformers
        (VLLM, "NobodyKnowsForCausalLM", "unsure"),
        (SGLANG, "Qwen3ForCausalLM", "yes"),
        (SGLANG, "Olmo3ForCausalLM", "unsure"),
        (RuntimeId.LLAMA_CPP, "NobodyKnowsForCausalLM", "yes"),
    ],
)
def test_a_class_is_looked_up_as_the_runtime_does(runtime: RuntimeId, architecture: str, loads: str) -> None:
    assert loading_of(runtime, _named(architecture)).loads == loads


def test_mlx_goes_by_the_type_and_refuses_what_it_does_not_find() -> None:
    assert loading_of(MLX, _named("X", "qwen3")).loads == "yes"
    assert loading_of(MLX, _named("X", "mistral")).loads == "yes"  # run by Llama's code
    assert loading_of(MLX, _named("X", "of_tomorrow")).loads == "no"


def test_what_was_read_from_no_config_is_not_looked_up() -> None:
    model = replace(_named("NobodyKnowsForCausalLM"), names=None)
    assert all(loading_of(one, model).loads == "yes" for one in (VLLM, SGLANG, MLX))


def test_a_config_names_its_own_class_whatever_is_within() -> None:
    inner = {**catalogue()["qwen3-0.6b"].config, "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}
    model = model_from_config(
        {"architectures": ["InternVLChatModel"], "model_type": "internvl_chat", "llm_config": inner}
    )
    assert model.names == Names("InternVLChatModel", "internvl_chat")


def test_a_plan_that_may_not_load_is_never_silently_good() -> None:
    found = answer(Question.from_query("model=apertus-v1.5-8b&machine=h100-sxm5-80gb&runtime=vllm"))
    assert found.status == "limited"
    assert "not known" in say(verdict(found))
    assert any("Apertus1p5ForConditionalGeneration" in say(note) for note in found.notes)
    sure = answer(Question.from_query("model=qwen3-8b&machine=h100-sxm5-80gb&runtime=vllm"))
    assert sure.status == "good"
    assert "not known" not in say(verdict(sure))


def test_nobody_is_sent_to_an_engine_that_may_not_load_the_model() -> None:
    found = answer(Question.from_query("model=apertus-v1.5-8b&machine=h100-sxm5-80gb"))
    assert {setup.runtime.id for setup in found.search.setups} == {RuntimeId.LLAMA_CPP}


def test_what_certainly_does_not_load_is_refused() -> None:
    with pytest.raises(InputError, match=r"no code for models of type deepseek_v4: use llama.cpp"):
        answer(Question.from_query("model=deepseek-v4-flash&machine=apple-m3-ultra-80c-512gb&runtime=mlx"))


def test_every_row_is_of_a_runtime_that_has_one_release() -> None:
    for runtime, rows in table().items():
        assert runtime in {one.engine for one in RUNTIMES}
        assert len({row.version for row in rows.values()}) == 1
        assert all(row.until for row in rows.values() if row.loads != "yes")


def test_registries_are_read_as_text() -> None:
    registry = (
        '_TEXT_GENERATION_MODELS = {"A": ("a", "A")}\n_SPECULATIVE_DECODING_MODELS = {"D": ("d", "D")}\n'
        '_PREVIOUSLY_SUPPORTED_MODELS = {"B": "0.1.0", "C": "0.2.0"}\n'
    )
    read = {name: (loads, until) for name, loads, until in vllm_names(registry, frozenset({"C"}))}
    assert read == {"A": ("yes", ""), "B": ("no", "0.1.0"), "C": ("unsure", "0.2.0")}
    assert set(sglang_names(iter(["EntryClass = [X, Y]", "EntryClass = Z", "x = 1"]))) == {"X", "Y", "Z"}
    sources = {"llama": "class Model(nn.Module): ...", "other": "from .llama import Model", "base": "x = 1"}
    assert set(mlx_names(sources, 'MODEL_REMAPPING = {"mistral": "llama", "gone": "nothing"}')) == {
        *("llama", "other", "mistral"),
    }
