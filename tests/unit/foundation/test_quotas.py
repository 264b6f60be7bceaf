"""So many an hour, by user and by address, given back evenly; nothing can be had by another name or notation."""

from __future__ import annotations

import pytest

from advisor.foundation import quotas
from advisor.foundation.environment import environment
from advisor.foundation.errors import InputError
from advisor.foundation.quotas import (
    HOUR_S,
    USERS_BEHIND_AN_ADDRESS,
    OverQuota,
    Quotas,
    Visitor,
    take,
    uploads_worth,
    working_for,
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counted(clock: Clock) -> Quotas:
    return Quotas(lambda: {"uploads": 4, "runs": 2, "freezes": 0}, clock)


def had(counted: Quotas, kind: str, *visitors: Visitor) -> int:
    """How many of these, one after the other, get one."""
    got = 0
    for visitor in visitors:
        try:
            counted.take(kind, visitor)
        except OverQuota:
            continue
        got += 1
    return got


def test_a_user_has_so_many_an_hour_and_gets_them_back_evenly(counted: Quotas, clock: Clock) -> None:
    one = Visitor("secret", "203.0.113.5")
    assert had(counted, "uploads", *[one] * 40) == 4
    assert had(counted, "runs", *[one] * 5) == 2  # each kind for itself
    with pytest.raises(OverQuota, match="4 an hour") as caught:
        counted.take("uploads", one)
    assert caught.value.wait_s == pytest.approx(HOUR_S / 4)
    clock.now += HOUR_S / 4
    assert had(counted, "uploads", one, one) == 1
    clock.now += 100 * HOUR_S
    assert had(counted, "uploads", *[one] * 40) == 4  # no more than an hour's are saved up


def test_an_address_has_several_times_as_many_however_many_secrets_it_makes_up(counted: Quotas) -> None:
    at_once = USERS_BEHIND_AN_ADDRESS * 4
    assert had(counted, "uploads", *(Visitor(f"s{number}", "203.0.113.5") for number in range(100))) == at_once
    assert had(counted, "uploads", Visitor("", "203.0.113.5")) == 0
    assert had(counted, "uploads", *[Visitor("", "203.0.113.6")] * 100) == at_once


def test_what_is_worth_more_than_an_hour_gives_is_never_had_however_long_one_waits(
    counted: Quotas, clock: Clock
) -> None:
    one = Visitor("secret", "203.0.113.5")
    counted.take("uploads", one)
    clock.now += 100 * HOUR_S
    with pytest.raises(OverQuota):
        counted.take("uploads", one, worth=5)
    counted.take("uploads", one, worth=4)


def test_refused_ones_are_not_counted(counted: Quotas) -> None:
    """Who tries again and again must not use up the share of the others behind the address."""
    assert had(counted, "uploads", *[Visitor("one", "203.0.113.5")] * 100) == 4
    assert had(counted, "uploads", *[Visitor("two", "203.0.113.5")] * 100) == 4


def test_a_user_is_known_wherever_it_comes_from(counted: Quotas) -> None:
    assert had(counted, "uploads", *(Visitor("secret", f"203.0.113.{number}") for number in range(40))) == 4


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.5", "203.0.113.5", True),
        ("203.0.113.5", "203.0.113.6", False),
        ("no address", "no address", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_half_an_address_of_ipv6_is_one_visitor(one: str, other: str, same: bool) -> None:
    assert (Visitor("", one).network == Visitor("", other).network) is same


def test_nothing_at_all_where_the_operator_says_so(counted: Quotas) -> None:
    assert had(counted, "freezes", Visitor("secret", "203.0.113.5")) == 0


def test_what_is_remembered_is_bounded(counted: Quotas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "_MOST_REMEMBERED", 10)
    had(counted, "uploads", *(Visitor(f"s{number}", f"203.0.113.{number}") for number in range(100)))
    assert len(counted._users) == len(counted._addresses) == 10


def test_only_who_is_named_is_counted(monkeypatch: pytest.MonkeyPatch, counted: Quotas) -> None:
    monkeypatch.setattr(quotas, "QUOTAS", counted)
    for _ in range(100):
        take("uploads")  # the command line
    with working_for(Visitor("secret")):
        for _ in range(4):
            take("uploads")
        with pytest.raises(OverQuota):
            take("uploads")
    take("uploads")


def test_the_operator_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment().quotas["uploads"] == 30
    monkeypatch.setenv("LLM_FIT_ADVISOR_QUOTAS", "uploads=7, runs=0")
    assert dict(environment().quotas) == {"uploads": 7, "freezes": 60, "reads": 200, "runs": 0}
    for wrong in ("uploads", "uploads=x", "uploads=-1", "downloads=3"):
        monkeypatch.setenv("LLM_FIT_ADVISOR_QUOTAS", wrong)
        with pytest.raises(InputError, match="LLM_FIT_ADVISOR_QUOTAS must be numbers an hour"):
            environment()


def test_forty_large_uploads_in_a_row_are_too_many(clock: Clock) -> None:
    defaults = Quotas(lambda: environment().quotas, clock)
    large, small = uploads_worth(str(19_000_000)), uploads_worth("5000")
    assert (small, large, uploads_worth(None)) == (1, 5, 6)
    for number in range(30):
        defaults.take("uploads", Visitor(f"made up {number}", "203.0.113.5"), large)
    with pytest.raises(OverQuota):
        defaults.take("uploads", Visitor("another", "203.0.113.5"), large)
    for _ in range(30):
        defaults.take("uploads", Visitor("secret", "203.0.113.6"), small)
