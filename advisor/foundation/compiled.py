"""What takes long to work out and only follows from files of the program: kept in the user's cache folder.

Kept are plain values alone, in the form of Python's own compiled files (`marshal`). A file is read only where it is
the user's own, nobody else may write it, and its sums are right; nothing in it is ever run. It is made again where
what it follows from has changed, where the file is broken, and where no folder can be written.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from stat import S_ISREG
from typing import Any

from advisor.foundation.often_read import cache_setting
from advisor.foundation.places import IMPORT_FOLDER, data_folder, user_cache_folder
from advisor.foundation.version import VERSION

SUFFIX = ".compiled"
_LARGEST = 16_000_000  # bytes of a file that is read
_SUM = hashlib.sha256().digest_size
_OTHERS_MAY_WRITE = 0o022
_PACKAGE = str(IMPORT_FOLDER / "advisor")
_NOT_READ = frozenset(("__pycache__", "fonts", "_shipped", "ui"))
_KINDS = (".py", ".po", ".csv", ".json", ".yaml")


def compiled(name: str, follows_from: str, make: Callable[[], Any]) -> Any:
    """What `make` returns, or what it returned before for the same `follows_from`; plain values only, such as tuples,
    lists, dictionaries, texts and numbers, which come back as the same kinds.

    What it raises is raised, and None is not kept.
    """
    folder = compiled_folder()
    if folder is None:
        return make()
    path = str(folder / f"{name}{SUFFIX}")
    stamp = _sum(f"{VERSION}\n{sys.version}\n{name}\n{follows_from}".encode())
    content = memoryview(_own_content(path))  # which may be large: no part of it is copied
    written = content[2 * _SUM :]
    if content[:_SUM] == stamp and content[_SUM : 2 * _SUM] == _sum(written):
        try:
            return marshal.loads(written)  # noqa: S302 - the user's own file, of which we wrote every byte
        except (ValueError, EOFError, TypeError):
            pass
    if (value := make()) is not None:
        new = marshal.dumps(value)
        _write(path, stamp + _sum(new) + new)
    return value


def kept(prefix: str, asked: str, follows_from: str, make: Callable[[], Any]) -> Any:
    """The same for one of many: `asked` tells them apart."""
    name = f"{prefix}{hashlib.sha256(asked.encode()).hexdigest()[:24]}"
    return compiled(name, f"{asked}\n{follows_from}", make)


def of_the_program(name: str, make: Callable[[], Any], besides: str = "") -> Any:
    """The same for what follows from the program, its data and `besides` alone."""
    return compiled(name, f"{program_state(data_folder())}\n{besides}", make)


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


@lru_cache(maxsize=4)
def program_state(data: Path) -> str:
    """Names the state of program and data, and of the package that brings prices; looked up once a process."""
    prices = find_spec("genai_prices")
    others = [Path(prices.origin).with_name("data.py")] if prices is not None and prices.origin else []
    told = sorted((*_files(_PACKAGE), *_files(str(data))))
    return _sum("\n".join((*told, stamp_of(*others))).encode()).hex()


def _files(folder: str) -> Iterator[str]:
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir():
                if entry.name not in _NOT_READ:
                    yield from _files(entry.path)
            elif entry.name.endswith(_KINDS):
                told = entry.stat()
                yield f"{entry.path} {told.st_size} {told.st_mtime_ns}"


def compiled_folder() -> Path | None:
    """Where it lies; None where nothing is to be kept on disk."""
    chosen = cache_setting()
    if chosen == "":
        return None
    return (user_cache_folder() if chosen is None else Path(chosen)) / "compiled"


def _sum(content: bytes | memoryview) -> bytes:
    return hashlib.sha256(content).digest()


def _own_content(path: str) -> bytes:
    """The bytes of a file that nobody but this user can have written; none where it is not there or not so."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        return b""
    with os.fdopen(handle, "rb", buffering=0) as file:
        told = os.fstat(handle)
        if not S_ISREG(told.st_mode) or told.st_size > _LARGEST:
            return b""
        # Windows keeps the folder of a user from others by itself, and tells neither.
        if hasattr(os, "geteuid") and (told.st_uid != os.geteuid() or told.st_mode & _OTHERS_MAY_WRITE):
            return b""
        try:
            return file.read(told.st_size) or b""
        except OSError:
            return b""


def _write(path: str, content: bytes) -> None:
    """Whole or not at all: another process may read it meanwhile."""
    folder, name = os.path.split(path)
    try:
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, new = tempfile.mkstemp(dir=folder, prefix=f".{name}")  # which only this user may read
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(new).replace(path)
        except OSError:
            Path(new).unlink(missing_ok=True)
    except OSError:
        return
