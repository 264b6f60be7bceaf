"""SGLang's pool: tokens one by one, of which layers with a window have fewer, and states of recurrent layers.

Rules of SGLang 0.5.23: `srt/model_executor/pool_configurator.py` and `srt/mem_cache/kv_cache_configurator.py`
(`_handle_max_mamba_cache`, `resolve_max_num_reqs`). The radix cache, on by default, keeps what was read in the same
pool, and gives way to requests.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.foundation.caches import kept_beside
from advisor.foundation.units import MIB
from advisor.models.mixers import CompressedAttention
from advisor.models.model import Model
from advisor.runtimes.vllm.kv_cache import KV_DTYPES, kept_on_gpu, paged_cache

_WINDOW_SHARE = 0.8  # --swa-full-tokens-ratio: tokens of layers with a window, for each of the others
_STATE_SHARE = 0.9 / 1.9  # --mamba-full-memory-ratio: states take 0.9 of what tokens do
_STATES_A_REQUEST = 3  # with the radix cache


@dataclass(frozen=True, slots=True)
class TokenPool:
    """Bytes on one GPU: of a token in all layers, and of one state of a request in all of them."""

    token_bytes: float
    state_bytes: int = 0

    def bytes_for(self, tokens: float, requests: float) -> int:
        """What a pool must hold for so many tokens and requests."""
        if not self.state_bytes:
            return round(self.token_bytes * tokens)
        states = _STATES_A_REQUEST * self.state_bytes * requests
        return round(max(self.token_bytes * tokens / (1 - _STATE_SHARE), states / _STATE_SHARE))

    def tokens(self, pool_bytes: float) -> int | None:
        """What it logs as `max_total_num_tokens`; None where no layer keeps tokens."""
        if not self.token_bytes:
            return None
        return int(max(0.0, pool_bytes) * (1 - _STATE_SHARE if self.state_bytes else 1) / self.token_bytes)

    def requests(self, pool_bytes: float) -> int | None:
        """How many requests have their states at once; None: as many as there are tokens for."""
        if not self.state_bytes:
            return None
        return int(max(0.0, pool_bytes) * _STATE_SHARE / (_STATES_A_REQUEST * self.state_bytes))

    def at_once(self, pool_bytes: float, context: int) -> float:
        """How many requests of `context` tokens fit at once."""
        tokens, requests = self.tokens(pool_bytes), self.requests(pool_bytes)
        known = [one for one in (None if tokens is None else tokens / context, requests) if one is not None]
        return min(known, default=0.0)


@kept_beside
def token_pool(model: Model, gpus: int, kv_dtype: str) -> TokenPool | None:
    """The pool of `model` on each of `gpus` GPUs; None for encoders, which keep nothing."""
    if not model.causal:
        return None
    if any(isinstance(mixer, CompressedAttention) for mixer in model.mixers):
        # Counted as vLLM keeps it: of SGLang's own layout nothing is known here.
        cache = paged_cache(model, gpus, kv_dtype)
        return None if cache is None else TokenPool(cache.request_bytes(MIB, 1, 1) / MIB)
    kept = kept_on_gpu(model, gpus, KV_DTYPES[kv_dtype])
    tokens = sum(
        one.size * count * (_WINDOW_SHARE if one.kind == "window" else 1)
        for one, count in kept.items()
        if one.kind != "state"
    )
    return TokenPool(tokens, sum(one.size * count for one, count in kept.items() if one.kind == "state"))
