"""Sizes against llama-quantize's own dry run, to the byte."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.formats.gguf_levels import LEVELS, block_size, row_bytes
from advisor.formats.gguf_sizes import grouped_tensors, size_level, size_levels
from advisor.models.blueprints import model_from_config
from advisor.models.catalogue import catalogue
from tests.support.reference import SIZE_FILES, size_rows

MODELS = st.sampled_from(sorted(catalogue()))


@pytest.mark.parametrize("file", SIZE_FILES)
def test_every_reference_row_is_reproduced_to_the_byte(file: str) -> None:
    rows = size_rows(file)
    assert len(rows) > 1000
    wrong = []
    for row in rows:
        sized = size_level(catalogue()[row["model_id"]].model, LEVELS[row["level"]], row["imatrix"] == "yes")
        types = Counter({name: int(count) for name, count in (item.split(":") for item in row["types"].split())})
        found = (sized.tensor_bytes, sized.data_bytes, Counter(sized.types))
        if found != (int(row["tensor_bytes"]), int(row["data_section_bytes"]), types):
            wrong.append((row["model_id"], row["level"], row["imatrix"], found))
    assert not wrong[:5]


def test_sizes_typed_in_by_hand_from_public_configs() -> None:
    """An independent set: shapes entered by hand, sizes from a dry run of an earlier llama.cpp."""
    expected = {
        ("llama-2-7b", "Q2_K"): 2_532_122_624,
        ("llama-2-7b", "Q4_K_M"): 4_080_263_168,
        ("qwen2.5-0.5b-instruct", "Q4_K_M"): 391_859_712,
        ("mixtral-8x7b-instruct-v0.1", "IQ4_XS"): 25_373_401_088,
    }
    for (model_id, level), size in expected.items():
        assert size_level(catalogue()[model_id].model, LEVELS[level]).tensor_bytes == size


def test_a_written_file_is_as_large_as_gguf_reads_it(tmp_path: Path) -> None:
    """gguf's own reader is the judge: tensor by tensor and in the file's length."""
    config = {
        "architectures": ["LlamaForCausalLM"], "hidden_size": 256, "intermediate_size": 512,
        "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 1024,
        "max_position_embeddings": 256, "tie_word_embeddings": False,
    }  # fmt: skip
    model = model_from_config(config)
    table = grouped_tensors(model)
    level = LEVELS["Q4_K_M"]
    types = table.types(level, imatrix=False)
    path = tmp_path / "written.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for tensor, group in table.members:
        kind = types[group]
        data = np.zeros((*reversed(tensor.shape[1:]), row_bytes(kind, tensor.shape[0])), dtype=np.uint8)
        writer.add_tensor(tensor.name, data, raw_dtype=gguf.GGMLQuantizationType(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    reader = gguf.GGUFReader(path)
    sized = size_level(model, level)
    assert sum(int(tensor.n_bytes) for tensor in reader.tensors) == sized.tensor_bytes
    assert Counter(tensor.tensor_type.name for tensor in reader.tensors) == Counter(sized.types)
    assert path.stat().st_size - reader.data_offset == sized.data_bytes


def test_tiny_model_as_really_quantized() -> None:
    """Tensor bytes of a real 2.9 M parameter Llama, from files llama-quantize wrote (28,320-byte header taken off)."""
    config = {
        "architectures": ["LlamaForCausalLM"], "hidden_size": 256, "intermediate_size": 512,
        "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 1024,
        "tie_word_embeddings": False,
    }  # fmt: skip
    model = model_from_config(config)
    files = {"Q8_0": 3_097_376, "Q6_K": 2_399_008, "Q4_K_M": 1_807_648, "Q3_K_M": 1_505_056, "Q2_K": 1_201_952}
    headers = {files[name] - size_level(model, LEVELS[name]).data_bytes for name in files}
    assert len(headers) == 1, "the same header must be left over at every level"


@given(model_id=MODELS)
def test_more_bits_are_never_smaller(model_id: str) -> None:
    model = catalogue()[model_id].model
    size = {sized.level.name: sized.tensor_bytes for sized in size_levels(model)}
    for chain in (
        ("F32", "F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K"),
        ("Q5_K_M", "Q5_K_S", "Q4_K_S", "Q3_K_S"),
        ("Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0"),
    ):
        sizes = [size[name] for name in chain]
        assert sizes == sorted(sizes, reverse=True)


@given(model_id=MODELS)
def test_every_row_is_a_whole_number_of_blocks(model_id: str) -> None:
    table = grouped_tensors(catalogue()[model_id].model)
    for level in LEVELS.values():
        for kind, group in zip(table.types(level, imatrix=False), table.groups, strict=True):
            assert group.kind.columns % block_size(kind) == 0
