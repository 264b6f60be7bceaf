"""The file of a level: what it weighs where, and what must fit where people download a larger one."""

from __future__ import annotations

from dataclasses import replace

from advisor.formats.gguf_levels import Level
from advisor.formats.gguf_sizes import SizedLevel, size_level
from advisor.foundation.errors import InputError
from advisor.runtimes.llama_cpp.adapters import with_adapters
from advisor.runtimes.llama_cpp.weights import Weights, file_weights, scaled_weights, sized_weights
from advisor.sizing.request import GgufFile, Levels, PlanRequest


class LevelFiles:
    """The files of a request's levels, or its one file; `split`: every tensor lies on all devices."""

    def __init__(self, request: PlanRequest, split: bool) -> None:
        self.request, self.split = request, split
        self.model, self.settings = request.model, request.settings
        levels = request.stored if isinstance(request.stored, Levels) else Levels()
        self.imatrix, self.published = levels.imatrix, levels.published

    def weights(self, sized: SizedLevel) -> Weights:
        """What lies where, of the file that was asked for or of the level."""
        if isinstance(stored := self.request.stored, GgufFile) and sized is stored.sized:
            return self._adapted(self._loaded(file_weights(self.model, stored.tensors)))
        return self._adapted(sized_weights(self.model, sized))

    def judged(self, sized: SizedLevel, weights: Weights) -> Weights:
        """What must fit: `weights`, or those of the file that people download instead, where that may be larger."""
        if self.published is None or self.published.file_of(sized.level) is not None:
            return weights
        factor = self.judged_factor(sized)
        if factor == 1:
            return weights
        return self._adapted(scaled_weights(self.model, sized.level, self.imatrix, factor))

    def file_factor(self, sized: SizedLevel) -> float:
        """How many times as large its weights are as those of the stock level."""
        return sized.tensor_bytes / size_level(self.model, sized.level.stock, self.imatrix).tensor_bytes

    def judged_factor(self, sized: SizedLevel) -> float:
        """The same of what must fit."""
        if self.published is None or self.published.file_of(sized.level) is not None:
            return self.file_factor(sized)
        return max(1.0, self.published.most_bytes(self.model, sized.level, self.imatrix) / sized.file_bytes)

    def sized(self, level: Level) -> SizedLevel:
        """The file of a level: a publisher's where one is asked for, else what stock tools make."""
        stock = size_level(self.model, level.stock, self.imatrix)
        row = None if self.published is None else self.published.file_of(level)
        if row is None and level.like:
            raise InputError(
                "{level} is a publisher's own level, and no file of this model is known.", level=level.name
            )
        if row is None or row.bytes is None:
            return stock
        data = max(1, row.bytes - stock.header_bytes)
        tensors = round(stock.tensor_bytes * data / stock.data_bytes)
        return replace(stock, level=level, tensor_bytes=tensors, data_bytes=data, types={})

    def _loaded(self, weights: Weights) -> Weights:
        """Without the layers that only draft, which llama.cpp leaves in the file unless it drafts with them.

        They count all the same where layers are counted (`-ngl`).
        """
        trunk = self.model.trunk
        if trunk is None or self.settings.mtp:
            return weights
        drafting = slice(len(trunk.layers), None)
        layers, experts = weights.layers.copy(), weights.experts.copy()
        layers[drafting] = experts[drafting] = 0
        return replace(weights, layers=layers, experts=experts)

    def _adapted(self, weights: Weights) -> Weights:
        """With the adapters beside the layers they change; split tensors have them beside all."""
        return weights if self.split else with_adapters(weights, self.model, self.request.adapters)
