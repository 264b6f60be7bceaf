"""Configs that transformers saved again mean what their publishers' do: as after every fine-tuning."""

from __future__ import annotations

import pytest

from advisor.foundation.errors import InputError
from advisor.models.blueprints import model_from_config
from advisor.models.catalogue import catalogue
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.kv_cache import layer_cache_bytes
from advisor.sizing.settings import Settings
from tests.support.resaved import MODELS, rows

ROWS = rows()


def _sizes(model: Model) -> tuple[int, int, int, int | None]:
    cache = sum(layer_cache_bytes(model, Settings(32768)))
    return model.parameters, model.active_parameters, cache, model.context_length


@pytest.mark.parametrize("name", MODELS)
def test_a_config_saved_by_transformers_gives_the_same_weights_and_cache(name: str) -> None:
    assert _sizes(model_from_config(ROWS[name])) == _sizes(catalogue()[name].model)


def test_layers_that_differ_where_one_size_is_expected_are_refused() -> None:
    config = ROWS["gemma-4-31b-it"]
    text = {**config["text_config"], "per_layer_config": {"05": {"head_dim": 512}, "11": {"head_dim": 256}}}
    with pytest.raises(InputError, match="layers different sizes of 'head_dim'"):
        model_from_config({**config, "text_config": text})


def test_a_mistral_small_4_is_not_taken_for_a_small_one() -> None:
    config = catalogue()["mistral-small-4-119b-2603"].config
    assert config["architectures"] == ["Mistral3ForConditionalGeneration"]
    assert model_from_config(config).parameters > 100e9
