"""Classes of llama.cpp's converter whose config alone does not say enough here, and why."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from advisor.foundation.message import Message, fact

_DRAFT, _CODEC = fact("refused_draft"), fact("refused_codec")
_DIFFUSION, _OWN = fact("refused_block_diffusion"), fact("refused_own_shape")
_SEES = fact("refused_sees")
REFUSED: Mapping[str, Message] = MappingProxyType(
    {
        **dict.fromkeys(("Gemma4AssistantForCausalLM", "Gemma4UnifiedAssistantForCausalLM"), _DRAFT),
        **dict.fromkeys(("Eagle3DraftModel", "Eagle3Speculator", "Eagle3LlamaForCausalLM"), _DRAFT),
        "LlamaForCausalLMEagle3": _DRAFT,
        **dict.fromkeys(("Lfm25AudioTokenizer", "WavTokenizerDec"), _CODEC),
        **dict.fromkeys(("DiffusionGemma4ModelForBlockDiffusion", "DiffusionGemmaForBlockDiffusion"), _DIFFUSION),
        **dict.fromkeys(("ChameleonForCausalLM", "ChameleonForConditionalGeneration", "CogVLMForCausalLM"), _SEES),
        **dict.fromkeys(("PLaMo2ForCausalLM", "PLaMo3ForCausalLM", "Plamo2ForCausalLM", "Plamo3ForCausalLM"), _OWN),
        **dict.fromkeys(("RWKV6Qwen2ForCausalLM", "RwkvHybridForCausalLM", "TalkieForCausalLM"), _OWN),
        **dict.fromkeys(("GroveMoeForCausalLM", "JinaEmbeddingsV5Model"), _OWN),
        "modeling_grove_moe.GroveMoeForCausalLM": _OWN,
    }
)
