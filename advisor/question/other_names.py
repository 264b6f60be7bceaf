"""What other programs call the keys of the question; who writes one of these is told ours."""

from __future__ import annotations

from collections.abc import Mapping

_OURS = {
    "model": ("model_id", "model_name", "repo", "hf_repo", "llm"),
    "machine": ("gpu_name", "gpu_type", "card", "device", "hardware", "accelerator", "mac", "computer"),
    "gpus": ("gpu_count", "num_gpus", "n_gpus", "cards", "tensor_parallel", "tensor_parallel_size", "tp"),
    "memory_gib": ("vram", "vram_gb", "gpu_memory", "memory", "memory_gb"),
    "host_memory_gib": ("ram", "ram_gb", "system_ram", "host_ram", "host_memory"),
    "context": (
        "ctx",
        "ctx_size",
        "n_ctx",
        "num_ctx",
        "context_length",
        "context_size",
        "max_model_len",
        "max_seq_len",
    ),
    "users": ("parallel", "n_parallel", "np", "concurrency", "concurrent_users", "batch_size", "requests"),
    "runtime": ("engine", "server", "framework", "inference_engine"),
    "level": ("quant", "quantization", "quantisation", "quant_type", "format", "bits", "precision", "dtype"),
    "gpu_layers": ("ngl", "n_gpu_layers", "num_gpu", "offload_layers"),
    "cpu_moe_layers": ("ncmoe", "n_cpu_moe", "cpu_moe"),
    "kv_type_k": ("ctk", "cache_type_k", "kv_type", "kv_cache_type", "kv_cache_dtype", "kv"),
    "kv_type_v": ("ctv", "cache_type_v"),
    "min_tokens_per_s": ("min_tps", "tps", "tokens_per_s", "min_tokens_per_second", "speed"),
    "lang": ("language", "locale"),
}
OTHER_NAMES: Mapping[str, tuple[str, ...]] = {name: (key,) for key, names in _OURS.items() for name in names} | {
    "gpu": ("machine", "gpus")  # which of them is meant, or how many
}
