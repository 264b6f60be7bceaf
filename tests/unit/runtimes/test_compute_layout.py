"""Compute buffers looked up piece by piece are those of going through every step."""

from __future__ import annotations

import random

import pytest

from advisor.models.catalogue import catalogue
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.compute.buffer import compute_buffer_bytes
from advisor.sizing.placement import Placement, place
from advisor.sizing.settings import Settings
from tests.support.whole_layout import whole_layout

_EACH = 2


def _one_of_each_architecture() -> list[str]:
    return sorted({entry.model.architecture: name for name, entry in sorted(catalogue().items())}.values())


def _drawn(draw: random.Random, model: Model) -> tuple[Settings, Placement]:
    layers = len(model.layers)
    settings = Settings(
        draw.choice((256, 1000, 4096, 20_000, 131_072)),
        users=draw.choice((1, 1, 2, 3)),
        micro_batch=draw.choice((128, 512, 512, 2048)),
        flash_attention=draw.random() < 0.8,
        cache_type_k=draw.choice(("f16", "q8_0", "q4_0", "f32")),
        cache_type_v=draw.choice(("f16", "q8_0")),
        unified=draw.random() < 0.2,
    )
    shares = [draw.choice((0.5, 1.0, 2.0)) for _ in range(draw.choice((0, 1, 1, 2, 3)))]
    on_devices = draw.choice((None, None, 0, draw.randrange(layers + 2)))
    moe = draw.choice((0, draw.randrange(layers + 1), layers))
    return settings, place(layers, shares, on_devices, moe, draw.random() < 0.1)


@pytest.mark.parametrize("model_id", _one_of_each_architecture())
def test_what_is_looked_up_is_what_every_step_gives(model_id: str) -> None:
    draw, model = random.Random(model_id), catalogue()[model_id].model
    asked = [_drawn(draw, model) for _ in range(_EACH)]
    # The same placements at other contexts: their steps are known by then.
    asked += [(Settings(8192 + 512 * number), placement) for number, (_, placement) in enumerate(asked)]

    for settings, placement in asked:
        assert compute_buffer_bytes(model, settings, placement) == whole_layout(model, settings, placement), settings
