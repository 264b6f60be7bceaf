"""Files whose architecture has no blueprint: what is said of them holds for those that have one."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.units import GIB
from advisor.models.catalogue import catalogue
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.compute.assumed import assumed_compute
from advisor.runtimes.llama_cpp.compute.buffer import compute_buffer_bytes
from advisor.runtimes.llama_cpp.kv_cache import layer_cache_bytes
from advisor.runtimes.llama_cpp.memory_lines import memory_lines
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Device, Memory
from advisor.sizing.placement import HOST, place
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings
from advisor.sources.gguf_file import GgufHeader
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.gguf_model import model_of
from advisor.sources.reading import read_from_bytes
from advisor.sources.tensor_comparison import part_of
from advisor.sources.unknown_architecture import observed_model
from advisor.sources.unknown_checkpoint import observed_checkpoint
from tests.support.model_files import TRUTH, checkpoint_tensors, gguf_file, gguf_metadata

_ONE_OF_EACH = sorted({catalogue()[model_id].model.architecture: model_id for model_id in gguf_metadata()}.values())
# Headers do not say which layers have windows, whose cache is then counted in full, ...
_WINDOWS_UNSAID = {"gemma2", "gemma3", "gemma3n", "gemma4", "gpt-oss", "cohere2", "deepseek4", "gemma-embedding"}
# ... or what an indexer keeps beside its keys.
_INDEXED = {"glm5-next", "minimax-m3", "qwen4exp"}
_SETTINGS = (Settings(8192), Settings(8192, users=4), Settings(8192, flash_attention=False), Settings(65536))


def _header(model_id: str) -> GgufHeader:
    return read_gguf_header(read_from_bytes(gguf_file(model_id)[0]), "x.gguf")


def _observed(model_id: str) -> Model:
    found = observed_model(_header(model_id))
    assert found is not None
    return found


@pytest.mark.parametrize("model_id", _ONE_OF_EACH)
def test_what_is_said_without_a_blueprint_holds_for_all_that_have_one(model_id: str) -> None:
    known, observed = catalogue()[model_id].model, _observed(model_id)
    assert observed.parameters == known.parameters
    if known.architecture not in _INDEXED:
        cache, exact = sum(layer_cache_bytes(observed, _SETTINGS[0])), sum(layer_cache_bytes(known, _SETTINGS[0]))
        assert cache >= exact if known.architecture in _WINDOWS_UNSAID else cache == exact
    placement = place(len(known.layers), (1.0,))
    for settings in _SETTINGS:
        told = compute_buffer_bytes(known, settings, placement)
        for device, one in assumed_compute(observed, settings, placement).items():
            assert told[device] <= one.high
            assert one.low <= told[device] or not known.causal


def test_a_file_of_an_unknown_architecture_is_a_model_and_says_so() -> None:
    header = _header("llama-3.1-8b-instruct")
    renamed = {key.replace("llama.", "brandnew."): value for key, value in header.metadata.items()}
    found = model_of(replace(header, metadata={**renamed, "general.architecture": "brandnew"}))
    assert found.model is not None
    assert [note.kind for note in found.model.notes] == ["architecture_assumed"]
    assert compute_buffer_bytes(found.model, _SETTINGS[0], place(32, (1.0,)))[HOST] > 0


def test_what_computing_takes_is_said_to_be_assumed() -> None:
    model = _observed("llama-3.1-8b-instruct")
    memory = Memory((Device("GPU", 24 * GIB, GIB // 2),), 64 * GIB, 2 * GIB)
    (plan,) = LLAMA_CPP.plan(PlanRequest(model, memory, _SETTINGS[0], margin=0.04, stored=Levels(LEVELS["Q4_K_M"].id)))
    span = plan.compute_range
    assert span is not None
    assert span.high == plan.devices[0].compute_bytes
    (line,) = [
        one for one in memory_lines(plan, model) if one.component == "compute" and one.place == plan.devices[0].name
    ]
    assert line.word == "assumed"
    assert line.source.kind == "most_that_shapes_allow"


# What a config does not say of layers whose cache is shared, small or none; an encoder keeps nothing.
_KEEPS_LESS = {"gemma3n", "kimi-linear", "bert"}


@pytest.mark.parametrize("model_id", sorted(json.loads((TRUTH / "checkpoint_tensors.json").read_text("utf-8"))))
def test_a_repository_of_no_known_class_weighs_and_keeps_as_much(model_id: str) -> None:
    entry = catalogue()[model_id]
    layers = len(entry.model.layers)
    text = [one for one in checkpoint_tensors(model_id) if part_of(one[0], layers) == "text"]
    found = observed_checkpoint(((name, math.prod(shape), shape) for name, shape in text), entry.config, "X")
    assert found is not None
    assert found.parameters == pytest.approx(entry.model.parameters, rel=0.002)
    exact, kept = (sum(layer_cache_bytes(model, _SETTINGS[0])) for model in (entry.model, found))
    assert kept > exact if entry.model.architecture in _KEEPS_LESS else kept == exact
    assert found.wiring.assumed
