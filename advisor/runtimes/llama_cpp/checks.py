"""What llama.cpp would refuse or misread, said in a sentence before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, sentence
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.tensor_split import check_split
from advisor.sizing.memory import Memory
from advisor.sizing.settings import CACHE_TYPES, Settings

# llama.cpp's scheduler takes 16 backends, of which the CPU is one (GGML_SCHED_MAX_BACKENDS, ggml-backend.cpp).
MAX_DEVICES = 15
# The most sequences one process serves at a time (LLAMA_MAX_SEQ, src/llama-cparams.h).
MOST_SEQUENCES = 256
# MiniMax M3 selects blocks user by user: llama.cpp runs out of graph nodes (seen with 16, not with 4).
_BLOCK_SELECTION_USERS = 16
# Vulkan drives cards of any vendor, and so does RPC; on the CPU no card is driven. A CUDA, ROCm, Metal or SYCL build
# knows its own only.
_ANY_VENDOR = frozenset({"vulkan", "cpu"})


def check_devices(count: int) -> None:
    """Raise InputError for more devices than one llama.cpp process can use."""
    if count > MAX_DEVICES:
        raise InputError(
            "{count:,} devices are more than one llama.cpp process can use: give at most {max_devices}.",
            count=count,
            max_devices=MAX_DEVICES,
        )


def check_vendors(vendors: Collection[str], backend: str | None) -> None:
    """Raise InputError for a mixture of vendors that the backend does not drive in one process."""
    mixed = sorted(set(vendors))
    if len(mixed) > 1 and (backend or "").lower() not in _ANY_VENDOR:
        raise InputError(
            "One llama.cpp process does not drive cards of {mixed} together, except with its Vulkan "
            "backend: choose Vulkan, or cards of one vendor.",
            mixed=" and ".join(mixed),
        )


def _selects_blocks_per_user(model: Model) -> bool:
    indexers = (mixer.kept(model.width).indexer for mixer in model.mixers)
    return any(indexer is not None and indexer.by_block for indexer in indexers)


def check_settings(settings: Settings, model: Model, memory: Memory) -> None:
    """Raise InputError for settings that llama.cpp refuses on this model and machine."""
    if settings.users > MOST_SEQUENCES:
        raise InputError(
            "users={users:,}: one llama.cpp process serves at most {most_sequences} at a time; run "
            "several, or use runtime=vllm.",
            users=settings.users,
            most_sequences=MOST_SEQUENCES,
        )
    if settings.users >= _BLOCK_SELECTION_USERS and _selects_blocks_per_user(model):
        raise InputError(
            "users={users}: llama.cpp aborts on {architecture} models with {fewest} users or more; run several, or use "
            "runtime=vllm.",
            users=settings.users,
            architecture=model.architecture,
            fewest=_BLOCK_SELECTION_USERS,
        )
    if settings.gpu_layers is not None and settings.gpu_layers < 0:
        raise InputError("gpu_layers must be 0 or more, or all.")
    if settings.cpu_moe_layers < 0:
        raise InputError("cpu_moe_layers must be 0 or more.")
    _check_split(settings, model)
    if settings.tensor_split is not None:
        _check_shares(settings.tensor_split, len(memory.devices))
    if refusal := cache_type_refusal(model, settings):
        raise InputError.saying(refusal)


def _check_split(settings: Settings, model: Model) -> None:
    if settings.split == "row":
        raise InputError(
            "Current llama.cpp splits by rows with its SYCL backend only and refuses to elsewhere: use split=layer."
        )
    if settings.split != "tensor":
        return
    if not model.wiring.gguf.tensor_split:
        raise InputError(
            "llama.cpp cannot split the tensors of {architecture} models: use split=layer.",
            architecture=model.architecture,
        )
    if not settings.flash_attention:
        raise InputError("llama.cpp splits tensors only with flash attention: set flash_attention=on or split=layer.")
    check_split(model)


def _check_shares(shares: Sequence[float], devices: int) -> None:
    if len(shares) > devices:
        raise InputError(
            "tensor_split has {count} shares for {devices}: give one for each.",
            count=len(shares),
            devices=sentence("1 device") if devices == 1 else sentence("{number} devices", number=devices),
        )
    if any(share < 0 or not math.isfinite(share) for share in shares):
        raise InputError("tensor_split: shares must be 0 or more.")
    if not any(shares):
        raise InputError("tensor_split: at least one share must be more than 0.")


def cache_type_refusal(model: Model, settings: Settings) -> Message | None:
    """Why llama.cpp refuses these KV cache types; None: it does not.

    It refuses a type whose blocks do not divide a head, and two types where K and V are one.
    """
    for mixer in model.mixers:
        if mixer.kept(model.width).latent and settings.cache_type_k != settings.cache_type_v:
            return sentence(
                "This model caches one latent vector for K and V: set kv_type_k and kv_type_v to the same type."
            )
        heads = mixer.cached_heads
        for key, kind, size in (
            ("kv_type_k", settings.cache_type_k, heads.key_size),
            ("kv_type_v", settings.cache_type_v, heads.value_size),
        ):
            if size % CACHE_TYPES[kind][0]:
                return sentence(
                    "{name}={kind} does not work with this model: its heads of {size} are no multiple of {block}; "
                    "use f16.",
                    name=key,
                    kind=kind,
                    size=size,
                    block=CACHE_TYPES[kind][0],
                )
    return None
