"""How much of what costs this server something a visitor may have: so many an hour, by user and by address.

An office shares one address, so an address has several times what a user has. Counted in this process and forgotten
with it, and where replicas share a database, there too (`share`); what is kept in it has bounds of its own.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from threading import Lock

from advisor.foundation.errors import InputError

HOUR_S = 3600.0
USERS_BEHIND_AN_ADDRESS = 5
UPLOAD_BYTES = 4 << 20  # an upload counts once, and once more for each so many
_MOST_REMEMBERED = 20_000  # users, and as many addresses
_EQUAL_S = 1e-6


@dataclass(frozen=True, slots=True)
class Visitor:
    """`user` is the secret of a browser, "" where it has none; `address` where it connects from, "" if unknown."""

    user: str = ""
    address: str = ""

    @property
    def network(self) -> str:
        """The address, of IPv6 its first half: the rest is the visitor's own to choose."""
        try:
            found = ip_address(self.address.partition("%")[0])
        except ValueError:
            return self.address
        if not isinstance(found, IPv6Address):
            return self.address
        return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))


class OverQuota(InputError):
    """A visitor had enough for now; `wait_s` until there is more."""

    wait_s = 0.0


@dataclass(frozen=True, slots=True)
class Charge:
    """What is used up of a share: of whose, and how long it takes to come back."""

    kind: str
    whose: str
    seconds: float


# Adds all of them to what was had, or none where one would come to more than an hour; how many seconds it takes until
# each would have come back, or None where nobody can tell just now.
Ledger = Callable[[Sequence[Charge]], Sequence[float] | None]
# What is counted in common: each is work of a server for seconds or more. Reads are many, and cheap for it.
IN_COMMON = ("uploads", "freezes", "runs")
_Counted = Sequence[tuple[OrderedDict[tuple[str, str], float], Charge]]


class Quotas:
    """`most` names how many of each kind a user may have an hour. They come back evenly, not all at the full hour."""

    def __init__(self, most: Callable[[], Mapping[str, int]], clock: Callable[[], float] = time.monotonic):
        self._most = most
        self._clock = clock
        self._ledger: Ledger = lambda _: None
        self._lock = Lock()
        # Until when each one's share is used up, if it was used as fast as it comes back.
        self._users: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._addresses: OrderedDict[tuple[str, str], float] = OrderedDict()

    def share(self, ledger: Ledger) -> None:
        """From now on count what is counted in common in that ledger too."""
        self._ledger = ledger

    def take(self, kind: str, visitor: Visitor, worth: int = 1) -> None:
        """Count one, or something large as so many; raises OverQuota where the visitor has had all that there is.

        May wait for a database.
        """
        most = self._most()[kind]
        if not most:
            raise _refusal(kind, most, HOUR_S)
        counted = [
            (table, Charge(kind, f"{of} {name}", worth * HOUR_S / (most * share)))
            for table, of, name, share in (
                (self._users, "user", visitor.user, 1),
                (self._addresses, "address", visitor.network, USERS_BEHIND_AN_ADDRESS),
            )
            if name
        ]
        in_common = kind in IN_COMMON and not self._wait(counted, count=False)  # who had enough here asks no database
        told = self._ledger([charge for _, charge in counted]) if in_common else None
        wait = self._wait(counted, count=True) if told is None else self._told(counted, told)
        if wait > 0:
            raise _refusal(kind, most, wait)

    def _wait(self, counted: _Counted, count: bool) -> float:
        """Seconds until there is enough; where there is, 0, and it is had if so wanted."""
        now = self._clock()
        with self._lock:
            after = [max(table.get((one.kind, one.whose), now), now) + one.seconds for table, one in counted]
            wait = max(after, default=now) - now - HOUR_S
            if wait > _EQUAL_S:
                return wait
            if count:
                self._set(counted, after)
        return 0.0

    def _told(self, counted: _Counted, left: Sequence[float]) -> float:
        """The same by what the ledger says, which is kept for the next time: it knows what was had elsewhere."""
        wait = max(left, default=0.0) - HOUR_S
        now = self._clock()
        with self._lock:
            for (table, one), seconds in zip(counted, left, strict=True):
                had = now + (seconds - one.seconds if wait > _EQUAL_S else seconds)
                self._set([(table, one)], [max(table.get((one.kind, one.whose), now), had)])
        return wait if wait > _EQUAL_S else 0.0

    def _set(self, counted: _Counted, until: Sequence[float]) -> None:
        for (table, one), then in zip(counted, until, strict=True):
            table[one.kind, one.whose] = then
            table.move_to_end((one.kind, one.whose))
            while len(table) > _MOST_REMEMBERED:
                table.popitem(last=False)


def uploads_worth(length: str | None) -> int:
    """As how many an upload counts whose request says that it is so long; one that does not say counts in full."""
    told = int(length) if length is not None and length.isdecimal() else 20 << 20
    return 1 + told // UPLOAD_BYTES


def _refusal(kind: str, most: int, wait: float) -> OverQuota:
    error = OverQuota(
        "That was enough of {kind} for now: {most:,} an hour are for one visitor here. Try again in {minutes} min.",
        kind=kind,
        most=most,
        minutes=max(1, math.ceil(wait / 60)),
    )
    error.wait_s = wait
    return error


def _allowed() -> Mapping[str, int]:
    from advisor.foundation.environment import environment  # which a process of one answer has no use for

    return environment().quotas


QUOTAS = Quotas(_allowed)
_asking: ContextVar[Visitor | None] = ContextVar("asking", default=None)


def asked_by(visitor: Visitor) -> None:
    """From now on this thread or task works for that visitor."""
    _asking.set(visitor)


@contextmanager
def working_for(visitor: Visitor) -> Iterator[None]:
    """The same for a while."""
    before = _asking.set(visitor)
    try:
        yield
    finally:
        _asking.reset(before)


def take(kind: str) -> None:
    """Count one for whom this thread works; nobody, as on the command line, may have any number. Raises OverQuota."""
    visitor = _asking.get()
    if visitor is not None:
        QUOTAS.take(kind, visitor)
