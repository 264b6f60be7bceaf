"""BERT-style encoders: bidirectional, no KV cache, norms after the blocks, no output head."""

from __future__ import annotations

from advisor.models.blueprints.common import blueprint, grouped_query_attention, norms, width_of
from advisor.models.config import Config
from advisor.models.feed_forward import Dense
from advisor.models.mixers import Attention
from advisor.models.model import Layer, Model
from advisor.models.tensors import Part, Role, matrix, norm
from advisor.models.wiring import GraphWiring, Rotation, Wiring


def _encoder(
    config: Config, architecture: str, attention: Attention, feed_forward: Dense, positions: int, rotation: Rotation
) -> Model:
    width, vocabulary = width_of(config), config.integer("vocab_size")
    extras = norms(width, ("attn_output_norm", "layer_output_norm"), with_bias=True)
    parts: list[Part] = [
        matrix("token_embd", width, vocabulary, Role.EMBEDDING),
        matrix("token_types", width, config.integer("type_vocab_size", default=1), Role.EMBEDDING),
        *norm("token_embd_norm", width, with_bias=True),
    ]
    if positions:
        parts.append(matrix("position_embd", width, positions, Role.EMBEDDING))
    return Model(
        architecture=architecture,
        width=width,
        vocabulary=vocabulary,
        layers=(Layer((attention,), feed_forward, extras),) * config.layers(),
        globals=tuple(parts),
        context_length=positions or config.context_length,
        grouped_query_ratio=1,
        causal=False,
        wiring=Wiring(GraphWiring(layer_norm=True, rotation=rotation)),
    )


@blueprint("BertModel", "BertForMaskedLM")
def bert(config: Config) -> Model:
    return _encoder(
        config,
        "bert",
        grouped_query_attention(config, qkv_bias=True, output_bias=True),
        Dense(config.integer("intermediate_size"), gate="none", bias=True),
        config.integer("max_position_embeddings"),
        "nowhere",
    )


@blueprint("XLMRobertaModel", "RobertaModel", "XLMRobertaForSequenceClassification")
def xlm_roberta(config: Config) -> Model:
    """As BERT, but position numbers start after the padding token; the converter drops those rows."""
    offset = config.integer("pad_token_id", default=1, low=0) + 1
    return _encoder(
        config,
        "bert",
        grouped_query_attention(config, qkv_bias=True, output_bias=True),
        Dense(config.integer("intermediate_size"), gate="none", bias=True),
        config.integer("max_position_embeddings", low=offset + 1) - offset,
        "nowhere",
    )


@blueprint("NomicBertModel")
def nomic_bert(config: Config) -> Model:
    """Rotary positions, fused query/key/value, a gated feed-forward, no biases."""
    return _encoder(
        config,
        "nomic-bert",
        grouped_query_attention(config, fused_qkv=True),
        Dense(config.integer("n_inner", "intermediate_size")),
        0,
        "everywhere",
    )
