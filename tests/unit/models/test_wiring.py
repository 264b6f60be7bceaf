"""An architecture is its blueprint: nobody else asks for its name, and only what was compared is called checked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.errors import InputError
from advisor.foundation.units import GIB
from advisor.models.catalogue import catalogue
from advisor.models.checked import checked, checked_architectures
from advisor.models.mixers import Attention, LinearAttention, Mixer
from advisor.models.mixing import Mixing
from advisor.models.wiring import GraphWiring
from advisor.runtimes.llama_cpp.checks import check_settings
from advisor.runtimes.llama_cpp.memory_lines import memory_lines
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.runtimes.vllm.weights import check_split
from advisor.sizing.memory import Device, Memory
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings
from advisor.words import say
from tests.support.checked import counted

ADVISOR = Path(__file__).resolve().parents[3] / "advisor"
# Blueprints give the names; sources and the real run read and write files that say them.
_MAY_ASK = ("models/blueprints", "sources", "quantize")
_ONE_OF_EACH = sorted({entry.model.architecture: entry.id for entry in catalogue().values()}.values())
_MEMORY = Memory((Device("GPU", 80 * GIB, GIB // 2),) * 2, 256 * GIB, 2 * GIB)
_BY_LAYER, _BY_TENSOR = Settings(4096), Settings(4096, split="tensor")


def _asks(tree: ast.AST) -> list[int]:
    """Lines that compare a model's architecture, or look something up by it."""
    found = []
    for node in ast.walk(tree):
        asked: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.Match):
            asked = [node.subject]
        elif isinstance(node, ast.Subscript):
            asked = [node.slice]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            asked = node.args if node.func.attr in ("get", "startswith", "endswith") else []
            asked = [*asked, node.func.value] if node.func.attr in ("startswith", "endswith") else asked
        for part in asked:
            named = isinstance(part, ast.Attribute) and part.attr == "architecture"
            if named and not (isinstance(part.value, ast.Name) and part.value.id == "machine"):  # type: ignore[attr-defined]
                found.append(part.lineno)
    return found


def test_only_blueprints_ask_for_an_architecture_by_name() -> None:
    asking = {}
    for path in ADVISOR.rglob("*.py"):
        name = path.relative_to(ADVISOR).as_posix()
        lines = _asks(ast.parse(path.read_text(encoding="utf-8")))
        if lines and not name.startswith(_MAY_ASK):
            asking[name] = lines
    assert asking.keys() == {"models/checked.py"}  # counts rows by it


def test_asking_is_seen() -> None:
    source = 'a = m.architecture == "x"\nb = m.architecture in S\nmatch m.architecture:\n    case "x": pass\n'
    source += 'T[m.architecture]\nT.get(m.architecture)\nm.architecture.startswith("q")\nprint(m.architecture)\n'
    assert sorted(_asks(ast.parse(source))) == [1, 2, 3, 5, 6, 7]


def test_the_list_of_checked_architectures_counts_the_reference_tables() -> None:
    assert dict(checked_architectures()) == counted()


def _splits(model_id: str) -> bool:
    try:
        check_settings(_BY_TENSOR, catalogue()[model_id].model, _MEMORY)
    except InputError:
        return False
    return True


@pytest.mark.parametrize(
    ("model_id", "settings"),
    [(name, _BY_LAYER) for name in _ONE_OF_EACH] + [(name, _BY_TENSOR) for name in _ONE_OF_EACH if _splits(name)],
)
def test_only_what_was_compared_is_called_checked(model_id: str, settings: Settings) -> None:
    model = catalogue()[model_id].model
    plan = LLAMA_CPP.plan(PlanRequest(model, _MEMORY, settings, stored=Levels(LEVELS["Q4_K_M"].id)))[0]
    held = [line for line in memory_lines(plan, model) if line.component != "overhead" and line.place != "Host"]

    compared = checked(model)
    rows = 0 if compared is None else compared.tensor_split if settings is _BY_TENSOR else compared.memory

    assert held
    assert all(("checked against" in say(line.source)) == (rows > 0) for line in held)
    assert all(("not compared" in say(line.source)) == (rows == 0) for line in held)


def test_a_model_that_llama_cpp_cannot_run_is_never_checked() -> None:
    unable = [entry.model for entry in catalogue().values() if entry.model.runtime_note]
    assert unable
    assert not any(checked(model) for model in unable)


@pytest.mark.parametrize("gpus", [2, 4, 8])
def test_gpus_together_keep_no_less_than_one(gpus: int) -> None:
    seen = 0
    for mixer in _split_over(gpus):
        seen += 1
        one, each = mixer.kept(4096), mixer.kept(4096, gpus)
        assert (each.window, each.indexer, each.pools) == (one.window, one.indexer, one.pools)
        for name in ("keys", "values", "convolution", "state"):
            whole, part = getattr(one, name), getattr(each, name)
            assert part <= whole
            assert part * gpus >= whole
    assert seen > 20


def _split_over(gpus: int) -> Iterator[Mixer]:
    """The mixers of all models that vLLM splits over so many GPUs."""
    for model in (entry.model for entry in catalogue().values()):
        try:
            check_split(model, gpus)
        except InputError:
            continue
        yield from model.mixers


def test_every_mixer_answers_for_itself() -> None:
    for mixer in {mixer for entry in catalogue().values() for mixer in entry.model.mixers}:
        kept = mixer.kept(4096)
        assert type(mixer).parts is not Mixing.parts
        assert isinstance(mixer, LinearAttention) or kept.keys or kept.convolution
        assert bool(mixer.products_per_cell) == bool(kept.keys)
        assert mixer.recurrent <= bool(kept.convolution)
        if isinstance(mixer, Attention):
            assert (kept.keys, kept.values) == (mixer.key_width, mixer.value_width)


def test_rotation_by_layer() -> None:
    assert all(GraphWiring().rotates(number, window) for number in range(8) for window in (0, 512))
    every_fourth = GraphWiring(unrotated_every=4)
    assert [every_fourth.rotates(number, 0) for number in range(5)] == [True, True, True, False, True]
    windowed = GraphWiring(rotation="in windows")
    assert (windowed.rotates(0, 512), windowed.rotates(0, 0)) == (True, False)
    assert not GraphWiring(rotation="nowhere").rotates(0, 512)
