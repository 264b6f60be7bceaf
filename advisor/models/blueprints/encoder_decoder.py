"""T5 and its kind: an encoder that reads, and a decoder that looks at what was read.

llama.cpp caches the decoder's own keys and values; those of what was read are computed anew. A layer here is a block of
the encoder with the decoder's beside it, whose tensors bear other names in files (`enc.blk.0`, `dec.blk.0`).
"""

from __future__ import annotations

from collections.abc import Iterator

from advisor.foundation.message import fact
from advisor.models.blueprints.common import blueprint
from advisor.models.config import MAX_LAYERS, Config
from advisor.models.mixing import CachedHeads, Past
from advisor.models.model import Layer, Model
from advisor.models.observed import Observed
from advisor.models.tensors import Part, Role, matrix, norm
from advisor.models.wiring import GgufWiring, Wiring


@blueprint(
    *("T5ForConditionalGeneration", "T5WithLMHeadModel", "MT5ForConditionalGeneration"),
    *("UMT5ForConditionalGeneration", "UMT5Model", "T5EncoderModel"),
)
def t5(config: Config) -> Model:
    width, vocabulary = config.integer("d_model"), config.integer("vocab_size")
    encoding = config.integer("num_layers", high=MAX_LAYERS)
    reads_only = config.architecture == "T5EncoderModel"
    decoding = 0 if reads_only else config.integer("num_decoder_layers", default=encoding, high=MAX_LAYERS)
    heads, size = config.integer("num_heads"), config.integer("d_kv")
    past = Past(keys=heads * size, values=heads * size)
    layers = []
    for number in range(max(encoding, decoding)):
        held = [*_block(config, "enc", number)] if number < encoding else []
        decodes = number < decoding
        held += _block(config, "dec", number) if decodes else ()
        kept = (past, heads, CachedHeads(heads, size, size)) if decodes else (Past(), 0, CachedHeads())
        layers.append(Layer((Observed(tuple(held), *kept),), None))
    tied = config.tied(default=not str(config.get("feed_forward_proj", "relu")).startswith("gated"))
    ends = norm("enc.output_norm", width) if reads_only else norm("enc.output_norm", width) + norm("output_norm", width)
    head = () if reads_only or tied else (matrix("output", width, vocabulary, Role.OUTPUT),)
    return Model(
        architecture="t5encoder" if reads_only else "t5",
        width=width,
        vocabulary=vocabulary,
        layers=tuple(layers),
        globals=(matrix("token_embd", width, vocabulary, Role.EMBEDDING), *ends, *head),
        context_length=config.context_length,
        grouped_query_ratio=1,
        causal=not reads_only,
        wiring=Wiring(assumed=True, gguf=GgufWiring(tensor_split=False)),
        notes=() if reads_only else (fact("reads_then_writes"),),
    )


def _block(config: Config, side: str, number: int) -> Iterator[Part]:
    width, inner = config.integer("d_model"), config.integer("d_ff")
    attended = config.integer("num_heads") * config.integer("d_kv")
    for kind in ("attn", "cross_attn") if side == "dec" else ("attn",):
        for name in ("q", "k", "v"):
            yield matrix(f"{side}.{kind}_{name}", width, attended, Role.ATTENTION)
        yield matrix(f"{side}.{kind}_o", attended, width, Role.ATTENTION)
        yield from norm(f"{side}.{kind}_norm", width)
    if number == 0 or config.architecture.startswith("UMT5"):
        buckets = config.integer("relative_attention_num_buckets", default=32)
        yield Part(f"{side}.attn_rel_b.weight", (config.integer("num_heads"), buckets), Role.ATTENTION)
    if str(config.get("feed_forward_proj", "relu")).startswith("gated"):
        yield matrix(f"{side}.ffn_gate", width, inner, Role.FFN)
    yield matrix(f"{side}.ffn_up", width, inner, Role.FFN)
    yield matrix(f"{side}.ffn_down", inner, width, Role.FFN)
    yield from norm(f"{side}.ffn_norm", width)
