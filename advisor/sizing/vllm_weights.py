"""What one GPU holds of the weights when vLLM splits every layer over all GPUs (tensor parallelism).

Rules of vLLM 0.33.0: `model_executor/layers/linear.py` (column- and row-parallel layers), `vocab_parallel_embedding.py`
(vocabulary padded to 64), `models/deepseek_v2.py` (latent projections are whole on every GPU), `fused_moe/` (experts
are split like dense layers; with expert parallelism every GPU holds some of them whole).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from advisor.errors import InputError
from advisor.formats.gguf_levels import NATIVE_MXFP4
from advisor.formats.safetensors_levels import SafetensorsLevel, Scheme
from advisor.formats.safetensors_sizes import StoredWeight, stored_weight
from advisor.models.linear_layers import Kind, Weight, stored_block, stored_globals
from advisor.models.mixers import Attention, LatentAttention
from advisor.models.model import Layer, Model
from advisor.models.recurrent import Mamba2
from advisor.sizing.settings import round_up

VOCABULARY_GRAIN = 64
_COLUMN_SPLIT = frozenset(
    {
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "self_attn.qkv_proj",
        "self_attn.gate_proj",
        "self_attn.q_b_proj",
        "self_attn.kv_b_proj",
        "self_attn.o_a_proj",
        "self_attn.f_b_proj",
        "self_attn.g_proj",
        "self_attn.g_b_proj",
        "linear_attn.in_proj_qkv",
        "linear_attn.in_proj_z",
        "linear_attn.in_proj_a",
        "linear_attn.in_proj_b",
        "linear_attn.in_proj_ba",
        "mamba.in_proj",
        "conv.in_proj",
        "mlp.gate_proj",
        "mlp.up_proj",
        "mlp.shared_experts.gate_proj",
        "mlp.shared_experts.up_proj",
        "mlp.experts.{}.gate_proj",
        "mlp.experts.{}.up_proj",
        "mlp.experts.{}.gate_up_proj",
    }
)
_ROW_SPLIT = frozenset(
    {
        "self_attn.o_proj",
        "self_attn.o_b_proj",
        "linear_attn.out_proj",
        "mamba.out_proj",
        "conv.out_proj",
        "mlp.down_proj",
        "mlp.shared_experts.down_proj",
        "mlp.experts.{}.down_proj",
    }
)
# Loaded, then thrown away: symmetric GPTQ needs neither zero points nor the order of its inputs.
_DROPPED = {
    Scheme.GPTQ: frozenset({"g_idx", "qzeros"}),
    Scheme.PACKED: frozenset({"weight_shape"}),
    Scheme.LLM_INT8: frozenset({"weight_format"}),
}
_BLOCK = 128  # FP8 block scales: what a GPU holds of a matrix must be whole blocks


def weights_per_gpu(
    model: Model,
    level: SafetensorsLevel,
    gpus: int,
    *,
    expert_parallel: bool = False,
    compute_capability: float | None = None,
) -> int:
    """Bytes of weights on each of `gpus` GPUs. Raises InputError where vLLM cannot split the model like this."""
    check_split(model, gpus)
    total = 0
    for weight in stored_globals(model):
        total += _held(_global_shard(weight, gpus), level, model.architecture)
    for layer, count in Counter(model.layers).items():
        total += count * _layer_bytes(model, layer, level, gpus, expert_parallel, compute_capability)
    return total


def _layer_bytes(
    model: Model, layer: Layer, level: SafetensorsLevel, gpus: int, expert_parallel: bool, capability: float | None
) -> int:
    total = 0
    for weight in stored_block(model, layer):
        shard = _padded(_shard(weight, layer, gpus, expert_parallel), level, capability)
        if gpus > 1:
            _check_blocks(weight, shard, level, model.architecture, gpus)
        total += _held(shard, level, model.architecture)
        if weight.name == "self_attn.kv_b_proj":
            total += _unpacked_latent(layer, level, gpus)
    return total


def check_split(model: Model, gpus: int) -> None:
    """Raise InputError, in one sentence, where attention heads do not divide over the GPUs."""
    if not 1 <= gpus <= 64:
        raise InputError(f"vLLM splits a model over 1 to 64 GPUs; {gpus} were asked for.")
    if gpus == 1:
        return
    for mixer in _mixers(model):
        heads = getattr(mixer, "heads", 0) or getattr(mixer, "value_heads", 0)
        if heads % gpus:
            fitting = ", ".join(str(n) for n in range(1, 17) if heads % n == 0)
            raise InputError(
                f"vLLM cannot split {heads} attention heads over {gpus} GPUs; use a number that divides them ({fitting})."
            )
        if isinstance(mixer, Attention) and mixer.kv_heads % gpus and gpus % mixer.kv_heads:
            raise InputError(
                f"vLLM cannot split {mixer.kv_heads} KV heads over {gpus} GPUs; "
                "one number must be a multiple of the other."
            )


@lru_cache(maxsize=512)
def _mixers(model: Model) -> tuple[object, ...]:
    return tuple(dict.fromkeys(mixer for layer in model.layers for mixer in layer.mixers))


def _held(weight: Weight, level: SafetensorsLevel, architecture: str) -> int:
    stored = stored_weight(weight, level, architecture)
    if weight.kind is Kind.KEPT or level.scheme is Scheme.PLAIN:
        return stored.size_bytes
    return _without(stored, _DROPPED.get(level.scheme, frozenset()))


def _without(stored: StoredWeight, dropped: frozenset[str]) -> int:
    return stored.copies * sum(tensor.size_bytes for tensor in stored.tensors if tensor.suffix not in dropped)


def _global_shard(weight: Weight, gpus: int) -> Weight:
    """Embeddings and output head are split by vocabulary; everything else outside the blocks is whole."""
    tables = ("model.embed_tokens", "model.embed_tokens_per_layer", "lm_head")
    if weight.name not in tables:
        return weight
    padded = round_up(weight.rows, VOCABULARY_GRAIN)
    if padded % gpus:
        raise InputError(f"vLLM cannot split a vocabulary of {padded:,} over {gpus} GPUs; use a power of two.")
    return replace(weight, shape=(padded // gpus, weight.columns))


def _shard(weight: Weight, layer: Layer, gpus: int, expert_parallel: bool) -> Weight:
    if weight.kind is Kind.EXPERT and expert_parallel:
        return replace(weight, copies=-(-weight.copies // gpus))
    if weight.name in _COLUMN_SPLIT:
        rows = _rows_held(weight, layer, gpus)
        return replace(weight, shape=(rows, weight.columns))
    if weight.name in _ROW_SPLIT:
        return replace(weight, shape=(weight.rows, _divided(weight, weight.columns, gpus)))
    return weight


def _rows_held(weight: Weight, layer: Layer, gpus: int) -> int:
    """Outputs on one GPU. A KV head, or a group of a state-space layer, is repeated where there are more GPUs."""
    for mixer in layer.mixers:
        if isinstance(mixer, Attention) and weight.name.startswith("self_attn."):
            query = mixer.heads * mixer.head_size * (2 if mixer.gated_query else 1) // gpus
            kept = max(mixer.kv_heads // gpus, 1)
            keys, values = kept * mixer.head_size, kept * mixer.value_head_size
            rows = {"k_proj": keys, "v_proj": values, "qkv_proj": query + keys + values}
            return rows.get(weight.name.removeprefix("self_attn."), _divided(weight, weight.rows, gpus))
        if isinstance(mixer, Mamba2) and weight.name == "mamba.in_proj":
            groups = max(mixer.groups // gpus, 1)
            return 2 * mixer.inner // gpus + 2 * groups * mixer.state + mixer.heads // gpus
    return _divided(weight, weight.rows, gpus)


def _divided(weight: Weight, size: int, gpus: int) -> int:
    if size % gpus:
        name = weight.name.replace(".{}", "")
        raise InputError(f"vLLM cannot split the {size:,} of {name} over {gpus} GPUs; use fewer or a power of two.")
    return size // gpus


def _check_blocks(weight: Weight, shard: Weight, level: SafetensorsLevel, architecture: str, gpus: int) -> None:
    """Groups and blocks of the quantization must not be cut in two by the split."""
    if shard.shape == weight.shape:
        return
    whole = stored_weight(weight, level, architecture)
    cut = stored_weight(shard, level, architecture)
    packed = len(whole.tensors) > 1
    blocks = level.scheme is Scheme.BLOCK and packed and any(size % _BLOCK for size in shard.shape)
    if (cut.refused and not whole.refused) or blocks:
        name = weight.name.replace(".{}", "")
        raise InputError(
            f"{level.name} cannot be split over {gpus} GPUs: {name} would be {shard.rows:,} x {shard.columns:,} on each, "
            f"which is not a whole number of its {'blocks' if blocks else 'groups'}; use fewer GPUs."
        )


def _padded(shard: Weight, level: SafetensorsLevel, capability: float | None) -> Weight:
    """MXFP4 experts are padded for the kernels: Marlin to 256 x 128, Triton (Hopper) in one direction only."""
    if shard.kind is not Kind.EXPERT or level.scheme is not Scheme.NATIVE_MXFP4:
        return shard
    hopper = capability is not None and 9 <= capability < 10
    down = shard.name.endswith("down_proj")
    rows, columns = shard.shape
    hidden, inner = (rows, columns) if down else (columns, rows // 2)
    hidden, inner = round_up(hidden, 256), inner if hopper else round_up(inner, 128)
    return replace(shard, shape=(hidden, inner) if down else (2 * inner, hidden))


def _unpacked_latent(layer: Layer, level: SafetensorsLevel, gpus: int) -> int:
    """Latent attention decodes with the up-projection in 16 bit, kept beside a packed one."""
    if level.scheme is Scheme.PLAIN:
        return 0
    return sum(
        2 * mixer.heads // gpus * (mixer.nope_size + mixer.value_size) * mixer.kv_rank
        for mixer in layer.mixers
        if isinstance(mixer, LatentAttention)
    )


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
    kv_heads = min((m.kv_heads for m in _mixers(model) if isinstance(m, Attention)), default=gpus)
    total = 0.0
    for name, size in listed:
        if name.endswith((".g_idx", ".weight_shape")) or (symmetric and name.endswith(".qzeros")):
            continue
        total += size * _share(name, size, gpus, kv_heads, expert_parallel)
        if NATIVE_MXFP4 in model.traits and name.endswith(("_blocks", "_scales")):
            total += size / gpus * _padding(model, gpus, compute_capability)
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
    for layer in Counter(model.layers):
        for weight in stored_block(model, layer):
            if weight.kind is Kind.EXPERT:
                shard = _shard(weight, layer, gpus, False)
                before += shard.elements
                after += _padded(shard, native, capability).elements
    return after / before - 1 if before else 0.0
