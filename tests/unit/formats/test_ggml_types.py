"""The types of GGUF files are those of the package that llama.cpp publishes."""

from __future__ import annotations

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from advisor.formats.ggml_types import BLOCKS, Type


def test_they_are_the_publishers() -> None:
    assert {kind.name: kind.value for kind in Type} == {kind.name: kind.value for kind in GGMLQuantizationType}
    assert {kind.name: sizes for kind, sizes in BLOCKS.items()} == {
        kind.name: sizes for kind, sizes in GGML_QUANT_SIZES.items()
    }
    # Tables of the package, by its own types, are looked up by ours.
    assert all(GGML_QUANT_SIZES[GGMLQuantizationType(kind)] == sizes for kind, sizes in BLOCKS.items())
    assert all({kind.value: 1}[Type(kind)] for kind in GGMLQuantizationType)
