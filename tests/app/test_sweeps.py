"""Looks at a whole catalogue: one for all who ask, with progress, given up when nobody waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

import pytest

from advisor.foundation.errors import InputError
from advisor.ui import sweeps
from advisor.ui.sweeps import Progress, Steps, Sweep

_TRIES = 500


def until(done: Callable[[], bool]) -> None:
    for _ in range(_TRIES):
        if done():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")


def counted(sweep: Sweep[str, int], key: str) -> int:
    until(lambda: not isinstance(sweep.look(key), Progress))
    found = sweep.look(key)
    assert isinstance(found, int)
    return found


def test_two_who_ask_the_same_share_one_look_and_see_how_far_it_is() -> None:
    begun, go_on = [], Event()

    def steps(key: str) -> Steps[int]:
        begun.append(key)
        yield 1, 2
        go_on.wait(10)
        yield 2, 2
        return 7

    sweep = Sweep(steps, 4)
    assert isinstance(sweep.look("a"), Progress)
    until(lambda: sweep.look("a") == Progress(1, 2))
    assert sweep.look("a") == Progress(1, 2)  # somebody else
    waiting = sweep.look("b")
    assert isinstance(waiting, Progress)
    assert waiting.before == 1
    go_on.set()
    assert counted(sweep, "a") == counted(sweep, "b") == 7
    assert begun == ["a", "b"]


def test_what_goes_wrong_is_said_once_and_then_tried_again() -> None:
    tried = []

    def steps(key: str) -> Steps[int]:
        tried.append(key)
        if len(tried) == 1:
            raise InputError("There is no such machine.")
        yield 1, 1
        return 1

    sweep = Sweep(steps, 4)

    def settled() -> int | Progress:
        while isinstance(found := sweep.look("a"), Progress):
            time.sleep(0.01)
        return found

    with pytest.raises(InputError, match="no such machine"):
        settled()
    assert settled() == 1


def test_a_look_that_nobody_waits_for_is_given_up_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    steps_made = []

    def steps(key: str) -> Steps[int]:
        for step in range(1, 4):
            steps_made.append(step)
            yield step, 3
            if len(steps_made) == 1:
                monkeypatch.setattr(sweeps, "PATIENCE_S", -1.0)
        return 3

    sweep = Sweep(steps, 4)
    sweep.look("a")
    until(lambda: len(steps_made) >= 2 or not sweeps._working)
    until(lambda: not sweeps._working)
    assert len(steps_made) < 3
    monkeypatch.setattr(sweeps, "PATIENCE_S", 30.0)
    assert counted(sweep, "a") == 3


def test_only_the_last_used_are_kept() -> None:
    asked = []

    def steps(key: str) -> Steps[int]:
        asked.append(key)
        yield 1, 1
        return len(asked)

    sweep = Sweep(steps, 2)
    for key in ("a", "b", "a", "c", "a", "b"):
        counted(sweep, key)
    assert asked == ["a", "b", "c", "b"]


def test_a_look_whose_visitors_all_left_is_given_up_between_two_candidates() -> None:
    """At once, not when their patience would have ended."""
    steps_made, go_on, left = [], Event(), Event()

    def steps(key: str) -> Steps[int]:
        for step in range(1, 100):
            steps_made.append(step)
            yield step, 99
            assert go_on.wait(10)
        return 1

    sweep = Sweep(steps, 4)
    first, second = (lambda: not left.is_set()), (lambda: not left.is_set())
    for is_there in (first, second):
        assert isinstance(sweep.look("a", is_there), Progress)
    until(lambda: steps_made == [1])
    left.set()
    began = time.monotonic()
    go_on.set()
    until(lambda: not sweeps._working)
    assert time.monotonic() - began < 1
    assert len(steps_made) <= 2


def test_a_look_goes_on_while_one_of_its_visitors_is_there() -> None:
    begun, go_on = [], Event()

    def steps(key: str) -> Steps[int]:
        begun.append(key)
        yield 1, 2
        assert go_on.wait(10)
        yield 2, 2
        return 7

    sweep = Sweep(steps, 4)
    sweep.look("a", lambda: True)
    until(lambda: begun == ["a"])
    sweep.look("a", lambda: False)
    go_on.set()
    assert counted(sweep, "a") == 7
    assert begun == ["a"]
