"""What is made once for many readers: once, bounded, and for nobody longer than is bearable."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest

from advisor.ui.making import Busy, Maker
from tests.support.own_loop import in_own_loop

_SPOKEN: ContextVar[str] = ContextVar("spoken", default="en")


def maker(**bounds: float) -> Maker[bytes]:
    return Maker(len, **({"most_bytes": 100} | bounds))  # type: ignore[arg-type]


def test_what_is_kept_is_not_made_again_and_the_oldest_goes_first() -> None:
    made: list[str] = []
    kept = maker()

    async def ask(key: str, size: int = 40) -> bytes:
        def make() -> bytes:
            made.append(key)
            return key.encode() * size

        return await kept.get(key, make)

    async def run() -> None:
        for key in ("a", "b", "a", "c", "a", "b"):
            assert await ask(key) == key.encode() * 40
        assert await ask("d", 101) == b"d" * 101
        assert await ask("d", 101) == b"d" * 101  # too heavy to be kept

    in_own_loop(run())
    assert made == ["a", "b", "c", "b", "d", "d"]
    assert kept.bytes == 80
    assert len(kept) == 2
    kept.clear()
    assert (kept.bytes, len(kept)) == (0, 0)


def test_many_who_ask_at_once_wait_for_one() -> None:
    made = []
    kept = maker()

    async def run() -> None:
        def make() -> bytes:
            made.append(threading.current_thread())
            return b"x"

        assert await asyncio.gather(*(kept.get("key", make) for _ in range(50))) == [b"x"] * 50

    in_own_loop(run())
    assert len(made) == 1
    assert made[0] is not threading.main_thread()


def test_too_many_and_too_long_are_said_and_the_work_goes_on() -> None:
    kept, go = maker(most_waiting=2, patience_s=0.05), threading.Event()

    async def run() -> None:
        def slow() -> bytes:
            go.wait(60)
            return b"x"

        late = [asyncio.create_task(kept.get(key, slow)) for key in ("a", "b")]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await kept.get("c", slow)
        for one in late:
            with pytest.raises(Busy):
                await one
        go.set()
        for _ in range(1000):
            if len(kept) == 2:
                break
            await asyncio.sleep(0.01)
        assert await kept.get("a", lambda: b"made again") == b"x"

    in_own_loop(run())


def test_what_cannot_be_made_is_tried_again() -> None:
    kept = maker()

    async def run() -> None:
        def broken() -> bytes:
            raise ValueError("no")

        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                await kept.get("a", broken)
        assert await kept.get("a", lambda: b"x") == b"x"

    in_own_loop(run())


def test_a_request_s_language_holds_while_its_value_is_made_and_no_longer() -> None:
    kept = maker()

    async def run() -> None:
        def speak() -> bytes:
            before = _SPOKEN.get()
            _SPOKEN.set("fr")
            return before.encode()

        _SPOKEN.set("de")
        assert await kept.get("a", speak) == b"de"
        assert await kept.get("b", speak) == b"de"

    in_own_loop(run())
