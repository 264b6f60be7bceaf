"""Text models inside other models: behind eyes and ears, or with another head than the one that writes text.

A wrapper's config keeps the text model's fields in a section of their own, or beside those of its other parts. What
the text model is, the section says itself. All of this is tables; nothing is guessed from a name that is not in them.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.models.config_defaults import DEFAULTS

Fields = Mapping[str, Any]

_SECTIONS = (
    *("text_config", "language_config", "llm_config", "thinker_config", "language_model", "lm_config"),
    *("decoder_config", "text_model_config", "decoder"),
)
# Classes whose config has the text model's fields beside those of the rest, by the class they are of.
_FLAT: Fields = {
    "LlavaLlamaForCausalLM": "LlamaForCausalLM",
    "LlavaMistralForCausalLM": "MistralForCausalLM",
    "LlavaQwenForCausalLM": "Qwen2ForCausalLM",
    "LlavaStableLMEpochForCausalLM": "StableLmForCausalLM",
    "VLlama3ForCausalLM": "LlamaForCausalLM",
    "IQuestCoderForCausalLM": "LlamaForCausalLM",
    "Phi3VForCausalLM": "Phi3ForCausalLM",
    "Phi4MMForCausalLM": "Phi3ForCausalLM",
    "Phi4ForCausalLMV": "Phi3ForCausalLM",
    "DotsOCRForCausalLM": "Qwen2ForCausalLM",
    "PaddleOCRVLForConditionalGeneration": "Ernie4_5ForCausalLM",
    "LlamaBidirectionalModel": "LlamaModel",
    "LLaMAForCausalLM": "LlamaForCausalLM",
    "AquilaForCausalLM": "LlamaForCausalLM",
    "AquilaModel": "LlamaForCausalLM",
    "YiForCausalLM": "LlamaForCausalLM",
    "SkyworkForCausalLM": "LlamaForCausalLM",
    "LFM2ForCausalLM": "Lfm2ForCausalLM",
    "YoutuVLForConditionalGeneration": "YoutuForCausalLM",
    "Qwen3_5MoeForCausalLM": "Qwen3_5MoeForConditionalGeneration",
    "MiMoV2ForCausalLM": "MiMoV2FlashForCausalLM",
    "RuGPT3XLForCausalLM": "GPT2LMHeadModel",
}
# What a section's `model_type` stands for, as far as there is a blueprint of it.
_CLASS_OF_TYPE: Fields = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "ministral3": "Ministral3ForCausalLM",
    "mistral3": "Mistral3ForConditionalGeneration",
    "mistral4": "Mistral4ForCausalLM",
    "mixtral": "MixtralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen2_5": "Qwen2ForCausalLM",
    "qwen2_moe": "Qwen2MoeForCausalLM",
    "qwen2_vl": "Qwen2VLForConditionalGeneration",
    "qwen2_vl_text": "Qwen2VLForConditionalGeneration",
    "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration",
    "qwen2_5_vl_text": "Qwen2_5_VLForConditionalGeneration",
    "qwen2_5_omni_text": "Qwen2_5_VLForConditionalGeneration",
    "qwen2_5_omni_thinker": "Qwen2_5_VLForConditionalGeneration",
    "qwen3": "Qwen3ForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
    "qwen3_vl_text": "Qwen3VLForConditionalGeneration",
    "qwen3_vl_moe_text": "Qwen3VLMoeForConditionalGeneration",
    "qwen3_omni_moe_text": "Qwen3VLMoeForConditionalGeneration",
    "qwen3_next": "Qwen3NextForCausalLM",
    "qwen3_5_text": "Qwen3_5ForCausalLM",
    "qwen3_5_moe_text": "Qwen3_5MoeForConditionalGeneration",
    "gemma": "GemmaForCausalLM",
    "gemma2": "Gemma2ForCausalLM",
    "gemma3": "Gemma3ForCausalLM",
    "gemma3_text": "Gemma3ForCausalLM",
    "gemma3n_text": "Gemma3nForCausalLM",
    "gemma4_text": "Gemma4ForCausalLM",
    "phi": "PhiForCausalLM",
    "phi3": "Phi3ForCausalLM",
    "phimoe": "PhiMoEForCausalLM",
    "cohere": "CohereForCausalLM",
    "cohere2": "Cohere2ForCausalLM",
    "granite": "GraniteForCausalLM",
    "granitemoehybrid": "GraniteMoeHybridForCausalLM",
    "deepseek_v2": "DeepseekV2ForCausalLM",
    "deepseek_v3": "DeepseekV3ForCausalLM",
    "kimi_k2": "DeepseekV3ForCausalLM",
    "youtu": "YoutuForCausalLM",
    "step3p5": "Step3p5ForCausalLM",
    "hunyuan_v1_dense": "HunYuanDenseV1ForCausalLM",
    "hunyuan_vl_text": "HunYuanDenseV1ForCausalLM",
    "kimi_linear": "KimiLinearForCausalLM",
    "glm4v_text": "Glm4ForCausalLM",
    "glm_ocr_text": "Glm4ForCausalLM",
    "glm4v_moe_text": "Glm4MoeForCausalLM",
    "exaone4_5_text": "Exaone4ForCausalLM",
    "ernie4_5": "Ernie4_5ForCausalLM",
    "glm4": "Glm4ForCausalLM",
    "glm4_moe": "Glm4MoeForCausalLM",
    "internlm2": "InternLM2ForCausalLM",
    "internlm3": "InternLM3ForCausalLM",
    "olmo2": "Olmo2ForCausalLM",
    "olmoe": "OlmoeForCausalLM",
    "smollm3": "SmolLM3ForCausalLM",
    "exaone4": "Exaone4ForCausalLM",
    "exaone": "ExaoneForCausalLM",
    "starcoder2": "Starcoder2ForCausalLM",
    "seed_oss": "SeedOssForCausalLM",
    "gpt_oss": "GptOssForCausalLM",
    "lfm2": "Lfm2ForCausalLM",
    "lfm2_moe": "Lfm2MoeForCausalLM",
    "nemotron_h": "NemotronHForCausalLM",
    "falcon_h1": "FalconH1ForCausalLM",
    "minimax_m2": "MiniMaxM2ForCausalLM",
    "apertus": "ApertusForCausalLM",
    "bert": "BertModel",
    "xlm-roberta": "XLMRobertaModel",
    "roberta": "RobertaModel",
    "nomic_bert": "NomicBertModel",
}
# Heads in place of the one that writes text. Without any, the network ends in its last layer.
_SCORING = ("ForSequenceClassification", "ForTokenClassification", "ForRewardModel", "ForRewardModeling", "RewardModel")
_HEADLESS = ("BidirectionalModel", "ForTextEmbedding", "ForEmbedding", "TextModel", "Model")
_TEXT_HEADS = ("ForCausalLM", "ForConditionalGeneration", "ForMaskedLM", "Model", "")
# Which parts of a network the sections of a config, or keys beside the text model's, stand for.
_PARTS: Fields = {
    "vision": (
        "vision_config",
        "vision_cfg",
        "visual",
        "img_processor",
        "mm_vision_tower",
        "vision_tower",
        "vit_config",
    ),
    "audio": ("audio_config", "audio_processor", "speech_config", "audio_encoder_config", "encoder_config"),
    "speech": ("talker_config", "token2wav_config", "code2wav_config", "tts_config"),
}

_PART_NAMES = {"vision": fact("part_vision"), "audio": fact("part_audio"), "speech": fact("part_speech")}


@dataclass(frozen=True, slots=True)
class Inner:
    """A text model's own config inside a wrapper's.

    `labels` is how many scores its head gives in place of tokens; 0: it has no head at all, None: it writes text.
    `beside` names the parts that are not of the text model: "vision", "audio", "speech".
    """

    config: Fields
    labels: int | None = None
    beside: tuple[str, ...] = ()


def inner_of(raw: Fields, name: str, known: Container[str]) -> Inner | None:
    """The text model of a config whose class `name` has no blueprint; None where it holds none of the `known` ones."""
    beside = tuple(part for part, keys in _PARTS.items() if any(raw.get(key) not in (None, False, {}) for key in keys))
    if (section := text_section(raw)) is not None and (found := _class_of(section, known)) is not None:
        kind = str(section.get("model_type", ""))
        tied = raw.get("tie_word_embeddings")
        # What a section states to be null has no default either.
        fields = {key: value for key, value in {**DEFAULTS.get(kind, {}), **section}.items() if value is not None}
        if isinstance(tied, bool):  # where the two differ, a matrix too many rather than one too few
            fields["tie_word_embeddings"] = tied and fields.get("tie_word_embeddings", True)
        headless = _with_text_head(name, "Model", known) is not None  # the sibling of a wrapper that writes
        return Inner({**fields, "architectures": [found]}, 0 if headless else None, beside)
    if (flat := _FLAT.get(name)) is not None:
        if flat in known:
            return Inner({**raw, "architectures": [flat]}, None, beside)
        name = flat
    if (plain := name.rpartition(".")[2]) != name and plain in known:
        return Inner({**raw, "architectures": [plain]}, None, beside)
    for suffixes, labels in ((_SCORING, labels_of(raw)), (_HEADLESS, 0)):
        for suffix in suffixes:
            if (text := _with_text_head(name, suffix, known)) is not None:
                return Inner({**raw, "architectures": [text]}, labels, beside)
    if not raw.get("architectures") and (text := _CLASS_OF_TYPE.get(name)) in known:
        return Inner({**raw, "architectures": [text]}, None, beside)
    return None


def parts_left_out(inner: Inner, seen: bool) -> tuple[Message, ...]:
    """That parts beside the text model are not counted; `seen`: its vision part is."""
    names = tuple(_PART_NAMES[part] for part in inner.beside if part != "vision" or not seen)
    return (fact("parts_left_out", parts=names),) if names else ()


def text_section(raw: Fields) -> Fields | None:
    """The innermost section that holds a text model's fields; None for a config that has none."""
    found = next((raw[key] for key in _SECTIONS if isinstance(raw.get(key), Mapping)), None)
    return None if found is None else text_section(found) or found


def _class_of(section: Fields, known: Container[str]) -> str | None:
    names = section.get("architectures")
    if section.get("add_cross_attention") is True:  # half of an encoder-decoder, not a model that stands alone
        return None
    if section.get("use_mla") is False and "DeepseekForCausalLM" in known:
        return "DeepseekForCausalLM"
    stated = names[0] if isinstance(names, list) and names else None
    for name in (stated, _FLAT.get(str(stated)), _CLASS_OF_TYPE.get(str(section.get("model_type")))):
        if isinstance(name, str) and name in known:
            return name
    return None


def _with_text_head(name: str, suffix: str, known: Container[str]) -> str | None:
    if not name.endswith(suffix):
        return None
    stem = name.removesuffix(suffix)
    return next((stem + head for head in _TEXT_HEADS if stem + head in known and stem + head != name), None)


def labels_of(raw: Fields) -> int:
    """How many scores a head gives; two where a config does not say, as transformers has it."""
    labels = raw.get("id2label")
    count = len(labels) if isinstance(labels, Mapping) and labels else raw.get("num_labels", 2)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 1 << 20:
        raise InputError("config.json: '{name}' must be a whole number.", name="num_labels")
    return count
