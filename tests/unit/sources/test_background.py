"""Work that takes long: once at a time, never waited for too long, kept for a while, and forgotten on demand."""

from __future__ import annotations

import threading

import pytest

from advisor.foundation import quotas
from advisor.foundation.errors import InputError
from advisor.foundation.message import sentence
from advisor.foundation.quotas import OverQuota, Quotas, Visitor, working_for
from advisor.sources import background
from advisor.sources.background import Background, StillWorking


class Work:
    """Counts its calls and waits for `release`."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.calls: list[str] = []

    def __call__(self, key: str) -> str:
        self.calls.append(key)
        assert self.release.wait(20)
        if key.startswith("bad"):
            raise InputError(f"{key} is bad.")
        return key.upper()


def started(work: Work, **more: float) -> Background[str, str]:
    return Background(work, lambda key: sentence("{name} takes long.", name=key), **{"patience_s": 0.05, **more})


def test_patience_ends_but_the_work_does_not() -> None:
    work = Work()
    line = started(work)
    with pytest.raises(StillWorking, match="a takes long"):
        line.get("a")
    assert not line.settled("a")
    work.release.set()
    line._tasks["a"].future.result(20)
    assert line.settled("a")
    assert line.get("a") == "A"
    assert work.calls == ["a"]


def test_failures_are_kept_and_forgotten_on_demand() -> None:
    work = Work()
    work.release.set()
    line = started(work, patience_s=20)
    for _ in range(3):
        with pytest.raises(InputError, match="bad is bad"):
            line.get("bad")
    assert work.calls == ["bad"]
    line.forget("bad")
    with pytest.raises(InputError, match="bad is bad"):
        line.get("bad")
    assert work.calls == ["bad", "bad"]


def test_results_grow_old() -> None:
    work = Work()
    work.release.set()
    line = started(work, patience_s=20, kept_s=-1)
    assert line.get("a") == line.get("a") == "A"
    assert work.calls == ["a", "a"]


def test_threads_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_MOST_THREADS", 2)
    work = Work()
    line = started(work)
    line.start("a")
    line.start("a")
    line.start("b")
    with pytest.raises(StillWorking, match="Too much"):
        line.start("c")
    work.release.set()
    for key in "ab":
        line._tasks[key].future.result(20)
    line.start("c")


def test_results_kept_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_MOST_KEPT", 5)
    work = Work()
    work.release.set()
    line = started(work, patience_s=20)
    for number in range(40):
        line.get(str(number))
    assert len(line._tasks) <= 6


def test_only_what_is_not_known_yet_counts_for_a_visitor(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work()
    work.release.set()
    line = started(work, patience_s=20)
    monkeypatch.setattr(quotas, "QUOTAS", Quotas(lambda: {"reads": 2}))
    with working_for(Visitor("secret")):
        for key in ("a", "b", "a", "b"):
            assert line.get(key) == key.upper()
        with pytest.raises(OverQuota, match="enough of reads"):
            line.get("c")
        assert line.get("a") == "A"
    assert work.calls == ["a", "b"]
