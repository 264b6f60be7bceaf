"""What a whole repository of a level besides GGUF measures: the text model, and what publishers add or leave out.

Publishers keep vision towers and layers that draft tokens, mostly in 16 bit; in a mixture of experts many pack the
experts only, and of hybrid models some leave the linear attention alone.
"""

from __future__ import annotations

from advisor.formats.kept_layers import kept_bytes
from advisor.formats.level_id import LevelId
from advisor.formats.safetensors_levels import Scheme
from advisor.formats.safetensors_sizes import SizedSafetensors
from advisor.models.catalogue import Entry
from advisor.models.model import Model
from advisor.sources.published_files import published_files
from advisor.sources.published_sizes import PublishedRange

_TOLERANCE = 0.01
_WHOLE = 2  # bytes of a weight in 16 bit
_SCALES_COUNTED = ("W4A16-g32", "MXFP4-native")  # published in these, a total of parameters counts their scales


def checkpoint_range(entry: Entry | None, model: Model, sized: SizedSafetensors) -> PublishedRange:
    """Bytes of the tensors in repositories of a level: the text model alone, all parts, and all with less packed."""
    level, size = sized.level, sized.tensor_bytes
    rows = published_files("" if entry is None else entry.id).get(level.id, ())
    files = tuple(row for row in rows if row.bytes is not None)
    whole = size + round(_extra_parameters(entry, model) * _bytes_of_extra(entry, sized))
    kept = kept_bytes(model, level)
    typical = size if level.scheme is Scheme.MLX else whole
    low, high = round(size * (1 - _TOLERANCE)), round((whole + kept + sized.tied_copy_bytes) * (1 + _TOLERANCE))
    if files:
        sizes = sorted(row.bytes or 0 for row in files)
        typical = sizes[(len(sizes) - 1) // 2]
        low, high = min(low, sizes[0]), max(high, sizes[-1])
    return PublishedRange(low, typical, high, files)


def _extra_parameters(entry: Entry | None, model: Model) -> int:
    """Vision tower, layers that draft, and what else the publisher's total counts beside the text model."""
    if entry is None or entry.parameters.published is None:
        return model.mtp_parameters
    if any(file.kind == "native" and file.level in _SCALES_COUNTED for file in entry.own_files):
        return model.mtp_parameters
    tied = model.width * model.vocabulary if model.tied_embeddings else 0
    more = entry.parameters.published - entry.parameters.counted
    return 0 if more == tied else max(0, more)  # a second copy of the embedding is no other part


def _bytes_of_extra(entry: Entry | None, sized: SizedSafetensors) -> float:
    """Of one of these weights: as the others where the model was published so, else in 16 bit."""
    own = () if entry is None else entry.own_files
    native = any(LevelId(file.format, file.level) == sized.level.id and file.kind == "native" for file in own)
    return sized.tensor_bytes / sized.elements if native else _WHOLE
