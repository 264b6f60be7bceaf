"""From GGUF metadata to config fields for the architectures whose blueprints are rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from advisor.sources.gguf_facts import Facts

Fields = dict[str, Any]


def _glm(facts: Facts) -> Fields:
    fused = facts.has_in_layers("attn_qkv.weight")
    return {"class": "ChatGLMModel" if fused else "GlmForCausalLM"}


def _falcon(facts: Facts) -> Fields:
    grouped = facts.has_in_layers("attn_norm_2.weight")
    return {
        "new_decoder_architecture": grouped,
        "num_kv_heads": facts.get("attention.head_count_kv") if grouped else None,
        "multi_query": facts.get("attention.head_count_kv") == 1,
        "ffn_hidden_size": facts.get("feed_forward_length"),
        "bias": facts.has_in_layers("attn_qkv.bias"),
    }


def _experts(facts: Facts) -> Fields:
    inner = facts.get("expert_feed_forward_length") or facts.get("feed_forward_length")
    shared = facts.rows(f"blk.{facts.layers - 1}.ffn_up_shexp.weight") or 0
    return {
        "moe_intermediate_size": inner,
        "shared_expert_intermediate_size": shared,
        "num_shared_experts": shared // inner if inner else 0,
        "n_shared_experts": None,
        "moe_router_enable_expert_bias": facts.has_in_layers("exp_probs_b.bias"),
        "no_bias": not facts.has_in_layers("attn_norm.bias"),
    }


def _encoder(facts: Facts) -> Fields:
    return {
        "type_vocab_size": facts.rows("token_types.weight") or 0,
        "max_position_embeddings": facts.rows("position_embd.weight") or facts.get("context_length"),
    }


# llama.cpp's name: a class of the table, and what its config needs beyond the common fields.
PLAIN: Mapping[str, tuple[str, Callable[[Facts], Fields] | None]] = {
    "bert": ("BertModel", _encoder),
    "nomic-bert": ("NomicBertModel", _encoder),
    "gpt2": ("GPT2LMHeadModel", None),
    "starcoder": ("GPTBigCodeForCausalLM", None),
    "gptneox": ("GPTNeoXForCausalLM", None),
    "bloom": ("BloomForCausalLM", None),
    "mpt": ("MPTForCausalLM", None),
    "stablelm": ("StableLmForCausalLM", None),
    "baichuan": ("BaichuanForCausalLM", None),
    "chatglm": ("ChatGLMModel", _glm),
    "minicpm": ("MiniCPMForCausalLM", None),
    "orion": ("OrionForCausalLM", None),
    "qwen": ("QWenLMHeadModel", None),
    "olmo": ("OlmoForCausalLM", None),
    "nemotron": ("NemotronForCausalLM", None),
    "xverse": ("XverseForCausalLM", None),
    "plamo": ("PlamoForCausalLM", None),
    "arcee": ("ArceeForCausalLM", None),
    "ernie4_5": ("Ernie4_5ForCausalLM", None),
    "hunyuan-dense": ("HunYuanDenseV1ForCausalLM", None),
    "llada": ("LLaDAModelLM", None),
    "dream": ("DreamModel", None),
    "codeshell": ("CodeShellForCausalLM", None),
    "jais": ("JAISLMHeadModel", None),
    "jais2": ("Jais2ForCausalLM", None),
    "pangu-embedded": ("PanguEmbeddedForCausalLM", None),
    "maincoder": ("MaincoderForCausalLM", None),
    "falcon": ("FalconForCausalLM", _falcon),
    "bitnet": ("BitnetForCausalLM", None),
    "qwen2moe": ("Qwen2MoeForCausalLM", _experts),
    "bailingmoe": ("BailingMoeForCausalLM", _experts),
    "bailingmoe2": ("BailingMoeV2ForCausalLM", _experts),
    "dots1": ("Dots1ForCausalLM", _experts),
    "deepseek": ("DeepseekForCausalLM", _experts),
    "granitemoe": ("GraniteMoeForCausalLM", _experts),
    "hunyuan-moe": ("HunYuanMoEV1ForCausalLM", _experts),
    "dbrx": ("DbrxForCausalLM", _experts),
    "grok": ("Grok1ForCausalLM", _experts),
    "llada-moe": ("LLaDAMoEModelLM", _experts),
    "rnd1": ("RND1", _experts),
    "afmoe": ("AfmoeForCausalLM", _experts),
    "exaone-moe": ("ExaoneMoEForCausalLM", _experts),
    "mellum": ("MellumForCausalLM", _experts),
}
