"""Runs in a tool's own environment: builds tiny models with random weights, has the tool save them, and prints what
lies in the files.

Knows nothing of the advisor. Takes the names of recipes ("llmcompressor:llama:W4A16") and prints a JSON line for each.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

_SMALL = {
    "vocab_size": 768, "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 4,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "max_position_embeddings": 512,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
_EXPERTS = {"moe_intermediate_size": 128, "num_experts": 8, "num_experts_per_tok": 2}
_VISION = {"depth": 2, "embed_dim": 128, "hidden_size": 256, "num_heads": 2, "mlp_ratio": 2}
# What is said beside `_SMALL`; None takes a key out.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", "tie_word_embeddings": False},
    "llama-tied": {"model_type": "llama", "tie_word_embeddings": True},
    "qwen2": {"model_type": "qwen2", "tie_word_embeddings": True, "head_dim": None},
    "qwen3": {"model_type": "qwen3", "tie_word_embeddings": False},
    "qwen3-moe": {"model_type": "qwen3_moe", "tie_word_embeddings": False, **_EXPERTS},
    "mistral": {"model_type": "mistral", "tie_word_embeddings": False},
    "gemma2": {"model_type": "gemma2", "tie_word_embeddings": True},
    "gemma3": {"model_type": "gemma3_text", "tie_word_embeddings": True},
    "phi3": {"model_type": "phi3", "tie_word_embeddings": False, "head_dim": None},
    "mixtral": {"model_type": "mixtral", "tie_word_embeddings": False, "num_local_experts": 4},
    "deepseek-v3": {
        "model_type": "deepseek_v3", "tie_word_embeddings": False, "num_key_value_heads": 4, "head_dim": None,
        "n_routed_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 1, "first_k_dense_replace": 1,
        "moe_intermediate_size": 128, "n_group": 2, "topk_group": 1, "q_lora_rank": 128, "kv_lora_rank": 128,
        "qk_nope_head_dim": 64, "qk_rope_head_dim": 64, "v_head_dim": 64,
        "num_nextn_predict_layers": 0,
    },
    "granite": {"model_type": "granite", "tie_word_embeddings": True, "head_dim": None},
    "olmo2": {"model_type": "olmo2", "tie_word_embeddings": False, "head_dim": None},
    "glm4": {"model_type": "glm4", "tie_word_embeddings": False, "attention_bias": True},
    "cohere": {"model_type": "cohere", "tie_word_embeddings": True, "head_dim": None},
    "starcoder2": {"model_type": "starcoder2", "tie_word_embeddings": True, "head_dim": None},
    "qwen3-next": {
        "model_type": "qwen3_next", "tie_word_embeddings": False, **_EXPERTS,
        "shared_expert_intermediate_size": 128, "linear_num_value_heads": 4, "linear_num_key_heads": 2,
        "linear_key_head_dim": 64, "linear_value_head_dim": 64,
    },
    "lfm2": {
        "model_type": "lfm2", "tie_word_embeddings": True, "head_dim": None, "block_auto_adjust_ff_dim": False,
        "layer_types": ["conv", "conv", "full_attention", "conv"],
    },
    "gpt-oss": {"model_type": "gpt_oss", "tie_word_embeddings": False, "num_local_experts": 4,
                "num_experts_per_tok": 2, "intermediate_size": 256},
    "granite-hybrid": {
        "model_type": "granitemoehybrid", "tie_word_embeddings": True, "head_dim": None, "num_local_experts": 0,
        "shared_intermediate_size": 768, "layer_types": ["mamba", "mamba", "attention", "mamba"],
        "mamba_n_heads": 8, "mamba_d_head": 64, "mamba_d_state": 64, "mamba_n_groups": 1, "mamba_expand": 2,
    },
    "qwen2-vl": {"model_type": "qwen2_vl", "vision": {**_VISION}},
    "qwen2.5-vl": {"model_type": "qwen2_5_vl", "vision": {
        "depth": 2, "hidden_size": 128, "intermediate_size": 256, "num_heads": 2, "out_hidden_size": 256}},
}  # fmt: skip


def build(name: str, dtype: str) -> Any:
    """A model of the architecture with random weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    said = {key: value for key, value in {**_SMALL, **ARCHITECTURES[name]}.items() if value is not None}
    kind, vision = said.pop("model_type"), said.pop("vision", None)
    if vision is None:
        made = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **said))
    else:
        from transformers import AutoModelForImageTextToText

        del said["head_dim"]
        rope = {"rope_type": "default", "mrope_section": [8, 12, 12], "type": "default"}
        text = {**said, "rope_scaling": rope}
        config = AutoConfig.for_model(kind, vision_config=vision, text_config=text, tie_word_embeddings=False)
        made = AutoModelForImageTextToText.from_config(config)
    made.generation_config.pad_token_id = 0
    return made.to(getattr(torch, dtype)).eval()


def held(folder: Path) -> dict[str, Any]:
    """The config and, of all safetensors files, tensors and how many bytes their data takes."""
    tensors: list[list[Any]] = []
    data = 0
    folder = next((path.parent for path in folder.rglob("config.json")), folder)
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        data += path.stat().st_size - 8 - length
        tensors += [[key, each["dtype"], each["shape"]] for key, each in header.items()]
    config = json.loads((folder / "config.json").read_text("utf-8"))
    separate = folder / "hf_quant_config.json"
    more = {"hf_quant_config.json": json.loads(separate.read_text("utf-8"))} if separate.exists() else {}
    return {"bytes": data, "config": config, "files": more, "tensors": tensors}


# ---------------------------------------------------------------------------------------------------------- the tools


def _transformers(arch: str, scheme: str, to: Path) -> None:
    build(arch, {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}[scheme]).save_pretrained(to)


def _samples() -> Any:
    import random

    from datasets import Dataset

    draw = random.Random(0)
    rows = [[draw.randrange(3, 768) for _ in range(64)] for _ in range(16)]
    return Dataset.from_dict({"input_ids": rows, "attention_mask": [[1] * 64 for _ in rows]})


_CALIBRATED = ("NVFP4", "FP8", "W8A8-static", "W4A4")


def _llmcompressor(arch: str, scheme: str, to: Path) -> None:
    from llmcompressor import oneshot
    from llmcompressor.modifiers.gptq import GPTQModifier
    from llmcompressor.modifiers.quantization import QuantizationModifier

    method, _, scheme = scheme.rpartition("/")
    ignore = ["lm_head", "re:.*mlp.gate$", "re:.*shared_expert_gate$", "re:.*block_sparse_moe.gate$", "re:.*visual.*"]
    kind = GPTQModifier if method == "gptq" else QuantizationModifier
    recipe: list[Any] = [kind(targets="Linear", scheme=scheme, ignore=ignore)]
    if method == "awq":
        from llmcompressor.modifiers.transform.awq import AWQModifier
        from llmcompressor.pipelines.cache import IntermediatesCache

        IntermediatesCache.pin_memory = lambda self, *_, **__: None
        recipe.insert(0, AWQModifier())
    calibrated = method or scheme in _CALIBRATED
    more = {"dataset": _samples(), "num_calibration_samples": 16, "max_seq_length": 64} if calibrated else {}
    model = _loaded(_source(arch, to), dtype="auto")
    oneshot(model=model, recipe=recipe, output_dir=str(to), **more)


def _by_transformers(make: Callable[[str], Any]) -> Callable[[str, str, Path], None]:
    """A tool that transformers calls while it loads."""

    def save(arch: str, scheme: str, to: Path) -> None:
        _loaded(_source(arch, to), quantization_config=make(scheme), dtype="auto", device_map="cpu").save_pretrained(to)

    return save


def _loaded(source: Path, **options: Any) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    sees = "vision_config" in json.loads((source / "config.json").read_text("utf-8"))
    return (AutoModelForImageTextToText if sees else AutoModelForCausalLM).from_pretrained(source, **options)


def _bnb(scheme: str) -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    if scheme == "INT8":
        return BitsAndBytesConfig(load_in_8bit=True)
    kind, _, double = scheme.partition("-")
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type=kind.lower(), bnb_4bit_use_double_quant=bool(double),
        bnb_4bit_compute_dtype=torch.bfloat16,
    )  # fmt: skip


def _torchao(scheme: str) -> Any:
    import torchao.quantization as ao
    from transformers import TorchAoConfig

    made = {
        "int8-weight": lambda: ao.Int8WeightOnlyConfig(),
        "int8-dynamic": lambda: ao.Int8DynamicActivationInt8WeightConfig(),
        "float8-weight": lambda: ao.Float8WeightOnlyConfig(),
        "float8-dynamic": lambda: ao.Float8DynamicActivationFloat8WeightConfig(granularity=ao.PerRow()),
        "int4-weight": lambda: ao.Int4WeightOnlyConfig(group_size=128),
        "int8-int4": lambda: ao.Int8DynamicActivationIntxWeightConfig(),
        "intx4": lambda: ao.IntxWeightOnlyConfig(),
    }
    return TorchAoConfig(made[scheme]())


def _source(arch: str, to: Path) -> Path:
    """The model in 16 bit with a tokenizer of as many words, its config with the keys that transformers 4 wrote."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    source = to.parent / "source"
    build(arch, "bfloat16").save_pretrained(source)
    words = {"<unk>": 0, "<s>": 1, "</s>": 2, **{f"w{number}": number for number in range(3, 768)}}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    told = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=made, **told).save_pretrained(source)
    path = source / "config.json"
    config = json.loads(path.read_text("utf-8"))
    older = {"rope_theta": (config.get("rope_parameters") or {}).get("rope_theta", 10000.0)}
    if config["model_type"].startswith("qwen3_"):
        older |= {"num_experts": config.get("num_local_experts"), "decoder_sparse_step": 1, "mlp_only_layers": []}
    path.write_text(json.dumps({**older, **config}), "utf-8")
    return source


def _texts() -> list[str]:
    import random

    draw = random.Random(0)
    return [" ".join(f"w{draw.randrange(3, 768)}" for _ in range(256)) for _ in range(16)]


def _mlx(arch: str, scheme: str, to: Path) -> None:
    from mlx_lm.convert import convert

    mode, _, rest = scheme.rpartition("/")
    bits, _, group = rest.partition("-g")
    more = {"q_mode": mode} if mode else {}
    convert(
        str(_source(arch, to)), mlx_path=str(to), quantize=bits != "16", q_bits=int(bits),
        q_group_size=int(group or 64), **more,
    )  # fmt: skip


def _gptqmodel(arch: str, scheme: str, to: Path) -> None:
    from gptqmodel import GPTQModel, QuantizeConfig

    method, _, rest = scheme.rpartition("/")
    bits, _, group = rest.partition("-g")
    more = {"method": method, "format": "gemm"} if method == "awq" else {}
    how = QuantizeConfig(bits=int(bits), group_size=int(group), device="cpu", offload_to_disk=False, **more)
    model = GPTQModel.load(str(_source(arch, to)), how)
    model.quantize(_texts(), batch_size=1)
    model.save(str(to))


def _modelopt(arch: str, scheme: str, to: Path) -> None:
    import modelopt.torch.quantization as mtq
    import torch
    from modelopt.torch.export import export_hf_checkpoint
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(_source(arch, to), dtype="auto")
    tokens = torch.randint(3, 768, (4, 64), generator=torch.Generator().manual_seed(0))
    mtq.quantize(model, getattr(mtq, scheme), lambda each: each(tokens))
    export_hf_checkpoint(model, export_dir=str(to))


def _autoround(arch: str, scheme: str, to: Path) -> None:
    from auto_round import AutoRound

    form, _, scheme = scheme.rpartition("/")
    made = AutoRound(str(_source(arch, to)), scheme=scheme, iters=0, disable_opt_rtn=True, device_map="cpu")
    made.quantize_and_save(output_dir=str(to), format=form or "auto_round")


TOOLS: dict[str, tuple[str, Callable[[str, str, Path], None]]] = {
    "transformers": ("transformers", _transformers),
    "llmcompressor": ("llmcompressor", _llmcompressor),
    "bitsandbytes": ("bitsandbytes", _by_transformers(_bnb)),
    "bitsandbytes-with-4": ("bitsandbytes", _by_transformers(_bnb)),  # in an environment with transformers 4
    "torchao": ("torchao", _by_transformers(_torchao)),
    "mlx": ("mlx-lm", _mlx),
    "gptqmodel": ("gptqmodel", _gptqmodel),
    "modelopt": ("nvidia-modelopt", _modelopt),
    "autoround": ("auto-round", _autoround),
}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(names: list[str]) -> None:
    """Make one after the other; what a tool refuses is said and left out."""
    for name in names:
        tool, arch, scheme = name.split(":")
        package, save = TOOLS[tool]
        scratch = Path(tempfile.mkdtemp())
        try:
            save(arch, scheme, scratch / "made")
            by = f"{package} {version(package)}, transformers {version('transformers')}"
            say("@" + json.dumps({"name": name, "by": by, **held(scratch / "made")}))
        except (Exception, SystemExit) as error:
            say(f"! {name}: {type(error).__name__}: {str(error)[:300]}")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
