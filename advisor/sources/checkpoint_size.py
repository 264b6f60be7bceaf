"""The size of a checkpoint as published, from its tensors' headers, and what a token reads of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from advisor.formats.safetensors_levels import PUBLISHER, SafetensorsLevel, Scheme
from advisor.formats.safetensors_sizes import SizedSafetensors
from advisor.models.model import Model

if TYPE_CHECKING:
    from advisor.sources.quantization import Part, Quantization
    from advisor.sources.safetensors_header import CheckpointTensor

FORMAT = "published"
_EXPERT = re.compile(r"\.(experts|switch_mlp)\.")
# Looked up row by row, unless the first is the output head as well.
_TABLE = re.compile(r"(^|\.)(embed_tokens|word_embeddings|wte|tok_embeddings|embedding)\.")
_OTHER_TABLE = re.compile(r"(^|\.)(embed_tokens_per_layer|position_embeddings|token_type_embeddings|wpe)\.")
_HEAD = re.compile(r"(^|\.)(lm_head|embed_out)\.")


@dataclass(frozen=True)
class PublishedCheckpoint(SizedSafetensors):
    """A checkpoint as it is. Bytes that a token reads: `expert_bytes` of all routed experts, `dense_bytes` the rest.

    `parts` are the schemes of its Linear layers with their share of the weights; one in 16 bit for a plain checkpoint.
    """

    dense_bytes: int = 0
    expert_bytes: int = 0
    parts: tuple[Part, ...] = ()

    @property
    def scheme(self) -> SafetensorsLevel:
        """The level that most of its packed weights are in: what measurements of it are kept by."""
        from advisor.sources.quantization import WHOLE

        packed = [part for part in self.parts if part.name != WHOLE] or list(self.parts)
        alike = packed[0].level if len(packed) == 1 and packed[0].level is not None else self.level
        return replace(alike, nominal_bits=self.level.nominal_bits)


def checkpoint_size(
    tensors: Sequence[CheckpointTensor], quantization: Quantization | None, model: Model, layers: int
) -> PublishedCheckpoint:
    """`tensors` are those that a runtime loads, none of their bytes estimated; `layers` tells draft layers apart."""
    # Late: what is published is told from what is computed in every answer, but sized in few.
    from advisor.sources.quantization import WHOLE, Part
    from advisor.sources.tensor_comparison import part_of

    size = sum(tensor.bytes for tensor in tensors)
    text = [tensor for tensor in tensors if part_of(tensor.name, layers) == "text"]
    experts = sum(tensor.bytes for tensor in text if _EXPERT.search(tensor.name))
    rest = sum(tensor.bytes for tensor in text if not _EXPERT.search(tensor.name))
    parts: tuple[Part, ...]
    if quantization is None:
        plain = SafetensorsLevel("as published", FORMAT, Scheme.PLAIN, 16, PUBLISHER)
        level, parts = plain, (Part(WHOLE, 1.0, 16, replace(plain, name="BF16-safetensors")),)
    else:
        # Where the method is not understood, what the file takes is all there is to say.
        bits = quantization.bits or round(size * 8 / model.parameters, 2)
        scheme = next((part.level.scheme for part in quantization.parts if part.level is not None), Scheme.PLAIN)
        level = SafetensorsLevel(f"{quantization.level} (published)", FORMAT, scheme, bits, PUBLISHER)
        parts = quantization.parts
    return PublishedCheckpoint(
        level=level,
        tensor_bytes=size,
        header_bytes=0,
        elements=model.parameters,
        types=dict(sorted(Counter(tensor.dtype for tensor in tensors).items())),
        kept=(),
        dense_bytes=rest - _not_read(text, model),
        expert_bytes=experts,
        parts=parts,
    )


def _not_read(tensors: Sequence[CheckpointTensor], model: Model) -> int:
    """Bytes of tables that a token only looks a row up in, and of a second copy of a tied one."""
    skipped = sum(tensor.bytes for tensor in tensors if _OTHER_TABLE.search(tensor.name))
    tables = sum(tensor.bytes for tensor in tensors if _TABLE.search(tensor.name))
    heads = sum(tensor.bytes for tensor in tensors if _HEAD.search(tensor.name))
    return skipped + (heads if model.tied_embeddings and tables else tables)
