"""What a layer keeps of the past as multiplications a reader can check: 8 KV heads x 128 x 2 (K and V) x ..."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TypeAlias, assert_never

from advisor.foundation.message import Message, fact
from advisor.models.indexer import Indexer
from advisor.models.mixers import Attention, CompressedAttention, LatentAttention, LinearAttention, Mixer
from advisor.models.model import Layer, Model
from advisor.models.observed import Observed
from advisor.models.recurrent import GatedDeltaNet, KimiDelta, Mamba2, NgramLookup, ShortConvolution
from advisor.runtimes.llama_cpp.kv_cache import as_kept, pooled_cells, widest_values, window_cells
from advisor.sizing.memory_line import Term
from advisor.sizing.settings import CACHE_TYPES, Settings

_F32 = Fraction(4)
BYTES, TOKENS, PAST_TOKENS, WIDE = fact("of_bytes"), fact("of_tokens"), fact("past_tokens"), fact("wide")
_STATE, _WINDOW, _INDEXER = fact("state_numbers"), fact("tokens_of_window"), fact("layers_indexer")
_KEYS, _VALUES = fact("keys_only"), fact("values_only")


Factor: TypeAlias = "tuple[int | Fraction, Message | None]"


def _term(what: Message | None, *factors: Factor) -> Term:
    return Term(what, tuple((Fraction(number), word) for number, word in factors))


def layer_terms(layer: Layer, model: Model, settings: Settings, kept: int) -> list[Term]:
    """The products that add up to the `kept` bytes of a layer for all users together."""
    settings = as_kept(model, settings)
    found = [term for mixer in layer.mixers for term in _mixer_terms(mixer, model, settings)]
    if sum(term.bytes for term in found) == kept:
        return [term for term in found if term.bytes]
    # Layers without attention that llama.cpp pads like the others.
    return [_term(fact("layers_padded"), (kept, BYTES))]


def _stored(kind: str) -> Factor:
    block, size = CACHE_TYPES[kind]
    number = Fraction(size, block)
    return number, BYTES if block == 1 else fact("bytes_of_type", kind=kind)


def _users(settings: Settings) -> Factor:
    return settings.users, fact("of_users", n=settings.users)


def _streams(settings: Settings) -> Factor:
    """How many caches there are."""
    return (1, fact("cache_for_all")) if settings.shared_by > 1 else _users(settings)


def _mixer_terms(mixer: Mixer, model: Model, settings: Settings) -> Iterator[Term]:
    """The one place that asks for the kind of a mixer: each is told in words of its own."""
    users = _users(settings)
    match mixer:
        case Attention():
            yield from _attention_terms(mixer, model, settings)
        case LatentAttention():
            width = (mixer.key_width, fact("latent_numbers", latent=mixer.kv_rank, rotary=mixer.rope_size))
            yield _term(
                fact("layers_latent"),
                width,
                _stored(settings.cache_type_k),
                (settings.cells, TOKENS),
                _streams(settings),
            )
            yield from _indexer_terms(mixer.indexer, settings)
        case CompressedAttention():
            yield from _compressed_terms(mixer, settings)
        case NgramLookup():
            yield _term(fact("layers_n_gram"), (mixer.kept(model.width).convolution, _STATE), (_F32, BYTES), users)
        case ShortConvolution():
            kept = (mixer.kernel - 1, PAST_TOKENS)
            yield _term(fact("layers_convolution"), kept, (model.width, WIDE), (_F32, BYTES), users)
        case KimiDelta() | Mamba2() | GatedDeltaNet():
            convolved = (mixer.kernel - 1, PAST_TOKENS), (mixer.convolution_width, WIDE)
            yield _term(fact("layers_recurrent_convolution"), *convolved, (_F32, BYTES), users)
            yield _term(fact("layers_recurrent"), (mixer.state_elements, _STATE), (_F32, BYTES), users)
        case Observed():
            yield from _observed_terms(mixer, settings)
        case LinearAttention():
            return
        case _:
            assert_never(mixer)


def _observed_terms(mixer: Observed, settings: Settings) -> Iterator[Term]:
    past = mixer.past
    cells = (window_cells(past.window, settings) if past.window else settings.cells, TOKENS)
    for width, kind in ((past.keys, settings.cache_type_k), (past.values, settings.cache_type_v)):
        if width:
            yield _term(fact("layers_observed"), (width, WIDE), _stored(kind), cells, _streams(settings))
    yield from _indexer_terms(past.indexer, settings)
    if state := past.convolution + past.state:
        yield _term(fact("layers_recurrent"), (state, _STATE), (_F32, BYTES), _users(settings))


def _attention_terms(mixer: Attention, model: Model, settings: Settings) -> Iterator[Term]:
    users = _streams(settings)
    if mixer.window and window_cells(mixer.window, settings) < settings.cells:
        what, tokens = fact("layers_sliding"), (window_cells(mixer.window, settings), _WINDOW)
    else:
        cells = window_cells(mixer.window, settings) if mixer.window else settings.cells
        what, tokens = None, (cells, TOKENS)
    heads = mixer.kv_heads, fact("kv_heads", n=mixer.kv_heads)
    keys, values = _stored(settings.cache_type_k), _stored(settings.cache_type_v)
    # Without flash attention values lie transposed, as wide as those of the widest layer.
    widest = 0 if settings.flash_attention else widest_values(model)
    padded = widest > mixer.value_width
    if not padded and keys == values and mixer.head_size == mixer.value_head_size:
        yield _term(what, heads, (mixer.head_size, None), (2, fact("keys_and_values")), keys, tokens, users)
    else:
        yield _term(what, heads, (mixer.head_size, _KEYS), keys, tokens, users)
        wide = ((widest, fact("values_as_widest")),) if padded else (heads, (mixer.value_head_size, _VALUES))
        yield _term(what, *wide, values, tokens, users)
    yield from _indexer_terms(mixer.indexer, settings)


def _indexer_terms(indexer: Indexer | None, settings: Settings) -> Iterator[Term]:
    if indexer is None:
        return
    rest = (settings.cells, TOKENS), _streams(settings)
    parts = ((3, fact("keys_gates_pooled")),) if indexer.style == "pooled" else ()
    yield _term(_INDEXER, (indexer.head_size, None), *parts, _stored(settings.cache_type_k), *rest)
    if indexer.keeps_values:
        yield _term(_INDEXER, (indexer.head_size, _VALUES), _stored(settings.cache_type_v), *rest)


def _compressed_terms(mixer: CompressedAttention, settings: Settings) -> Iterator[Term]:
    users, keys = _users(settings), _stored(settings.cache_type_k)
    near = (window_cells(mixer.window, settings), _WINDOW)
    yield _term(fact("layers_compressed"), (mixer.head_size, None), keys, near, users)
    if not mixer.ratio:
        return
    far = (pooled_cells(mixer.ratio, settings), fact("groups_of_tokens", size=mixer.ratio))
    kinds = (fact("layers_compressed"), fact("layers_compressed_indexer"))
    for size, what in zip(mixer.pooled_sizes, kinds, strict=False):
        yield _term(what, (size, None), keys, far, users)
        waiting = (mixer.overlap * size, WIDE), (mixer.overlap * mixer.ratio, fact("tokens_being_pooled"))
        yield _term(what, (2, fact("values_and_scores")), *waiting, (_F32, BYTES), users)
