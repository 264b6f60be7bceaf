"""A model that no blueprint describes, from the tensors of its file and what its header says of the past it keeps.

Tensors are those of the file, so that weights are exact. Keys and values follow from the shapes of their projections,
else from the header; states from the shapes of convolutions and the header's `ssm.*` and `wkv.*`. How it computes is
not known.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from advisor.foundation.errors import InputError
from advisor.foundation.message import fact
from advisor.models.config import MAX_LAYERS
from advisor.models.feed_forward import Dense, FeedForward, MixtureOfExperts
from advisor.models.indexer import Indexer
from advisor.models.mixing import CachedHeads, Past
from advisor.models.model import Layer, Model
from advisor.models.observed import Observed, ObservedState
from advisor.models.tensors import Part, Role
from advisor.models.wiring import GgufWiring, Wiring
from advisor.sources.gguf_facts import Facts
from advisor.sources.gguf_file import GgufHeader

Shape = tuple[int, ...]
Held = dict[str, Shape]

_BLOCK = re.compile(r"blk\.(\d{1,6})\.(.+)")
_ROLES = (
    ("exps", Role.EXPERTS), ("norm", Role.NORM), ("ffn_gate_inp", Role.ROUTER), ("exp_probs", Role.ROUTER),
    ("ssm", Role.RECURRENT), ("time_mix", Role.RECURRENT), ("conv", Role.RECURRENT), ("attn", Role.ATTENTION),
    ("indexer", Role.ATTENTION), ("ffn", Role.FFN), ("channel_mix", Role.FFN), ("embd", Role.EMBEDDING),
    ("token_types", Role.EMBEDDING), ("output", Role.OUTPUT),
)  # fmt: skip
_STATES = ("ssm_a", "ssm_conv1d", "ssm_conv1d_q", "time_mix_key", "time_mix_w2", "time_mix_w0")
_LONGEST_KERNEL = 64
_REPLACES_ATTENTION = ("ssm_conv1d_q", "time_mix_key")


def observed_model(header: GgufHeader) -> Model | None:
    """What can be said of it; None where it has no embeddings, or not the blocks it promises."""
    facts, blocks = Facts(header), defaultdict[int, Held](dict)
    globals_: Held = {}
    for tensor in header.tensors:
        if found := _BLOCK.fullmatch(tensor.name):
            blocks[int(found[1])][found[2]] = tensor.shape
        else:
            globals_[tensor.name] = tensor.shape
    table = globals_.get("token_embd.weight", ())
    count = max(blocks, default=-1) + 1
    if len(table) < 2 or not facts.drafts < count <= MAX_LAYERS or facts.get("block_count", count) != count:
        return None
    facts.width, facts.layers = table[0], count - facts.drafts
    layers = tuple(_layer(facts, number, blocks[number]) for number in range(count))
    causal = header.metadata.get(f"{header.architecture}.attention.causal") is not False
    model = Model(
        architecture=header.architecture,
        width=facts.width,
        vocabulary=table[1],
        layers=layers[: facts.layers],
        globals=tuple(_part(name, shape) for name, shape in globals_.items()),
        context_length=facts.get("context_length"),
        grouped_query_ratio=_ratio(facts),
        mtp_layers=layers[facts.layers :],
        causal=causal,
        wiring=Wiring(assumed=True, gguf=GgufWiring(tensor_split=False)),
        notes=(fact("architecture_assumed", architecture=header.architecture[:40]),),
    )
    return model.with_mtp()


def _part(name: str, shape: Shape) -> Part:
    role = next((role for word, role in _ROLES if word in name), Role.OTHER)
    return Part(name, shape, role)


def _ratio(facts: Facts) -> int:
    heads, cached = facts.per_layer("attention.head_count"), facts.per_layer("attention.head_count_kv")
    return heads[0] // cached[0] if heads and cached[0] else 0


def _layer(facts: Facts, number: int, held: Held) -> Layer:
    rest = dict(held)
    feeding = next((block for block in _feed_forwards(facts, held) if _takes(block, facts, rest)), None)
    past = _past(facts, number, rest)
    heads = _at(facts, "attention.head_count", number) if past.keys else 0
    size = _at(facts, "attention.key_length", number) or (facts.width // heads if heads else 0)
    cached = CachedHeads()
    if past.keys and past.values and size and past.keys % size == 0:
        count = past.keys // size
        cached = CachedHeads(count, size, past.values // count)
    kind = ObservedState if past.state or past.convolution else Observed
    return Layer((kind(tuple(_part(*one) for one in rest.items()), past, heads, cached),), feeding)


def _takes(block: FeedForward, facts: Facts, rest: Held) -> bool:
    """Whether all its tensors are there; then they are no longer of the rest."""
    parts = tuple(block.parts(facts.width))
    if any(rest.get(part.name) != part.shape for part in parts):
        return False
    for part in parts:
        del rest[part.name]
    return True


def _feed_forwards(facts: Facts, held: Held) -> Sequence[FeedForward]:
    """The usual feed-forward blocks that these tensors may be, the one with most of them first."""
    if (down := held.get("ffn_down_exps.weight")) is not None and len(down) == 3:
        shared = held.get("ffn_up_shexp.weight", (0, 0))
        try:
            block = MixtureOfExperts(
                down[2],
                max(1, min(down[2], facts.get("expert_used_count", 1))),
                down[0],
                gate="ffn_gate_exps.weight" in held or "ffn_gate_up_exps.weight" in held,
                fused_gate_up="ffn_gate_up_exps.weight" in held,
                bias="ffn_down_exps.bias" in held,
                selection_bias="exp_probs_b.bias" in held,
                shared_inner=shared[1] if len(shared) > 1 else 0,
                shared_gate="ffn_gate_inp_shexp.weight" in held,
            )
        except InputError:
            return ()
        return (block, replace(block, shared_inner=0, shared_gate=False, bias=False))
    if (down := held.get("ffn_down.weight")) is not None and len(down) == 2:
        gate = "separate" if "ffn_gate.weight" in held else "none"
        if gate == "none" and held.get("ffn_up.weight", (0, 0))[1:] == (2 * down[0],):
            gate = "fused"
        return tuple(Dense(down[0], gate, bias) for bias in (True, False))
    return ()


def _at(facts: Facts, key: str, number: int) -> int:
    values = facts.header.metadata.get(f"{facts.header.architecture}.{key}", 0)
    value = values[number] if isinstance(values, tuple) and number < len(values) else values
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _past(facts: Facts, number: int, held: Held) -> Past:
    convolution, state = _state(facts, held)
    past = Past(convolution=convolution, state=state)
    if not _attends(facts, number, held):
        return past
    if (rank := facts.get("attention.kv_lora_rank", 0)) and (
        "attn_k_b.weight" in held or facts.get("attention.key_length_mla", 0)
    ):
        past = replace(past, keys=rank + facts.get("rope.dimension_count", 0), latent=True)
    else:
        keys, values = _widths(facts, number, held)
        past = replace(past, keys=keys, values=values, window=_window(facts, number))
    size = facts.get("attention.indexer.key_length", 0)
    if size and any(name.startswith("indexer.") for name in held):
        past = replace(past, indexer=Indexer(max(1, facts.get("attention.indexer.head_count", 1)), size))
    return past


def _attends(facts: Facts, number: int, held: Held) -> bool:
    per_layer = facts.header.metadata.get(f"{facts.header.architecture}.attention.head_count_kv")
    if isinstance(per_layer, tuple) and not _at(facts, "attention.head_count_kv", number):
        return False
    if any(f"{name}.weight" in held for name in _REPLACES_ATTENTION):
        return False
    if "attn_qkv.weight" in held:  # of delta nets it is what their convolution reads
        return "ssm_conv1d.weight" not in held
    return any(f"{name}.weight" in held for name in ("attn_k", "attn_kv_a_mqa", "attn_kv"))


def _widths(facts: Facts, number: int, held: Held) -> tuple[int, int]:
    """Elements of keys and values of a token."""
    heads = _at(facts, "attention.head_count", number)
    cached = _at(facts, "attention.head_count_kv", number) or heads
    usual = facts.width // heads if heads else 0
    windowed = "_swa" if _window(facts, number) and facts.get("attention.key_length_swa") else ""
    key = facts.get(f"attention.key_length{windowed}", 0) or usual
    value = facts.get(f"attention.value_length{windowed}", 0) or usual
    if facts.get("attention.kv_lora_rank", 0):  # a latent vector that is unpacked before it is cached
        return heads * key, heads * value
    shapes = [_rows(held, name) for name in ("attn_k", "attn_v")]
    if shapes[0]:  # their own rows say it best; where values have none they are the keys
        return shapes[0], shapes[1] or shapes[0]
    if cached and key and value:
        return cached * key, cached * value
    both = max(0, _rows(held, "attn_qkv") - (held.get("attn_output.weight") or (0,))[0])
    return both // 2, both - both // 2


def _rows(held: Mapping[str, Shape], name: str) -> int:
    shape = held.get(f"{name}.weight", ())
    return shape[1] if len(shape) == 2 else 0


def _window(facts: Facts, number: int) -> int:
    """Its window, where the header says that this layer has one; else it sees all, which takes more."""
    window = facts.get("attention.sliding_window", 0)
    pattern = facts.header.metadata.get(f"{facts.header.architecture}.attention.sliding_window_pattern")
    if not window or pattern is None:
        return 0
    if isinstance(pattern, tuple):
        return window if number < len(pattern) and pattern[number] else 0
    every = pattern if isinstance(pattern, int) else 0
    return window if every and (number + 1) % every else 0


def _state(facts: Facts, held: Held) -> tuple[int, int]:
    """Elements of the past inputs of convolutions, and of the state, of one sequence."""
    convolutions = [
        shape
        for name, shape in held.items()
        if "conv" in name and name.endswith(".weight") and len(shape) > 1 and shape[0] <= _LONGEST_KERNEL
    ]
    convolution = sum((shape[0] - 1) * shape[-1] for shape in convolutions)
    if not any(name.removesuffix(".weight") in _STATES for name in held):
        return convolution, 0
    width, head = facts.width, facts.get("wkv.head_size", 0)
    if head:
        return facts.get("token_shift_count", 2) * width, head * width
    if size := facts.get("kda.head_dim", 0):
        return convolution, size * max((shape[-1] for shape in convolutions), default=width)
    return convolution, facts.get("ssm.state_size", 0) * facts.get("ssm.inner_size", 0)
