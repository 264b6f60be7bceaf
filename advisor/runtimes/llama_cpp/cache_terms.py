"""What a layer keeps of the past as multiplications a reader can check: 8 KV heads x 128 x 2 (K and V) x ..."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import assert_never

from advisor.models.indexer import Indexer
from advisor.models.mixers import Attention, CompressedAttention, LatentAttention, LinearAttention, Mixer
from advisor.models.model import Layer, Model
from advisor.models.recurrent import GatedDeltaNet, KimiDelta, Mamba2, NgramLookup, ShortConvolution
from advisor.runtimes.llama_cpp.kv_cache import as_kept, pooled_cells, widest_values, window_cells
from advisor.sizing.memory_line import Term
from advisor.sizing.settings import CACHE_TYPES, Settings

_F32 = Fraction(4)


def _term(what: str, *factors: tuple[int | Fraction, str]) -> Term:
    return Term(what, tuple((Fraction(number), word) for number, word in factors))


def layer_terms(layer: Layer, model: Model, settings: Settings, kept: int) -> list[Term]:
    """The products that add up to the `kept` bytes of a layer for all users together."""
    settings = as_kept(model, settings)
    found = [term for mixer in layer.mixers for term in _mixer_terms(mixer, model, settings)]
    if sum(term.bytes for term in found) == kept:
        return [term for term in found if term.bytes]
    # Layers without attention that llama.cpp pads like the others.
    return [_term("padded", (kept, "bytes"))]


def _stored(kind: str) -> tuple[Fraction, str]:
    block, size = CACHE_TYPES[kind]
    number = Fraction(size, block)
    return number, "bytes" if block == 1 else f"bytes ({kind})"


def _tokens(cells: int, word: str = "tokens") -> tuple[int, str]:
    return cells, word


def _users(settings: Settings) -> tuple[int, str]:
    return settings.users, "user" if settings.users == 1 else "users"


def _streams(settings: Settings) -> tuple[int, str]:
    """How many caches there are."""
    return (1, "cache for all users") if settings.shared_by > 1 else _users(settings)


def _mixer_terms(mixer: Mixer, model: Model, settings: Settings) -> Iterator[Term]:
    """The one place that asks for the kind of a mixer: each is told in words of its own."""
    users = _users(settings)
    match mixer:
        case Attention():
            yield from _attention_terms(mixer, model, settings)
        case LatentAttention():
            width = (mixer.key_width, f"numbers ({mixer.kv_rank} latent + {mixer.rope_size} rotary)")
            yield _term("latent", width, _stored(settings.cache_type_k), _tokens(settings.cells), _streams(settings))
            yield from _indexer_terms(mixer.indexer, settings)
        case CompressedAttention():
            yield from _compressed_terms(mixer, settings)
        case NgramLookup():
            yield _term("n-gram", (mixer.kept(model.width).convolution, "state numbers"), (_F32, "bytes"), users)
        case ShortConvolution():
            kept = (mixer.kernel - 1, "past tokens")
            yield _term("convolution", kept, (model.width, "wide"), (_F32, "bytes"), users)
        case KimiDelta() | Mamba2() | GatedDeltaNet():
            convolved = (mixer.kernel - 1, "past tokens"), (mixer.convolution_width, "wide")
            yield _term("convolution in recurrent", *convolved, (_F32, "bytes"), users)
            yield _term("recurrent", (mixer.state_elements, "state numbers"), (_F32, "bytes"), users)
        case LinearAttention():
            return
        case _:
            assert_never(mixer)


def _attention_terms(mixer: Attention, model: Model, settings: Settings) -> Iterator[Term]:
    users = _streams(settings)
    if mixer.window and window_cells(mixer.window, settings) < settings.cells:
        what, tokens = "sliding-window", _tokens(window_cells(mixer.window, settings), "tokens of the window")
    else:
        cells = window_cells(mixer.window, settings) if mixer.window else settings.cells
        what, tokens = "", _tokens(cells)
    heads = mixer.kv_heads, "KV head" if mixer.kv_heads == 1 else "KV heads"
    keys, values = _stored(settings.cache_type_k), _stored(settings.cache_type_v)
    # Without flash attention values lie transposed, as wide as those of the widest layer.
    widest = 0 if settings.flash_attention else widest_values(model)
    padded = widest > mixer.value_width
    if not padded and keys == values and mixer.head_size == mixer.value_head_size:
        yield _term(what, heads, (mixer.head_size, ""), (2, "(K and V)"), keys, tokens, users)
    else:
        yield _term(what, heads, (mixer.head_size, "(K)"), keys, tokens, users)
        wide = ((widest, "(V, as wide as the widest layer)"),) if padded else (heads, (mixer.value_head_size, "(V)"))
        yield _term(what, *wide, values, tokens, users)
    yield from _indexer_terms(mixer.indexer, settings)


def _indexer_terms(indexer: Indexer | None, settings: Settings) -> Iterator[Term]:
    if indexer is None:
        return
    rest = _tokens(settings.cells), _streams(settings)
    parts = ((3, "(keys, gates, pooled)"),) if indexer.style == "pooled" else ()
    yield _term("indexer of", (indexer.head_size, ""), *parts, _stored(settings.cache_type_k), *rest)
    if indexer.keeps_values:
        yield _term("indexer of", (indexer.head_size, "(V)"), _stored(settings.cache_type_v), *rest)


def _compressed_terms(mixer: CompressedAttention, settings: Settings) -> Iterator[Term]:
    users, keys = _users(settings), _stored(settings.cache_type_k)
    near = _tokens(window_cells(mixer.window, settings), "tokens of the window")
    yield _term("compressed", (mixer.head_size, ""), keys, near, users)
    if not mixer.ratio:
        return
    far = _tokens(pooled_cells(mixer.ratio, settings), f"groups of {mixer.ratio} tokens")
    for size, what in zip(mixer.pooled_sizes, ("compressed", "indexer of compressed"), strict=False):
        yield _term(what, (size, ""), keys, far, users)
        waiting = (mixer.overlap * size, "wide"), (mixer.overlap * mixer.ratio, "tokens being pooled")
        yield _term(what, (2, "(values and scores)"), *waiting, (_F32, "bytes"), users)
