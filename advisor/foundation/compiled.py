"""What takes long to work out and only follows from files: kept in the user's cache folder as plain JSON.

It is made again where what it follows from has changed, where the file is broken, and where no folder can be written.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from advisor.foundation.environment import environment
from advisor.foundation.places import user_cache_folder

_LARGEST = 4_000_000  # bytes of a file that is read


def compiled(name: str, follows_from: str, make: Callable[[], Any]) -> Any:
    """What `make` returns, or what it returned before for the same `follows_from`; plain values only.

    What it raises is raised, and None is not kept.
    """
    folder = compiled_folder()
    if folder is None:
        return make()
    path = folder / f"{name}.json"
    stamp = hashlib.sha256(follows_from.encode()).hexdigest()
    try:
        with path.open("rb") as file:
            held = json.loads(file.read(_LARGEST))
        if held["stamp"] == stamp and held["sum"] == _sum(held["value"]):
            return held["value"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    if (value := make()) is not None:
        _write(path, json.dumps({"stamp": stamp, "sum": _sum(value), "value": value}))
    return value


def kept(prefix: str, asked: str, follows_from: str, make: Callable[[], Any]) -> Any:
    """The same for one of many: `asked` tells them apart."""
    name = f"{prefix}{hashlib.sha256(asked.encode()).hexdigest()[:24]}"
    return compiled(name, f"{asked}\n{follows_from}", make)


def stamp_of(*paths: Path) -> str:
    """Names the state of files as compilers do: by size and time of change."""
    found = []
    for path in paths:
        try:
            told = path.stat()
        except OSError:
            found.append(f"{path} -")
            continue
        found.append(f"{path} {told.st_size} {told.st_mtime_ns}")
    return "\n".join(found)


def compiled_folder() -> Path | None:
    """Where it lies; None where nothing is to be kept on disk."""
    chosen = environment().cache
    if chosen == "":
        return None
    return (user_cache_folder() if chosen is None else Path(chosen)) / "compiled"


def _sum(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _write(path: Path, text: str) -> None:
    """Whole or not at all: another process may read it meanwhile."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
    except OSError:
        return
