"""What a config's text section leaves out: `transformers` writes only what differs from its class's defaults there.

Read from `src/transformers/models/*/configuration_*.py` of huggingface/transformers at 001f85b38, and the same in the
package transformers 5.24.0; for DeepSeek V2 from its publisher's `configuration_deepseek.py`, which has 30 layers where
transformers has 32 (2026-11-30).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_KEYS = (
    *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("num_key_value_heads", "max_position_embeddings"),
)


def _of(*values: int, **more: Any) -> Mapping[str, Any]:
    return MappingProxyType({**dict(zip(_KEYS, values, strict=True)), **more})


DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "llama": MappingProxyType(
            {key: value for key, value in _of(32000, 4096, 11008, 32, 32, 32, 2048).items() if "key_value" not in key}
        ),
        "mistral": _of(32000, 4096, 14336, 32, 32, 8, 131072),
        "qwen2": _of(151936, 4096, 22016, 32, 32, 32, 32768),
        "qwen3": _of(151936, 4096, 22016, 32, 32, 32, 32768, head_dim=128),
        "gemma": _of(256000, 3072, 24576, 28, 16, 16, 8192, head_dim=256),
        "gemma2": _of(256000, 2304, 9216, 26, 8, 4, 8192, head_dim=256, sliding_window=4096),
        "phi3": MappingProxyType(
            {key: value for key, value in _of(32064, 3072, 8192, 32, 32, 32, 4096).items() if "key_value" not in key}
        ),
        # Not a key of its config: the code always has these biases.
        "glm4v_text": MappingProxyType({"attention_bias": True}),
        "deepseek_v2": _of(
            *(102400, 4096, 11008, 30, 32, 32, 2048),
            kv_lora_rank=512, q_lora_rank=1536, qk_rope_head_dim=64, qk_nope_head_dim=128, v_head_dim=128,
        ),
    }
)  # fmt: skip
