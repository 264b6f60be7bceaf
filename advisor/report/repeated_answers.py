"""An answer that a process gave before, given again by the next one that is asked the same.

Scripts and pipelines ask the same question again and again, each time in a new process, which costs far more than the
answer. What is kept is the line of JSON itself, for questions about the catalogue alone, until program, data, day or
language change. Files of program and data are told apart as Python does it for its own: by size and time of change.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from advisor.foundation.compiled import SUFFIX, compiled_folder, kept, program_state
from advisor.foundation.often_read import language_setting
from advisor.foundation.places import data_folder

_MOST = 500  # files
_MODELS = ("model", "draft")  # which may name something elsewhere


def answer_before(command: str, text: str, flags: str, make: Callable[[], tuple[str, int]]) -> tuple[str, int]:
    """What `make` returns, a line and an exit status, or the line that it returned before with status 0."""
    if not _of_the_catalogue(command, text):
        return make()
    failed: list[tuple[str, int]] = []

    def made() -> str | None:
        line, status = make()
        if status:
            failed.append((line, status))
            return None
        return line

    day = datetime.now(UTC).date().isoformat()  # the age of prices is counted from it
    told = (day, language_setting(), program_state(data_folder()))
    line = kept(f"{command}-", "\n".join((command, flags, text)), "\n".join(told), made)
    _forget_old()
    return failed[0] if failed else (str(line), 0)


def _of_the_catalogue(command: str, text: str) -> bool:
    """Whether nothing that may change elsewhere is asked about."""
    named = [text.strip()] if command == "sizes" else [one for key, one in parse_qsl(text) if key in _MODELS]
    models = data_folder() / "models"
    return (
        bool(named)
        and all(name.isprintable() and "/" not in name for name in named)
        and all((models / f"{name}.json").is_file() for name in named)
    )


def _forget_old() -> None:
    """The oldest files go, so that a folder never fills."""
    folder = compiled_folder()
    if folder is None:
        return
    try:
        files = [path for path in folder.glob(f"*-*{SUFFIX}") if path.name.startswith(("plan-", "sizes-"))]
        if len(files) > _MOST:
            for path in sorted(files, key=lambda path: path.stat().st_mtime)[: len(files) - _MOST]:
                path.unlink(missing_ok=True)
    except OSError:
        return
