"""Configs without experts, with none, with more used than there are: dense, refused in a sentence, or planned."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_levels
from advisor.foundation.errors import InputError
from advisor.models.blueprints import model_from_config
from advisor.models.catalogue import catalogue
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Device, Memory
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings

MEMORY = Memory((Device("card", 24 << 30, 1 << 29),), 64 << 30)
# Every model whose architecture is no other's, with the keys that count its experts.
BY_ARCHITECTURE = {entry.config["architectures"][0]: entry.id for entry in catalogue().values() if entry.model.experts}


def _counts(config: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of all keys of a config that count experts."""
    found = []
    for key, value in config.items():
        if isinstance(value, dict):
            found += _counts(value, (*above, key))
        elif (
            isinstance(value, int) and not isinstance(value, bool) and ("expert" in key or key in ("moe_k", "moe_topk"))
        ):
            found.append((*above, key))
    return found


def _with(config: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    head, *rest = path
    return {**config, head: _with(config[head], tuple(rest), value) if rest else value}


@pytest.mark.parametrize("model_id", sorted(BY_ARCHITECTURE.values()))
@pytest.mark.parametrize("value", [0, None, 1, 60_000])
def test_whatever_a_config_says_of_its_experts_it_is_planned_or_refused(model_id: str, value: int | None) -> None:
    config = catalogue()[model_id].config
    paths = _counts(config)
    assert paths
    for path in paths:
        try:
            model = model_from_config(_with(config, path, value))
        except InputError as refusal:
            assert str(refusal).endswith(".")
            continue
        assert 0 < model.active_parameters <= model.parameters
        plans = LLAMA_CPP.plan(
            PlanRequest(model, MEMORY, Settings(512), margin=0.04, stored=Levels(LEVELS["Q4_K_M"].id))
        )
        assert plans[0].sized.tensor_bytes == next(
            sized.tensor_bytes for sized in size_levels(model) if sized.level.name == "Q4_K_M"
        )


@pytest.mark.parametrize("model_id", ["ernie-4.5-21b-a3b-pt", "qwen3-30b-a3b"])
def test_no_experts_means_dense_layers(model_id: str) -> None:
    """`moe_num_experts: 0` crashed every plan; transformers builds dense layers for it."""
    config = catalogue()[model_id].config
    (key,) = {"moe_num_experts", "num_experts"} & set(config)
    model = model_from_config({**config, key: 0})
    assert model.experts == 0
    assert model.active_parameters == model.parameters
    assert not any("exps" in tensor.name for tensor in model.tensors)


def test_more_experts_used_than_there_are_is_refused() -> None:
    config = catalogue()["qwen3-30b-a3b"].config
    with pytest.raises(InputError, match="cannot use 200 of 128 experts"):
        model_from_config({**config, "num_experts_per_tok": 200})
    with pytest.raises(InputError, match="'num_experts'"):
        model_from_config({**config, "num_experts": None})
