"""Runs in llmcompressor's own environment: compress a model folder, then compare its logits with the original's.

Knows nothing of the advisor. Takes one JSON argument, prints progress as llmcompressor does, and last one JSON line.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any


def main(order: dict[str, Any]) -> None:
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # No code from the folder is ever run: transformers' default, said aloud.
    load = {"trust_remote_code": False, "local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(order["source"], **load)
    original = AutoModelForCausalLM.from_pretrained(order["source"], dtype="auto", **load)
    chunks = _chunks(tokenizer, order)
    with torch.inference_mode():
        reference = [_log_probabilities(original.float(), chunk) for chunk in chunks]
    del original
    model = AutoModelForCausalLM.from_pretrained(order["source"], dtype="auto", **load)
    _compress(model, tokenizer, order)
    del model
    half = order["scheme"].startswith(("NVFP4", "MXFP4"))  # refuses to compute in 32 bits
    made = AutoModelForCausalLM.from_pretrained(order["target"], dtype="bfloat16" if half else "float32", **load)
    with torch.inference_mode():
        found = [_log_probabilities(made, chunk) for chunk in chunks]
    told = {"quality": _quality(chunks, reference, found), **_context(chunks, reference, transformers)}
    sys.stdout.write(f"\n{json.dumps(told)}\n")


def _chunks(tokenizer: Any, order: dict[str, Any]) -> list[Any]:
    text = Path(order["evaluation"]).read_text("utf-8")
    tokens = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"][0]
    size = order["context"]
    count = min(order["chunks"], len(tokens) // size)
    if count < 2:
        raise SystemExit(f"the text holds {len(tokens)} tokens; at least {2 * size} are needed")
    return [tokens[number * size : (number + 1) * size] for number in range(count)]


def _log_probabilities(model: Any, chunk: Any) -> Any:
    """Of every token's successor in the chunk's second half."""
    import torch

    logits = model(chunk[None]).logits[0, len(chunk) // 2 : -1].double()
    return torch.log_softmax(logits, dim=-1).float()


def _compress(model: Any, tokenizer: Any, order: dict[str, Any]) -> None:
    import torch
    from llmcompressor import oneshot
    from llmcompressor.modifiers.gptq import GPTQModifier
    from llmcompressor.modifiers.quantization import QuantizationModifier

    options = {"targets": "Linear", "scheme": order["scheme"], "ignore": ["lm_head"]}
    recipe: list[Any] = [GPTQModifier(**options)] if order["modifier"] == "gptq" else [QuantizationModifier(**options)]
    if order["modifier"] == "awq":
        from llmcompressor.modifiers.transform.awq import AWQModifier

        recipe.insert(0, AWQModifier())
        if not torch.accelerator.is_available():  # it pins memory without asking whether there is an accelerator
            from llmcompressor.pipelines.cache import IntermediatesCache

            IntermediatesCache.pin_memory = lambda self, *_, **__: None
    calibrated = {}
    if order["modifier"] != "rtn":
        calibrated = {
            "dataset": _samples(tokenizer, order), "num_calibration_samples": order["samples"],
            "max_seq_length": order["sample_tokens"], "batch_size": 16,
        }  # fmt: skip
    oneshot(model=model, tokenizer=tokenizer, recipe=recipe, output_dir=order["target"], **calibrated)


def _samples(tokenizer: Any, order: dict[str, Any]) -> Any:
    from datasets import Dataset

    tokens = tokenizer(Path(order["calibration"]).read_text("utf-8"), add_special_tokens=False)["input_ids"]
    size, count = order["sample_tokens"], order["samples"]
    step = max(1, (len(tokens) - size) // count)
    rows = [tokens[start : start + size] for start in range(0, len(tokens) - size, step)][:count]
    return Dataset.from_dict({"input_ids": rows, "attention_mask": [[1] * size for _ in rows]})


def _quality(chunks: list[Any], reference: list[Any], found: list[Any]) -> dict[str, float]:
    import torch

    targets = torch.cat([chunk[len(chunk) // 2 + 1 :] for chunk in chunks])
    base, own = torch.cat(reference).double(), torch.cat(found).double()
    losses = -own.gather(1, targets[:, None])[:, 0]
    divergence = (base.exp() * (base - own)).sum(dim=1)
    root = math.sqrt(max(1, len(losses) - 1))
    increases = losses + base.gather(1, targets[:, None])[:, 0]
    perplexity = math.exp(losses.mean())
    return {
        "perplexity": perplexity,
        "perplexity_error": perplexity * float(losses.std(correction=0)) / root,
        "kl_divergence": float(divergence.mean()),
        "kl_error": float(divergence.std(correction=0)) / root,
        "same_top": float((base.argmax(1) == own.argmax(1)).double().mean()),
        "tokens": len(losses),
        "increase_error": float(increases.std(correction=0)) / root,
    }


def _context(chunks: list[Any], reference: list[Any], transformers: Any) -> dict[str, Any]:
    import torch

    targets = torch.cat([chunk[len(chunk) // 2 + 1 :] for chunk in chunks])
    losses = -torch.cat(reference).double().gather(1, targets[:, None])[:, 0]
    return {
        "reference_perplexity": math.exp(losses.mean()),
        "engine": f"transformers {transformers.__version__}, weights decompressed",
    }


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
