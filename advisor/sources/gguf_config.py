"""From GGUF metadata back to the fields of a `config.json`, so that one set of blueprints serves both.

What metadata does not say (biases, tied embeddings, norms), the tensors in the same file do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from advisor.sources.gguf_facts import Facts
from advisor.sources.gguf_file import GgufHeader
from advisor.sources.gguf_plain import PLAIN

Fields = dict[str, Any]


def config_of(header: GgufHeader) -> Fields | None:
    """The `config.json` this header corresponds to; None for an architecture that is not among the known ones."""
    if (known := ARCHITECTURES.get(header.architecture)) is None:
        return None
    facts = Facts(header)
    name, more = known
    fields = {**_common(facts), **(more(facts) if more else {})}
    name = fields.pop("class", name)
    return {"architectures": [name], **{key: value for key, value in fields.items() if value is not None}}


def _common(facts: Facts) -> Fields:
    """Fields that mean the same everywhere, under every name that blueprints know them by."""
    get = facts.get
    experts, used = get("expert_count"), get("expert_used_count")
    inner, dense = get("expert_feed_forward_length"), get("feed_forward_length")
    rope, mla_key = get("rope.dimension_count"), get("attention.key_length_mla")
    biased = facts.has_in_layers("attn_q.bias") or facts.has_in_layers("attn_qkv.bias")
    fields: Fields = {
        "hidden_size": get("embedding_length"),
        "num_hidden_layers": facts.layers,
        "num_nextn_predict_layers": facts.drafts,
        "mtp_num_hidden_layers": facts.drafts,
        "mtp_use_dedicated_embeddings": any(name.endswith("nextn.embed_tokens.weight") for name in facts.tensors),
        "intermediate_size": dense,
        "num_attention_heads": get("attention.head_count"),
        "num_key_value_heads": get("attention.head_count_kv", get("attention.head_count")),
        "head_dim": get("attention.key_length"),
        "vocab_size": facts.rows("token_embd.weight") or get("vocab_size"),
        "max_position_embeddings": get("context_length"),
        "tie_word_embeddings": not facts.has("output.weight"),
        "sliding_window": get("attention.sliding_window") or None,
        **dict.fromkeys(("attention_bias", "use_qkv_bias", "add_qkv_bias"), biased),
        "attention_out_bias": facts.has_in_layers("attn_output.bias"),
        "mlp_bias": facts.has_in_layers("ffn_up.bias"),
        **dict.fromkeys(("use_bias", "bias"), facts.has_in_layers("attn_q.bias")),
        "lm_head_bias": facts.has("output.bias"),
        "use_qk_norm": facts.has_in_layers("attn_q_norm.weight"),
        "moe_intermediate_size": inner,
        "n_shared_experts": get("expert_shared_count"),
        "moe_num_shared_experts": get("expert_shared_count"),
        "first_k_dense_replace": get("leading_dense_block_count", 0),
        "num_dense_layers": get("leading_dense_block_count", 0),
        "moe_layer_start_index": get("leading_dense_block_count", 0),
        "topk_method": "noaux_tc" if facts.has_in_layers("exp_probs_b.bias") else "greedy",
        "shared_expert_intermediate_size": get("expert_shared_feed_forward_length"),
        "q_lora_rank": get("attention.q_lora_rank"),
        "kv_lora_rank": get("attention.kv_lora_rank"),
        "v_head_dim": get("attention.value_length_mla"),
        "qk_rope_head_dim": rope,
        "qk_nope_head_dim": mla_key - (rope or 0) if mla_key else None,
        "index_n_heads": get("attention.indexer.head_count"),
        "index_head_dim": get("attention.indexer.key_length"),
    }
    if experts:
        for key in ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"):
            fields[key] = experts
        for key in ("num_experts_per_tok", "moe_k", "top_k_experts"):
            fields[key] = used
    if f"{facts.header.architecture}.attention.sliding_window_pattern" in facts.header.metadata:
        fields["layer_types"] = [
            "sliding_attention" if windowed else "full_attention"
            for windowed in facts.per_layer("attention.sliding_window_pattern")
        ]
    if facts.has("rope_freqs.weight"):
        fields["rope_scaling"] = {"rope_type": "llama3"}
    elif facts.has("rope_factors_long.weight"):
        fields["rope_scaling"] = {"rope_type": "longrope", "long_factor": []}
    return fields


def _llama(facts: Facts) -> Fields:
    return (
        {"class": "MixtralForCausalLM"}
        if facts.get("expert_count")
        else {"bias": facts.has_in_layers("attn_output.bias")}
    )


def _experts_are_all(facts: Facts) -> Fields:
    return {"intermediate_size": facts.get("expert_feed_forward_length") or facts.get("feed_forward_length")}


def _gemma3n(facts: Facts) -> Fields:
    return {
        "hidden_size_per_layer_input": facts.get("embedding_length_per_layer_input"),
        "altup_num_inputs": facts.get("altup.num_inputs"),
        "laurel_rank": facts.rows("blk.0.laurel_l.weight"),
        "num_kv_shared_layers": facts.get("attention.shared_kv_layers", 0),
    }


def _gemma4(facts: Facts) -> Fields:
    windowed = facts.per_layer("attention.sliding_window_pattern")
    heads = facts.per_layer("attention.head_count_kv")
    inner = facts.per_layer("feed_forward_length")
    full = [number for number, sliding in enumerate(windowed) if not sliding]
    own = facts.layers - facts.get("attention.shared_kv_layers", 0)
    with_values = [number for number in full if number < own and facts.has(f"blk.{number}.attn_v.weight")]
    return {
        "head_dim": facts.get("attention.key_length_swa"),
        "global_head_dim": facts.get("attention.key_length"),
        "num_key_value_heads": next((count for count, sliding in zip(heads, windowed, strict=False) if sliding), None),
        "num_global_key_value_heads": next((heads[number] for number in full), None),
        "attention_k_eq_v": not with_values,
        "num_kv_shared_layers": facts.get("attention.shared_kv_layers", 0),
        "hidden_size_per_layer_input": facts.get("embedding_length_per_layer_input") or None,
        "vocab_size_per_layer_input": facts.rows("per_layer_token_embd.weight"),
        "intermediate_size": min(inner, default=None),
        "use_double_wide_mlp": len(set(inner)) > 1,
        "enable_moe_block": bool(facts.get("expert_count")),
        "rope_scaling": None,
    }


def _llama4(facts: Facts) -> Fields:
    return {
        "intermediate_size": facts.get("expert_feed_forward_length"),
        "intermediate_size_mlp": facts.get("feed_forward_length"),
        "interleave_moe_layer_step": facts.get("interleave_moe_layer_step"),
        "attention_chunk_size": facts.get("attention.chunk_size"),
    }


def _indexed(facts: Facts) -> Fields:
    indexed = [facts.has(f"blk.{number}.indexer.proj.weight") for number in range(facts.layers)]
    return {"indexer_types": ["full" if has else "none" for has in indexed]}


def _delta_net(facts: Facts) -> Fields:
    heads, inner = facts.get("ssm.time_step_rank"), facts.get("ssm.inner_size")
    return {
        "linear_num_key_heads": facts.get("ssm.group_count"),
        "linear_num_value_heads": heads,
        "linear_key_head_dim": facts.get("ssm.state_size"),
        "linear_value_head_dim": inner // heads if inner and heads else None,
        "linear_conv_kernel_dim": facts.get("ssm.conv_kernel"),
        "layer_types": [
            "linear_attention" if facts.has(f"blk.{n}.ssm_conv1d.weight") else "full_attention"
            for n in range(facts.layers)
        ],
    }


def _short_convolution(facts: Facts) -> Fields:
    kinds = ["full_attention" if heads else "conv" for heads in facts.per_layer("attention.head_count_kv")]
    return {"conv_L_cache": facts.get("shortconv.l_cache"), "layer_types": kinds}


def _mamba(facts: Facts) -> Fields:
    return {
        "mamba_d_ssm": facts.get("ssm.inner_size"),
        "mamba_d_state": facts.get("ssm.state_size"),
        "mamba_n_groups": facts.get("ssm.group_count"),
        "mamba_n_heads": facts.get("ssm.time_step_rank"),
        "mamba_d_conv": facts.get("ssm.conv_kernel"),
        "mamba_conv_bias": facts.has_in_layers("ssm_conv1d.bias"),
        "mamba_rms_norm": facts.has_in_layers("ssm_norm.weight"),
    }


def _granite_hybrid(facts: Facts) -> Fields:
    inner, width = facts.get("ssm.inner_size", 0), facts.get("embedding_length")
    return {
        **_mamba(facts),
        "mamba_expand": inner // width if width else None,
        "shared_intermediate_size": facts.get("expert_shared_feed_forward_length") or facts.get("feed_forward_length"),
        "layer_types": ["attention" if heads else "mamba" for heads in facts.per_layer("attention.head_count_kv")],
    }


def _nemotron_h(facts: Facts) -> Fields:
    heads, inner = facts.get("ssm.time_step_rank"), facts.get("ssm.inner_size")
    block = "moe" if facts.get("expert_count") else "mlp"
    kinds = [
        "attention" if attention else block if width else "mamba"
        for attention, width in zip(
            facts.per_layer("attention.head_count_kv"), facts.per_layer("feed_forward_length"), strict=False
        )
    ]
    return {
        "layers_block_type": kinds,
        "mamba_num_heads": heads,
        "mamba_head_dim": inner // heads if inner and heads else None,
        "ssm_state_size": facts.get("ssm.state_size"),
        "n_groups": facts.get("ssm.group_count"),
        "conv_kernel": facts.get("ssm.conv_kernel"),
        "use_conv_bias": facts.has_in_layers("ssm_conv1d.bias"),
        "moe_shared_expert_intermediate_size": facts.get("expert_shared_feed_forward_length"),
        "moe_latent_size": facts.get("moe_latent_size"),
    }


ARCHITECTURES: Mapping[str, tuple[str, Callable[[Facts], Fields] | None]] = {
    **PLAIN,
    "llama": ("LlamaForCausalLM", _llama),
    "mistral3": ("Mistral3ForConditionalGeneration", None),
    "mistral4": ("Mistral4ForCausalLM", None),
    "smollm3": ("SmolLM3ForCausalLM", None),
    "granite": ("GraniteForCausalLM", None),
    "qwen2": ("Qwen2ForCausalLM", None),
    "qwen2vl": ("Qwen2_5_VLForConditionalGeneration", None),
    "qwen3": ("Qwen3ForCausalLM", None),
    "qwen3vl": ("Qwen3VLForConditionalGeneration", None),
    "qwen3moe": ("Qwen3MoeForCausalLM", None),
    "qwen3vlmoe": ("Qwen3VLMoeForConditionalGeneration", None),
    "qwen3next": ("Qwen3NextForCausalLM", _delta_net),
    "qwen35": ("Qwen3_5ForConditionalGeneration", _delta_net),
    "qwen35moe": ("Qwen3_5MoeForConditionalGeneration", _delta_net),
    "gemma": ("GemmaForCausalLM", None),
    "gemma2": ("Gemma2ForCausalLM", None),
    "gemma3": ("Gemma3ForCausalLM", None),
    "gemma-embedding": ("Gemma3TextModel", None),
    "gemma3n": ("Gemma3nForCausalLM", _gemma3n),
    "gemma4": ("Gemma4ForCausalLM", _gemma4),
    "phi2": ("PhiForCausalLM", None),
    "phi3": ("Phi3ForCausalLM", None),
    "phimoe": ("PhiMoEForCausalLM", None),
    "command-r": ("CohereForCausalLM", None),
    "cohere2": ("Cohere2ForCausalLM", None),
    "olmo2": ("Olmo2ForCausalLM", None),
    "olmoe": ("OlmoeForCausalLM", None),
    "glm4": ("Glm4ForCausalLM", None),
    "glm4moe": ("Glm4MoeForCausalLM", None),
    "glm-dsa": ("GlmMoeDsaForCausalLM", _indexed),
    "deepseek2": ("DeepseekV3ForCausalLM", None),
    "deepseek32": ("DeepseekV32ForCausalLM", None),
    "starcoder2": ("Starcoder2ForCausalLM", None),
    "apertus": ("ApertusForCausalLM", None),
    "exaone": ("ExaoneForCausalLM", None),
    "exaone4": ("Exaone4ForCausalLM", None),
    "internlm2": ("InternLM2ForCausalLM", None),
    "muse-glimmer": ("MuseGlimmerForConditionalGeneration", None),
    "seed_oss": ("SeedOssForCausalLM", None),
    "gpt-oss": ("GptOssForCausalLM", _experts_are_all),
    "minimax-m2": ("MiniMaxM2ForCausalLM", _experts_are_all),
    "ernie4_5-moe": ("Ernie4_5_MoeForCausalLM", None),
    "llama4": ("Llama4ForCausalLM", _llama4),
    "lfm2": ("Lfm2ForCausalLM", _short_convolution),
    "lfm2moe": ("Lfm2MoeForCausalLM", _short_convolution),
    "granitehybrid": ("GraniteMoeHybridForCausalLM", _granite_hybrid),
    "falcon-h1": ("FalconH1ForCausalLM", _mamba),
    "nemotron_h": ("NemotronHForCausalLM", _nemotron_h),
    "nemotron_h_moe": ("NemotronHForCausalLM", _nemotron_h),
}
