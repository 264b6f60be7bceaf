"""Frozen recommendations: kept in SQLite by default, in PostgreSQL by one setting."""

from advisor.foundation.data_release import data_release
from advisor.store.errors import SnapshotNotFound, StoreUnavailable
from advisor.store.sharing import ANYBODY, Reader, Sharing, Visibility
from advisor.store.snapshot import Snapshot, Summary
from advisor.store.store import Store, new_owner, open_store

__all__ = [
    "ANYBODY",
    "Reader",
    "Sharing",
    "Snapshot",
    "SnapshotNotFound",
    "Store",
    "StoreUnavailable",
    "Summary",
    "Visibility",
    "data_release",
    "new_owner",
    "open_store",
]
