"""What was read from the Hub, kept on disk by commit, so that a shared link opens again without the Hub."""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
import tempfile
import zlib
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from advisor.sources.repository import Repository

FOLDER_VARIABLE = "LLM_FIT_ADVISOR_CACHE"
_FORMAT = 1  # raise it when Repository changes
_MOST_FILES = 500
_ADAPTER = TypeAdapter(Repository)


def cache_folder() -> Path | None:
    """Where results are kept; None where the variable LLM_FIT_ADVISOR_CACHE is set to nothing."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen is not None:
        return Path(chosen) if chosen else None
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "llm-fit-advisor"


def load(endpoint: str, repository: str, revision: str) -> Repository | None:
    """What was read before, by commit or by the branch it was asked for; None where there is nothing usable."""
    folder = cache_folder()
    if folder is None:
        return None
    try:
        with gzip.open(_path(folder, endpoint, repository, revision)) as file:
            return _ADAPTER.validate_json(file.read())
    except (OSError, EOFError, zlib.error, ValidationError, ValueError):
        return None


def save(endpoint: str, found: Repository) -> None:
    """Keep a result, unless the repository is private; a disk that cannot be written to is not an error."""
    folder = cache_folder()
    if folder is None or found.private:
        return
    content = gzip.compress(_ADAPTER.dump_json(found), compresslevel=5)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for revision in {found.revision, found.asked}:
            _replace(_path(folder, endpoint, found.id, revision), content)
        _tidy(folder)
    except OSError:
        return


def _path(folder: Path, endpoint: str, repository: str, revision: str) -> Path:
    key = f"{_FORMAT}\n{endpoint}\n{repository.lower()}\n{revision}"
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.json.gz"


def _replace(path: Path, content: bytes) -> None:
    """Other processes see the old file or the new one, never half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).replace(path)


def _tidy(folder: Path) -> None:
    kept = sorted(folder.glob("*.json.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[_MOST_FILES:]:
        path.unlink(missing_ok=True)
