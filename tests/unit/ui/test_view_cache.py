"""What was drawn is kept within bounds, and safe with threads."""

from __future__ import annotations

import random
import threading

import pytest

from advisor.ui.view_cache import ViewCache


def test_a_view_is_made_once_and_the_oldest_goes_first() -> None:
    cache, made = ViewCache(most=2), []

    def make(name: str) -> str:
        made.append(name)
        return f"<p>{name}</p>"

    for name in ("a", "b", "a", "c", "a", "b"):
        assert cache.get(name, lambda name=name: make(name)) == f"<p>{name}</p>"  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]
    assert len(cache) == 2


def test_bytes_are_bounded_too() -> None:
    cache = ViewCache(most=1000, most_bytes=10_000)
    for number in range(100):
        cache.get(number, lambda: "x" * 1_000)
        assert cache.bytes <= 10_000
    assert 5 <= len(cache) <= 10
    assert cache.get("huge", lambda: "ü" * 6_000) == "ü" * 6_000
    assert cache.bytes <= 10_000
    cache.clear()
    assert (len(cache), cache.bytes) == (0, 0)


def test_what_fails_is_not_kept() -> None:
    cache = ViewCache()

    def fail() -> str:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        cache.get("a", fail)
    assert cache.get("a", lambda: "now") == "now"


def test_threads_get_their_own_views_and_bounds_hold() -> None:
    cache, wrong = ViewCache(most=20, most_bytes=8_000), []

    def work(seed: int) -> None:
        drawn = random.Random(seed)
        for _ in range(2_000):
            key = drawn.randrange(60)
            if cache.get(key, lambda key=key: str(key) * 50) != str(key) * 50:  # type: ignore[misc]
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(cache) <= 20
    kept = [(key, str(key) * 50) for key in range(60) if len(cache.get(key, lambda: "")) > 0]
    assert kept
    cache.clear()
    assert cache.bytes == 0
