"""What a checkpoint measures by its config alone: the model's shape, and which modules the config says are packed how.

Where headers are read, they tell it exactly; here nothing but `config.json` is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from advisor.formats.safetensors_layouts import packed_tensors, refusal
from advisor.formats.safetensors_levels import SafetensorsLevel, Scheme, find_safetensors_level
from advisor.formats.safetensors_sizes import level_of, padded_as_published, stored_weight
from advisor.foundation.message import Message, fact
from advisor.models.linear_layers import Kind, Weight, stored_block, stored_globals
from advisor.models.model import Model
from advisor.models.tower import Tower
from advisor.sources.declared_modules import DeclaredModules, declared_modules
from advisor.sources.packing import Packing
from advisor.sources.quantization import WHOLE
from advisor.sources.quantization_config import declared

_BYTES_16_BIT = 2
_PLAIN = find_safetensors_level("BF16-safetensors")
_WITHOUT_DRAFT = (Scheme.MLX, Scheme.NF4, Scheme.LLM_INT8)  # whose writers drop the layers that draft
_SIDE = 4096  # of a matrix by which packed bytes of a weight are told
_LINEAR = frozenset({Kind.LINEAR, Kind.EXPERT, Kind.OUTER, Kind.SMALL, Kind.ROUTER, Kind.HEAD})
_BEFORE_A_BLOCK = (
    *("model.layers.", "model.language_model.layers.", "language_model.model.layers.", "backbone.layers."),
    "layers.",
)
_BEFORE_THE_REST = ("", "model.", "language_model.", "model.language_model.")
# Other names of the parts of a block.
_CALLED = {
    "self_attn": ("self_attn", "mixer", "attn", "attention"),
    "linear_attn": ("linear_attn", "mixer"),
    "mamba": ("mamba", "mixer"),
    "mlp": ("mlp", "mixer", "block_sparse_moe", "feed_forward", "ffn"),
}


@dataclass(frozen=True)
class DeclaredSize:
    """`tensor_bytes` of the text model, `part_bytes` of its vision part and of layers that draft.

    `shares` are those of the weights of Linear layers in the blocks by how they are packed, the largest first.
    """

    tensor_bytes: int
    part_bytes: int
    shares: tuple[tuple[str, float], ...]

    @property
    def all_bytes(self) -> int:
        return self.tensor_bytes + self.part_bytes


def declared_size(model: Model, config: Mapping[str, Any]) -> DeclaredSize | None:
    """None where the config says nothing of quantization, or what it says does not tell the bytes of every module."""
    told = declared_modules(config)
    if told is None:
        return None
    total, weights = 0, Counter[str]()
    for size, name, elements in _all(model, told):
        total += size
        if elements:
            weights[name] += elements
    shares = tuple((name, count / weights.total()) for name, count in weights.most_common())
    return DeclaredSize(total, _parts(model, told), shares)


def declared_notes(model: Model, config: Mapping[str, Any]) -> tuple[Message, ...]:
    """What is to be said of a config that describes packed weights; nothing of one that does not."""
    how = declared(config)
    if how is None:
        return ()
    size = declared_size(model, config)
    if size is None:
        return (fact("declared_not_told", kind=how.kind),)
    shares = tuple(
        fact("declared_share", percent=round(100 * share, 1), name=name)
        if name != WHOLE
        else fact("declared_whole", percent=round(100 * share, 1))
        for name, share in size.shares
    )
    return (fact("declared_checkpoint", shares=shares, size=size.all_bytes),)


def _all(model: Model, told: DeclaredModules) -> Iterator[tuple[int, str, int]]:
    """Of every weight its bytes, how it is packed, and as a Linear layer in a block its elements."""
    for weight in stored_globals(model):
        yield _size(model, weight, told, tuple(before + weight.name for before in _other_names(weight)))[0], "", 0
    for number, layer in enumerate(model.layers[: _trunk(model)]):
        for weight in stored_block(model, layer, split_latent=told.how.kind == "MLX"):
            size, name = _size(model, weight, told, _names(weight, number))
            yield size, name, weight.elements if weight.kind in (Kind.LINEAR, Kind.EXPERT) else 0


def _trunk(model: Model) -> int:
    return len((model.trunk or model).layers)


def _other_names(weight: Weight) -> tuple[str, ...]:
    return ("",) if weight.name.startswith("model.") else _BEFORE_THE_REST


def _names(weight: Weight, number: int) -> tuple[str, ...]:
    """What a weight of a block may be called in a repository; of experts the first."""
    inside = weight.name.replace("{}", "0")
    part, dot, rest = inside.partition(".")
    own = [f"{called}{dot}{rest}" for called in _CALLED.get(part, (part,))]
    own += [name.replace("shared_experts.", "shared_expert.") for name in own if "shared_experts." in name]
    return tuple(f"{before}{number}.{name}" for before in _BEFORE_A_BLOCK for name in own)


def _size(model: Model, weight: Weight, told: DeclaredModules, names: tuple[str, ...]) -> tuple[int, str]:
    """Bytes of a weight, and how it is packed."""
    packing = _packing(model, weight, told, names)
    if packing is not None and (level := _level(packing)) is not None:
        filled = padded_as_published(weight, level, model.wiring)
        if refusal(filled.rows, filled.columns, level) is None:
            tensors = packed_tensors(filled.rows, filled.columns, level, "BF16")
            return weight.copies * sum(tensor.size_bytes for tensor in tensors), packing.name
    return stored_weight(weight, _PLAIN, model.wiring).size_bytes, WHOLE


def _packing(model: Model, weight: Weight, told: DeclaredModules, names: tuple[str, ...]) -> Packing | None:
    packing = told.packing_of(names)
    if packing is None or (level := _level(packing)) is None:
        return None
    if (told.linear_only and weight.together) or (told.experts_whole and weight.kind in (Kind.EXPERT, Kind.ROUTER)):
        return None
    if told.every_linear:
        return packing if weight.kind in _LINEAR else None
    return packing if level_of(weight, level, model.wiring) is not None else None


def _level(packing: Packing) -> SafetensorsLevel | None:
    """As it lies in the file, zero points included."""
    level = packing.stored or packing.level
    return replace(level, zero_points=True) if level is not None and "asym" in packing.name else level


def _parts(model: Model, told: DeclaredModules) -> int:
    """Of the vision part and of layers that draft, as the config says of them."""
    vision = 0 if model.tower is None else _of_vision(model.tower, told)
    packing, level = told.packing_of(tuple(_draft_names(_trunk(model)))), None
    if packing is not None:
        level = _level(packing)
    if told.usual is not None and told.usual.level is not None and told.usual.level.scheme in _WITHOUT_DRAFT:
        return vision
    if level is None:
        return vision + _BYTES_16_BIT * model.mtp_parameters
    tensors = packed_tensors(_SIDE, _SIDE, level, "BF16")
    return vision + model.mtp_parameters * sum(tensor.size_bytes for tensor in tensors) // _SIDE**2


def _of_vision(tower: Tower, told: DeclaredModules) -> int:
    """In 16 bit but for the matrices, where the tool packs every Linear layer and nothing of them is left out."""
    packing = told.packing_of(("vision",)) if told.vision_too else None
    level, whole = None if packing is None else _level(packing), _BYTES_16_BIT * tower.parameters
    if level is None:
        return whole
    for matrix in tower.matrices:
        if refusal(matrix.rows, matrix.row, level) is None:
            tensors = packed_tensors(matrix.rows, matrix.row, level, "BF16")
            each = sum(tensor.size_bytes for tensor in tensors)
            whole += matrix.count * (each - _BYTES_16_BIT * matrix.row * matrix.rows)
    return whole


def _draft_names(layers: int) -> Iterator[str]:
    """A layer that drafts, as repositories call it."""
    for module in ("mlp.down_proj", "mlp.experts.0.down_proj", "mixer.experts.0.down_proj"):
        yield f"mtp.layers.0.{module}"
        yield from (f"{before}{layers}.{module}" for before in _BEFORE_A_BLOCK)
