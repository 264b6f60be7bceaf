"""What was measured on this server and kept: for every page's question. Nothing where real runs are off."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock

from cachetools import TTLCache, cached

from advisor.foundation.errors import InputError
from advisor.quantize.allowed import read_settings
from advisor.sources.local_measurements import LocalMeasurement
from advisor.store.database import default_url
from advisor.store.errors import StoreUnavailable
from advisor.store.kept_measurements import Measurements

_LOOK_EVERY_S = 30  # what another server of the same database kept is seen so much later


def kept() -> tuple[LocalMeasurement, ...]:
    """All of them; none where the database is away, which the page Prove it says."""
    try:
        if not read_settings().enabled:
            return ()
    except InputError:
        return ()
    return _kept(default_url())


@cached(TTLCache(1, _LOOK_EVERY_S), lock=Lock())
def _kept(url: str) -> tuple[LocalMeasurement, ...]:
    try:
        return measurements(url).all()
    except StoreUnavailable:
        return ()


@lru_cache(maxsize=2)
def measurements(url: str) -> Measurements:
    """The rows behind; raises StoreUnavailable where the address makes no sense."""
    return Measurements.open(url)


def look_again() -> None:
    """After something was kept or forgotten here."""
    _kept.cache_clear()
