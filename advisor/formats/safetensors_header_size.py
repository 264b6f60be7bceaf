"""The header of a safetensors file: its length in bytes, exact for a list of tensors, estimated for a model."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.formats.safetensors_layouts import Stored

# The order in which safetensors writes tensors: by this rank of their dtype, then by name.
_METADATA = '{"__metadata__":{"format":"pt"}'
_ENTRY_FRAME = len(',"":{"dtype":"","shape":[],"data_offsets":[,]}')
_TYPICAL_OFFSET_DIGITS = 10  # a shard of 1 to 9.99 GB
_TYPICAL_LAYER = "model.layers.10."
_TYPICAL_EXPERT = "100"


def header_bytes(tensors: Sequence[tuple[str, Stored]]) -> int:
    """Length of a file's header, with the 8 bytes before it and its padding; `tensors` in the order of the file."""
    length, offset = len(_METADATA) + 1, 0
    for name, tensor in tensors:
        end = offset + tensor.size_bytes
        shape = ",".join(map(str, tensor.shape))
        length += _ENTRY_FRAME + len(name) + len(tensor.dtype) + len(shape) + len(str(offset)) + len(str(end))
        offset = end
    return 8 + -(-length // 8) * 8


def estimated_header_bytes(name: str, tensors: Sequence[Stored], in_block: bool) -> int:
    """What a weight adds to headers, whatever its layer and offset. Off by a digit or two for each tensor."""
    full = (_TYPICAL_LAYER if in_block else "") + name.replace("{}", _TYPICAL_EXPERT)
    return sum(
        _ENTRY_FRAME
        + len(full)
        + len(tensor.suffix)
        + bool(tensor.suffix)
        + len(tensor.dtype)
        + len(",".join(map(str, tensor.shape)))
        + 2 * _TYPICAL_OFFSET_DIGITS
        for tensor in tensors
    )
