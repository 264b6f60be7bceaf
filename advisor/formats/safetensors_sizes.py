"""Exact sizes of a model in every safetensors format: which weights a writer packs, and what the others cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from advisor.formats.safetensors_dtypes import DTYPE_BITS
from advisor.formats.safetensors_header_size import estimated_header_bytes
from advisor.formats.safetensors_layouts import Stored, packed_tensors, refusal
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, SafetensorsLevel, Scheme, find_safetensors_level
from advisor.foundation.message import Message, sentence
from advisor.models.linear_layers import Kind, Weight, stored_globals, stored_layers
from advisor.models.model import Model
from advisor.models.wiring import Wiring

_IN_BLOCKS = frozenset({Kind.LINEAR, Kind.EXPERT})
_ANY_LINEAR = _IN_BLOCKS | {Kind.OUTER}
# What a writer packs. llmcompressor's own recipes leave the output head, routers and small gates alone;
# bitsandbytes replaces every Linear but the output head; mlx-lm quantizes embeddings and output head too.
_PACKED_KINDS: dict[Scheme, frozenset[Kind]] = {
    Scheme.PLAIN: frozenset(),
    Scheme.GPTQ: _IN_BLOCKS,
    Scheme.AWQ: _IN_BLOCKS,
    Scheme.NATIVE_MXFP4: frozenset({Kind.EXPERT}),
    Scheme.NF4: _ANY_LINEAR | {Kind.SMALL, Kind.ROUTER},
    Scheme.LLM_INT8: _ANY_LINEAR | {Kind.SMALL, Kind.ROUTER},
    Scheme.MLX: frozenset(Kind) - {Kind.KEPT},
}
_BITSANDBYTES = frozenset({Scheme.NF4, Scheme.LLM_INT8})
_TABLE_IN_8_BIT = frozenset({Scheme.BLOCK, Scheme.MXFP8, Scheme.NVFP4, Scheme.MXFP4})
_TABLE_BITS, _TABLE_GROUP = 5, 32
_NGRAM_TABLE = "model.embed_tokens_per_layer"
_NO_LINEAR = sentence("all experts of a layer are one tensor, and only Linear layers are packed")


@dataclass(frozen=True)
class SizedSafetensors:
    """A model at one level of a safetensors format. Sizes in bytes.

    `tensor_bytes` is the sum of the tensor data, over all files; `header_bytes` the estimated headers on top.
    `types` counts tensors by dtype. `kept` says which layers stay unpacked although the writer packs their
    like, and why; where `refuses`, the writer stops at them unless they are put on its list of layers to ignore.
    `tied_copy_bytes` is what a second copy of a tied embedding as output head would add: not counted here,
    but published files made by older writers hold it.
    """

    level: SafetensorsLevel
    tensor_bytes: int
    header_bytes: int
    elements: int
    types: Mapping[str, int]
    kept: tuple[tuple[str, Message], ...]
    tied_copy_bytes: int = 0

    @property
    def format(self) -> str:
        return self.level.format

    @property
    def file_bytes(self) -> int:
        return self.tensor_bytes

    @property
    def bits_per_weight(self) -> float:
        return self.tensor_bytes * 8 / self.elements

    @property
    def refuses(self) -> bool:
        return bool(self.kept) and self.level.scheme not in (Scheme.MLX, *_BITSANDBYTES)


@dataclass(frozen=True, slots=True)
class StoredWeight:
    """A weight and the tensors that hold it: `copies` times `tensors`, each time under a name of its own.

    `refused` says why a weight that the writer means to pack stays as it is.
    """

    weight: Weight
    tensors: tuple[Stored, ...]
    copies: int
    refused: Message | None = None

    @property
    def size_bytes(self) -> int:
        return self.copies * sum(tensor.size_bytes for tensor in self.tensors)


def stored_weight(weight: Weight, level: SafetensorsLevel, wiring: Wiring, source: str = "BF16") -> StoredWeight:
    """How `weight` lies in a file of `level`; `source` is the dtype of the model the file is made from."""
    chosen = level_of(weight, level, wiring)
    refused = None
    if chosen:
        unknown = weight.together and level.scheme in _BITSANDBYTES
        refused = _NO_LINEAR if unknown else refusal(weight.rows, weight.columns, chosen)
    if chosen is None or refused:
        narrow = wiring.repository.table_in_8_bit and level.scheme in _TABLE_IN_8_BIT and weight.name == _NGRAM_TABLE
        return _as_it_is(weight, level, "F8_E4M3" if narrow else source, refused)
    filled = padded_as_published(weight, level, wiring)
    tensors = packed_tensors(filled.rows, filled.columns, chosen, source)
    if weight.kind is Kind.EXPERT and level.scheme in (Scheme.MLX, Scheme.NATIVE_MXFP4):  # all experts in one tensor
        stacked = tuple(replace(tensor, shape=(weight.copies, *tensor.shape)) for tensor in tensors)
        return StoredWeight(weight, stacked, 1)
    return StoredWeight(weight, tensors, weight.copies)


def padded_as_published(weight: Weight, level: SafetensorsLevel, wiring: Wiring) -> Weight:
    """The weight with the zeros that publishers of its scheme add before they pack it."""
    if wiring.repository.padded_for_groups is None or level.scheme not in (Scheme.GPTQ, Scheme.AWQ):
        return weight
    size, padded = wiring.repository.padded_for_groups
    return replace(weight, shape=tuple(padded if side == size else side for side in weight.shape))


def _as_it_is(weight: Weight, level: SafetensorsLevel, source: str, refused: Message | None) -> StoredWeight:
    dtype = weight.dtype or (level.dtype if level.scheme is Scheme.PLAIN else source)
    suffix = "" if weight.kind is Kind.KEPT else "weight"
    # mlx-lm stacks experts; bitsandbytes and a plain copy leave them as the repository has them; the others split them.
    left = level.scheme in _BITSANDBYTES or level.scheme is Scheme.PLAIN
    if weight.kind is Kind.EXPERT and (level.scheme is Scheme.MLX or (left and weight.together)):
        return StoredWeight(weight, (Stored(suffix, dtype, (weight.copies, *weight.shape)),), 1, refused)
    return StoredWeight(weight, (Stored(suffix, dtype, weight.shape),), weight.copies, refused)


def level_of(weight: Weight, level: SafetensorsLevel, wiring: Wiring) -> SafetensorsLevel | None:
    """The level at which the writer packs this weight, None for one that it leaves as it is."""
    if weight.kind not in _PACKED_KINDS.get(level.scheme, _ANY_LINEAR):
        return None
    if weight.name.startswith(level.kept):
        narrow = level.kept_as
        return None if narrow is None or weight.name.startswith(narrow.kept) else narrow
    if level.rest is not None and weight.kind is not Kind.EXPERT:
        return level.rest
    if level.scheme in _BITSANDBYTES:
        bare = weight.kind is Kind.ROUTER and not wiring.router.linear_in_transformers
        return None if bare else level
    if level.scheme is Scheme.MLX:
        return _mlx_level_of(weight, level, wiring)
    return level


def _mlx_level_of(weight: Weight, level: SafetensorsLevel, wiring: Wiring) -> SafetensorsLevel | None:
    eight_bit = replace(level, bits=8, group=64)
    if weight.kind is Kind.ROUTER:
        return {"8 bit": eight_bit, "level": level, "unpacked": None}[wiring.router.in_mlx]
    if weight.name == "mlp.shared_expert_gate":
        return eight_bit
    if weight.name in wiring.repository.mlx_8_bit:
        return eight_bit
    if weight.name == _NGRAM_TABLE and wiring.repository.table_in_8_bit:
        # Its rows are no whole number of usual groups. What mlx-community's file in 4 bit measures is 6 bits a weight.
        return replace(level, bits=max(level.bits, _TABLE_BITS), group=_TABLE_GROUP)
    return level


def stored_weights(model: Model, level: SafetensorsLevel, source: str = "BF16") -> Iterator[tuple[int, StoredWeight]]:
    """Every different weight with the number of blocks that have it (0: it lies outside the blocks)."""
    for weight in stored_globals(model):
        yield 0, stored_weight(weight, level, model.wiring, source)
    for count, weights in stored_layers(model, split_latent=level.scheme is Scheme.MLX):
        for blocks, at in by_block(level, count):
            for weight in weights:
                yield blocks, stored_weight(weight, at, model.wiring, source)


def by_block(level: SafetensorsLevel, count: int) -> Iterator[tuple[int, SafetensorsLevel]]:
    """Of `count` equal blocks, how many are in which level."""
    whole = min(2, count) if level.ends_kept else 0
    if count > whole:
        yield count - whole, level
    if whole:
        yield whole, replace(level, kept=("",), kept_as=None)


def size_safetensors_level(model: Model, level: SafetensorsLevel, source: str = "BF16") -> SizedSafetensors:
    """Size of `model` at `level`. `source` is the 16-bit type it is published in; both cost the same."""
    total = elements = header = 0
    types: Counter[str] = Counter()
    kept: dict[tuple[str, Message], None] = {}
    for blocks, stored in stored_weights(model, level, source):
        count = blocks or 1
        total += count * stored.size_bytes
        if stored.weight.trained:
            elements += count * stored.weight.elements
        for tensor in stored.tensors:
            types[tensor.dtype] += count * stored.copies
        each = estimated_header_bytes(stored.weight.name, stored.tensors, in_block=blocks > 0)
        header += count * stored.copies * each
        if stored.refused:
            kept[stored.weight.name.replace("{}", "*"), stored.refused] = None
    return SizedSafetensors(
        level=level,
        tensor_bytes=total,
        header_bytes=header,
        elements=elements,
        types=dict(sorted(types.items())),
        kept=tuple(kept),
        tied_copy_bytes=_tied_copy_bytes(model, level, source),
    )


def _tied_copy_bytes(model: Model, level: SafetensorsLevel, source: str) -> int:
    if not (model.causal and model.tied_embeddings) or level.scheme is Scheme.MLX:
        return 0
    dtype = level.dtype if level.scheme is Scheme.PLAIN else source
    return model.width * model.vocabulary * DTYPE_BITS[dtype] // 8


def size_safetensors_levels(model: Model, own: Iterable[str] = ()) -> list[SizedSafetensors]:
    """All levels that make sense for the model, in the order of the registry, and those of `own` that no tool makes."""
    levels = [level for level in SAFETENSORS_LEVELS.values() if level.offered_for(model)]
    levels += [find_safetensors_level(name) for name in own if name not in SAFETENSORS_LEVELS]
    return [size_safetensors_level(model, level) for level in levels]
