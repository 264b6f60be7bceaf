"""What is remembered stays below its bounds, and what is kept beside a model goes with it."""

from __future__ import annotations

import ast
import gc
import sys
import weakref
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import advisor
from advisor.answer import answer as advise
from advisor.answer.answer import answer
from advisor.foundation import caches
from advisor.foundation.caches import deep_bytes, kept_beside, kept_beside_bytes, remembered, remembered_bytes
from advisor.foundation.units import KIB, MIB
from advisor.question.question import Question
from tests.benchmarks.cache_growth import QUESTIONS, ask, config

_LONGER = 16


class Owner:
    """Something that results are kept beside."""


def test_bytes_are_counted_with_what_is_inside_and_once() -> None:
    array = np.zeros(1000)
    assert 8000 <= deep_bytes(array) < 8300
    assert 8000 <= deep_bytes([array, array, {"again": array}]) < 9000
    assert deep_bytes(list(range(1000, 2000))) > 1000 * 28
    assert deep_bytes(Owner) == deep_bytes(deep_bytes) == 0


def test_results_are_remembered_up_to_a_bound_and_the_oldest_go_first() -> None:
    asked: list[int] = []

    @remembered(100 * KIB, weigh=len)
    def padding(number: int) -> bytes:
        asked.append(number)
        return bytes(30 * KIB)

    for number in (1, 2, 3, 1, 4):  # three fit; 2 is the one used longest ago
        padding(number)
    padding(1)
    padding(3)
    assert asked == [1, 2, 3, 4]
    padding(2)
    assert asked == [1, 2, 3, 4, 2]
    name = f"{__name__}.{padding.__qualname__}"
    held, bound = remembered_bytes()[name]
    assert held == 90 * KIB
    assert bound == 100 * KIB


def test_a_result_heavier_than_the_bound_is_given_but_not_kept() -> None:
    @remembered(10)
    def heavy(number: int) -> bytes:
        return bytes(100)

    assert heavy(1) == heavy(1) == bytes(100)
    assert remembered_bytes()[f"{__name__}.{heavy.__qualname__}"][0] == 0


def test_what_is_kept_beside_an_object_goes_with_it() -> None:
    @kept_beside
    def padding(owner: Owner, number: int) -> np.ndarray[Any, Any]:
        return np.zeros(100_000 + number, dtype=np.int8)

    before = kept_beside_bytes()
    owner = Owner()
    first = padding(owner, 1)
    assert padding(owner, 1) is first
    assert padding(owner, 2) is not first
    assert padding(Owner(), 1) is not first
    gone = weakref.ref(owner)
    assert kept_beside_bytes() - before >= 200_000
    del owner
    gc.collect()
    assert gone() is None
    assert kept_beside_bytes() <= before + 1000


def test_objects_not_asked_about_for_longest_lose_what_is_kept_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "KEPT_BESIDE", kept_beside_bytes() + 8 * MIB)
    monkeypatch.setattr(caches, "_SLACK", MIB)

    @kept_beside
    def padding(owner: Owner) -> bytes:
        return bytes(MIB // 2)

    owners = [Owner() for _ in range(60)]
    favourite = owners[0]
    kept = padding(favourite)
    for owner in owners:
        padding(owner)
        assert padding(favourite) is kept  # asked for all the time
        assert kept_beside_bytes() <= caches.KEPT_BESIDE + MIB
    assert padding(owners[-1]) is padding(owners[-1])


def test_threads_get_the_right_results() -> None:
    @kept_beside
    def double(owner: Owner, number: int) -> int:
        return 2 * number

    owners, wrong = [Owner() for _ in range(4)], []

    def work() -> None:
        for number in range(2000):
            if double(owners[number % 4], number) != 2 * number:
                wrong.append(number)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_kept_is_added_up_while_others_add_to_it() -> None:
    """A scrape of /metrics failed while pages were drawn."""

    @kept_beside
    def one(owner: Owner) -> int:
        return 1

    owners: list[Owner] = []

    def work() -> None:
        for _ in range(5000):
            owners.append(Owner())
            one(owners[-1])

    threads = [Thread(target=work) for _ in range(3)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            kept_beside_bytes()
    finally:
        sys.setswitchinterval(usual)
    assert len(owners) == 15_000


def test_many_distinct_models_stay_below_every_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds for answers and models are made small, so that few questions fill them."""
    for function in (advise._answer, advise._find):
        function.cache_clear()
    kept = caches._remembered["advisor.answer.answer._answer"], caches._remembered["advisor.answer.answer._find"]
    for cache in kept:
        monkeypatch.setattr(cache, "_Cache__maxsize", 2 * MIB)
    models = []
    for number in range(_LONGER):
        models.append(weakref.ref(ask(tmp_path, number).model))
        for name, (held, bound) in remembered_bytes().items():
            assert held <= bound, name
    assert kept_beside_bytes() <= caches.KEPT_BESIDE + caches._SLACK
    gc.collect()
    left = sum(model() is not None for model in models)
    each = advise._EACH_LAYER * config(0)["num_hidden_layers"]
    assert 0 < left <= 2 * (2 * MIB // each) < _LONGER, "models outlive the answers about them"


def test_an_answer_weighs_about_what_it_is_taken_for(tmp_path: Path) -> None:
    """Too little would let the caches outgrow their bounds."""
    for number, question in enumerate(QUESTIONS):
        path = tmp_path / str(number) / "config.json"
        ask(tmp_path, number)
        found = answer(Question.from_query(f"model={path}&{question}"), allow_local=True)
        for candidate in found.candidates:
            assert candidate.costs is None or candidate.costs.verdict.kind  # worked out when asked for
        model = deep_bytes(vars(found.model) | {caches._DRAWER: None})
        drawer = vars(found.model)[caches._DRAWER].bytes
        weighed = deep_bytes(found) + model + drawer
        assert weighed <= 1.5 * advise._answer_weight(found), question
        assert advise._answer_weight(found) <= 6 * weighed, question


def test_nothing_else_remembers_by_whole_models() -> None:
    """A count of entries says nothing about bytes, and holds every model that was ever asked about."""
    kinds = {"Model", "Answer", "ResolvedModel", "Plan", "Candidate"}
    wrong, seen = [], 0
    for path in Path(advisor.__path__[0]).rglob("*.py"):
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text if "cache" in text else "")):
            if isinstance(node, ast.FunctionDef) and any("cache" in _name(one) for one in node.decorator_list):
                seen += 1
                taken = [one.annotation for one in (*node.args.args, *node.args.kwonlyargs) if one.annotation]
                if kinds & {name.id for hint in taken for name in ast.walk(hint) if isinstance(name, ast.Name)}:
                    wrong.append(f"{path.name}: {node.name}")
    assert seen > 40
    assert wrong == []


def _name(decorator: ast.expr) -> str:
    """ "lru_cache" of `@lru_cache(maxsize=4)`; a property of an object is gone with it."""
    name = ast.unparse(decorator).partition("(")[0]
    return "" if name == "cached_property" else name
