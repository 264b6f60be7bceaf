"""What one GPU holds of the weights when vLLM splits every layer over all GPUs (tensor parallelism).

Rules of vLLM 0.33.0: `model_executor/layers/linear.py` (column- and row-parallel layers), `vocab_parallel_embedding.py`
(vocabulary padded to 64), `models/deepseek_v2.py` (latent projections are whole on every GPU), `fused_moe/` (experts
are split like dense layers; with expert parallelism every GPU holds some of them whole).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from advisor.formats.safetensors_levels import SafetensorsLevel, Scheme
from advisor.formats.safetensors_sizes import StoredWeight, by_block, level_of, padded_as_published, stored_weight
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.models.linear_layers import Kind, Weight, stored_block, stored_globals
from advisor.models.mixers import Attention, LatentAttention
from advisor.models.model import Layer, Model
from advisor.models.recurrent import Mamba2
from advisor.models.wiring import Wiring
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


@kept_beside
def weights_per_gpu(
    model: Model,
    level: SafetensorsLevel,
    gpus: int,
    *,
    expert_gpus: int | None = None,
    expert_parallel: bool = False,
    compute_capability: float | None = None,
) -> int:
    """Bytes of weights on each of `gpus` GPUs. Raises InputError where vLLM cannot split the model like this.

    Routed experts are shared by `expert_gpus` (None: the same): those of all replicas under data parallelism.
    """
    check_split(model, gpus)
    total = 0
    for weight in stored_globals(model):
        total += _held(_global_shard(weight, gpus), level, model.wiring)
    for layer, count, weights in blocks_of(model):
        for weight in (padded_as_published(weight, level, model.wiring) for weight in weights):
            over = expert_gpus if weight.kind is Kind.EXPERT and expert_gpus is not None else gpus
            shard = padded_for_kernels(shard_of(weight, layer, over, expert_parallel), level, compute_capability)
            for blocks, at in by_block(level, count):
                if shard.shape != weight.shape:
                    _check_groups(weight, shard, at, model.wiring, over)
                total += blocks * _held(shard, _level_held(shard, at), model.wiring)
        total += count * _unpacked_latent(layer, level, gpus)
    return total


@kept_beside
def blocks_of(model: Model) -> tuple[tuple[Layer, int, tuple[Weight, ...]], ...]:
    """Each different block, how many there are, and its weights."""
    return tuple((layer, count, stored_block(model, layer)) for layer, count in Counter(model.layers).items())


def check_split(model: Model, gpus: int) -> None:
    """Raise InputError, in one sentence, where attention heads do not divide over the GPUs."""
    if not 1 <= gpus <= 64:
        raise InputError("A model is split over 1 to 64 GPUs; {gpus} were asked for.", gpus=gpus)
    if gpus == 1:
        return
    for mixer in model.mixers:
        heads, kv_heads = mixer.split_heads, mixer.cached_heads.count
        if heads % gpus:
            fitting = ", ".join(str(n) for n in range(1, 17) if heads % n == 0)
            raise InputError(
                "There is no split of {heads} attention heads over {gpus} GPUs; use one of {fitting}.",
                heads=heads,
                gpus=gpus,
                fitting=fitting,
            )
        if kv_heads and kv_heads % gpus and gpus % kv_heads:
            raise InputError(
                "There is no split of {kv_heads} KV heads over {gpus} GPUs; one must be a multiple of the other.",
                kv_heads=kv_heads,
                gpus=gpus,
            )


def _held(weight: Weight, level: SafetensorsLevel, wiring: Wiring) -> int:
    stored = stored_weight(weight, level, wiring)
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
        raise InputError(
            "There is no split of a vocabulary of {padded:,} over {gpus} GPUs; use a power of two.",
            padded=padded,
            gpus=gpus,
        )
    return replace(weight, shape=(padded // gpus, weight.columns))


def shard_of(weight: Weight, layer: Layer, gpus: int, expert_parallel: bool) -> Weight:
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
        raise InputError(
            "There is no split of the {size:,} of {name} over {gpus} GPUs; use fewer or a power of two.",
            size=size,
            name=name,
            gpus=gpus,
        )
    return size // gpus


def _check_groups(weight: Weight, shard: Weight, level: SafetensorsLevel, wiring: Wiring, gpus: int) -> None:
    """Groups of inputs, and blocks of FP8 scales, must not be cut in two by the split."""
    packed = level_of(weight, level, wiring)
    if packed is None or len(stored_weight(weight, level, wiring).tensors) == 1:
        return  # not packed
    level = packed
    blocks = level.scheme is Scheme.BLOCK
    sizes = shard.shape if blocks else shard.shape[1:]
    if not level.group or _regrouped(shard, level) or not any(size % level.group for size in sizes):
        return
    name = weight.name.replace(".{}", "")
    raise InputError(
        "{level} cannot be split over {gpus} GPUs: {name} would be {rows:,} x {columns:,} on each, "
        "which is not a whole number of what shares a scale ({group}); use fewer GPUs.",
        level=level.name,
        gpus=gpus,
        name=name,
        rows=shard.rows,
        columns=shard.columns,
        group=level.group,
    )


def _regrouped(shard: Weight, level: SafetensorsLevel) -> bool:
    """Experts in GPTQ or AWQ fall back to kernels (`moe_wna16.py`) that repeat scales for smaller groups."""
    return shard.kind is Kind.EXPERT and level.scheme in (Scheme.GPTQ, Scheme.AWQ)


def _level_held(shard: Weight, level: SafetensorsLevel) -> SafetensorsLevel:
    if not _regrouped(shard, level) or not level.group:
        return level
    group = level.group
    while shard.columns % group and group > 1:
        group //= 2
    return level if group == level.group else replace(level, group=group)


def padded_for_kernels(shard: Weight, level: SafetensorsLevel, capability: float | None) -> Weight:
    """MXFP4 experts are padded for the kernels: Marlin to 256 x 128, Triton (Hopper) in one direction only."""
    if shard.kind is not Kind.EXPERT or level.scheme is not Scheme.NATIVE_MXFP4:
        return shard
    hopper = capability is not None and 9 <= capability < 10
    down = shard.name.endswith("down_proj")
    rows, columns = shard.shape
    hidden, inner = (rows, columns) if down else (columns, rows // 2)
    hidden, inner = round_up(hidden, 256), round_up(inner, 64 if hopper else 128)
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
