"""How much of what costs this server something a visitor may have: so many an hour, by user and by address.

An office shares one address, so an address has several times what a user has. Counted in this process alone and
forgotten with it; what is kept in the database has bounds of its own.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
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


class Quotas:
    """`most` names how many of each kind a user may have an hour. They come back evenly, not all at the full hour."""

    def __init__(self, most: Callable[[], Mapping[str, int]], clock: Callable[[], float] = time.monotonic):
        self._most = most
        self._clock = clock
        self._lock = Lock()
        # Until when each one's share is used up, if it was used as fast as it comes back.
        self._users: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._addresses: OrderedDict[tuple[str, str], float] = OrderedDict()

    def take(self, kind: str, visitor: Visitor, worth: int = 1) -> None:
        """Count one, or something large as so many; raises OverQuota where the visitor has had all that there is."""
        most, now = self._most()[kind], self._clock()
        counted = [
            (table, (kind, name), worth * HOUR_S / (most * share))
            for table, name, share in (
                (self._users, visitor.user, 1),
                (self._addresses, visitor.network, USERS_BEHIND_AN_ADDRESS),
            )
            if name and most
        ]
        with self._lock:
            wait = HOUR_S if not most else 0.0
            for table, key, each in counted:
                wait = max(wait, max(table.get(key, now), now) + each - now - HOUR_S)
            if wait > 1e-6:
                raise _refusal(kind, most, wait)
            for table, key, each in counted:
                table[key] = max(table.get(key, now), now) + each
                table.move_to_end(key)
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
