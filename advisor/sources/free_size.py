"""Just a size ("70B", "8x7B", "30B-A3B"): the nearest architecture of the catalogue, scaled, and marked as typical."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from advisor.foundation.errors import InputError
from advisor.foundation.message import NOTHING, Message, sentence
from advisor.foundation.numbers import bare
from advisor.models.blueprints import model_from_config
from advisor.models.catalogue import Entry, catalogue
from advisor.models.model import Model

_NUMBER = r"(\d{1,4}(?:\.\d{1,3})?)"
_DENSE = re.compile(rf"(?:typical[ -])?{_NUMBER}\s*([bmt])", re.IGNORECASE)
_EXPERTS = re.compile(rf"(?:typical[ -])?(\d{{1,3}})\s*x\s*{_NUMBER}\s*b", re.IGNORECASE)
_ACTIVE = re.compile(rf"(?:typical[ -])?{_NUMBER}\s*([bt])[ -]?a{_NUMBER}\s*([bm])", re.IGNORECASE)
_UNITS = {"m": 1e6, "b": 1e9, "t": 1e12}
_SMALLEST, _LARGEST = 50e6, 5e12
# Plain shapes only: what is common to most models of a size, not one family's invention.
_DENSE_FAMILIES = ("llama", "qwen2", "qwen3")
_EXPERT_FAMILIES = ("qwen3moe", "glm4moe", "minimax-m2", "deepseek2")
_SAME_SIZE = 0.09  # how far models of one nominal size lie apart
_AS_IT_IS = 0.04
_UNKNOWN_RANGE = (0.92, 1.08)


@dataclass(frozen=True)
class TypicalModel:
    """`low` and `high`: how many times as large the real models of this size are, or could be."""

    name: str
    model: Model
    based_on: Entry
    low: float
    high: float
    like: tuple[str, ...]

    @property
    def sentence(self) -> Message:
        real = sentence(" (such as {models})", models=", ".join(self.like[:3])) if self.like else NOTHING
        return sentence(
            "A {name}: the shape of {model}, scaled. Real models of this size{real} are {low:.2f} to {high:.2f} times "
            "as large, and their KV cache differs more: name a model for exact figures.",
            name=self.name,
            model=self.based_on.name,
            real=real,
            low=self.low,
            high=self.high,
        )


def looks_like_size(text: str) -> bool:
    return any(pattern.fullmatch(text.strip()) for pattern in (_DENSE, _EXPERTS, _ACTIVE))


def typical_model(text: str) -> TypicalModel:
    """The typical model of a size; raises InputError for sizes no language model has."""
    text = text.strip()
    if found := _EXPERTS.fullmatch(text):
        return _mixture(int(found[1]), float(found[2]))
    if found := _ACTIVE.fullmatch(text):
        total, active = (float(found[n]) * _UNITS[found[n + 1].lower()] for n in (1, 3))
        if not 0 < active < total:
            raise InputError("'{words}': the active parameters must be fewer than all of them.", words=text[:40])
        return _typical(_name(text), _bounded(total, text), active, _EXPERT_FAMILIES)
    if found := _DENSE.fullmatch(text):
        size = _bounded(float(found[1]) * _UNITS[found[2].lower()], text)
        return _typical(_name(text), size, size, _DENSE_FAMILIES)
    raise InputError("'{words}' is not a size; write one such as 70B, 8x7B or 30B-A3B.", words=text[:40])


def _name(text: str) -> str:
    return f"typical {text.lower().removeprefix('typical').strip(' -').upper().replace(' ', '').replace('X', 'x')}"


def _bounded(size: float, text: str) -> float:
    if not _SMALLEST <= size <= _LARGEST:
        raise InputError(
            "'{words}' is not a size that language models have; write one between 50M and 5T.", words=text[:40]
        )
    return size


def _candidates(families: tuple[str, ...]) -> list[Entry]:
    return [
        entry
        for entry in catalogue().values()
        if entry.model.architecture in families
        and entry.variant != "embedding"
        and "num_attention_heads" in entry.config  # not wrapped in a vision model's config
        and ("num_experts_per_tok" in entry.config if families is _EXPERT_FAMILIES else not entry.model.experts)
    ]


def _typical(name: str, total: float, active: float, families: tuple[str, ...]) -> TypicalModel:
    def distance(entry: Entry) -> float:
        model = entry.model
        return abs(math.log(model.parameters / total)) + abs(math.log(model.active_parameters / active))

    # The nearest; among equally near ones the newest.
    nearest = sorted(
        sorted(_candidates(families), key=lambda entry: entry.released, reverse=True),
        key=lambda entry: round(distance(entry), 1),
    )[0]
    model = _scaled(nearest, total, active)
    peers = [
        entry for entry in catalogue().values()
        if entry.variant != "embedding"
        and abs(math.log(entry.model.parameters / total)) <= _SAME_SIZE
        and abs(math.log(entry.model.active_parameters / active)) <= 2 * _SAME_SIZE
    ]  # fmt: skip
    ratios = [entry.model.parameters / model.parameters for entry in peers] or [
        bound * total / model.parameters for bound in _UNKNOWN_RANGE
    ]
    ordered = sorted(peers, key=lambda entry: entry.released, reverse=True)
    return TypicalModel(
        name,
        model,
        nearest,
        min(*ratios, 1.0),
        max(*ratios, 1.0),
        tuple(dict.fromkeys(entry.name for entry in ordered)),
    )


def _mixture(experts: int, size: float) -> TypicalModel:
    """Mixtral's way of naming: experts times the size of the dense model each was made from."""
    if not 2 <= experts <= 256:
        raise InputError(
            "'{experts}x{size}B' is not a size that language models have; write one such as 8x7B.",
            experts=experts,
            size=bare(size),
        )
    _bounded(size * 1e9, f"{experts}x{bare(size)}B")
    known = [entry for entry in catalogue().values() if entry.model.architecture == "llama" and entry.model.experts]
    dense = {entry.id: entry.model.parameters / 6.6 for entry in known}  # 8 experts share attention and embeddings
    nearest = min(known, key=lambda entry: abs(math.log(dense[entry.id] / (size * 1e9))))
    factor = size * 1e9 / dense[nearest.id]
    config = _stretched(nearest.config, 1.0 if 0.9 < factor < 1.1 else factor)
    model = model_from_config({**config, "num_local_experts": experts})
    return TypicalModel(
        _name(f"{experts}x{bare(size)}B"), model, nearest, *_UNKNOWN_RANGE, () if experts != 8 else (nearest.name,)
    )


def _scaled(entry: Entry, total: float, active: float) -> Model:
    """The entry's model with layers added or taken away, its width stretched first where the sizes lie far apart."""
    factor = total / entry.model.parameters
    if abs(factor - 1) < _AS_IT_IS and abs(active / entry.model.active_parameters - 1) < 3 * _AS_IT_IS:
        return replace(entry.model, mtp_layers=())
    config: Mapping[str, Any] = entry.config
    if not 0.75 < factor < 1.35:
        config = _stretched(config, factor)
    if entry.model.experts and not 0.75 < active / entry.model.active_parameters / factor < 1.35:
        used = "num_experts_per_tok"
        config = {
            **config,
            used: max(
                1, min(entry.model.experts, round(config[used] * active / entry.model.active_parameters / factor))
            ),
        }
    model = replace(model_from_config(config), mtp_layers=())
    return min((model, _with_layers(model, total)), key=lambda one: abs(one.parameters - total))


def _with_layers(model: Model, total: float) -> Model:
    in_layers = sum(tensor.elements for tensor in model.tensors if tensor.layer is not None)
    rest = model.parameters - in_layers
    count = max(1, round((total - rest) / in_layers * len(model.layers)))
    layers = tuple(
        model.layers[min(number * len(model.layers) // count, len(model.layers) - 1)] for number in range(count)
    )
    return replace(model, layers=layers)


def _stretched(config: Mapping[str, Any], factor: float) -> Mapping[str, Any]:
    """Depth and width grow together, as they do from small models to large ones."""
    step = factor ** (1 / 3)
    heads, groups = config["num_attention_heads"], config.get("num_key_value_heads", config["num_attention_heads"])
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    scaled: dict[str, Callable[[float], int]] = {
        "hidden_size": lambda value: max(1, round(value * step / 256)) * 256,
        "intermediate_size": lambda value: max(1, round(value * step / 256)) * 256,
        "moe_intermediate_size": lambda value: max(1, round(value * step / 256)) * 256,
        "num_hidden_layers": lambda value: max(1, round(value * step)),
        "num_attention_heads": lambda value: max(1, round(value * step / groups)) * groups,
    }
    changed = {key: change(config[key]) for key, change in scaled.items() if isinstance(config.get(key), int | float)}
    return {**config, **changed, "head_dim": head_size, "num_key_value_heads": groups}
