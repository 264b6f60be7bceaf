"""What the speed of a model depends on besides the bytes of its weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from weakref import WeakKeyDictionary

from advisor.foundation.compiled import of_the_program
from advisor.models.catalogue import Entry, catalogue
from advisor.models.model import Model


@dataclass(frozen=True, slots=True)
class Shape:
    """What speed depends on besides bytes: see `shape_of`.

    `expert_share` is the fraction of the routed experts that one token uses (1 for dense models). `known_as` is the
    first catalogue id of a model of this very shape: what was measured with one holds for all of them.
    """

    layers: int
    moe_layers: int
    expert_share: float
    active_parameters: float
    attention: tuple[tuple[int, float], ...] = ()  # (window in tokens, 0: none; operations per token and cell)
    known_as: str | None = None
    width: int = 4096
    experts: int = 0  # of a layer
    unpacked: tuple[tuple[int, float], ...] = ()  # as `attention`, of an engine that unpacks a prompt's keys
    attention_layers: int = 0  # that look back at what is cached
    recurrent_layers: int = 0  # that keep a state
    # Of each window (0: none) the elements that the cache keeps of a token.
    cells: tuple[tuple[int, float], ...] = ()

    def divided(self, parts: float) -> Shape:
        """What each of `parts` devices computes that share every tensor."""
        return replace(
            self,
            active_parameters=self.active_parameters / parts,
            attention=_divided(self.attention, parts),
            unpacked=_divided(self.unpacked, parts),
            cells=_divided(self.cells, parts),
        )

    def cells_read(self, depth: float) -> float:
        """Elements of the cache that one token reads after `depth` others."""
        return sum(each * (min(window, depth) if window else depth) for window, each in self.cells)

    def attention_operations(self, depth: float, *, unpacked: bool = False) -> float:
        """Operations that attention spends on one token after `depth` others."""
        kinds = self.unpacked if unpacked else self.attention
        return sum(each * (min(window, depth) if window else depth) for window, each in kinds)


def _divided(kinds: Sequence[tuple[int, float]], parts: float) -> tuple[tuple[int, float], ...]:
    return tuple((window, each / parts) for window, each in kinds)


_SHAPES: WeakKeyDictionary[Model, Shape] = WeakKeyDictionary()


def shape_of(model: Model) -> Shape:
    """The shape of a model, computed once per model object."""
    if (found := _SHAPES.get(model)) is None:
        moe = [layer.routed for layer in model.layers if layer.routed is not None]
        attention, unpacked, cells = Counter[int](), Counter[int](), Counter[int]()  # per token and cell by window
        looking = sum(any(mixer.products_per_cell for mixer in layer.mixers) for layer in model.layers)
        for mixer in (mixer for layer in model.layers for mixer in layer.mixers):
            if mixer.products_per_cell:
                past = mixer.kept(model.width)
                attention[past.window] += mixer.products_per_cell
                unpacked[past.window] += mixer.products_unpacked
                cells[past.window] += past.keys + past.values
        found = _SHAPES[model] = Shape(
            layers=len(model.layers),
            moe_layers=len(moe),
            expert_share=moe[0].used / moe[0].experts if moe else 1.0,
            active_parameters=model.active_parameters - _looked_up(model),
            width=model.width,
            experts=moe[0].experts if moe else 0,
            cells=tuple(cells.items()),
            unpacked=tuple((window, 2 * each) for window, each in unpacked.items()),
            known_as=_known_shapes().get(_signature(model, model.parameters)),
            attention_layers=looking,
            recurrent_layers=sum(layer.recurrent for layer in model.layers),
            attention=tuple((window, 2 * each) for window, each in attention.items()),
        )
    return found


def _looked_up(model: Model) -> int:
    """Weights of which a token needs its own row only, beside its input embedding: Gemma's E2B and E4B have most of
    theirs there.
    """
    return sum(part.elements for part in model.globals if part.name.startswith("per_layer_token_embd"))


def _signature(model: Model, parameters: int) -> Hashable:
    """Equal for models with the same tensors: fine-tunes and later releases of one design."""
    return model.architecture, len(model.layers), model.width, model.vocabulary, parameters


@cache
def _known_shapes() -> Mapping[Hashable, str]:
    """The first catalogue id, alphabetically, of every shape. Counting its parameters again would take seconds."""

    def known() -> dict[Hashable, str]:
        entries = sorted(catalogue().values(), key=_id, reverse=True)
        return {_signature(entry.model, entry.parameters.counted): entry.id for entry in entries}

    found: Mapping[Hashable, str] = of_the_program("shapes", known)
    return found


def _id(entry: Entry) -> str:
    return entry.id
