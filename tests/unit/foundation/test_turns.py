"""One page at a time, in the order of coming; whoever waits elsewhere or leaves holds nobody up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from advisor.foundation.turns import OneAtATime, TooManyWaiting


class Left(BaseException):
    """As Streamlit ends a run."""


def in_threads(*works: Callable[[], None]) -> list[threading.Thread]:
    """Started one after the other, each once the one before waits or works."""
    threads = []
    for work in works:
        threads.append(threading.Thread(target=work))
        threads[-1].start()
        time.sleep(0.05)
    return threads


def test_turns_come_in_order_and_never_two_at_once() -> None:
    turns, order, inside = OneAtATime(), [], []

    def work(name: int) -> Callable[[], None]:
        def run() -> None:
            with turns.turn():
                inside.append(name)
                assert len(inside) == 1
                order.append(name)
                time.sleep(0.1)
                inside.remove(name)

        return run

    for thread in in_threads(*(work(number) for number in range(4))):
        thread.join()
    assert order == [0, 1, 2, 3]
    assert turns.idle
    assert turns.ended == 4


def test_others_go_on_while_one_waits_elsewhere() -> None:
    turns, went_on, order = OneAtATime(), threading.Event(), []

    def waits() -> None:
        with turns.turn():
            with turns.elsewhere():
                assert went_on.wait(10)
            order.append("back")

    def goes_on() -> None:
        with turns.turn():
            order.append("meanwhile")
            went_on.set()
            time.sleep(0.1)
            order.append("done")

    for thread in in_threads(waits, goes_on):
        thread.join()
    assert order == ["meanwhile", "done", "back"]
    assert turns.idle


def test_something_long_lets_others_go_between_its_parts() -> None:
    turns, order, release = OneAtATime(), [], threading.Event()
    turns.breathe()  # nobody's turn

    def long() -> None:
        with turns.turn():
            release.wait(10)
            for part in ("first", "second"):
                turns.breathe()
                order.append(part)

    def short() -> None:
        with turns.turn():
            order.append("short")

    threads = in_threads(long, short)
    release.set()
    for thread in threads:
        thread.join()
    assert order == ["short", "first", "second"]
    assert turns.idle


def test_who_leaves_gives_the_place_up() -> None:
    turns, release, leaving, got = OneAtATime(), threading.Event(), threading.Event(), []

    def holds() -> None:
        with turns.turn():
            release.wait(10)

    def look() -> None:
        if leaving.is_set():
            raise Left

    def leaves() -> None:
        with pytest.raises(Left), turns.turn(look):
            got.append("never")

    def last() -> None:
        with turns.turn():
            got.append("last")

    threads = in_threads(holds, leaves, last)
    leaving.set()
    threads[1].join(10)
    assert not threads[1].is_alive()
    release.set()
    for thread in threads:
        thread.join()
    assert got == ["last"]
    assert turns.idle


def test_something_long_is_given_up_when_its_visitor_left() -> None:
    turns, parts, leaving = OneAtATime(), [], threading.Event()

    def look() -> None:
        if leaving.is_set():
            raise Left

    def long() -> None:
        with turns.turn(look):
            for part in range(10):
                turns.still_wanted()
                parts.append(part)
                if part == 2:
                    leaving.set()

    with pytest.raises(Left):
        long()
    assert parts == [0, 1, 2]
    turns.still_wanted()  # nobody's turn, nobody's look
    with pytest.raises(Left), turns.turn(look):
        turns.breathe()
    assert turns.idle


def test_who_comes_to_a_full_queue_is_told_at_once() -> None:
    turns, release = OneAtATime(), threading.Event()

    def holds() -> None:
        with turns.turn():
            release.wait(10)

    threads = in_threads(holds, holds, holds)
    assert turns.waiting == 3
    with pytest.raises(TooManyWaiting, match="Very many people"), turns.turn(most_waiting=2):
        pass
    release.set()
    with turns.turn(most_waiting=3):
        assert turns.waiting >= 1
    for thread in threads:
        thread.join()
    assert turns.idle


def test_an_error_ends_the_turn_and_a_turn_inside_a_turn_is_the_same() -> None:
    turns = OneAtATime()
    with pytest.raises(Left), turns.turn(), turns.turn():
        raise Left
    with turns.elsewhere(), turns.turn():
        assert not turns.idle
    assert turns.idle
