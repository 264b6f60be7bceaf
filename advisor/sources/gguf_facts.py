"""What a GGUF header tells about an architecture: its metadata under that name's prefix, and its tensors by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advisor.models.config import MAX_LAYERS
from advisor.sources.gguf_file import GgufHeader, StoredTensor


class Facts:
    """One header's metadata under the architecture's prefix, and its tensors by name."""

    def __init__(self, header: GgufHeader):
        self.header = header
        self.tensors: Mapping[str, StoredTensor] = {tensor.name: tensor for tensor in header.tensors}
        self.drafts = self.get("nextn_predict_layers", 0)
        self.width = self.get("embedding_length", 0)
        self.layers = max(0, min(self.get("block_count", 0) - self.drafts, MAX_LAYERS))

    def get(self, key: str, default: Any = None) -> Any:
        """A whole number; of a list with one entry a layer, the largest. `default` for anything else."""
        value = self.header.metadata.get(f"{self.header.architecture}.{key}")
        numbers = [item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, int)]
        return max(numbers, default=default)

    def per_layer(self, key: str) -> tuple[int, ...]:
        """One whole number a layer, whether the file stores a list or a single value; 0 for anything else."""
        value = self.header.metadata.get(f"{self.header.architecture}.{key}", 0)
        items = value[: self.layers] if isinstance(value, tuple) else (value,) * self.layers
        return tuple(item if isinstance(item, int) else 0 for item in items)

    def has(self, name: str) -> bool:
        return name in self.tensors

    def has_in_layers(self, name: str) -> bool:
        """Whether any layer has this tensor."""
        return any(f"blk.{number}.{name}" in self.tensors for number in range(self.layers))

    def rows(self, name: str) -> int | None:
        tensor = self.tensors.get(name)
        return tensor.shape[1] if tensor is not None and len(tensor.shape) > 1 else None
