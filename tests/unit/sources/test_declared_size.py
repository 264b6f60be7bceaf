"""What a checkpoint measures by its config alone, beside what repositories measure."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.answer.answer import answer
from advisor.formats.safetensors_levels import find_safetensors_level
from advisor.formats.safetensors_sizes import size_safetensors_level
from advisor.foundation.errors import InputError
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.sources.declared_size import declared_notes, declared_size
from advisor.sources.module_patterns import is_understood, matches
from advisor.words import say_all
from tests.support.declared_configs import FOUR_BITS, compressed, declared_configs, published_configs
from tests.support.repositories import rows

ULTRA = "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-NVFP4"
# Bytes as NVIDIA's documents round them (docs.nvidia.com/nemotron, quantization of each, read 2026-12); Ultra's without
# the layers that draft, as it lies in memory.
STATED = {"nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4": 22e9, ULTRA: 331e9}
LLAMA = catalogue()["llama-3.1-8b-instruct"].model


@pytest.mark.parametrize(
    ("repository", "config"), tuple(declared_configs()), ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_config_tells_what_its_repository_measures(repository: str, config: dict[str, Any]) -> None:
    """Within half a percent, tokenizer and headers being in the files as well."""
    (row,) = (row for row in rows() if row.repo == repository and row.counted == "bytes")
    size = declared_size(catalogue()[row.shape].model, config)
    assert size is not None
    assert size.all_bytes == pytest.approx(row.value, rel=0.005)


@pytest.mark.parametrize(("repository", "config"), tuple(published_configs()), ids=lambda one: str(one)[:60])
def test_every_list_of_modules_that_was_published_is_understood(repository: str, config: dict[str, Any]) -> None:
    shapes = {row.repo: row.shape for row in rows()} | {ULTRA: "nemotron-3-ultra-550b-a55b"}
    size = declared_size(catalogue()[shapes[repository]].model, config)
    assert size is not None
    if repository in STATED:
        measured = size.tensor_bytes if repository == ULTRA else size.all_bytes
        assert measured == pytest.approx(STATED[repository], rel=0.025)


def test_what_is_left_out_is_counted_in_16_bit() -> None:
    """compressed-tensors takes a listed module for that one, the others for what is inside too."""
    layer = LLAMA.layers[0]
    mlp = 3 * LLAMA.width * layer.feed_forward.inner  # type: ignore[union-attr]
    every = declared_size(LLAMA, compressed(["lm_head"]))
    same = declared_size(LLAMA, compressed(["lm_head", "model.layers.3.mlp"]))
    fewer = declared_size(LLAMA, compressed(["lm_head", r"re:model\.layers\.3\.mlp\..*"]))
    assert every is not None
    assert same == every
    assert fewer is not None
    assert fewer.tensor_bytes - every.tensor_bytes == pytest.approx(mlp * (2 - 37 / 64), rel=1e-4)
    four_bits = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
    bnb: dict[str, Any] = {"quant_method": "bitsandbytes", **four_bits}
    whole, part = (
        declared_size(LLAMA, {"quantization_config": {**bnb, "llm_int8_skip_modules": skipped}})
        for skipped in (["lm_head"], ["lm_head", "model.layers.3.mlp"])
    )
    assert whole is not None
    assert part is not None
    assert part.tensor_bytes - whole.tensor_bytes == pytest.approx(mlp * 1.484, rel=1e-3)
    assert dict(part.shares)["16 bit"] == pytest.approx(mlp / 6.98e9, rel=0.01)


@pytest.mark.parametrize(
    ("pattern", "name", "meant"),
    [
        ("re:.*linear_attn.*", "model.layers.0.linear_attn.out_proj", True),
        ("re:^mtp.*", "mtp.layers.0.mlp.up_proj", True),
        ("re:^mtp.*", "model.mtp.up_proj", False),
        (r"re:.*mlp\.gate$", "model.layers.1.mlp.gate", True),
        (r"re:.*mlp\.gate$", "model.layers.1.mlp.gate_proj", False),
        (r"re:.*layers\.(0|1|23)\..*", "model.layers.23.mlp", True),
        (r"re:model\.layers\.\d+\.self_attn.*", "model.layers.7.self_attn.q_proj", True),
        ("mtp*", "mtp.layers.0", True),
        ("*.q_proj", "a.q_proj", True),
        ("*.q_proj", "a.q_proj.x", False),
        ("lm_head", "model.lm_head", False),
    ],
)
def test_patterns_mean_what_they_mean_to_the_tools(pattern: str, name: str, meant: bool) -> None:
    assert is_understood(pattern)
    assert matches(pattern, name) is meant


@pytest.mark.parametrize("pattern", ["re:(a+)+$", "re:(a|aa)*b", "re:[", "re:" + "a?" * 200, "re:a*a*a*a*b", "re:(.*"])
def test_an_expression_that_could_take_for_ever_is_not_looked_for(pattern: str) -> None:
    began = time.process_time()
    assert not is_understood(pattern)
    assert "does not tell which layers" in say_all(declared_notes(LLAMA, compressed([pattern])))[0]
    assert time.process_time() - began < 1


def test_groups_that_list_their_modules_pack_nothing_else() -> None:
    floats = {"group_0": ({"num_bits": 8, "type": "float"}, "self_attn"), "group_1": (FOUR_BITS, "mlp")}
    groups = {
        name: {"targets": [f"model.layers.{number}.{module}" for number in range(16)], "weights": weights}
        for name, (weights, module) in floats.items()
    }
    for method in ("modelopt", "compressed-tensors"):
        section: dict[str, Any] = {"quant_method": method, "quant_algo": "MIXED_PRECISION", "config_groups": groups}
        size = declared_size(LLAMA, {"quantization_config": section})
        assert size is not None
        assert [name for name, _ in size.shares] == ["16 bit", "W4A16-asym-g32", "FP8-W8A16"]
        assert size.shares[0][1] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "section",
    [
        {"quant_method": "gptq", "dynamic": {r"+:.*\.self_attn\..*": {"bits": 8}, r"-:.*\.down_proj": {}}},
        {
            "quant_method": "auto-round",
            "extra_config": {
                f"model.layers.{number}.{module}": {"bits": bits}
                for number in range(32)
                for module, bits in (("self_attn", 8), ("mlp.down_proj", 16))
            },
        },
    ],
)
def test_modules_of_other_bits_are_counted_as_they_are(section: dict[str, Any]) -> None:
    size = declared_size(LLAMA, {"quantization_config": {"bits": 4, "group_size": 128, **section}})
    assert size is not None
    down, attention = 14_336 * 4_096, 4_096 * (2 * 4_096 + 2 * 1_024)
    each = 3 * down + attention
    shares = dict(size.shares)
    assert shares["16 bit"] == pytest.approx(down / each)
    (eight,) = (share for name, share in shares.items() if "W8A16" in name)
    assert eight == pytest.approx(attention / each)


def test_what_is_left_out_by_every_writer_stays_in_16_bit_without_a_list() -> None:
    """DeepSeek's own config names no module; routers and output head are not packed all the same."""
    entry = catalogue()["deepseek-v3"]
    size = declared_size(entry.model, {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}})
    assert size is not None
    level = size_safetensors_level(entry.model, find_safetensors_level("FP8-block128"))
    assert size.tensor_bytes == level.tensor_bytes


def test_many_modules_are_looked_up_quickly() -> None:
    names = [f"model.layers.{number}.mlp.experts.{expert}" for number in range(100) for expert in range(200)]
    began = time.process_time()
    assert declared_size(LLAMA, compressed(names)) is not None
    assert declared_size(LLAMA, compressed([f"re:.*{name}" for name in names])) is None
    assert time.process_time() - began < 2


def test_what_a_config_cannot_tell_is_said(tmp_path: Path) -> None:
    sections: list[tuple[dict[str, Any], str]] = [
        ({"quant_method": "exl2", "bits": 4.5}, "does not tell which layers are kept in 16 bit"),
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "100 % as AWQ-W4A16-g128: such files measure 5.7 GB"),
    ]
    for section, told in sections:
        path = tmp_path / f"{section['quant_method']}.json"
        path.write_text(json.dumps({**catalogue()["llama-3.1-8b-instruct"].config, "quantization_config": section}))
        question = Question.from_values({"model": str(path), "machine": "rtx-4090", "level": "Q4_K_M"})
        assert any(told in note for note in say_all(answer(question, allow_local=True).notes))
    assert declared_notes(LLAMA, catalogue()["llama-3.1-8b-instruct"].config) == ()


_METHODS = st.sampled_from(
    ["gptq", "awq", "auto-round", "bitsandbytes", "fp8", "modelopt", "compressed-tensors", "", "quark"]
)
_TEXTS = st.sampled_from(
    ["Linear", "lm_head", "re:.*mlp.*", "re:(", "*", "model.layers.0.mlp", "NVFP4", "FP8", "float", ""]
)
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | _TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["weights", "targets", "bits", "num_bits", "type", "group_size", "quant_algo", "a.b"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_KEYS = ["bits", "group_size", "config_groups", "ignore", "dynamic", "extra_config", "quantized_layers", "quant_algo"]
_KEYS += ["modules_to_not_convert", "load_in_4bit", "weight_block_size", "llm_int8_skip_modules", "format"]


@given(_METHODS, st.dictionaries(st.sampled_from(_KEYS), _ANY, max_size=6), st.booleans())
def test_whatever_a_config_holds_is_answered(method: str, section: dict[str, Any], of_mlx: bool) -> None:
    """An upload may hold anything; what is not understood is said not to tell, or to be nothing."""
    config = {"quantization": section} if of_mlx else {"quantization_config": {"quant_method": method, **section}}
    try:
        notes = say_all(declared_notes(LLAMA, config))
    except InputError:
        return
    assert all(note.startswith("Its config describes packed weights") for note in notes)
