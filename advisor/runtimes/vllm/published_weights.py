"""What one GPU holds of a checkpoint as published, by the names of its tensors.

The same splits as `advisor.runtimes.vllm.weights`, for files whose quantization nobody here chose: vLLM 0.33.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from advisor.formats.safetensors_levels import SafetensorsLevel, Scheme
from advisor.models.linear_layers import Kind
from advisor.models.model import Model
from advisor.runtimes.vllm.weights import blocks_of, check_split, padded_for_kernels, shard_of

_VOCABULARY = re.compile(r"(^|\.)(embed_tokens|embed_tokens_per_layer|lm_head|word_embeddings|wte)\.")
_COLUMNS = re.compile(
    r"\.(q_proj|qkv_proj|query_key_value|gate_proj|up_proj|gate_up_proj|q_b_proj|kv_b_proj|o_a_proj|in_proj\w*|w1|w3|fc1)"
    r"(\.|_|$)"
)
_ROWS = re.compile(r"\.(o_proj|o_b_proj|out_proj|down_proj|w2|fc2)(\.|_|$)")
_KEYS_AND_VALUES = re.compile(r"\.self_attn\.(k_proj|v_proj)\.")
_EXPERT = re.compile(r"\.experts\.")
_SMALL_BYTES = 1 << 14  # norms, scales of a tensor, biases of a row-split layer: whole on every GPU


def published_weights_per_gpu(
    model: Model,
    tensors: Iterable[tuple[str, int]],
    gpus: int,
    *,
    expert_gpus: int | None = None,
    expert_parallel: bool = False,
    compute_capability: float | None = None,
) -> int:
    """The same for a checkpoint as published, from (name, bytes) of its tensors.

    Give what vLLM loads: text and vision, without draft layers. Splits go by names; what no rule names is counted
    whole on every GPU, so that the sum errs on the high side.
    """
    check_split(model, gpus)
    listed = list(tensors)
    symmetric = any(name.endswith(".g_idx") for name, _ in listed)
    kv_heads = min((m.cached_heads.count for m in model.mixers if m.cached_heads.count), default=gpus)
    total = 0.0
    for name, size in listed:
        if name.endswith((".g_idx", ".weight_shape")) or (symmetric and name.endswith(".qzeros")):
            continue
        over = expert_gpus if expert_gpus is not None and _EXPERT.search(name) else gpus
        total += size * _share(name, size, over, kv_heads, expert_parallel)
        if model.wiring.repository.native_mxfp4 and name.endswith(("_blocks", "_scales")):
            total += size / over * _padding(model, over, compute_capability)
    return round(total)


def _share(name: str, size: int, gpus: int, kv_heads: int, expert_parallel: bool) -> float:
    if _VOCABULARY.search(name) or (expert_parallel and _EXPERT.search(name)):
        return 1 / gpus
    if size < _SMALL_BYTES:
        return 1.0
    if _KEYS_AND_VALUES.search(name):
        return 1 / min(gpus, kv_heads)
    return 1 / gpus if _COLUMNS.search(name) or _ROWS.search(name) else 1.0


def _padding(model: Model, gpus: int, capability: float | None) -> float:
    """How much larger MXFP4 experts become, as a fraction of what is in the file."""
    native = SafetensorsLevel("", "mxfp4", Scheme.NATIVE_MXFP4, 4, "", 4, 32, "U8")
    before = after = 0
    for layer, _, weights in blocks_of(model):
        for weight in weights:
            if weight.kind is Kind.EXPERT:
                shard = shard_of(weight, layer, gpus, False)
                before += shard.elements
                after += padded_for_kernels(shard, native, capability).elements
    return after / before - 1 if before else 0.0
