"""What was read from the Hub, kept on disk by commit, so that a shared link opens again without the Hub."""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
import zlib
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from advisor.foundation.environment import environment
from advisor.foundation.places import user_cache_folder
from advisor.sources.gguf_file import GgufHeader
from advisor.sources.repository import Repository

_FORMAT = "2"  # raise it when what is kept changes
_MOST_FILES = 500
_REPOSITORY = TypeAdapter(Repository)
_HEADER = TypeAdapter(GgufHeader)
_Kept = TypeVar("_Kept")


def cache_folder() -> Path | None:
    """Where results are kept; None where the variable LLM_FIT_ADVISOR_CACHE is set to nothing."""
    chosen = environment().cache
    if chosen is None:
        return user_cache_folder()
    return Path(chosen) if chosen else None


def load(endpoint: str, repository: str, revision: str) -> Repository | None:
    """What was read before, by commit or by the branch it was asked for; None where there is nothing usable."""
    return _load(_REPOSITORY, endpoint, repository, revision)


def save(endpoint: str, found: Repository) -> None:
    """Keep a result, unless the repository is private."""
    if not found.private:
        _save(_REPOSITORY.dump_json(found), {(endpoint, found.id, name) for name in (found.revision, found.asked)})


def load_gguf(endpoint: str, repository: str, revision: str, file: str) -> GgufHeader | None:
    """The header of a GGUF file that was read before."""
    return _load(_HEADER, endpoint, repository, revision, file)


def save_gguf(endpoint: str, repository: str, revisions: set[str], file: str, header: GgufHeader) -> None:
    """Keep the header of a GGUF file."""
    _save(_HEADER.dump_json(header), {(endpoint, repository, revision, file) for revision in revisions})


def _load(adapter: TypeAdapter[_Kept], *key: str) -> _Kept | None:
    folder = cache_folder()
    if folder is None:
        return None
    try:
        with gzip.open(_path(folder, key)) as file:
            return adapter.validate_json(file.read())
    except (OSError, EOFError, zlib.error, ValueError):
        return None


def _save(content: bytes, keys: set[tuple[str, ...]]) -> None:
    """A disk that cannot be written to is not an error."""
    folder = cache_folder()
    if folder is None:
        return
    packed = gzip.compress(content, compresslevel=5)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for key in keys:
            replace_file(_path(folder, key), packed)
        _tidy(folder)
    except OSError:
        return


def _path(folder: Path, key: tuple[str, ...]) -> Path:
    text = "\n".join((_FORMAT, *key))
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()[:40]}.json.gz"


def replace_file(path: Path, content: bytes) -> None:
    """Write a whole file: other processes see the old file or the new one, never half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).replace(path)


def _tidy(folder: Path) -> None:
    kept = sorted(folder.glob("*.json.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[_MOST_FILES:]:
        path.unlink(missing_ok=True)
