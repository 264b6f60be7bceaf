"""Encoders: bidirectional, no KV cache, no output head; BERT and its kind have their norms after the blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from advisor.models.blueprints.common import blueprint, grouped_query_attention, norms, width_of
from advisor.models.config import Config
from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.models.mixers import Attention
from advisor.models.model import Layer, Model
from advisor.models.tensors import Part, Role, bias, matrix, norm
from advisor.models.wiring import GgufWiring, GraphWiring, Rotation, Wiring
from advisor.models.wrappers import labels_of

_ASSUMED = Wiring(assumed=True, gguf=GgufWiring(tensor_split=False))


def _encoder(
    config: Config, architecture: str, attention: Attention, feed_forward: Dense, positions: int, rotation: Rotation
) -> Model:
    width, vocabulary = width_of(config), config.integer("vocab_size")
    types = config.integer("type_vocab_size", default=1, low=0)
    extras = norms(width, ("attn_output_norm", "layer_output_norm"), with_bias=True)
    parts: list[Part] = [
        matrix("token_embd", width, vocabulary, Role.EMBEDDING),
        *([matrix("token_types", width, types, Role.EMBEDDING)] if types else []),
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


@blueprint("XLMRobertaModel", "RobertaModel", "CamembertModel")
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
    """Rotary positions, fused query/key/value, a gated feed-forward, no biases; in the second version experts instead,
    in every other layer."""
    inner, every = (
        config.integer("n_inner", "intermediate_size"),
        config.integer("moe_every_n_layers", default=0, low=0),
    )
    attention = grouped_query_attention(config, fused_qkv=True, qkv_bias=bool(every), output_bias=bool(every))
    plain = Dense(inner, gate="none", bias=True) if every else Dense(inner)
    model = _encoder(config, "nomic-bert-moe" if every else "nomic-bert", attention, plain, 0, "everywhere")
    if not every:
        return model
    routed = MixtureOfExperts(config.experts("num_experts"), config.experts("moe_top_k"), inner, gate=False)
    layers = tuple(
        replace(layer, feed_forward=routed) if number % every == 1 else layer
        for number, layer in enumerate(model.layers)
    )
    return replace(model, layers=layers, wiring=_ASSUMED)


@blueprint("DistilBertModel", "DistilBertForMaskedLM")
def distilbert(config: Config) -> Model:
    """BERT without token types, under names of its own."""
    renamed = {
        "hidden_size": config.integer("dim"), "num_hidden_layers": config.layers(), "type_vocab_size": 0,
        "num_attention_heads": config.integer("n_heads"), "intermediate_size": config.integer("hidden_dim"),
    }  # fmt: skip
    return bert(Config({**config.values, **renamed}))


@blueprint("JinaBertModel", "JinaBertForMaskedLM")
def jina_bert(config: Config) -> Model:
    """Positions by a slope over distances, and a gated feed-forward block."""
    width, inner = width_of(config), config.integer("intermediate_size")
    model = _encoder(
        config,
        "jina-bert-v2",
        grouped_query_attention(config, qkv_bias=True, output_bias=True),
        Dense(inner),
        0,
        "nowhere",
    )
    extras = (*model.layers[0].extras, bias("ffn_down", width, Role.FFN))
    layers = tuple(replace(layer, extras=extras) for layer in model.layers)
    return replace(model, layers=layers, wiring=_ASSUMED, context_length=config.context_length)


def _pre_normed(config: Config, architecture: str, layers: Sequence[Layer], parts: Iterable[Part]) -> Model:
    """An encoder whose norms come before its blocks; `parts` are those outside of them, beside the embedding."""
    width, vocabulary = width_of(config), config.integer("vocab_size")
    return Model(
        architecture=architecture,
        width=width,
        vocabulary=vocabulary,
        layers=tuple(layers),
        globals=(matrix("token_embd", width, vocabulary, Role.EMBEDDING), *parts),
        context_length=config.integer("max_position_embeddings", "max_length", default=0, low=0) or None,
        grouped_query_ratio=1,
        causal=False,
        wiring=_ASSUMED,
    )


@blueprint("ModernBertModel", "ModernBertForMaskedLM")
def modern_bert(config: Config) -> Model:
    """Every third layer attends to all, the others to a window; the first has no norm before its attention."""
    width, count = width_of(config), config.layers()
    attention = grouped_query_attention(config, fused_qkv=True)
    block = Dense(config.integer("intermediate_size"), gate="fused")
    window = config.integer("local_attention", default=128)
    every = config.integer("global_attn_every_n_layers", default=3)
    layers = [
        Layer(
            (replace(attention, window=window if number % every else 0),),
            block,
            norms(width, ("attn_norm", "ffn_norm") if number else ("ffn_norm",)),
        )
        for number in range(count)
    ]
    return _pre_normed(config, "modern-bert", layers, norms(width, ("token_embd_norm", "output_norm")))


@blueprint("NeoBERT", "NeoBERTLMHead")
def neo_bert(config: Config) -> Model:
    width, inner = width_of(config), config.integer("intermediate_size") * 2 // 3
    block = Dense(-(-inner // 8) * 8, gate="fused")
    layer = Layer((grouped_query_attention(config, fused_qkv=True),), block, norms(width, ("attn_norm", "ffn_norm")))
    return _pre_normed(config, "neo-bert", [layer] * config.layers(), norms(width, ("enc.output_norm",)))


@blueprint("EuroBertModel", "EuroBertForMaskedLM")
def euro_bert(config: Config) -> Model:
    """The shape of Llama, looking both ways."""
    width = width_of(config)
    block = Dense(config.integer("intermediate_size"))
    layer = Layer((grouped_query_attention(config),), block, norms(width, ("attn_norm", "ffn_norm")))
    return _pre_normed(config, "eurobert", [layer] * config.layers(), norms(width, ("output_norm",)))


def _scored(model: Model, config: Config, *before: Part) -> Model:
    """The same encoder with a head that gives scores, whose last matrix comes after `before`."""
    labels = labels_of(config.raw)
    last = (matrix("cls.output", model.width, labels, Role.OTHER), bias("cls.output", labels, Role.OTHER))
    return replace(model, globals=(*model.globals, *before, *last))


def _dense_before(model: Model) -> tuple[Part, ...]:
    return (matrix("cls", model.width, model.width, Role.OTHER), bias("cls", model.width, Role.OTHER))


@blueprint("BertForSequenceClassification")
def bert_scores(config: Config) -> Model:
    """The pooler before BERT's own head is not converted."""
    return _scored(bert(config), config)


@blueprint(
    "RobertaForSequenceClassification", "CamembertForSequenceClassification", "XLMRobertaForSequenceClassification"
)
def roberta_scores(config: Config) -> Model:
    model = xlm_roberta(config)
    return _scored(model, config, *_dense_before(model))


@blueprint("DistilBertForSequenceClassification")
def distilbert_scores(config: Config) -> Model:
    model = distilbert(config)
    return _scored(model, config, *_dense_before(model))


@blueprint("NeoBERTForSequenceClassification")
def neo_bert_scores(config: Config) -> Model:
    model = neo_bert(config)
    return _scored(model, config, *_dense_before(model))


@blueprint("ModernBertForSequenceClassification")
def modern_bert_scores(config: Config) -> Model:
    """A norm in its head, and no bias in what comes before the last matrix."""
    model = modern_bert(config)
    dense = (matrix("cls", model.width, model.width, Role.OTHER), *norm("cls.norm", model.width))
    return _scored(model, config, *dense)
