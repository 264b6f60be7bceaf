"""Decoders that differ from the usual one by a few switches only: a table, a row an architecture.

Tensors as llama.cpp's loaders ask for them (ggml-org/llama.cpp, src/models/*.cpp, 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, replace

from advisor.foundation.message import Message, fact
from advisor.models.blueprints.common import PRE_NORMS, blueprint, grouped_query_attention, uniform_decoder, width_of
from advisor.models.config import Config
from advisor.models.feed_forward import Dense
from advisor.models.model import Model
from advisor.models.tensors import Part, Role, matrix, norm
from advisor.models.wiring import USUAL, GraphWiring, RepositoryWiring, Wiring

_QKV_APART = RepositoryWiring(merged=(("attn_qkv", ("attn_q", "attn_k", "attn_v")),))
_BIASES = "norm_bias qkv_bias output_bias ffn_bias"
_WORDS = {
    *("layer_norm", "norm_bias", "qkv_bias", "output_bias", "ffn_bias", "head_bias", "fused_qkv", "ungated"),
    *("fused_gate", "four_times", "half_inner", "tied", "positions", "two_more_positions", "embedding_norm"),
    *("no_final_norm", "both_ways", "unrotated", "own_graph"),
}


@dataclass(frozen=True, slots=True)
class Plain:
    """What is not usual about an architecture; `name` is llama.cpp's.

    `traits` are words: `layer_norm` instead of RMS, biases, matrices that are `fused`, a feed-forward block that is
    `ungated`, `four_times` as wide as the model where a config states no size or of `half_inner` of what it states, a
    table of `positions` (of OPT `two_more_positions`), attention `both_ways`, queries `unrotated`. Without `own_graph`
    llama.cpp's graph is the usual one, which its planner has confirmed. `if_told` are biases that keys of a config
    switch on, `kv` the keys for KV heads. `unloaded` says that llama.cpp does not load it.
    """

    classes: tuple[str, ...]
    name: str
    traits: str = ""
    norms: tuple[str, ...] = PRE_NORMS
    query_key_norm: str = ""
    if_told: tuple[tuple[str, str], ...] = ()
    kv: tuple[str, ...] = ("num_key_value_heads",)
    repository: RepositoryWiring = USUAL.repository
    unloaded: Message | None = None

    def model(self, config: Config) -> Model:
        """The model that a config describes."""
        config = _renamed(config, self.kv)
        traits = {*self.traits.split(), *(trait for key, trait in self.if_told if config.get(key) is True)}
        if unknown := traits - _WORDS:
            raise ValueError(f"no such trait: {unknown}")
        width = width_of(config)
        inner = config.integer("intermediate_size", default=4 * width if "four_times" in traits else None)
        model = uniform_decoder(
            config,
            self.name,
            attention=grouped_query_attention(
                config,
                fused_qkv="fused_qkv" in traits,
                qkv_bias="qkv_bias" in traits,
                output_bias="output_bias" in traits,
                query_key_norm=self.query_key_norm,
            ),
            feed_forward=Dense(
                inner // 2 if "half_inner" in traits else inner,
                "none" if "ungated" in traits else "fused" if "fused_gate" in traits else "separate",
                "ffn_bias" in traits,
            ),
            norm_names=self.norms,
            norm_bias="norm_bias" in traits,
            final_norm="" if "no_final_norm" in traits else "output_norm",
            extra_globals=_tables(config, width, traits),
            tied_default="tied" in traits,
            output_bias="head_bias" in traits,
            runtime_note=self.unloaded,
            wiring=Wiring(
                GraphWiring(
                    layer_norm="layer_norm" in traits,
                    rotation="nowhere" if "unrotated" in traits else "everywhere",
                ),
                repository=self.repository,
                assumed="own_graph" in traits,
            ),
        )
        return replace(model, causal=False) if "both_ways" in traits else model


def _tables(config: Config, width: int, traits: Set[str]) -> Iterator[Part]:
    if "positions" in traits:
        rows = config.integer("max_position_embeddings") + 2 * ("two_more_positions" in traits)
        yield matrix("position_embd", width, rows, Role.EMBEDDING)
    if "embedding_norm" in traits:
        yield from norm("token_embd_norm", width, "norm_bias" in traits)


# Other names of the same fields.
_ALIASES = {
    "hidden_size": ("n_embd", "d_model", "model_dim"),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers"),
    "num_attention_heads": ("n_head", "n_heads"),
    "intermediate_size": ("n_inner", "ffn_hidden_size", "mlp_hidden_size", "ffn_dim"),
    "max_position_embeddings": ("n_positions", "n_ctx", "max_seq_len", "max_sequence_length", "seq_length"),
    "vocab_size": ("padded_vocab_size", "embedding_size"),
    "head_dim": ("kv_channels",),
}


def _renamed(config: Config, kv: tuple[str, ...]) -> Config:
    """The config with its fields under the usual names."""
    changed = {}
    for usual, others in {**_ALIASES, "num_key_value_heads": kv}.items():
        found = next((config.get(name) for name in (usual, *others) if config.has(name)), None)
        if usual == "vocab_size":
            found = next((config.get(name) for name in (*others, usual) if config.has(name)), None)
        if found is not None:
            changed[usual] = found
    if config.get("multi_query") is True and not any(config.has(key) for key in kv):
        changed["num_key_value_heads"] = 1
    if shared := config.integer("n_shared_head", default=0, low=0):  # PLaMo states its KV heads by this alone
        changed["num_key_value_heads"] = -(-config.integer("num_attention_heads") // shared)
    return Config({**config.values, **changed})


_ALL = f"layer_norm {_BIASES} ungated"
_ROWS = (
    Plain(("GPT2LMHeadModel",), "gpt2", f"{_ALL} four_times fused_qkv tied positions unrotated own_graph"),
    Plain(("GPTBigCodeForCausalLM",), "starcoder", f"{_ALL} four_times fused_qkv tied positions unrotated own_graph"),
    Plain(("GPTNeoXForCausalLM",), "gptneox", f"{_ALL} fused_qkv"),
    Plain(
        ("GPTJForCausalLM",),
        "gptj",
        "layer_norm norm_bias ffn_bias head_bias ungated four_times own_graph",
        norms=("attn_norm",),
        unloaded=fact("no_loader_for", architecture="GPT-J"),
    ),
    Plain(
        ("OPTForCausalLM",),
        "opt",
        f"{_ALL} tied positions two_more_positions own_graph",
        unloaded=fact("no_loader_for", architecture="OPT"),
    ),
    Plain(("BloomForCausalLM", "BloomModel"), "bloom", f"{_ALL} four_times fused_qkv tied embedding_norm unrotated"),
    Plain(
        ("MPTForCausalLM", "MptForCausalLM"),
        "mpt",
        "layer_norm ungated four_times fused_qkv tied unrotated own_graph",
        kv=("kv_n_heads",),
    ),
    Plain(
        ("StableLmForCausalLM", "StableLMEpochForCausalLM"),
        "stablelm",
        "layer_norm norm_bias",
        if_told=(("use_qkv_bias", "qkv_bias"),),
    ),
    Plain(("BaichuanForCausalLM", "BaiChuanForCausalLM"), "baichuan", repository=_QKV_APART),
    Plain(
        ("ChatGLMModel", "ChatGLMForConditionalGeneration"),
        "chatglm",
        "fused_gate fused_qkv",
        if_told=(("add_qkv_bias", "qkv_bias"),),
        kv=("multi_query_group_num",),
    ),
    Plain(("GlmForCausalLM",), "chatglm", "fused_gate", if_told=(("attention_bias", "qkv_bias"),)),
    Plain(("MiniCPMForCausalLM",), "minicpm", "tied"),
    Plain(("OrionForCausalLM",), "orion", "layer_norm norm_bias"),
    Plain(("QWenLMHeadModel",), "qwen", "half_inner fused_qkv qkv_bias"),
    Plain(("OlmoForCausalLM", "OLMoForCausalLM"), "olmo", "layer_norm no_final_norm own_graph", norms=()),
    Plain(
        ("NemotronForCausalLM",),
        "nemotron",
        "layer_norm norm_bias ungated",
        if_told=(("attention_bias", "qkv_bias"), ("attention_bias", "output_bias"), ("mlp_bias", "ffn_bias")),
    ),
    Plain(("XverseForCausalLM",), "xverse"),
    Plain(("PlamoForCausalLM",), "plamo", "own_graph", norms=("attn_norm",)),
    Plain(("ArceeForCausalLM",), "arcee", "ungated"),
    Plain(("Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM"), "ernie4_5", "tied"),
    Plain(("HunYuanDenseV1ForCausalLM",), "hunyuan-dense", "tied", query_key_norm="head"),
    Plain(("LLaDAModelLM",), "llada", "both_ways own_graph", kv=("n_kv_heads",)),
    Plain(("DreamModel",), "dream", "qkv_bias both_ways own_graph"),
    Plain(("CodeShellForCausalLM",), "codeshell", f"{_ALL} fused_qkv", kv=("num_query_groups",)),
    Plain(
        ("JAISLMHeadModel",),
        "jais",
        f"layer_norm {_BIASES} four_times fused_qkv unrotated own_graph",
    ),
    Plain(("Jais2ForCausalLM",), "jais2", _ALL),
    Plain(("PanguEmbeddedForCausalLM",), "pangu-embedded", if_told=(("bias", "qkv_bias"), ("bias", "output_bias"))),
    Plain(("MaincoderForCausalLM",), "maincoder", "tied", query_key_norm="head"),
)

for _row in _ROWS:
    blueprint(*_row.classes)(_row.model)
