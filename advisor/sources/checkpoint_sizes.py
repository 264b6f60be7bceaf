"""What a whole repository of a level besides GGUF measures: the text model, and what publishers add or leave out.

Publishers keep vision towers in 16 bit, layers that draft tokens mostly too, and leave some layers unpacked:
`advisor.formats.kept_layers`. Of tied embeddings most tools write the output head as well.
"""

from __future__ import annotations

from advisor.formats.kept_layers import draft_in_eight_bits, kept_bytes
from advisor.formats.level_id import LevelId
from advisor.formats.safetensors_levels import Scheme
from advisor.formats.safetensors_sizes import SizedSafetensors
from advisor.models.catalogue import Entry
from advisor.models.model import Model
from advisor.sources.published_files import published_files
from advisor.sources.published_sizes import PublishedRange

_TOLERANCE = 0.01
_WHOLE, _EIGHT_BITS = 2, 1  # bytes of a weight
_SCALES_COUNTED = ("INT4-native", "MXFP4-native")  # published in these, a total of parameters counts their scales
_WITHOUT_DRAFT = (Scheme.MLX, Scheme.NF4, Scheme.LLM_INT8)  # whose writers drop the layers that draft
_AS_THE_MODEL_IS = (Scheme.PLAIN, Scheme.MLX, Scheme.NF4, Scheme.LLM_INT8)  # a tied output head is not written


def checkpoint_range(entry: Entry | None, model: Model, sized: SizedSafetensors) -> PublishedRange:
    """Bytes of the tensors in repositories of a level: the text model alone, all parts, and all with less packed."""
    level, size = sized.level, sized.tensor_bytes
    rows = published_files("" if entry is None else entry.id).get(level.id, ())
    files = tuple(row for row in rows if row.bytes is not None)
    kept, other = kept_bytes(model, level), _other_parameters(entry, model)
    if level.scheme in _WITHOUT_DRAFT and model.tower is not None:  # what the total counts besides may be for drafting
        other = min(other, model.tower.parameters)
    draft, tied = model.mtp_parameters, sized.tied_copy_bytes
    parts = other * _bytes_of_other(entry, sized) + draft * _bytes_of_draft(entry, model, sized)
    typical = size + kept.usual + round(parts)
    if level.scheme not in _AS_THE_MODEL_IS and not (entry is not None and entry.variant == "vision"):
        typical += tied
    whole = size + round((other + draft) * _bytes_of_other(entry, sized))
    low, high = round(size * (1 - _TOLERANCE)), round((whole + kept.most + tied) * (1 + _TOLERANCE))
    if files:
        sizes = sorted(row.bytes or 0 for row in files)
        typical = sizes[(len(sizes) - 1) // 2]
        low, high = min(low, sizes[0]), max(high, sizes[-1])
    return PublishedRange(low, typical, max(high, typical), files)


def _other_parameters(entry: Entry | None, model: Model) -> int:
    """Vision tower and what else the publisher's total counts beside the text model and the layers that draft."""
    if entry is None or entry.parameters.published is None:
        return 0
    if any(file.kind == "native" and file.level in _SCALES_COUNTED for file in entry.own_files):
        return 0
    tied = model.width * model.vocabulary if model.tied_embeddings else 0
    more = entry.parameters.published - entry.parameters.counted
    return 0 if more == tied else max(0, more - model.mtp_parameters)  # a second copy of the embedding is no other part


def _bytes_of_other(entry: Entry | None, sized: SizedSafetensors) -> float:
    """Of a weight of the vision tower: in 16 bit. Where the model was published in the level, all is as the others."""
    return _each(sized) if _native(entry, sized) else _WHOLE


def _bytes_of_draft(entry: Entry | None, model: Model, sized: SizedSafetensors) -> float:
    """Of a weight of the layers that draft, which in mixtures hold experts too, packed as the others."""
    level = sized.level
    if level.scheme in _WITHOUT_DRAFT:
        return 0
    experts = level.scheme is Scheme.PACKED and model.experts > 0
    packed = level.scheme is Scheme.BLOCK or experts or _native(entry, sized)
    return _each(sized) if packed else _EIGHT_BITS if draft_in_eight_bits(model, level) else _WHOLE


def _native(entry: Entry | None, sized: SizedSafetensors) -> bool:
    own = () if entry is None else entry.own_files
    return any(LevelId(file.format, file.level) == sized.level.id and file.kind == "native" for file in own)


def _each(sized: SizedSafetensors) -> float:
    return sized.tensor_bytes / sized.elements
