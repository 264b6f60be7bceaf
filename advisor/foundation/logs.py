"""Logs as one JSON object a line, for machines: when, how grave, who says it, what, and where an error came from.

What people asked, named or uploaded stands in no line: of an error only its kind and the lines of code are written,
since its words may hold any of it.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from advisor.foundation.environment import environment

_FRAMES = 12
_LIBRARIES = ("streamlit", "uvicorn")


class JsonLines(logging.Formatter):
    """One record as one line."""

    def format(self, record: logging.LogRecord) -> str:
        own = record.name.startswith("advisor")
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record, own),
        }
        if record.exc_info and record.exc_info[0] is not None:
            said["error"] = record.exc_info[0].__name__
            said["at"] = where(record.exc_info[2])
        said |= getattr(record, "fields", {})
        return json.dumps(said)


def _message(record: logging.LogRecord, own: bool) -> str:
    """Of an error, and of what libraries say, the pattern alone: they put words of errors and addresses into it, and
    some write those into the pattern itself."""
    if own:
        return record.getMessage() if record.exc_info is None else str(record.msg)
    if not record.args and (record.exc_info is not None or record.levelno >= logging.ERROR):
        return "error"
    return str(record.msg).partition("\n")[0]


def where(trace: TracebackType | None) -> list[str]:
    """The innermost lines of code on the way to an error, by file name, line and function."""
    frames = traceback.extract_tb(trace)[-_FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


def set_up() -> None:
    """Write all logs of this process so, where the operator asks for it."""
    if environment().log != "json":
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _LIBRARIES:
            library = logging.getLogger(name)
            library.handlers, library.propagate = [], True
    logging.getLogger("uvicorn.access").disabled = True  # holds whole addresses, and with them questions
