"""Is the tensor table that the config leads to the one that the repository, or the GGUF file, really holds?

Names of a checkpoint are mapped with the `gguf` package's own table. Where the converter joins, splits or
reorders tensors, names and shapes cannot agree; then the number of weights in that layer must.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from advisor.foundation.errors import printable
from advisor.foundation.message import Message, as_it_is, sentence
from advisor.models.model import Model
from advisor.sources.gguf_file import GgufHeader

Shape = tuple[int, ...]
_LAYER = re.compile(r"(?:^|\.)(?:layers|layer|h|blocks|blk)\.(\d+)\.")
_VISION = re.compile(
    r"(^|\.)(vision_tower|vision_model|vision_encoder|visual|vit|multi_modal_projector|mm_projector|vision_embed_tokens|embed_vision"
    r"|patch_merger|vision_language_adapter|pre_mm_projector_norm|vision_adapter|image_newline|img_projection|mm_input_projection\w*"
    r"|vision|image_embed|connector|projector|mlp1|aligner|view_seperator)(\.|$)"
)
_AUDIO = re.compile(
    r"(^|\.)(audio_tower|audio_encoder|embed_audio|audio_projection|audio_adapter|audio_embed|speech_\w+|talker|code2wav|token2wav)(\.|$)"
)
_DRAFT = re.compile(r"(^|\.)(mtp|nextn|eagle)(\.|$)")
# Buffers and copies that a conversion leaves out, and tables that it computes.
_LEFT_OUT = re.compile(
    r"(rotary_emb\.inv_freq|\.lora_[AB]\.|position_ids|(^|\.)pooler\.|\.attn\.(masked_)?bias|\.rotary_emb\.|activation_sparsity)"
)
# Where wrappers keep their text model.
_WITHIN = re.compile(r"^(thinker\.)?(model\.)?(language_model|text_model|language)\.(model\.)?|^thinker\.(model\.)?")
_COMPUTED = ("rope_freqs", "rope_factors")
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a model's tensor table compares with what is really there.

    `agreeing` tensors have the same name and shape, `repacked` ones the same number of weights after joining or
    splitting. `missing` are expected but not there, `extra` the other way round, `different` differ in shape.
    `off_by` is how many weights the two sides differ by in all.
    """

    agreeing: int
    repacked: int
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    off_by: int = 0

    @property
    def agrees(self) -> bool:
        return not (self.missing or self.extra or self.different)

    def sentence(self, what: Message) -> Message:
        """`what` is the other side: "the repository's own tensors"."""
        alike = self.agreeing + self.repacked
        if self.agrees and self.repacked:
            return sentence(
                "Verified against {what}: all {alike:,} agree, {repacked:,} of them joined or split by the conversion.",
                what=what,
                alike=alike,
                repacked=self.repacked,
            )
        if self.agrees:
            return sentence("Verified against {what}: all {alike:,} agree.", what=what, alike=alike)
        parts = [
            sentence("{names} {how}", names=_names(names), how=one if len(names) == 1 else many)
            for names, one, many in (
                (self.missing, sentence("is not there"), sentence("are not there")),
                (self.extra, sentence("is not foreseen"), sentence("are not foreseen")),
                (self.different, sentence("is of another shape"), sentence("are of another shape")),
            )
            if names
        ]
        return sentence(
            "Differs from {what}: {parts:semicolons} ({off_by:,} weights in all).",
            what=what,
            parts=tuple(parts),
            off_by=self.off_by,
        )


def _names(names: Sequence[str]) -> Message:
    shown, more = printable(", ".join(name[:80] for name in names[:_SHOWN])), len(names) - _SHOWN
    return sentence("{names} and {more:,} more", names=shown, more=more) if more > 0 else as_it_is(shown)


def agrees_with(source: Message) -> bool | None:
    """Whether a sentence about where a model comes from says that its tensors were verified; None: nothing was."""
    for inner in (source, *(figure for _, figure in source.figures)):
        if isinstance(inner, Message) and inner.kind.startswith(("Verified against", "Differs from")):
            return inner.kind.startswith("Verified")
    return None


def part_of(name: str, layers: int) -> str:
    """Which part of the network a checkpoint tensor belongs to: "text", "vision", "audio" or "mtp" (draft layers)."""
    if _VISION.search(name):
        return "vision"
    if _AUDIO.search(name):
        return "audio"
    found = _LAYER.search(name)
    if _DRAFT.search(name) or (found and layers and int(found[1]) >= layers):
        return "mtp"
    return "text"


def compare_with_header(model: Model, header: GgufHeader) -> Comparison:
    """GGUF against GGUF: the same names, the same shapes."""
    expected = {tensor.name: _trimmed(tensor.shape) for tensor in model.tensors}
    found = {tensor.name: _trimmed(tensor.shape) for tensor in header.tensors}
    different = [name for name, shape in expected.items() if name in found and found[name] != shape]
    missing, extra = [name for name in expected if name not in found], [name for name in found if name not in expected]
    off = sum(math.prod(expected[name]) for name in missing) + sum(math.prod(found[name]) for name in extra)
    off += sum(abs(math.prod(expected[name]) - math.prod(found[name])) for name in different)
    return Comparison(
        len(expected) - len(missing) - len(different), 0, tuple(missing), tuple(extra), tuple(different), off
    )


def compare_with_checkpoint(model: Model, tensors: Iterable[tuple[str, int, Shape | None]]) -> Comparison:
    """Against the text part of a checkpoint, given as name, number of weights, and shape where it is known."""
    expected = {tensor.name: tensor for tensor in model.tensors if not tensor.name.startswith(_COMPUTED)}
    tied = "output.weight" not in expected
    mapped: dict[str, list[tuple[int, Shape | None]]] = defaultdict(list)
    found_rest: dict[int | None, dict[str, int]] = defaultdict(dict)
    translate = _Names(model)
    for name, count, shape in tensors:
        if _LEFT_OUT.search(name):
            continue
        ours = translate(name)
        if ours == "output.weight" and tied:
            continue  # a stored copy of the embedding
        if ours in expected:
            mapped[ours].append((count, shape))
        else:
            found_rest[_layer_of(name)][name] = count
    agreeing = repacked = 0
    expected_rest: dict[int | None, dict[str, int]] = defaultdict(dict)
    different = []
    for name, tensor in expected.items():
        pieces = mapped.get(name, [])
        if sum(count for count, _ in pieces) == tensor.elements:
            if _same_shape(tensor.shape, pieces):
                agreeing += 1
            else:
                repacked += 1
            continue
        expected_rest[tensor.layer][name] = tensor.elements
        if pieces:
            found_rest[tensor.layer][f"{name} (theirs)"] = sum(count for count, _ in pieces)
    missing, extra, off = [], [], 0
    for layer in [*expected_rest, *(layer for layer in found_rest if layer not in expected_rest)]:
        ours_here, theirs_here = expected_rest.get(layer, {}), found_rest.get(layer, {})
        if sum(ours_here.values()) == sum(theirs_here.values()):
            repacked += len(ours_here)
            continue
        both = [name for name in ours_here if f"{name} (theirs)" in theirs_here]
        different += both
        missing += [name for name in ours_here if name not in both]
        extra += [name for name in theirs_here if not name.endswith(" (theirs)")]
        off += abs(sum(ours_here.values()) - sum(theirs_here.values()))
    return Comparison(agreeing, repacked, tuple(missing), tuple(extra), tuple(different), off)


def _same_shape(ours: Shape, pieces: Sequence[tuple[int, Shape | None]]) -> bool:
    """Experts stored one by one agree when each is a slice of ours; what packing hides is not held against it."""
    for _, theirs in pieces:
        if theirs is None:
            continue
        wanted = ours if len(pieces) == 1 else ours[:-1]
        if [size for size in wanted if size != 1] != [size for size in reversed(theirs) if size != 1]:
            return False
    return len(pieces) in (1, ours[-1])


def _layer_of(name: str) -> int | None:
    found = _LAYER.search(name)
    return int(found[1]) if found else None


def _trimmed(shape: Shape) -> Shape:
    """ggml counts no dimensions of one at the end."""
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


class _Names:
    """From a checkpoint's tensor names to GGUF's."""

    def __init__(self, model: Model):
        # Imported late: the package takes longer to load than most questions to answer, which compare no tensors.
        from gguf import get_tensor_name_map
        from gguf.constants import MODEL_ARCH_NAMES

        architecture = next((key for key, value in MODEL_ARCH_NAMES.items() if value == model.architecture), None)
        self._known: Mapping[str, str] = {tensor.name: tensor.name for tensor in model.tensors}
        self._map = (
            get_tensor_name_map(architecture, len(model.layers) + len(model.mtp_layers))
            if architecture is not None
            else None
        )

    def __call__(self, name: str) -> str | None:
        if self._map is None:
            return None
        plain = _WITHIN.sub("model.", name).replace(".base_layer.", ".")
        plain = plain.replace("model.lm_head.", "lm_head.")
        plain = re.sub(r"\.experts\.\d+\.", ".experts.", plain)
        if not plain.endswith((".weight", ".bias")):
            plain = f"{plain}.weight"
        plain = plain.replace("_proj_bias.weight", "_proj.bias").replace(
            "e_score_correction_bias.weight", "e_score_correction.bias"
        )
        for candidate in (plain, re.sub(r"^model\.layers\.(\d+)\.block_sparse_moe", r"layers.\1.feed_forward", plain)):
            if (ours := self._map.get_name(candidate, try_suffixes=(".weight", ".bias"))) is not None:
                return ours
        return None
