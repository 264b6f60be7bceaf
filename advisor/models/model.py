"""A model: its hyper-parameters as a list of layers, and the tensor table that follows from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from advisor.foundation.message import Message, fact
from advisor.models.feed_forward import FeedForward, MixtureOfExperts
from advisor.models.mixers import Mixer
from advisor.models.tensors import Part, Role, Tensor, matrix
from advisor.models.tower import Tower
from advisor.models.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Layer:
    """One transformer block: what mixes tokens, the feed-forward part, and the norms and extras around them."""

    mixers: tuple[Mixer, ...]
    feed_forward: FeedForward | None
    extras: tuple[Part, ...] = ()

    @property
    def routed(self) -> MixtureOfExperts | None:
        """The feed-forward part where it is a mixture of experts."""
        return self.feed_forward if isinstance(self.feed_forward, MixtureOfExperts) else None

    @property
    def recurrent(self) -> bool:
        """Whether a state is carried from token to token here."""
        return any(mixer.recurrent for mixer in self.mixers)

    def parts(self, width: int) -> Iterator[Part]:
        for mixer in self.mixers:
            yield from mixer.parts(width)
        if self.feed_forward is not None:
            yield from self.feed_forward.parts(width)
        yield from self.extras


@dataclass(frozen=True, slots=True)
class Names:
    """What a config calls its model: the class that vLLM and SGLang look up, and the type that mlx-lm does."""

    architecture: str
    model_type: str


@dataclass(frozen=True, eq=False)  # compared by identity, so that what follows from it can be kept beside it
class Model:
    """What every size follows from. Lengths are in elements, `context_length` in tokens (None: unknown).

    `architecture` is llama.cpp's name for the family, `wiring` what belongs to it beside the tensors.
    `mtp_layers` are multi-token-prediction blocks that follow the main ones; they are left out of files unless asked
    for. `grouped_query_ratio` is what llama.cpp's quantizer sees as query heads per KV head of layer 0 (0 where that
    layer has no KV heads). The last `shared_kv_layers` layers read the KV cache of earlier ones. `trunk` is the model
    without the multi-token-prediction layers that this one includes, None when it includes none. `tower` is what turns
    images and sound into its tokens, None where it has none that is known. `runtime_note` says why llama.cpp cannot run
    it, empty when it can. `notes` say what its figures assume or leave out. `names` are those of its config, None where
    it was read from none.
    """

    architecture: str
    width: int
    vocabulary: int
    layers: tuple[Layer, ...]
    globals: tuple[Part, ...]
    context_length: int | None
    grouped_query_ratio: int
    mtp_layers: tuple[Layer, ...] = ()
    causal: bool = True
    shared_kv_layers: int = 0
    runtime_note: Message | None = None
    wiring: Wiring = field(default_factory=Wiring)
    trunk: Model | None = None
    tower: Tower | None = None
    notes: tuple[Message, ...] = ()
    names: Names | None = None

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensor table of a plain conversion, without multi-token-prediction layers."""
        table = [part.outside_layers() for part in self.globals]
        table.extend(self._in_layers(self.layers, 0))
        return tuple(table)

    @cached_property
    def mtp_tensors(self) -> tuple[Tensor, ...]:
        return tuple(self._in_layers(self.mtp_layers, len(self.layers)))

    def _in_layers(self, layers: tuple[Layer, ...], first: int) -> Iterator[Tensor]:
        for number, layer in enumerate(layers, start=first):
            for part in layer.parts(self.width):
                yield part.in_layer(number)

    def with_mtp(self) -> Model:
        """The same model with its multi-token-prediction layers as part of the file.

        They weigh, but the ordinary run neither computes them nor caches for them: that is `trunk`'s.
        """
        if not self.mtp_layers:
            return self
        return replace(self, layers=self.layers + self.mtp_layers, mtp_layers=(), trunk=self)

    def with_scores(self, labels: int) -> Model:
        """The same network with a head that gives so many scores instead of tokens, or, with 0, without any head."""
        kept = tuple(part for part in self.globals if not part.name.startswith("output."))
        if labels and self.causal:
            kept = (*kept, matrix("cls.output", self.width, labels, Role.OTHER))
        return replace(self, globals=kept, mtp_layers=(), notes=(*self.notes, fact("no_text_head")))

    @property
    def writes(self) -> bool:
        """Whether it gives tokens; encoders, and decoders with another head, turn text into a vector or scores."""
        return (self.causal or not self.tied_embeddings) and all(note.kind != "no_text_head" for note in self.notes)

    @cached_property
    def parameters(self) -> int:
        """Weights of the text model, without multi-token prediction; tables that were not trained do not count."""
        return sum(t.elements for t in self.tensors if not t.name.startswith("rope_f") and "tid2eid" not in t.name)

    @cached_property
    def mtp_parameters(self) -> int:
        return sum(t.elements for t in self.mtp_tensors)

    @cached_property
    def active_parameters(self) -> int:
        """Weights read for one token: of the routed experts only those used."""
        inactive = 0
        for layer in self.layers:
            if (block := layer.routed) is not None:
                routed = sum(part.elements for part in block.parts(self.width) if part.role is Role.EXPERTS)
                inactive += routed * (block.experts - block.used) // block.experts
        return self.parameters - inactive

    @property
    def tied_embeddings(self) -> bool:
        """Whether input and output embeddings are one matrix (no separate output head in the file)."""
        return not any(part.name == "output.weight" for part in self.globals)

    @property
    def has_output_head(self) -> bool:
        """Whether the network ends in token scores; BERT-style encoders end in the last layer."""
        return any(part.name.startswith(("output_norm", "output_hc")) for part in self.globals) or any(
            part.name == "token_embd_norm.weight" and self.causal for part in self.globals
        )

    @cached_property
    def experts(self) -> int:
        return max((layer.routed.experts for layer in self.layers if layer.routed is not None), default=0)

    @cached_property
    def mixers(self) -> tuple[Mixer, ...]:
        """Each different mixer once."""
        return tuple(dict.fromkeys(mixer for layer in self.layers for mixer in layer.mixers))
