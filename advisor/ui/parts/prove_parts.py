"""Which optional parts of real runs are here. Imports none of them."""

from __future__ import annotations

from importlib.util import find_spec

from advisor.foundation.places import real_run_install

INSTALL = real_run_install()
_NEEDED = ("xllamacpp", "huey", "filelock")


def missing_parts() -> tuple[str, ...]:
    """Packages that real runs need and that are not installed."""
    return tuple(name for name in _NEEDED if find_spec(name) is None)
