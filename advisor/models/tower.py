"""What turns images and sound into tokens beside the language model: an encoder and the projector behind it.

llama.cpp keeps it in a file of its own (mmproj), other runtimes load it with the rest. Sizes follow from a config's
`vision_config`, and to 0.2 % they are those of published F16 files (`data/projectors.csv`); where a config says too
little, they are those of the files themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from advisor.foundation.units import MIB

ProjectorType = Literal["F32", "F16", "BF16", "Q8_0"]
PROJECTOR_TYPES: tuple[ProjectorType, ...] = get_args(ProjectorType)

_SINGLE, _HALF = 4, 2  # bytes
_BLOCK, _BLOCK_BYTES = 32, 34  # of Q8_0
_COLOURS = 3
_TEMPORAL = 2  # frames a patch of the Qwen family spans
_WARM_UP_SIDE = 46  # tokens along each side of the image that llama.cpp warms up with (tools/mtmd/clip.cpp)
_LARGEST_IMAGE = 16_384  # tokens of the largest image of the Qwen and Kimi families, as vLLM profiles it
# The conformer beside the eyes of Gemma 4 E2B and E4B: what their files measure beyond their vision part.
_CONFORMER = 298_960  # rows of 1024
_CONFORMER_WIDTH = 1536
_CONFORMER_COMPUTE = 154 * MIB
_GEMMAS = ("gemma", "paligemma", "shieldgemma")  # which put one matrix behind these eyes
# Elements that PyTorch holds for a patch at once, in widths of the encoder: fitted to what vLLM logged with and without
# (Qwen2.5-VL 3B: vllm-project/vllm pull 25631; Qwen3.8 27B: mitchross/talos-argocd-proxmox pulls 1995 and 2017).
_HELD_GATED, _HELD_PLAIN = 20, 17


@dataclass(frozen=True, slots=True)
class Matrix:
    """So many matrices of one shape; `row` elements lie together and share blocks where they are quantized."""

    row: int
    rows: int
    count: int = 1

    @property
    def elements(self) -> int:
        return self.row * self.rows * self.count


@dataclass(frozen=True, slots=True)
class Tower:
    """An encoder with its projector.

    `matrices` are quantized, `convolution` (the embedding of patches) is in half only in F16 files, and not even
    there where it is `plain`; `others` are norms, biases and tables of positions. `known` are the bytes of published
    files by type, where shapes are not known. Of images: `patches` of the one that llama.cpp warms up with,
    `most_patches` of the largest, `image_tokens` of the largest and `per_token` patches for one. A patch needs
    `working` elements at the widest place of llama.cpp's graph, `held` in PyTorch. `windowed` says that a mask of all
    pairs of patches is laid out, `video` that a video may be as long as the context.
    """

    matrices: tuple[Matrix, ...] = ()
    convolution: int = 0
    plain: bool = False
    others: int = 0
    known: tuple[tuple[ProjectorType, int], ...] = ()
    heads: int = 0
    patches: int = 0
    most_patches: int = 0
    image_tokens: int = 0
    per_token: int = 4
    working: int = 0
    held: int = 0
    windowed: bool = False
    video: bool = False
    fixed_compute: int = 0

    @property
    def parameters(self) -> int:
        """Weights of encoder and projector."""
        if self.matrices:
            return sum(matrix.elements for matrix in self.matrices) + self.convolution + self.others
        return self.file_bytes("F16") // _HALF

    def file_bytes(self, kind: ProjectorType) -> int:
        """Bytes of the tensors in a file of this type."""
        if not self.matrices:
            return self._known_bytes(kind)
        if kind == "F32":
            return _SINGLE * self.parameters
        convolution = self.convolution * (_HALF if kind == "F16" and not self.plain else _SINGLE)
        return sum(_stored(matrix, kind) for matrix in self.matrices) + convolution + _SINGLE * self.others

    def _known_bytes(self, kind: ProjectorType) -> int:
        known = dict(self.known)
        if kind in known:
            return known[kind]
        half = next((known[one] for one in ("F16", "BF16") if one in known), None)
        if half is None:
            return max(known.values())
        return half * 2 if kind == "F32" else half  # of Q8_0 up to nine tenths stay as they are

    def compute_bytes(self, flash_attention: bool, largest: bool = False) -> int:
        """What llama.cpp sets aside to encode the image it warms up with, or the `largest` one.

        Without flash attention the scores of all pairs of patches exist for every head.
        """
        patches = self.most_patches if largest else self.patches
        laid_out = _SINGLE * patches * self.working + self.fixed_compute
        if not flash_attention:
            return laid_out + _SINGLE * self.heads * patches**2
        return laid_out + (_SINGLE * patches**2 if self.windowed else 0)


def _stored(matrix: Matrix, kind: ProjectorType) -> int:
    if kind == "Q8_0" and matrix.row % _BLOCK == 0:
        return matrix.elements // _BLOCK * _BLOCK_BYTES
    return _HALF * matrix.elements


def tower_of(config: Mapping[str, Any], width: int) -> Tower | None:
    """The tower a config describes beside a language model of this width; None where it names none that is known."""
    seen = config.get("vision_config")
    if not isinstance(seen, Mapping):
        return None
    try:
        return _tower(seen, config, width)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None  # a part that is not understood is no reason to refuse the language model


def _tower(seen: Mapping[str, Any], config: Mapping[str, Any], width: int) -> Tower | None:
    kind = str(seen.get("model_type") or config.get("model_type") or "")
    if kind.startswith(("qwen3_vl", "qwen3_5", "qwen3_8", "qwen4")) or "num_position_embeddings" in seen:
        return _qwen3(seen)
    if "fullatt_block_indexes" in seen:
        return _qwen25(seen)
    if "embed_dim" in seen and "mlp_ratio" in seen and kind.startswith("qwen2_vl"):
        return _qwen2(seen)
    if kind == "siglip_vision_model" and str(config.get("model_type") or "gemma").startswith(_GEMMAS):
        return _siglip(seen, width)
    if kind == "pixtral":
        return _pixtral(seen, width)
    if kind == "gemma4_vision":
        return _gemma4(seen, config, width)
    if kind == "llama4_vision_model":
        return _llama4(seen, width)
    if "vt_hidden_size" in seen:
        return _moonvit(seen, width)
    return None


def _attention(h: int, layers: int) -> Matrix:
    return Matrix(h, h, 4 * layers)


def _plain_layers(h: int, inner: int, layers: int) -> tuple[tuple[Matrix, ...], int]:
    """Layers with biases and two norms: matrices, and elements of the rest."""
    matrices = (_attention(h, layers), Matrix(h, inner, layers), Matrix(inner, h, layers))
    return matrices, layers * (4 * h + inner + h + 4 * h)


def _gated_layers(h: int, inner: int, layers: int) -> tuple[Matrix, ...]:
    return (_attention(h, layers), Matrix(h, inner, 2 * layers), Matrix(inner, h, layers))


def _qwen3(seen: Mapping[str, Any]) -> Tower:
    """Qwen3-VL and later: some layers hand their own features to the language model as well (deepstack)."""
    h, inner, layers, out = seen["hidden_size"], seen["intermediate_size"], seen["depth"], seen["out_hidden_size"]
    merge = seen["spatial_merge_size"]
    merged, deep = h * merge**2, len(seen.get("deepstack_visual_indexes") or ())
    matrices, rest = _plain_layers(h, inner, layers)
    matrices += (Matrix(merged, merged, 1 + deep), Matrix(merged, out, 1 + deep))
    rest += 3 * h + (1 + deep) * (merged + out) + deep * 2 * merged + h * seen["num_position_embeddings"]
    patches = _WARM_UP_SIDE**2 * merge**2
    return Tower(
        matrices=matrices,
        convolution=_TEMPORAL * seen["patch_size"] ** 2 * _COLOURS * h,
        others=rest,
        heads=seen["num_heads"],
        patches=patches,
        most_patches=patches,
        image_tokens=_LARGEST_IMAGE,
        per_token=merge**2,
        working=inner + 3 * h + ((1 + deep) * h if deep else 0),
        held=_HELD_PLAIN * h,
    )


def _qwen25(seen: Mapping[str, Any]) -> Tower:
    h, inner, layers, out = seen["hidden_size"], seen["intermediate_size"], seen["depth"], seen["out_hidden_size"]
    merge = seen["spatial_merge_size"]
    merged = h * merge**2
    patches = _WARM_UP_SIDE**2 * merge**2
    return Tower(
        matrices=(*_gated_layers(h, inner, layers), Matrix(merged, merged), Matrix(merged, out)),
        convolution=_TEMPORAL * seen["patch_size"] ** 2 * _COLOURS * h,
        others=layers * (4 * h + 2 * inner + h + 2 * h) + h + merged + out,
        heads=seen["num_heads"],
        patches=patches,
        most_patches=patches,
        image_tokens=_LARGEST_IMAGE,
        per_token=merge**2,
        working=3 * inner + 3 * h,
        held=_HELD_GATED * h,
        windowed=True,
        video=True,
    )


def _qwen2(seen: Mapping[str, Any]) -> Tower:
    """Qwen2-VL, whose `hidden_size` is the language model's; the size of its steps is `embed_dim`."""
    h, layers, out = seen["embed_dim"], seen["depth"], seen["hidden_size"]
    inner, merge = int(h * seen["mlp_ratio"]), seen["spatial_merge_size"]
    merged = h * merge**2
    matrices, rest = _plain_layers(h, inner, layers)
    patches = _WARM_UP_SIDE**2 * merge**2
    return Tower(
        matrices=(*matrices, Matrix(merged, merged), Matrix(merged, out)),
        convolution=_TEMPORAL * seen["patch_size"] ** 2 * _COLOURS * h,
        others=rest + 2 * h + merged + out,
        heads=seen["num_heads"],
        patches=patches,
        most_patches=patches,
        image_tokens=_LARGEST_IMAGE,
        per_token=merge**2,
        working=inner + 3 * h,
        held=_HELD_PLAIN * h,
        video=True,
    )


def _siglip(seen: Mapping[str, Any], width: int) -> Tower:
    """Gemma 3."""
    h, inner, layers = seen["hidden_size"], seen["intermediate_size"], seen["num_hidden_layers"]
    patches = (seen["image_size"] // seen["patch_size"]) ** 2
    matrices, rest = _plain_layers(h, inner, layers)
    return Tower(
        matrices=(*matrices, Matrix(width, h)),
        convolution=seen["patch_size"] ** 2 * _COLOURS * h,
        plain=True,
        others=rest + 4 * h + h * patches,
        heads=seen["num_attention_heads"],
        patches=patches,
        most_patches=patches,
        image_tokens=256,
        per_token=patches // 256,
        working=inner + 3 * h,
        held=_HELD_PLAIN * h,
    )


def _pixtral(seen: Mapping[str, Any], width: int) -> Tower:
    """Mistral: llama.cpp warms up with a small image, Ollama with the largest."""
    h, inner, layers = seen["hidden_size"], seen["intermediate_size"], seen["num_hidden_layers"]
    merge = 2
    most = (seen["image_size"] // seen["patch_size"]) ** 2
    return Tower(
        matrices=(*_gated_layers(h, inner, layers), Matrix(h, width), Matrix(width, width), Matrix(merge**2 * h, h)),
        convolution=seen["patch_size"] ** 2 * _COLOURS * h,
        others=layers * 2 * h + 2 * h + width,
        heads=seen["num_attention_heads"],
        patches=256 * merge**2,
        most_patches=most,
        image_tokens=-(-most // merge**2),
        per_token=merge**2,
        working=3 * inner + 3 * h,
        held=_HELD_GATED * h,
    )


def _gemma4(seen: Mapping[str, Any], config: Mapping[str, Any], width: int) -> Tower:
    """Gemma 4; the small ones hear as well."""
    h, inner, layers = seen["hidden_size"], seen["intermediate_size"], seen["num_hidden_layers"]
    merge, head = seen.get("pooling_kernel_size", 3), seen.get("head_dim", 72)
    hears = isinstance(config.get("audio_config"), Mapping) and bool(config["audio_config"].get("hidden_size"))
    ears = (Matrix(1024, _CONFORMER), Matrix(_CONFORMER_WIDTH, width)) if hears else ()
    return Tower(
        matrices=(*_gated_layers(h, inner, layers), Matrix(h, width), *ears),
        convolution=seen["patch_size"] ** 2 * _COLOURS * h,
        others=layers * (4 * h + 2 * head) + 2 * h + 2 * h * seen.get("position_embedding_size", 10_240),
        heads=seen["num_attention_heads"],
        patches=256 * merge**2,
        most_patches=280 * merge**2,
        image_tokens=280,
        per_token=merge**2,
        working=3 * inner + 3 * h,
        held=_HELD_GATED * h,
        fixed_compute=_CONFORMER_COMPUTE if hears else 0,
    )


def _llama4(seen: Mapping[str, Any], width: int) -> Tower:
    h, inner, layers = seen["hidden_size"], seen["intermediate_size"], seen["num_hidden_layers"]
    out = seen["vision_output_dim"]
    patches = (seen["image_size"] // seen["patch_size"]) ** 2
    matrices, rest = _plain_layers(h, inner, layers)
    return Tower(
        matrices=(*matrices, Matrix(inner, out), Matrix(out, out), Matrix(out, width)),
        convolution=seen["patch_size"] ** 2 * _COLOURS * h,
        others=rest + 5 * h + h * (patches + 1),
        heads=seen["num_attention_heads"],
        patches=patches,
        most_patches=patches,
        image_tokens=17 * patches // 4,  # sixteen tiles and the whole
        working=inner + 3 * h,
        held=_HELD_PLAIN * h,
    )


def _moonvit(seen: Mapping[str, Any], width: int) -> Tower:
    """Kimi; where heads do not divide the width, they are 128 wide."""
    h, inner, layers = seen["vt_hidden_size"], seen["vt_intermediate_size"], seen["vt_num_hidden_layers"]
    heads = seen["vt_num_attention_heads"]
    attended = h if h % heads == 0 else 128 * heads
    merged, side = 4 * h, 64
    return Tower(
        matrices=(
            Matrix(h, attended, 3 * layers),
            Matrix(attended, h, layers),
            Matrix(h, inner, layers),
            Matrix(inner, h, layers),
            Matrix(merged, merged),
            Matrix(merged, width),
        ),
        convolution=seen["patch_size"] ** 2 * _COLOURS * h,
        others=layers * (3 * attended + h + inner + h + 4 * h) + 8 * h + width + h * side**2,
        heads=heads,
        patches=4 * 1024,
        most_patches=4 * 4096,
        image_tokens=4096,
        working=inner + 3 * h,
        held=_HELD_PLAIN * h,
    )
