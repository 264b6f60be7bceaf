"""Pipeline parallelism: which layers, and which of the tables around them, a stage holds.

Rules of vLLM 0.33.0: `distributed/utils.py` (`get_pp_indices`) and the models' `make_layers`, `PPMissingLayer`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.models.model import Model
from advisor.models.tensors import Part

_TABLE = "token_embd.weight"
_IN_LAYER = re.compile(r"\.(?:layers|h|blocks)\.(\d+)\.")
_AT_THE_END = re.compile(r"(^|\.)(lm_head|norm|final_layernorm|ln_f)\.")
_INPUT_TABLE = re.compile(r"(^|\.)(embed_tokens|word_embeddings|wte)\.")


@kept_beside
def stages_of(model: Model, count: int) -> tuple[Model, ...]:
    """The model of each of `count` stages; raises InputError where it cannot be cut into so many."""
    if count == 1:
        return (model,)
    if count > len(model.layers):
        raise InputError(
            "pipeline_parallel={count}: the model has {layers} layers, and a stage holds at least one.",
            count=count,
            layers=len(model.layers),
        )
    if model.shared_kv_layers:
        raise InputError("pipeline_parallel: layers of this model read the cache of others, so it is not cut.")
    last = count - 1
    return tuple(
        replace(model, layers=model.layers[first:end], globals=_tables(model, place == 0, place == last), trunk=None)
        for place, (first, end) in enumerate(cuts(len(model.layers), count))
    )


def cuts(layers: int, count: int) -> Iterator[tuple[int, int]]:
    """First layer of each stage and the one after its last: what is over goes to stages before the last."""
    sizes = [layers // count] * count
    for back in range(2, layers % count + 2):
        sizes[-back] += 1
    first = 0
    for size in sizes:
        yield first, first + size
        first += size


def _tables(model: Model, first: bool, last: bool) -> tuple[Part, ...]:
    """A tied table is on both ends."""
    tied = model.tied_embeddings
    return tuple(
        part
        for part in model.globals
        if (last if part.name.startswith("output") else first or (last and tied and part.name == _TABLE))
    )


def tensors_of_stage(
    tensors: Iterable[tuple[str, int]], model: Model, place: int, count: int
) -> tuple[tuple[str, int], ...]:
    """Of a checkpoint's (name, bytes) those that a stage loads; what no rule names is on the first."""
    if count == 1:
        return tuple(tensors)
    first, end = list(cuts(len(model.layers), count))[place]
    tied = model.tied_embeddings

    def held(name: str) -> bool:
        if (layer := _IN_LAYER.search(name)) is not None:
            return first <= int(layer[1]) < end
        if _AT_THE_END.search(name):
            return place == count - 1
        return place == 0 or (tied and place == count - 1 and _INPUT_TABLE.search(name) is not None)

    return tuple(one for one in tensors if held(one[0]))
