"""The text classes of llama.cpp's converter (conversion/__init__.py at 00bdaa105): each is sized, or says why not."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.foundation.errors import InputError
from advisor.models.blueprints import known_architectures, model_from_config
from advisor.models.refused import REFUSED
from advisor.models.wrappers import inner_of

CLASSES = (
    *(
        "AfmoeForCausalLM",
        "ApertusForCausalLM",
        "ArceeForCausalLM",
        "ArcticForCausalLM",
    ),
    *(
        "AudioFlamingo3ForConditionalGeneration",
        "BaiChuanForCausalLM",
        "BaichuanForCausalLM",
    ),
    *(
        "BailingMoeForCausalLM",
        "BailingMoeV2ForCausalLM",
        "BambaForCausalLM",
        "BertForMaskedLM",
    ),
    *(
        "BertForSequenceClassification",
        "BertModel",
        "BitnetForCausalLM",
        "BloomForCausalLM",
        "BloomModel",
    ),
    *(
        "CamembertModel",
        "ChameleonForCausalLM",
        "ChameleonForConditionalGeneration",
    ),
    *(
        "ChatGLMForConditionalGeneration",
        "ChatGLMModel",
        "CodeShellForCausalLM",
        "CogVLMForCausalLM",
    ),
    *(
        "Cohere2MoeForCausalLM",
        "Cohere2ForCausalLM",
        "CohereForCausalLM",
        "DbrxForCausalLM",
    ),
    *(
        "DeciLMForCausalLM",
        "DeepseekForCausalLM",
        "DeepseekOCRForCausalLM",
        "DeepseekV2ForCausalLM",
    ),
    *(
        "DeepseekV3ForCausalLM",
        "DeepseekV32ForCausalLM",
        "DistilBertForMaskedLM",
    ),
    *(
        "DistilBertForSequenceClassification",
        "DistilBertModel",
        "Dots1ForCausalLM",
        "DotsOCRForCausalLM",
    ),
    *(
        "DreamModel",
        "Ernie4_5ForCausalLM",
        "Ernie4_5_ForCausalLM",
        "Ernie4_5_MoeForCausalLM",
        "EuroBertModel",
    ),
    *(
        "Exaone4_5_ForConditionalGeneration",
        "Exaone4ForCausalLM",
        "ExaoneForCausalLM",
        "ExaoneMoEForCausalLM",
    ),
    *(
        "FalconForCausalLM",
        "FalconH1ForCausalLM",
        "FalconMambaForCausalLM",
        "GPT2LMHeadModel",
    ),
    *(
        "GPTBigCodeForCausalLM",
        "GPTNeoXForCausalLM",
        "GPTRefactForCausalLM",
        "Gemma2ForCausalLM",
    ),
    *(
        "Gemma3ForCausalLM",
        "Gemma3ForConditionalGeneration",
        "Gemma3TextModel",
        "Gemma3nForCausalLM",
    ),
    *(
        "Gemma3nForConditionalGeneration",
        "Gemma4AssistantForCausalLM",
        "Gemma4ForConditionalGeneration",
    ),
    *(
        "Gemma4ForCausalLM",
        "DiffusionGemma4ModelForBlockDiffusion",
        "DiffusionGemmaForBlockDiffusion",
    ),
    *(
        "Gemma4UnifiedForConditionalGeneration",
        "Gemma4UnifiedAssistantForCausalLM",
        "GemmaForCausalLM",
    ),
    *(
        "Glm4ForCausalLM",
        "Glm4MoeForCausalLM",
        "Glm4MoeLiteForCausalLM",
        "Glm4vForConditionalGeneration",
    ),
    *(
        "Glm4vMoeForConditionalGeneration",
        "GlmForCausalLM",
        "GlmMoeDsaForCausalLM",
    ),
    *(
        "GlmOcrForConditionalGeneration",
        "GptOssForCausalLM",
        "GraniteForCausalLM",
        "GraniteMoeForCausalLM",
    ),
    *(
        "GraniteMoeHybridForCausalLM",
        "GraniteMoeSharedForCausalLM",
        "GraniteSpeechForConditionalGeneration",
    ),
    *(
        "GraniteSpeechPlusForConditionalGeneration",
        "Grok1ForCausalLM",
        "GrokForCausalLM",
    ),
    *(
        "GroveMoeForCausalLM",
        "HunYuanDenseV1ForCausalLM",
        "HunYuanMoEV1ForCausalLM",
    ),
    *(
        "HunYuanVLForConditionalGeneration",
        "IQuestCoderForCausalLM",
        "InternLM2ForCausalLM",
    ),
    *(
        "InternLM3ForCausalLM",
        "JAISLMHeadModel",
        "Jais2ForCausalLM",
        "JambaForCausalLM",
    ),
    *(
        "JanusForConditionalGeneration",
        "JinaBertForMaskedLM",
        "JinaBertModel",
        "JinaEmbeddingsV5Model",
    ),
    *(
        "KORMoForCausalLM",
        "KimiK25ForConditionalGeneration",
        "KimiLinearForCausalLM",
        "KimiLinearModel",
    ),
    *(
        "KimiVLForConditionalGeneration",
        "LFM2ForCausalLM",
        "LLaDAMoEModel",
        "LLaDAMoEModelLM",
        "LLaDAModelLM",
    ),
    *(
        "LLaMAForCausalLM",
        "Lfm25AudioTokenizer",
        "Lfm2BidirectionalModel",
        "Lfm2ForCausalLM",
        "Lfm2Model",
    ),
    *(
        "Lfm2MoeForCausalLM",
        "Llama4ForCausalLM",
        "Llama4ForConditionalGeneration",
        "LlamaBidirectionalModel",
    ),
    *(
        "LlamaForCausalLM",
        "LlamaModel",
        "Eagle3DraftModel",
        "Eagle3Speculator",
        "Eagle3LlamaForCausalLM",
    ),
    *(
        "LlamaForCausalLMEagle3",
        "LlavaForConditionalGeneration",
        "LlavaStableLMEpochForCausalLM",
    ),
    *(
        "MPTForCausalLM",
        "MT5ForConditionalGeneration",
        "MaincoderForCausalLM",
        "Mamba2ForCausalLM",
    ),
    *(
        "MambaForCausalLM",
        "MambaLMHeadModel",
        "MellumForCausalLM",
        "MiMoV2FlashForCausalLM",
    ),
    *(
        "MiMoV2ForCausalLM",
        "MiniCPM3ForCausalLM",
        "MiniCPMForCausalLM",
        "MiniCPMV4_6ForConditionalGeneration",
    ),
    *(
        "MiniMaxM2ForCausalLM",
        "Ministral3ForCausalLM",
        "Mistral3ForConditionalGeneration",
    ),
    *(
        "MistralForCausalLM",
        "MixtralForCausalLM",
        "ModernBertForMaskedLM",
    ),
    *(
        "ModernBertForSequenceClassification",
        "ModernBertModel",
        "NemotronForCausalLM",
        "NemotronHForCausalLM",
    ),
    *(
        "NeoBERT",
        "NeoBERTForSequenceClassification",
        "NeoBERTLMHead",
        "NomicBertModel",
        "OLMoForCausalLM",
    ),
    *(
        "Olmo2ForCausalLM",
        "Olmo3ForCausalLM",
        "OlmoForCausalLM",
        "OlmoeForCausalLM",
        "OpenELMForCausalLM",
    ),
    *(
        "OrionForCausalLM",
        "PLMForCausalLM",
        "PLaMo2ForCausalLM",
        "PLaMo3ForCausalLM",
    ),
    *(
        "PaddleOCRVLForConditionalGeneration",
        "PanguEmbeddedForCausalLM",
        "Phi3ForCausalLM",
        "Phi4ForCausalLMV",
    ),
    *(
        "PhiForCausalLM",
        "PhiMoEForCausalLM",
        "Plamo2ForCausalLM",
        "Plamo3ForCausalLM",
        "PlamoForCausalLM",
    ),
    *(
        "QWenLMHeadModel",
        "Qwen2AudioForConditionalGeneration",
        "Qwen2ForCausalLM",
        "Qwen2Model",
    ),
    *(
        "Qwen2MoeForCausalLM",
        "Qwen2VLForConditionalGeneration",
        "Qwen2VLModel",
        "Qwen2_5OmniModel",
    ),
    *(
        "Qwen2_5_VLForConditionalGeneration",
        "Qwen3ASRForConditionalGeneration",
        "Qwen3ForCausalLM",
    ),
    *(
        "Qwen3Model",
        "Qwen3MoeForCausalLM",
        "Qwen3NextForCausalLM",
        "Qwen3OmniMoeForConditionalGeneration",
    ),
    *(
        "Qwen3VLForConditionalGeneration",
        "Qwen3VLMoeForConditionalGeneration",
        "Qwen3_5ForCausalLM",
    ),
    *(
        "Qwen3_5ForConditionalGeneration",
        "Qwen3_5MoeForCausalLM",
        "Qwen3_5MoeForConditionalGeneration",
        "RND1",
    ),
    *(
        "RWForCausalLM",
        "RWKV6Qwen2ForCausalLM",
        "RWKV7ForCausalLM",
        "RobertaForSequenceClassification",
    ),
    *(
        "RobertaModel",
        "RuGPT3XLForCausalLM",
        "Rwkv6ForCausalLM",
        "Rwkv7ForCausalLM",
        "RwkvHybridForCausalLM",
    ),
    *(
        "Sarashina2VisionForCausalLM",
        "SarvamMoEForCausalLM",
        "SeedOssForCausalLM",
        "SmallThinkerForCausalLM",
    ),
    *(
        "SmolLM3ForCausalLM",
        "SolarOpenForCausalLM",
        "StableLMEpochForCausalLM",
        "StableLmForCausalLM",
    ),
    *(
        "Starcoder2ForCausalLM",
        "Step3p5ForCausalLM",
        "StepVLForConditionalGeneration",
    ),
    *(
        "Step3p7ForConditionalGeneration",
        "T5EncoderModel",
        "T5ForConditionalGeneration",
        "T5WithLMHeadModel",
    ),
    *(
        "TalkieForCausalLM",
        "UMT5ForConditionalGeneration",
        "UMT5Model",
        "UltravoxModel",
    ),
    *(
        "UnlimitedOCRForCausalLM",
        "VLlama3ForCausalLM",
        "VoxtralForConditionalGeneration",
        "WavTokenizerDec",
    ),
    *(
        "XLMRobertaForSequenceClassification",
        "XLMRobertaModel",
        "XverseForCausalLM",
        "YoutuForCausalLM",
    ),
    *(
        "YoutuVLForConditionalGeneration",
        "modeling_grove_moe.GroveMoeForCausalLM",
    ),
    *("modeling_sarvam_moe.SarvamMoEForCausalLM",),
)
# What wrappers hold, where the class itself says nothing.
_TEXT: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
}  # fmt: skip


def _sized(name: str) -> bool:
    known = set(known_architectures())
    if name in known:
        return True
    return inner_of({"architectures": [name], "text_config": _TEXT}, name, known) is not None


def test_nine_of_ten_are_sized_and_the_rest_refused_by_name() -> None:
    refused = [name for name in CLASSES if name in REFUSED]
    assert len(CLASSES) - len(refused) >= 200
    assert all(_sized(name) for name in CLASSES if name not in REFUSED)
    assert not set(REFUSED) - set(CLASSES)
    assert not set(REFUSED) & set(known_architectures())


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_refusal_says_why_and_what_to_do(name: str) -> None:
    with pytest.raises(InputError, match=r"not sized from its config alone: .+ Give a GGUF file of it") as caught:
        model_from_config({"architectures": [name]})
    assert "did you mean" not in str(caught.value)
