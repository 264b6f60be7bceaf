"""What most blueprints share: the registry, readers for common blocks, and the assembly of a decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from advisor.foundation.compiled import of_the_program
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message
from advisor.models.config import Config
from advisor.models.feed_forward import Dense, FeedForward
from advisor.models.mixers import Attention, LatentAttention, Mixer
from advisor.models.model import Layer, Model
from advisor.models.tensors import Part, Role, bias, matrix, norm
from advisor.models.wiring import USUAL, GraphWiring, Rotation, Wiring

Blueprint = Callable[[Config], Model]


class _Registry(dict[str, Blueprint]):
    """Blueprints by the architectures they are for; the file of one is only loaded when it is asked for."""

    def __missing__(self, architecture: str) -> Blueprint:
        import_module(f"{__package__}.{self.files()[architecture]}")
        return self[architecture]

    def __contains__(self, architecture: object) -> bool:
        return super().__contains__(architecture) or architecture in self.files()

    def files(self) -> Mapping[str, str]:
        """The files of all there are, by architecture."""
        if not self._files:
            self._files.update(of_the_program("blueprints", self._all_files))
        return self._files

    def __init__(self) -> None:
        super().__init__()
        self._files: dict[str, str] = {}

    def _all_files(self) -> dict[str, str]:
        for file in iter_modules([str(Path(__file__).parent)]):  # importing one registers its blueprints
            import_module(f"{__package__}.{file.name}")
        return {architecture: made.__module__.rpartition(".")[2] for architecture, made in self.items()}


REGISTRY = _Registry()

# Qwen3-VL, dense or with experts: positions have axes, and image features enter after three layers as well.
QWEN3_VISION = GraphWiring(position_axes=4, image_layers=3)
PRE_NORMS = ("attn_norm", "ffn_norm")
# Repositories that keep gate and up projections of all experts as one tensor (`RepositoryWiring.merged`).
GATE_AND_UP = ("ffn_gate_up_exps", ("ffn_gate_exps", "ffn_up_exps"))
SANDWICH_NORMS = ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")


def blueprint(*architectures: str) -> Callable[[Blueprint], Blueprint]:
    """Register a function for transformers class names (and bare model types)."""

    def register(function: Blueprint) -> Blueprint:
        for name in architectures:
            REGISTRY[name] = function
        return function

    return register


def width_of(config: Config) -> int:
    return config.integer("hidden_size", "n_embd", "d_model")


def grouped_query_attention(config: Config, **options: object) -> Attention:
    """Attention as most configs describe it; `options` override or add fields."""
    heads = config.integer("num_attention_heads", "n_head")
    head_size = config.integer("head_dim", default=0, low=0)
    if not head_size:
        if width_of(config) % heads:
            raise InputError(
                "config.json: 'hidden_size' is not a multiple of 'num_attention_heads' ({heads}).", heads=heads
            )
        head_size = width_of(config) // heads
    kv_heads = config.integer("num_key_value_heads", default=heads, high=heads)
    if heads % kv_heads:
        raise InputError(
            "config.json: 'num_attention_heads' ({heads}) is not a multiple of 'num_key_value_heads' ({kv_heads}).",
            heads=heads,
            kv_heads=kv_heads,
        )
    fields: dict[str, object] = {"heads": heads, "kv_heads": kv_heads, "head_size": head_size, **options}
    return Attention(**fields)  # type: ignore[arg-type]


def dense(config: Config, **options: object) -> Dense:
    return Dense(config.integer("intermediate_size", "n_inner"), **options)  # type: ignore[arg-type]


def norms(width: int, names: Iterable[str], with_bias: bool = False) -> tuple[Part, ...]:
    return tuple(part for name in names for part in norm(name, width, with_bias))


def sliding_windows(config: Config, layers: int, pattern: int = 0) -> tuple[int, ...]:
    """Window of each layer, 0 for full attention, from `layer_types` or 'every n-th layer is full'."""
    window = config.integer("sliding_window", default=0, low=0, high=1 << 31)
    if not window:
        return (0,) * layers
    if config.has("layer_types"):
        return tuple(window if "sliding" in kind else 0 for kind in config.layer_types(layers))
    if not pattern:
        return (0,) * layers
    return tuple(0 if (number + 1) % pattern == 0 else window for number in range(layers))


def rotation_in_windows(windows: Sequence[int]) -> Rotation:
    """Of families whose full layers see no positions; models without windows rotate everywhere."""
    return "in windows" if any(windows) else "everywhere"


def rope_factors(config: Config, rotary_size: int) -> tuple[Part, ...]:
    """Frequency tables that the converter computes and stores once, outside the blocks."""
    scaling = dict(config.section("rope_scaling")) or dict(config.section("rope_parameters"))
    kind = scaling.get("rope_type") or scaling.get("type")
    if kind == "llama3":
        return (Part("rope_freqs.weight", (rotary_size // 2,), Role.OTHER),)
    if kind in ("longrope", "su") and isinstance(scaling.get("long_factor"), list):
        names = ("rope_factors_long.weight", "rope_factors_short.weight")
        return tuple(Part(name, (rotary_size // 2,), Role.OTHER) for name in names)
    return ()


def decoder(
    config: Config,
    architecture: str,
    layers: Sequence[Layer],
    *,
    tied_default: bool = False,
    output_bias: bool = False,
    norm_bias: bool = False,
    final_norm: str = "output_norm",
    extra_globals: Iterable[Part] = (),
    grouped_query_ratio: int | None = None,
    mtp_layers: Iterable[Layer] = (),
    output_rows: int = 0,
    wiring: Wiring = USUAL,
    shared_kv_layers: int = 0,
    runtime_note: Message | None = None,
) -> Model:
    """Assemble a causal language model around its layers."""
    width = width_of(config)
    vocabulary = config.integer("vocab_size")
    parts = [matrix("token_embd", width, vocabulary, Role.EMBEDDING)]
    if final_norm:
        parts += norm(final_norm, width, norm_bias)
    if not config.tied(tied_default):
        parts.append(matrix("output", width, output_rows or vocabulary, Role.OUTPUT))
        if output_bias:
            parts.append(bias("output", output_rows or vocabulary, Role.OUTPUT))
    parts += extra_globals
    ratio = first_layer_ratio(layers) if grouped_query_ratio is None else grouped_query_ratio
    return Model(
        architecture=architecture,
        width=width,
        vocabulary=vocabulary,
        layers=tuple(layers),
        globals=tuple(parts),
        context_length=config.context_length,
        grouped_query_ratio=ratio,
        mtp_layers=tuple(mtp_layers),
        wiring=wiring,
        shared_kv_layers=shared_kv_layers,
        runtime_note=runtime_note,
    )


def first_layer_ratio(layers: Sequence[Layer]) -> int:
    """Query heads per KV head in layer 0, as GGUF metadata gives it: MLA counts one KV head."""
    for mixer in layers[0].mixers:
        if isinstance(mixer, Attention):
            return mixer.heads // mixer.kv_heads
        if isinstance(mixer, LatentAttention):
            return mixer.heads
    return 0


def uniform_decoder(
    config: Config,
    architecture: str,
    *,
    attention: Attention,
    feed_forward: FeedForward | Callable[[int], FeedForward],
    norm_names: Sequence[str] = PRE_NORMS,
    norm_bias: bool = False,
    windows: Sequence[int] = (),
    extra_globals: Iterable[Part] = (),
    **options: object,
) -> Model:
    """A decoder whose layers differ at most in their window and feed-forward part."""
    width = width_of(config)
    count = config.layers()
    parts = norms(width, norm_names, norm_bias)
    layers = []
    for number in range(count):
        mixer: Mixer = replace(attention, window=windows[number]) if windows else attention
        block = feed_forward(number) if callable(feed_forward) else feed_forward
        layers.append(Layer((mixer,), block, parts))
    factors = rope_factors(config, attention.head_size)
    extra = (*extra_globals, *factors)
    return decoder(config, architecture, layers, norm_bias=norm_bias, extra_globals=extra, **options)  # type: ignore[arg-type]
