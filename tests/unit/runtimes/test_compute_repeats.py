"""Long stretches of like layers: what is left out of a word comes back as it was."""

from __future__ import annotations

import random

import pytest

from advisor.formats.gguf_levels import LEVELS
from advisor.models.catalogue import catalogue
from advisor.runtimes.llama_cpp.compute import buffer
from advisor.runtimes.llama_cpp.compute.graph import schedule
from advisor.runtimes.llama_cpp.compute.layout import Layout
from advisor.runtimes.llama_cpp.compute.repeats import Stretch, repeated, shortened
from advisor.runtimes.llama_cpp.kv_cache import as_kept
from advisor.runtimes.llama_cpp.weights import level_weights, tensors_in
from advisor.sizing.placement import HOST, Placement, place
from advisor.sizing.settings import Settings
from tests.support.whole_layout import allocated


def _whole(short: list[str], stretches: list[Stretch]) -> str:
    word = list(short)
    for start, period, times in reversed(stretches):
        word[start:start] = word[start - period : start] * times
    return "".join(word)


@pytest.mark.parametrize("seed", range(20))
def test_a_word_is_its_short_form_with_the_middle_rounds_repeated(seed: int) -> None:
    draw = random.Random(seed)
    word = "".join("".join(draw.choices("abc", k=draw.randrange(1, 5))) * draw.randrange(1, 12) for _ in range(4))

    short, stretches = shortened(word)

    assert _whole(short, stretches) == word
    assert short[-1] == word[-1]


def test_what_does_not_repeat_itself_is_left_alone() -> None:
    assert shortened("abcdefghab") == (list("abcdefghab"), [])


def test_three_rounds_of_a_long_stretch_are_kept_and_the_last_layer() -> None:
    short, stretches = shortened("aab" * 10 + "x")

    assert "".join(short) == "aab" * 3 + "x"
    assert stretches == [Stretch(6, 3, 7)]


def _plain(layout: Layout) -> list[tuple[object, ...]]:
    """Parts with what they find and leave numbered in the order in which it is left."""
    number: dict[int, int] = {}
    for part in layout.parts:
        for tensor in part.left:
            number[tensor] = len(number)
    return [
        (
            part.segment,
            part.devices,
            layout.sources[part.sources],
            [number[tensor] for tensor in part.found],
            [number[tensor] for tensor in part.left],
        )
        for part in layout.parts
    ]


def _placements(layers: int) -> list[Placement]:
    return [
        place(layers, (1.0,)),
        place(layers, (1.0,), layers // 2),
        place(layers, (1.0,), None, layers // 2),
        place(layers, (1.0, 2.0)),
        place(layers, ()),
    ]


@pytest.mark.parametrize(
    "model_id",
    [
        "llama-3.3-70b-instruct",
        "gpt-oss-120b",
        "qwen3-next-80b-a3b-instruct",
        "gemma-3-27b-it",
        "bge-large-en-v1.5",
        "glm-5.1",
        "deepseek-v4-flash",
        "glm-5.3-flash",
        "minimax-m3",
    ],
)
def test_the_layout_of_a_shortened_word_becomes_that_of_the_word(model_id: str) -> None:
    model, outline, compared = catalogue()[model_id].model, Settings(4096), 0
    for placement in _placements(len(model.layers)):
        word = buffer._word(model, placement)
        short, stretches = shortened(word)
        if not stretches:
            continue
        copies = buffer.PIPELINE_COPIES if buffer.pipelined(placement) else 1
        terms = buffer._Terms(placement.output, copies)
        layout = buffer._laid_way(model, outline, tuple(short), terms).layout
        found = repeated(layout, len(layout.parts) - len(short) - 1, stretches)
        if found is not None:
            assert _plain(found) == _plain(buffer._laid_way(model, outline, word, terms).layout)
            compared += 1
    assert compared


@pytest.mark.parametrize(
    ("model_id", "level"),
    [
        ("llama-3.1-8b-instruct", "Q4_K_M"),
        ("olmo-2-13b-instruct", "Q3_K_L"),
        ("deepseek-v3.2", "Q2_K"),
        ("nvidia-nemotron-nano-9b-v2", "Q4_K_M"),  # operations of later layers come early
    ],
)
def test_steps_shared_between_levels_take_what_all_steps_of_one_do(model_id: str, level: str) -> None:
    model, settings = catalogue()[model_id].model, Settings(8192)
    tensors = tensors_in(level_weights(model, LEVELS[level]))
    count = len(model.layers)
    for placement in (
        place(count, (1.0,), count // 2),
        place(count, (1.0,), None, count // 3),
        place(count, (1.0,), 0),
    ):
        moe = placement.cpu_moe_layers
        word = [buffer._Letter(n, home, HOST if n < moe else home) for n, home in enumerate(placement.layers)]
        terms = buffer._Terms(placement.output, tensors=tensors)
        graph, _ = buffer._graph(model, as_kept(model, settings), tuple(word), terms)
        homes = graph.assign()
        whole = allocated(graph, homes, schedule(graph, homes), placement.devices, 1)
        assert buffer.lent_buffer_bytes(model, settings, placement, tensors) == whole
