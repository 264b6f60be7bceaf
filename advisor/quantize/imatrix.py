"""Importance matrices: which columns of a weight matter, as llama-imatrix measured them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
from gguf.constants import GGUFValueType

from advisor.foundation.errors import InputError
from advisor.quantize.gguf_writing import Entry
from advisor.sources.gguf_file import GgufHeader
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.reading import read_from_path

_SUMS, _COUNTS = ".in_sum2", ".counts"


@dataclass(frozen=True)
class ImportanceMatrix:
    """`weights` has a row an expert and a column an input, per tensor name."""

    path: Path
    weights: Mapping[str, npt.NDArray[np.float32]]
    dataset: str
    chunks: int

    def entries(self) -> tuple[Entry, ...]:
        """What a quantized file says about it; without the folder, which is nobody's business."""
        return (
            Entry("quantize.imatrix.file", self.path.name, GGUFValueType.STRING),
            Entry("quantize.imatrix.dataset", self.dataset, GGUFValueType.STRING),
            Entry("quantize.imatrix.entries_count", len(self.weights), GGUFValueType.UINT32),
            Entry("quantize.imatrix.chunks_count", self.chunks, GGUFValueType.UINT32),
        )

    def check(self, header: GgufHeader) -> None:
        """Raise InputError where it was made for another model."""
        columns = {tensor.name: tensor.shape[0] for tensor in header.tensors}
        for name, weights in self.weights.items():
            if name in columns and columns[name] != weights.shape[1]:
                raise InputError(
                    "{path} was made for another model: '{name}' has {columns:,} columns there.",
                    path=self.path.name,
                    name=name[:80],
                    columns=columns[name],
                )
        if not self.weights.keys() & columns.keys():
            raise InputError("{path} was made for another model: it names none of its tensors.", path=self.path.name)


def read_imatrix(path: Path) -> ImportanceMatrix:
    """Read an imatrix.gguf; raises InputError in one sentence."""
    header = read_gguf_header(read_from_path(path), path.name)
    if header.text("general.type") != "imatrix":
        raise InputError("{path} is no importance matrix; make one with llama-imatrix.", path=path.name)
    end = max((tensor.offset + tensor.bytes for tensor in header.tensors), default=0) + header.header_bytes
    if path.stat().st_size < end:
        raise InputError("{path} is cut off; make it again.", path=path.name)
    reader = gguf.GGUFReader(path)
    tensors = {tensor.name: np.asarray(tensor.data, dtype=np.float32) for tensor in reader.tensors}
    weights = {}
    for name, sums in tensors.items():
        if not name.endswith(_SUMS):
            continue
        base = name.removesuffix(_SUMS)
        counts = tensors.get(base + _COUNTS, np.zeros(0, np.float32)).reshape(-1)
        if counts.size == 0 or sums.size % counts.size:
            raise InputError("{path} is damaged: '{base}' has no count; make it again.", path=path.name, base=base[:80])
        rows = sums.reshape(counts.size, -1)
        seen = counts[:, None] > 0
        weights[base] = np.where(seen, rows / np.where(seen, counts[:, None], 1), 1).astype(np.float32)
    sets = reader.fields.get("imatrix.datasets")
    names = sets.contents() if sets is not None else []
    return ImportanceMatrix(path, weights, str(names[0]) if names else "", header.number("imatrix.chunk_count"))
