"""The size of a checkpoint as published, from its tensors' headers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from advisor.formats.safetensors_levels import PUBLISHER, SafetensorsLevel, Scheme
from advisor.formats.safetensors_sizes import SizedSafetensors
from advisor.sources.safetensors_header import CheckpointTensor


def checkpoint_size(tensors: Sequence[CheckpointTensor], name: str, bits: float, parameters: int) -> SizedSafetensors:
    """`name` and nominal `bits` describe the level; the bytes are those of the tensors, none of them estimated."""
    # The scheme only matters where a writer's layout is computed, and here the file itself tells.
    level = SafetensorsLevel(name, "published", Scheme.PLAIN, bits, PUBLISHER)
    return SizedSafetensors(
        level=level,
        tensor_bytes=sum(tensor.bytes for tensor in tensors),
        header_bytes=0,
        elements=parameters,
        types=dict(sorted(Counter(tensor.dtype for tensor in tensors).items())),
        kept=(),
    )
