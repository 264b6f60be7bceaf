"""The weights of a model as its Hugging Face repository stores them: what the safetensors formats are counted from.

A tensor table describes a GGUF file. Repositories differ from it: projections that llama.cpp splits are one
matrix (`kv_b_proj` of latent attention), experts are one matrix each, rotary tables are not stored. This module
says it once, for every block, together with what decides whether a writer packs a matrix. Names follow Llama and
DeepSeek; families that call the same matrix otherwise take the same bytes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from advisor.models.model import Layer, Model
from advisor.models.tensors import Part, Role
from advisor.models.wiring import RepositoryWiring


class Kind(StrEnum):
    """What a writer looks at when it decides whether to pack a weight."""

    LINEAR = "linear"  # a projection inside a block: every writer packs it
    EXPERT = "expert"  # the same, once per expert
    OUTER = "outer"  # a linear layer outside the blocks
    ROUTER = "router"  # scores experts
    SMALL = "small"  # gates and low-rank helpers, which recipes leave alone
    EMBEDDING = "embedding"
    HEAD = "head"
    KEPT = "kept"  # norms, biases, convolutions, states: never packed


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor of the repository. `shape` is (outputs, inputs) for a matrix; `copies` of it are stored (experts).

    `together` says that the repository keeps all copies as one three-dimensional tensor, which is not a Linear
    layer. `dtype` overrides the model's own type. `trained` is False for tables that are not parameters.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind
    copies: int = 1
    together: bool = False
    dtype: str = ""
    trained: bool = True

    @property
    def columns(self) -> int:
        """Inputs."""
        return self.shape[-1]

    @property
    def rows(self) -> int:
        """Outputs."""
        return math.prod(self.shape[:-1])

    @property
    def elements(self) -> int:
        return math.prod(self.shape) * self.copies


_NAMES: dict[str, tuple[str, Kind]] = {
    "attn_q": ("self_attn.q_proj", Kind.LINEAR),
    "attn_k": ("self_attn.k_proj", Kind.LINEAR),
    "attn_v": ("self_attn.v_proj", Kind.LINEAR),
    "attn_qkv": ("self_attn.qkv_proj", Kind.LINEAR),
    "attn_output": ("self_attn.o_proj", Kind.LINEAR),
    "attn_gate": ("self_attn.gate_proj", Kind.LINEAR),
    "attn_q_a": ("self_attn.q_a_proj", Kind.LINEAR),
    "attn_q_b": ("self_attn.q_b_proj", Kind.LINEAR),
    "attn_kv_a_mqa": ("self_attn.kv_a_proj_with_mqa", Kind.LINEAR),
    "attn_kv": ("self_attn.kv_proj", Kind.LINEAR),
    "attn_output_a": ("self_attn.o_a_proj", Kind.LINEAR),
    "attn_output_b": ("self_attn.o_b_proj", Kind.LINEAR),
    "indexer.q_proj": ("self_attn.indexer.q_proj", Kind.LINEAR),
    "indexer.k_proj": ("self_attn.indexer.k_proj", Kind.LINEAR),
    "indexer.attn_k": ("self_attn.indexer.wk", Kind.LINEAR),
    "indexer.attn_q_b": ("self_attn.indexer.wq_b", Kind.LINEAR),
    "indexer.proj": ("self_attn.indexer.weights_proj", Kind.SMALL),
    "ssm_in": ("mamba.in_proj", Kind.LINEAR),
    "ssm_out": ("mamba.out_proj", Kind.LINEAR),
    "ssm_ba": ("linear_attn.in_proj_ba", Kind.SMALL),
    "ssm_beta": ("linear_attn.in_proj_b", Kind.SMALL),
    "ssm_alpha": ("linear_attn.in_proj_a", Kind.SMALL),
    "ssm_f_a": ("self_attn.f_a_proj", Kind.LINEAR),
    "ssm_f_b": ("self_attn.f_b_proj", Kind.LINEAR),
    "ssm_g": ("self_attn.g_proj", Kind.LINEAR),
    "ssm_g_a": ("self_attn.g_a_proj", Kind.LINEAR),
    "ssm_g_b": ("self_attn.g_b_proj", Kind.LINEAR),
    "shortconv.in_proj": ("conv.in_proj", Kind.LINEAR),
    "shortconv.out_proj": ("conv.out_proj", Kind.LINEAR),
    "ple_key": ("ple.key_proj", Kind.LINEAR),
    "ple_value": ("ple.value_proj", Kind.LINEAR),
    "ffn_gate": ("mlp.gate_proj", Kind.LINEAR),
    "ffn_up": ("mlp.up_proj", Kind.LINEAR),
    "ffn_down": ("mlp.down_proj", Kind.LINEAR),
    "ffn_gate_shexp": ("mlp.shared_experts.gate_proj", Kind.LINEAR),
    "ffn_up_shexp": ("mlp.shared_experts.up_proj", Kind.LINEAR),
    "ffn_down_shexp": ("mlp.shared_experts.down_proj", Kind.LINEAR),
    "ffn_latent_down": ("mlp.latent_down_proj", Kind.LINEAR),
    "ffn_latent_up": ("mlp.latent_up_proj", Kind.LINEAR),
    "ffn_routed_down": ("mlp.routed_down_proj", Kind.LINEAR),
    "ffn_routed_up": ("mlp.routed_up_proj", Kind.LINEAR),
    "ffn_gate_exps": ("mlp.experts.{}.gate_proj", Kind.EXPERT),
    "ffn_up_exps": ("mlp.experts.{}.up_proj", Kind.EXPERT),
    "ffn_gate_up_exps": ("mlp.experts.{}.gate_up_proj", Kind.EXPERT),
    "ffn_down_exps": ("mlp.experts.{}.down_proj", Kind.EXPERT),
    "ffn_gate_inp": ("mlp.gate", Kind.ROUTER),
    "ffn_gate_inp_shexp": ("mlp.shared_expert_gate", Kind.SMALL),
    "inp_gate": ("per_layer_input_gate", Kind.LINEAR),
    "proj": ("per_layer_projection", Kind.LINEAR),
    "laurel_l": ("laurel.linear_left", Kind.SMALL),
    "laurel_r": ("laurel.linear_right", Kind.SMALL),
    "altup_correct_coef": ("altup.correction_coefs", Kind.SMALL),
    "altup_predict_coef": ("altup.prediction_coefs", Kind.SMALL),
    "altup_router": ("altup.modality_router", Kind.SMALL),
    "nextn.eh_proj": ("eh_proj", Kind.SMALL),
    "nextn.embed_tokens": ("embed_tokens", Kind.EMBEDDING),
    "nextn.shared_head_head": ("shared_head.head", Kind.HEAD),
    "attn_norm": ("input_layernorm", Kind.KEPT),
    "ffn_norm": ("post_attention_layernorm", Kind.KEPT),
    "token_embd": ("model.embed_tokens", Kind.EMBEDDING),
    "image_token_embd": ("model.image_embed_tokens", Kind.EMBEDDING),
    "token_types": ("embeddings.token_type_embeddings", Kind.EMBEDDING),
    "position_embd": ("embeddings.position_embeddings", Kind.EMBEDDING),
    "per_layer_token_embd": ("model.embed_tokens_per_layer", Kind.EMBEDDING),
    "per_layer_model_proj": ("model.per_layer_model_projection", Kind.OUTER),
    "altup_proj": ("model.altup_projections", Kind.OUTER),
    "altup_unembd_proj": ("model.altup_unembed_projections", Kind.OUTER),
    "output_norm": ("model.norm", Kind.KEPT),
    "output": ("lm_head", Kind.HEAD),
}
# The same GGUF name means another matrix in a delta net (`Mixing.module`).
_NAMES_IN_MODULE: dict[str, dict[str, tuple[str, Kind]]] = {
    "linear_attn": {
        "attn_qkv": ("linear_attn.in_proj_qkv", Kind.LINEAR),
        "attn_gate": ("linear_attn.in_proj_z", Kind.LINEAR),
        "ssm_out": ("linear_attn.out_proj", Kind.LINEAR),
    }
}


def stored_layers(model: Model, split_latent: bool = False) -> list[tuple[int, tuple[Weight, ...]]]:
    """The weights of each different block with the number of such blocks. Names lack `model.layers.N.`.

    `split_latent`: the up-projection of latent attention as two matrices per head, as mlx-lm converts it.
    """
    return [(count, stored_block(model, layer, split_latent)) for layer, count in Counter(model.layers).items()]


def stored_block(model: Model, layer: Layer, split_latent: bool = False) -> tuple[Weight, ...]:
    """The weights of one block; names lack `model.layers.N.`."""
    parts = list(layer.parts(model.width))
    for merge in model.wiring.repository.merged:
        parts = _merged(parts, *merge)
    if not split_latent:
        parts = _joined_latent(parts)
    module = next((mixer.module for mixer in layer.mixers if mixer.module), "")
    return tuple(weight for part in parts for weight in _weights(part, model.wiring.repository, module))


def stored_globals(model: Model) -> tuple[Weight, ...]:
    """The weights outside the blocks. A tied output head is not stored again."""
    parts = [part for part in model.globals if not part.name.startswith("rope_f")]
    return tuple(weight for part in parts for weight in _weights(part, model.wiring.repository))


def stored_parameters(model: Model) -> int:
    """Parameters of the repository's text model, without multi-token prediction."""
    total = sum(weight.elements for weight in stored_globals(model) if weight.trained)
    for count, weights in stored_layers(model):
        total += count * sum(weight.elements for weight in weights if weight.trained)
    return total


def _merged(parts: Sequence[Part], name: str, members: Sequence[str]) -> list[Part]:
    """`members` replaced by one part that has the rows of all; unchanged where one of them is missing."""
    result = list(parts)
    for suffix in ("weight", "bias"):
        wanted = [f"{member}.{suffix}" for member in members]
        found = [part for part in result if part.name in wanted]
        if len(found) != len(wanted):
            continue
        axis = 1 if suffix == "weight" else 0
        shape = list(found[0].shape)
        shape[axis] = sum(part.shape[axis] for part in found)
        place = result.index(found[0])
        result[place] = replace(found[0], name=f"{name}.{suffix}", shape=tuple(shape))
        result = [part for part in result if part not in found[1:]]
    return result


def _joined_latent(parts: Sequence[Part]) -> list[Part]:
    """The halves of latent attention's up-projection as the one matrix `kv_b_proj`."""
    by_name = {part.name: part for part in parts}
    keys, values = by_name.get("attn_k_b.weight"), by_name.get("attn_v_b.weight")
    if keys is None or values is None:
        return list(parts)
    nope, rank, heads = keys.shape
    joined = Part("attn_kv_b.weight", (rank, heads * (nope + values.shape[1])), Role.ATTENTION)
    return [joined if part is keys else part for part in parts if part is not values]


def _weights(part: Part, wiring: RepositoryWiring, module: str = "") -> Iterator[Weight]:
    stem, _, suffix = part.name.rpartition(".")
    shape = tuple(reversed(part.shape))
    other = _NAMES_IN_MODULE.get(module, {}) if part.role is Role.RECURRENT else {}
    name, kind = other.get(stem) or _NAMES.get(stem, (stem or part.name, Kind.KEPT))
    if stem in ("attn_k_b", "attn_v_b", "attn_kv_b"):
        name, kind = f"self_attn.{stem.removeprefix('attn_')}_proj", Kind.LINEAR
    if suffix != "weight" or (len(shape) < 2 and kind is not Kind.SMALL):
        # The load-balancing bias is kept in 32 bit throughout, the decay by some.
        dtype = "F32" if stem == "exp_probs_b" or (part.name == "ssm_a" and wiring.decay_in_32_bit) else ""
        yield Weight(f"{name}.{suffix}" if stem else name, shape, Kind.KEPT, dtype=dtype)
    elif stem == "ffn_gate_tid2eid":
        yield Weight("mlp.gate.tid2eid", shape, Kind.KEPT, dtype="I64", trained=False)
    elif kind is Kind.EXPERT:
        yield Weight(name, shape[1:], kind, shape[0], together=wiring.experts_together)
    elif len(shape) == 3 and kind is Kind.OUTER:
        yield Weight(f"{name}.{{}}", shape[1:], kind, shape[0])
    elif kind is Kind.SMALL and len(shape) == 1:
        yield Weight(name, (1, *shape), kind)
    elif stem == "per_layer_token_embd" and wiring.per_layer_rows:
        yield Weight(name, (wiring.per_layer_rows, shape[1]), kind)
    else:
        yield Weight(f"{name}.weight" if kind is Kind.KEPT else name, shape, kind)
