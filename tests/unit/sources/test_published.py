"""Published checkpoints: what their config and tensors say, and that they agree with the computed level of a scheme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from advisor.answer import answer as advise
from advisor.answer.answer import Answer, answer
from advisor.answer.candidate import Candidate
from advisor.formats.safetensors_layouts import packed_tensors
from advisor.formats.safetensors_levels import find_safetensors_level
from advisor.foundation.message import NOTHING
from advisor.models.blueprints import model_from_config
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.sources.quantization import WHOLE, recognise, unpacked
from advisor.sources.repository import Repository
from advisor.sources.resolved import ResolvedModel
from advisor.sources.safetensors_header import CheckpointTensor
from advisor.sources.tensor_comparison import compare_with_checkpoint
from advisor.words import say_all
from tests.support.model_files import checkpoint_tensors

LLAMA = "llama-3.1-8b-instruct"
LevelOf = Callable[[str], str | None]
Config = dict[str, Any]


def section(**values: Any) -> Config:
    return {"quantization_config": values}


def group(form: str, bits: int, kind: str, size: int | None = None, inputs: Any = None) -> Config:
    weights = {"num_bits": bits, "type": kind, "group_size": size, "strategy": "group" if size else "channel"}
    return {"format": form, "weights": weights, "input_activations": inputs}


FP8 = group("float-quantized", 8, "float", inputs={"num_bits": 8, "dynamic": True})
NVFP4 = group("nvfp4-pack-quantized", 4, "float", 16, {"num_bits": 4, "dynamic": "local"})
PACKED4 = group("pack-quantized", 4, "int", 128)
PACKED8 = group("pack-quantized", 8, "int", 128)


def compressed(*groups: Config) -> Config:
    named = {f"group_{number}": each for number, each in enumerate(groups)}
    return section(quant_method="compressed-tensors", format=groups[0]["format"], config_groups=named)


def tensors_of(level_of: LevelOf, model_id: str = LLAMA) -> tuple[CheckpointTensor, ...]:
    """A checkpoint whose Linear layers are packed as the level of each is."""
    found = []
    for name, shape in checkpoint_tensors(model_id):
        linear = len(shape) == 2 and "embed" not in name and "lm_head" not in name
        level = level_of(name) if linear else None
        if level is None:
            found.append(CheckpointTensor(name, "BF16", shape))
            continue
        rows, columns = shape
        for stored in packed_tensors(rows, columns, find_safetensors_level(level), "BF16"):
            found.append(CheckpointTensor(name.removesuffix("weight") + stored.suffix, stored.dtype, stored.shape))
    return tuple(found)


def pasted(config: Config, tensors: tuple[CheckpointTensor, ...], model_id: str = LLAMA) -> ResolvedModel:
    whole = {**catalogue()[model_id].config, **config}
    repository = Repository(
        id="org/pasted",
        revision="0" * 40,
        asked="main",
        license="mit",
        gated=False,
        private=False,
        pipeline="text-generation",
        library="transformers",
        files=(),
        config=whole,
        tensors=tensors,
        gguf=(),
        quantization=recognise(whole, tensors),
        read_on="2026-11-30",
    )
    model = model_from_config(whole)
    return ResolvedModel(id="org/pasted@0", name="pasted", model=model, source=NOTHING, repository=repository)


def answered(monkeypatch: pytest.MonkeyPatch, entry: ResolvedModel, query: str) -> Answer:
    monkeypatch.setattr("advisor.answer.answer._find", lambda *_: entry)
    advise._answer.cache_clear()  # it may hold another entry of this name
    return answer(Question.from_query(f"model=org/pasted&{query}"), today=date(2026, 11, 30))


def published_of(found: Answer) -> Candidate | None:
    return next((one for one in found.candidates if one.level.endswith("(published)")), None)


def everywhere(level: str) -> LevelOf:
    return lambda name: level


def by_part(mlp: str, attention: str) -> LevelOf:
    return lambda name: mlp if ".mlp." in name else attention


# ------------------------------------------------------------------------------- the same scheme, the same figures

SAME = [
    ("GPTQ-W4A16-g128", section(quant_method="gptq", bits=4, group_size=128), "rtx-4090", "vllm"),
    ("AWQ-W4A16-g128", section(quant_method="awq", bits=4, group_size=128), "rtx-4090", "vllm"),
    ("W4A16-g128", compressed(PACKED4), "rtx-4090", "vllm"),
    ("FP8-dynamic", compressed(FP8), "rtx-4090", "vllm"),
    ("NVFP4", compressed(NVFP4), "rtx-4090", "vllm"),
]


@pytest.mark.parametrize(("level", "config", "machine", "runtime"), SAME, ids=[row[0] for row in SAME])
def test_published_and_computed_rows_of_a_scheme_agree(
    monkeypatch: pytest.MonkeyPatch, level: str, config: Config, machine: str, runtime: str
) -> None:
    entry = pasted(config, tensors_of(everywhere(level)))
    found = answered(monkeypatch, entry, f"machine={machine}&runtime={runtime}&context=4096")
    computed = next(one for one in found.candidates if one.level == level)
    published = published_of(found)
    assert published is not None
    assert published.kept == computed.kept
    assert published.quality.basis == computed.quality.basis
    assert published.tokens_per_s is not None
    assert computed.tokens_per_s is not None
    assert published.tokens_per_s.typical == pytest.approx(computed.tokens_per_s.typical, rel=1e-3)


def test_two_bits_are_not_diluted_by_embeddings_in_16(monkeypatch: pytest.MonkeyPatch) -> None:
    config = section(quant_method="auto-round", bits=2, group_size=64)
    entry = pasted(config, tensors_of(everywhere("GPTQ-W2A16-g64")))
    published = published_of(answered(monkeypatch, entry, "machine=rtx-4090&runtime=vllm&context=4096"))
    assert published is not None
    assert published.kept is not None
    assert published.kept.typical < 90  # 87.0 is the mean measured for Llama 2 13B, whose loss is smaller
    assert published.plan.sized.level.nominal_bits == 2


def test_a_tied_table_is_read_once_and_an_untied_one_never() -> None:
    from advisor.sources.checkpoint_size import checkpoint_size

    for model_id in (LLAMA, "gemma-3-12b-it"):
        model = catalogue()[model_id].model
        tensors = tensors_of(lambda _: None, model_id)
        sized = checkpoint_size(tensors, None, model, len(model.layers))
        table = next(tensor.bytes for tensor in tensors if "embed_tokens" in tensor.name)
        others = sum(t.bytes for t in tensors if "vision" not in t.name and "multi_modal" not in t.name)
        assert sized.dense_bytes == others - (0 if model.tied_embeddings else table)


# --------------------------------------------------------------------------------------------- what is not understood

KINDS = [
    (section(quant_method="torchao", quant_type={"default": {"_type": "Int8WeightOnlyConfig"}}), "W8A16-channel", 8),
    (section(quant_method="torchao", quant_type="int8_dynamic_activation_int8_weight"), "W8A8-INT8", 8),
    (
        section(
            quant_method="torchao",
            quant_type={"default": {"_type": "Int4WeightOnlyConfig", "_data": {"group_size": 32}}},
        ),
        "W4A16-torchao-g32",
        4,
    ),
    (
        section(quant_method="torchao", quant_type={"default": {"_type": "Float8DynamicActivationFloat8WeightConfig"}}),
        "FP8-dynamic",
        8,
    ),
    (
        section(
            quant_method="quark",
            global_quant_config={"weight": {"dtype": "fp8_e4m3"}, "input_tensors": {"dtype": "fp8_e4m3"}},
        ),
        "FP8-static",
        8,
    ),
    (
        section(quant_method="quark", global_quant_config={"weight": {"dtype": "int4", "group_size": 128}}),
        "W4A16-g128",
        4,
    ),
    (
        section(quant_method="hqq", quant_config={"weight_quant_params": {"nbits": 3, "group_size": 64}}),
        "HQQ-W3A16-g64",
        3,
    ),
    (section(quant_method="aqlm", num_codebooks=1, nbits_per_codebook=16, in_group_size=8), "AQLM-1x16-2bit", 2),
    (section(quant_method="exl3", bits=3.5), "EXL3-3.5bpw", 3.5),
    (section(quant_method="modelopt", quant_algo="W4A16_NVFP4"), "W4A16_NVFP4", 4),
    (section(quant_method="modelopt", quant_algo="INT4_AWQ"), "INT4_AWQ", 4),
    # Nothing here says how many bits: none are made up.
    (section(quant_method="quark", global_quant_config={"weight": {"dtype": "fp6_e3m2"}}), "QUARK", None),
    (section(quant_method="torchao", quant_type="something_new"), "TORCHAO", None),
    (section(quant_method="modelopt", quant_algo="FP3_NEXT"), "FP3_NEXT", None),
    (section(quant_method="vptq"), "VPTQ", None),
    (section(quant_method="bitnet"), "BITNET", None),
    (section(quant_method="next-years-method", bits=True), "NEXT-YEARS-METHOD", None),
    (section(quant_method="gptq"), "GPTQ", None),
    (section(quant_method="awq", bits="four"), "AWQ", None),
    (section(quant_method="compressed-tensors", config_groups={}), "COMPRESSED-TENSORS", None),
]


@pytest.mark.parametrize(("config", "level", "bits"), KINDS, ids=[f"{level}-{bits}" for _, level, bits in KINDS])
def test_bits_are_read_or_unknown_and_never_made_up(config: Config, level: str, bits: float | None) -> None:
    found = recognise(config, ())
    assert found is not None
    assert (found.level, found.bits) == (level, bits)
    if bits is None:
        assert all(part.level is None for part in found.parts)


@pytest.mark.parametrize("method", ["exl2", "exl3", "vptq", "hqq", "aqlm", "bitnet", "next-years-method"])
@pytest.mark.parametrize("runtime", ["auto", "vllm"])
def test_what_no_runtime_loads_gets_no_plan_and_a_reason(
    monkeypatch: pytest.MonkeyPatch, method: str, runtime: str
) -> None:
    config = section(
        quant_method=method, bits=4.0, num_codebooks=2, nbits_per_codebook=8, in_group_size=8, nbits=4, group_size=64
    )
    entry = pasted(config, tensors_of(everywhere("W8A8-INT8")))
    found = answered(monkeypatch, entry, f"machine=rtx-4090&runtime={runtime}&context=4096")
    assert published_of(found) is None
    said = [note for note in say_all(found.notes) if "are not among the plans" in note]
    assert len(said) == 1
    assert ("are for ExLlamaV" in said[0]) == method.startswith("exl")
    assert found.candidates


def test_unknown_quality_is_said_to_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    from advisor.quality import facts_of
    from advisor.quality.published import estimate_published

    quality = estimate_published(facts_of(LLAMA), [("AQLM-1x16-2bit", None, 1.0)], "chat")
    assert quality.kept is None
    assert "AQLM-1x16-2bit" in " ".join(say_all(quality.notes))


@pytest.mark.parametrize(("repository", "lossless"), [("org/pasted", False), ("moonshotai/Kimi-K2-Thinking", True)])
def test_a_checkpoint_that_the_model_was_published_in_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, repository: str, lossless: bool
) -> None:
    entry = pasted(compressed(PACKED4), tensors_of(everywhere("W4A16-g128")))
    assert entry.repository is not None
    entry = replace(entry, repository=replace(entry.repository, id=repository))
    found = published_of(answered(monkeypatch, entry, "machine=rtx-4090&runtime=vllm&context=4096"))
    assert found is not None
    assert found.quality.kept is not None
    assert (found.quality.kept.typical == 100) == lossless


# -------------------------------------------------------------------------------------------------------- mixed bits

_MLX_HIGH = [name.removesuffix(".weight") for name, _ in checkpoint_tensors(LLAMA) if ".mlp." not in name]
MIXED: list[tuple[str, Config, LevelOf, str, float]] = [
    (
        "GPTQModel dynamic",
        section(quant_method="gptq", bits=4, group_size=128, dynamic={"+:.*self_attn.*": {"bits": 8}}),
        by_part("GPTQ-W4A16-g128", "GPTQ-W8A16-g128"),
        "mixed GPTQ-W4A16-g128/W8A16-g128",
        4.77,
    ),
    (
        "compressed-tensors, floats",
        compressed(FP8, NVFP4),
        by_part("NVFP4", "FP8-dynamic"),
        "mixed NVFP4/FP8-dynamic",
        4.77,
    ),
    (
        "compressed-tensors, integers",
        compressed(PACKED8, PACKED4),
        by_part("W4A16-g128", "W8A16-g128"),
        "mixed W4A16-g128/W8A16-g128",
        4.77,
    ),
    (
        "AutoRound extra_config",
        section(
            quant_method="auto-round", bits=2, group_size=64, extra_config={"model.layers.0.self_attn": {"bits": 4}}
        ),
        by_part("GPTQ-W2A16-g64", "GPTQ-W4A16-g64"),
        "mixed AutoRound-W2A16-g64/W4A16-g64",
        2.38,
    ),
    (
        "ModelOpt MIXED_PRECISION",
        section(
            quant_method="modelopt",
            quant_algo="MIXED_PRECISION",
            quantized_layers={
                "model.layers.0.self_attn.q_proj": {"quant_algo": "FP8"},
                "model.layers.0.mlp.up_proj": {"quant_algo": "NVFP4", "group_size": 16},
            },
        ),
        by_part("NVFP4", "FP8-dynamic"),
        "mixed NVFP4/FP8",
        4.77,
    ),
    (
        "MLX mixed_4_6",
        {"quantization": {"bits": 4, "group_size": 64, **{name: {"bits": 6, "group_size": 64} for name in _MLX_HIGH}}},
        by_part("MLX-4bit-g64", "MLX-6bit-g64"),
        "mixed MLX-4bit-g64/6bit-g64",
        4.38,
    ),
    (
        "MLX mixed_2_6",
        {"quantization": {"bits": 2, "group_size": 64, **{name: {"bits": 6, "group_size": 64} for name in _MLX_HIGH}}},
        by_part("MLX-2bit-g64", "MLX-6bit-g64"),
        "mixed MLX-2bit-g64/6bit-g64",
        2.77,
    ),
]


@pytest.mark.parametrize(
    ("config", "level_of", "name", "bits"), [row[1:] for row in MIXED], ids=[row[0] for row in MIXED]
)
def test_mixed_checkpoints_are_named_for_what_they_are_without_alarm(
    config: Config, level_of: LevelOf, name: str, bits: float
) -> None:
    tensors = tensors_of(level_of)
    found = recognise(config, tensors)
    assert found is not None
    assert found.level == name
    assert found.bits == pytest.approx(bits, abs=0.01)
    assert found.parts[0].share == pytest.approx(0.808, abs=0.001)  # the MLP's share of the Linear weights
    compared = compare_with_checkpoint(catalogue()[LLAMA].model, unpacked(tensors, config))
    assert compared.agrees


def test_a_mixed_checkpoint_keeps_what_its_weights_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    _, config, level_of, name, _ = MIXED[0]
    found = answered(monkeypatch, pasted(config, tensors_of(level_of)), "machine=rtx-4090&runtime=vllm&context=4096")
    mixed = published_of(found)
    assert mixed is not None
    assert mixed.level == f"{name} (published)"
    low, high = (next(one for one in found.candidates if one.level == f"GPTQ-W{bits}A16-g128").kept for bits in (4, 8))
    assert mixed.kept is not None
    assert low is not None
    assert high is not None
    assert low.typical < mixed.kept.typical < high.typical
    assert mixed.kept.typical == pytest.approx(0.808 * low.typical + 0.192 * high.typical, abs=0.01)
    assert mixed.kept.low <= low.typical
    assert mixed.kept.high >= high.typical
    assert "Mixed: 81" in " ".join(say_all(mixed.quality.notes))
    slow, fast = (next(o for o in found.candidates if o.level == f"GPTQ-W{bits}A16-g128") for bits in (8, 4))
    assert slow.tokens_per_s is not None
    assert mixed.tokens_per_s is not None
    assert fast.tokens_per_s is not None
    assert slow.tokens_per_s.typical < mixed.tokens_per_s.typical < fast.tokens_per_s.typical


def test_layers_left_in_16_bit_count_as_they_are() -> None:
    """Hybrid models keep their linear attention in 16 bit: part of the weights, and no second scheme."""
    config = section(quant_method="awq", bits=4, group_size=128)
    found = recognise(config, tensors_of(lambda name: "AWQ-W4A16-g128" if ".mlp." in name else None))
    assert found is not None
    assert found.level == "AWQ-W4A16-g128"
    assert not found.mixed
    assert [(part.name, round(part.share, 2)) for part in found.parts] == [("AWQ-W4A16-g128", 0.81), (WHOLE, 0.19)]


# --------------------------------------------------------------------------------------------- runtime=auto, by kind

AUTO = [
    ("AWQ-W4A16-g128", section(quant_method="awq", bits=4, group_size=128), "rtx-4090", "vllm"),
    ("GPTQ-W4A16-g128", section(quant_method="gptq", bits=4, group_size=128), "rtx-4090", "vllm"),
    ("NVFP4", compressed(NVFP4), "rtx-5090", "vllm"),
    ("FP8-dynamic", compressed(FP8), "rtx-4090", "vllm"),
    ("MLX-4bit-g64", {"quantization": {"bits": 4, "group_size": 64}}, "apple-m4-max-40c-64gb", "mlx"),
]


@pytest.mark.parametrize(("level", "config", "machine", "runtime"), AUTO, ids=[row[0] for row in AUTO])
def test_a_pasted_checkpoint_is_planned_with_the_runtime_that_loads_it(
    monkeypatch: pytest.MonkeyPatch, level: str, config: Config, machine: str, runtime: str
) -> None:
    found = answered(monkeypatch, pasted(config, tensors_of(everywhere(level))), f"machine={machine}&context=4096")
    published = published_of(found)
    assert found.runtime == runtime
    assert published is not None
    assert published.plan.fits
    assert any("fit with" in note and level in note for note in say_all(found.notes))


def test_one_that_does_not_fit_stands_beside_the_levels_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    config = section(quant_method="gptq", bits=8, group_size=128)
    entry = pasted(config, tensors_of(everywhere("GPTQ-W8A16-g128")))
    found = answered(monkeypatch, entry, "machine=rtx-3060-8gb&context=4096")
    published = published_of(found)
    assert found.runtime == "llama.cpp"
    assert published is not None
    assert published.plan.runtime == "vllm"
    assert published.verdict == "does not fit"
    assert found.chosen is not None
    assert found.chosen.plan.runtime == "llama.cpp"
    assert any("do not fit with vLLM" in note for note in say_all(found.notes))


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("machine=apple-m4-max-40c-64gb", "vLLM's own wheels"),
        ("machine=cpu-dual-ddr5-6000&memory_gib=64", "vLLM"),
        ("machine=rtx-4090&kv_type_k=q8_0", "kv_type_k is a setting of llama.cpp"),
        ("machine=rtx-4090&other_machine=rtx-3090", "cards"),
    ],
)
def test_where_it_is_not_planned_the_note_says_why(monkeypatch: pytest.MonkeyPatch, query: str, why: str) -> None:
    config = section(quant_method="gptq", bits=4, group_size=128)
    found = answered(monkeypatch, pasted(config, tensors_of(everywhere("GPTQ-W4A16-g128"))), f"{query}&context=4096")
    assert found.runtime == "llama.cpp"
    assert published_of(found) is None
    assert any("are not among the plans" in note and why in note for note in say_all(found.notes))
