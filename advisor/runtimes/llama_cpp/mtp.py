"""Drafting with a model's own multi-token-prediction layers (`--spec-type draft-mtp`): what it takes beside weights.

llama.cpp makes a second context of the same model (common/speculative.cpp): a KV cache in f16 whatever the main one is
stored in, and a graph of these layers with the whole vocabulary. So that refused tokens can be taken back, each state
of a recurrent layer is kept once more for every drafted token (`n_rs_seq`, src/llama-memory-recurrent.cpp).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from advisor.foundation.caches import kept_beside
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.compute.buffer import compute_buffer_bytes
from advisor.runtimes.llama_cpp.kv_cache import layer_cache_bytes
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.settings import Settings

DRAFTED = 3  # tokens at a time, unless told otherwise (common_params_speculative_draft::n_max)
# Tokens whose words are scored at once: with micro-batches of 2,048 its compute buffer was seen to be 520 MiB, with 512
# tokens 488 (Qwen3.8 27B, of which 485 are scores).
_MOST_SCORED = 512
_SINGLE = 4  # bytes


@kept_beside
def drafting_bytes(model: Model, settings: Settings, placement: Placement) -> Mapping[int, int]:
    """Bytes per device number (HOST = -1); empty where the model has no such layers or does not draft with them.

    `settings` say nothing about placement.
    """
    trunk = model.trunk
    if trunk is None or not settings.mtp or not model.causal:
        return {}
    plain = replace(settings, cache_type_k="f16", cache_type_v="f16", mtp=False)
    taken = dict.fromkeys((HOST, *range(placement.devices)), 0)
    hybrid = any(mixer.recurrent for mixer in trunk.mixers)
    drafting = _drafting(model, trunk)
    first = len(trunk.layers)
    caches = layer_cache_bytes(drafting, plain)
    if not hybrid:
        # Only those were seen to leave the other layers out of the second cache: 2,088 MiB of LongCat-Flash-Lite were
        # 2,088 MiB again (build b10277).
        caches = [*layer_cache_bytes(trunk, plain), *caches]
        first = 0
    for size, device in zip(caches, placement.caches[first:], strict=True):
        taken[device] += size
    for layer, device in zip(trunk.layers, placement.caches, strict=False):
        states = sum(past.convolution + past.state for past in (mixer.kept(trunk.width) for mixer in layer.mixers))
        taken[device] += DRAFTED * settings.users * states * _SINGLE
    home = placement.layers[len(trunk.layers) :]
    alone = Placement(placement.devices, home, placement.output, 0, placement.kv_on_host, placement.lends)
    scored = replace(plain, micro_batch=min(plain.micro_batch, _MOST_SCORED))
    for device, size in compute_buffer_bytes(drafting, scored, alone).items():
        taken[device] += size
    taken[home[0]] += (plain.micro_batch - scored.micro_batch) * model.width * _SINGLE
    return taken


@kept_beside
def _drafting(model: Model, trunk: Model) -> Model:
    """The drafting layers as a model of their own, with the input and the output of the whole."""
    return replace(model, layers=model.layers[len(trunk.layers) :], trunk=None, shared_kv_layers=0)
