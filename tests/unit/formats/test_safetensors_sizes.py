"""Sizes of the formats besides GGUF against files that their writers made, and against published repositories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.formats.safetensors_header_size import header_bytes
from advisor.formats.safetensors_layouts import Stored
from advisor.formats.safetensors_levels import (
    GROUPS,
    MLX_BITS,
    SAFETENSORS_LEVELS,
    SafetensorsLevel,
    Scheme,
    find_safetensors_level,
)
from advisor.formats.safetensors_sizes import (
    size_safetensors_level,
    size_safetensors_levels,
    stored_weight,
    stored_weights,
)
from advisor.foundation.errors import InputError
from advisor.models.blueprints import model_from_config
from advisor.models.catalogue import catalogue
from advisor.models.linear_layers import Kind, stored_block, stored_globals, stored_parameters
from advisor.models.lookup import find_model
from advisor.models.model import Model
from advisor.words import say

MODELS = st.sampled_from(sorted(catalogue()))
TINY = {
    "architectures": ["LlamaForCausalLM"], "hidden_size": 256, "intermediate_size": 512,
    "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 1024,
    "tie_word_embeddings": False,
}  # fmt: skip


def level(name: str) -> SafetensorsLevel:
    return find_safetensors_level(name)


def tensor_bytes(model_id: str, name: str, mtp: bool = False) -> int:
    model = find_model(model_id).model
    return size_safetensors_level(model.with_mtp() if mtp else model, level(name)).tensor_bytes


def file_tensors(model: Model, chosen: SafetensorsLevel) -> Iterator[tuple[str, Stored]]:
    """Every tensor of a Llama file in the order of its modules."""
    weights = [("", weight) for weight in stored_globals(model) if weight.kind is Kind.EMBEDDING]
    for number, layer in enumerate(model.layers):
        weights += [(f"model.layers.{number}.", weight) for weight in stored_block(model, layer)]
    weights += [("", weight) for weight in stored_globals(model) if weight.kind is not Kind.EMBEDDING]
    for prefix, weight in weights:
        stored = stored_weight(weight, chosen, model.wiring)
        for tensor in stored.tensors * stored.copies:
            yield f"{prefix}{weight.name}" + (f".{tensor.suffix}" if tensor.suffix else ""), tensor


@pytest.mark.parametrize(
    ("name", "file_size"),
    [
        ("BF16-safetensors", 5_775_952), ("W4A16-g128", 2_280_280), ("W4A16-asym-g128", 2_292_656),
        ("W8A16-g128", 3_459_960), ("FP8-dynamic", 3_436_248), ("FP8-block128", 3_420_096),
        ("FP8-static", 3_422_840), ("W8A8-INT8", 3_436_104), ("NVFP4A16", 2_390_848), ("NVFP4", 2_393_888),
        ("MXFP4A16", 2_313_944), ("MXFP8", 3_493_536), ("INT8-bnb", 3_455_004),
    ],
)  # fmt: skip
def test_files_really_written_are_met_to_the_byte(name: str, file_size: int) -> None:
    """Lengths of files that transformers, llmcompressor 0.14.0.1 and bitsandbytes 0.50.2 made of a tiny Llama."""
    # The safetensors library sorts by type, then by name.
    order = ("I64", "F64", "F32", "U32", "I32", "BF16", "F16", "F8_E4M3", "I8", "U8")
    tensors = sorted(
        file_tensors(model_from_config(TINY), level(name)), key=lambda item: (order.index(item[1].dtype), item[0])
    )
    data = sum(tensor.size_bytes for _, tensor in tensors)
    assert data + header_bytes(tensors) == file_size
    assert data == size_safetensors_level(model_from_config(TINY), level(name)).tensor_bytes


def test_a_gptqmodel_file_is_met_to_the_byte() -> None:
    """GPTQModel 7.6.0 writes unquantized tensors first and does not sort."""
    tensors = list(file_tensors(model_from_config(TINY), level("GPTQ-W4A16-g128")))
    ordered = sorted(tensors, key=lambda item: item[1].dtype != "BF16")
    assert sum(tensor.size_bytes for _, tensor in ordered) + header_bytes(ordered) == 2_324_472


def test_an_nf4_file_is_met_but_for_the_digits_of_its_offsets() -> None:
    """A file bitsandbytes 0.50.2 wrote has 2,305,484 bytes of data; each of 28 JSON texts ends in a decimal number."""
    sized = size_safetensors_level(model_from_config(TINY), level("NF4"))
    assert abs(sized.tensor_bytes - 2_305_484) <= 28
    assert sized.types == {"BF16": 11, "F32": 84, "U8": 84}


def test_total_sizes_in_the_index_of_published_repositories() -> None:
    """`total_size` of model.safetensors.index.json: the sum of tensor bytes over all files."""
    assert tensor_bytes("llama-3.1-70b-instruct", "AWQ-W4A16-g128") == 39_767_785_472
    # This one keeps the 58 x 256 load-balancing biases in 16 instead of 32 bit.
    assert tensor_bytes("deepseek-v3", "AWQ-W4A16-g64") - 58 * 256 * 2 == 364_589_799_936
    entry = find_model("qwen3.5-9b")
    published = entry.parameters.published
    assert published
    vision = 2 * (published - entry.model.parameters - entry.model.mtp_parameters)  # kept in BF16
    assert tensor_bytes("qwen3.5-9b", "MLX-8bit-g64") + vision == 10_426_433_504
    assert tensor_bytes("gpt-oss-20b", "MXFP4-native") == 13_761_264_768


@pytest.mark.parametrize(
    ("model_id", "name", "published"),
    [
        # Half of the storage of repositories that hold the same weights in two commits.
        ("llama-3.1-70b-instruct", "FP8-dynamic", 145_339_908_672 // 2),
        ("llama-3.1-70b-instruct", "W8A8-INT8", 145_339_903_744 // 2),
        ("llama-3.1-8b-instruct", "FP8-static", 18_162_573_512 // 2),
        ("llama-3.1-70b-instruct", "W8A16-channel", 72_670_025_872),
        # A second copy of the tied embedding taken off; 22 MB of tokenizer remain.
        ("gemma-2-9b-it", "W4A16-g128", 7_984_973_584 - 2 * 256_000 * 3584 - 21_750_000),
        ("gemma-2-2b-it", "W4A16-g128", 3_425_390_896 - 2 * 256_000 * 2304 - 21_750_000),
        ("gemma-2-2b-it", "W8A8-INT8", 4_407_288_475 - 2 * 256_000 * 2304 - 21_750_000),
        ("glm-5.3", "MLX-4bit-g64", 418_341_538_972 - 20_200_000),
    ],
)
def test_storage_of_published_repositories(model_id: str, name: str, published: int) -> None:
    """What the Hub says a repository takes: weights with their headers, and small files."""
    sized = size_safetensors_level(find_model(model_id).model, level(name))
    assert sized.tensor_bytes + sized.header_bytes == pytest.approx(published, rel=1e-5)


@pytest.mark.parametrize(
    ("model_id", "name", "suffix"),
    [
        ("deepseek-v3", "FP8-block128", "weight_scale"),
        ("deepseek-v3.2", "FP8-block128", "weight_scale"),
        ("minimax-m2", "FP8-block128", "weight_scale"),
        ("gpt-oss-20b", "MXFP4-native", "scales"),
    ],
)
def test_published_totals_that_count_scales_as_parameters(model_id: str, name: str, suffix: str) -> None:
    entry = find_model(model_id)
    weights = stored_parameters(entry.model) + entry.model.mtp_parameters
    assert entry.parameters.published == weights + scales(entry.model, name, suffix)


def test_scales_of_two_more_repositories() -> None:
    """Qwen3.6 35B A3B FP8 counts 35,953,925,552 where the BF16 repository counts 35,951,822,704. For Kimi K2 the
    publisher has 56 more scales in each of 61 layers than 128 x 128 blocks need: one row of blocks, unexplained."""
    qwen = scales(find_model("qwen3.6-35b-a3b").model, "FP8-block128", "weight_scale")
    assert qwen == 35_953_925_552 - 35_951_822_704
    entry = find_model("kimi-k2-instruct")
    kimi = scales(entry.model, "FP8-block128", "weight_scale")
    assert entry.parameters.published == entry.model.parameters + kimi + 61 * 56


def scales(model: Model, name: str, suffix: str) -> int:
    return sum(
        (blocks or 1) * stored.copies * sum(t.elements for t in stored.tensors if t.suffix == suffix)
        for blocks, stored in stored_weights(model.with_mtp(), level(name))
    )


def test_deepseek_v3_as_published_with_its_headers() -> None:
    """163 files of 688,586,727,753 bytes: block scales in F32, which llmcompressor writes in the model's 16 bit."""
    model = find_model("deepseek-v3").model
    sized = size_safetensors_level(model.with_mtp(), level("FP8-block128"))
    data = sized.tensor_bytes + 2 * scales(model, "FP8-block128", "weight_scale")
    assert data == 688_574_839_360
    assert data + sized.header_bytes == pytest.approx(688_586_727_753, rel=2e-6)


@settings(deadline=None)
@given(model_id=MODELS)
def test_more_bits_and_smaller_groups_are_never_smaller(model_id: str) -> None:
    model = catalogue()[model_id].model
    chains = [[f"GPTQ-W{bits}A16-g{group}" for bits in (8, 4, 3, 2)] for group in GROUPS]
    chains += [[f"MLX-{bits}bit-g{group}" for bits in MLX_BITS] for group in GROUPS]
    for head in ("GPTQ-W4A16", "W4A16", "W8A16", "AWQ-W4A16", "MLX-4bit"):
        chains.append([f"{head}-g{group}" for group in reversed(GROUPS)])
    chains += [["F32-safetensors", "BF16-safetensors", "W8A16-g64", "W4A16-asym-g64", "W4A16-g64"]]
    chains += [["BF16-safetensors", "FP8-dynamic", "NVFP4", "MXFP4A16"], ["MXFP8", "FP8-block128", "NF4"]]
    chains += [["W4A16-asym-g128", "W4A16-g128"], ["NVFP4", "NVFP4A16"]]
    for chain in chains:
        sized = [size_safetensors_level(model, level(name)) for name in chain]
        sizes = [item.tensor_bytes for item in sized if not item.kept]
        assert sizes == sorted(sizes, reverse=True), chain


@settings(deadline=None)
@given(model_id=MODELS)
def test_every_level_is_consistent(model_id: str) -> None:
    model = catalogue()[model_id].model
    plain = size_safetensors_level(model, level("BF16-safetensors"))
    for sized in size_safetensors_levels(model):
        most = 2.01 if sized.level.bits == 32 else 1.001
        assert 0 < sized.tensor_bytes <= plain.tensor_bytes * most
        assert sized.file_bytes == sized.tensor_bytes
        assert sized.header_bytes > 0
        assert sized.elements == plain.elements
        if sized.format != "mlx":  # which stacks the experts of a layer
            assert sum(sized.types.values()) >= sum(plain.types.values())
        assert sized.format in {"gptq", "awq", "int8", "fp8", "nvfp4", "mxfp4", "bnb", "mlx", "plain"}
        assert sized.level.writer


def test_16_bit_types_cost_the_same() -> None:
    model = find_model("qwen3-8b").model
    for name in ("GPTQ-W4A16-g128", "FP8-dynamic", "MLX-4bit-g64"):
        half = size_safetensors_level(model, level(name), "F16")
        assert half.tensor_bytes == size_safetensors_level(model, level(name)).tensor_bytes


def test_a_shape_that_no_group_divides_is_named_and_kept() -> None:
    """2880 inputs are 22.5 groups of 128: llmcompressor stops, mlx-lm skips, GPTQ has a smaller last group."""
    model = find_model("gpt-oss-20b").model
    refused = size_safetensors_level(model, level("W4A16-g128"))
    assert refused.refuses
    kept = {name: say(why) for name, why in refused.kept}
    assert kept["self_attn.q_proj"] == "2880 inputs are not a multiple of the group of 128"
    assert not any("o_proj" in name for name in kept)
    skipped = size_safetensors_level(model, level("MLX-4bit-g128"))
    assert skipped.kept
    assert not skipped.refuses
    assert not size_safetensors_level(model, level("GPTQ-W4A16-g128")).kept
    assert not size_safetensors_level(model, level("W4A16-g64")).kept


def test_bitsandbytes_leaves_experts_that_are_no_linear_layers() -> None:
    """gpt-oss keeps all experts of a layer in one tensor, Qwen3 one Linear each."""
    assert tensor_bytes("gpt-oss-20b", "NF4") > 0.9 * tensor_bytes("gpt-oss-20b", "BF16-safetensors")
    kept = size_safetensors_level(find_model("gpt-oss-20b").model, level("NF4")).kept
    name, why = kept[0]
    assert name == "mlp.experts.*.gate_up_proj"
    assert say(why).startswith("all experts of a layer are one tensor")
    assert tensor_bytes("qwen3-30b-a3b", "NF4") < 0.3 * tensor_bytes("qwen3-30b-a3b", "BF16-safetensors")


def test_mlx_quantizes_embeddings_and_keeps_routers_at_8_bits() -> None:
    model = find_model("qwen3-30b-a3b").model
    sized = {stored.weight.name: stored for _, stored in stored_weights(model, level("MLX-4bit-g64"))}
    assert sized["model.embed_tokens"].tensors[0] == Stored("weight", "U32", (151_936, 2048 // 8))
    assert sized["mlp.gate"].tensors[0] == Stored("weight", "U32", (128, 2048 // 4))
    assert sized["mlp.experts.{}.up_proj"].tensors[1] == Stored("scales", "BF16", (128, 768, 32))


def test_a_tied_head_is_stored_once_and_its_copy_named() -> None:
    sized = size_safetensors_level(find_model("gemma-2-9b-it").model, level("W4A16-g128"))
    assert sized.tied_copy_bytes == 2 * 256_000 * 3584
    assert size_safetensors_level(find_model("llama-3.1-8b-instruct").model, level("W4A16-g128")).tied_copy_bytes == 0


def test_levels_are_found_by_name_beyond_those_listed() -> None:
    assert len(SAFETENSORS_LEVELS) == len({entry.name for entry in SAFETENSORS_LEVELS.values()})
    for name in ("GPTQ-W3A16-g32", "GPTQ-W4A16-channel", "W4A16-asym-g32", "MLX-6bit-g128", "AWQ-W4A16-g32"):
        assert find_safetensors_level(name).name == name
    for name, found in SAFETENSORS_LEVELS.items():
        assert find_safetensors_level(name) is found
    with pytest.raises(InputError, match="did you mean"):
        find_safetensors_level("GPTQ-W5A16-g128")


def test_encoders_are_not_offered_what_no_writer_makes() -> None:
    offered = {sized.level.scheme for sized in size_safetensors_levels(find_model("bge-m3").model)}
    assert not offered & {Scheme.GPTQ, Scheme.AWQ, Scheme.MLX, Scheme.NATIVE_MXFP4}
    assert Scheme.PLAIN in offered


@pytest.mark.parametrize(
    ("model_id", "level"),
    [("kimi-k2.5", "INT4-native"), ("kimi-k3", "MXFP4-experts"), ("llama-3.1-405b-instruct", "FP8-fbgemm")],
)
def test_a_level_that_only_its_publisher_makes_is_sized_for_its_models_alone(model_id: str, level: str) -> None:
    entry = find_model(model_id)
    assert level in entry.own_checkpoints
    names = [sized.level.name for sized in size_safetensors_levels(entry.model, entry.own_checkpoints)]
    assert names.count(level) == 1
    other = find_model("llama-3.1-8b-instruct")
    others = {sized.level.name for sized in size_safetensors_levels(other.model, other.own_checkpoints)}
    assert level not in others
