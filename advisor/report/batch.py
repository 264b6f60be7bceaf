"""Many questions in one process: a line in, a line of JSON out, in the same order; no line stops the others."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from advisor.foundation.errors import AdvisorError, InputError

ANSWERED, INTERNAL, REFUSED = 0, 1, 2  # exit statuses
Document = dict[str, Any]
Work = Callable[[str], Document]
Refusal = Callable[[str, Document], Document]  # what was asked and its `error`
_COMMENT = "#"


def answer_line(text: str, work: Work, refusal: Refusal) -> tuple[str, int]:
    """What `work` makes of `text`, or `refusal` of why there is nothing, as one line of JSON; and the exit status.

    An error of our own goes to stderr with its traceback; the object names its kind and nothing of this machine.
    """
    try:
        return _as_line(work(text)), ANSWERED
    except InputError as error:
        return _as_line(refusal(text, _error("input", str(error), error.suggestions))), REFUSED
    except AdvisorError as error:  # such as broken data
        return _as_line(refusal(text, _error("internal", str(error)))), INTERNAL
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        message = (
            f"This is an error of the program itself ({type(error).__name__}): please report it with the question."
        )
        return _as_line(refusal(text, _error("internal", message))), INTERNAL


def run_batch(source: str, work: Work, refusal: Refusal) -> int:
    """Answer every line of a file ("-": standard input) on standard output; the exit status.

    0 where every line was answered or refused as bad input, 1 where one ended in an error of our own. Raises InputError
    where the file cannot be read.
    """
    worst = ANSWERED
    with _opened(source) as stream:
        for text in questions(stream):
            line, status = answer_line(text, work, refusal)
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
            worst = INTERNAL if status == INTERNAL else worst
    return worst


def questions(lines: Iterable[bytes]) -> Iterator[str]:
    """The lines that ask something; bytes that are no UTF-8 are replaced, and refused like any other word."""
    for line in lines:
        text = line.decode("utf-8", "replace").removeprefix("\ufeff").strip()
        if text and not text.startswith(_COMMENT):
            yield text


def whole_text(source: str, most: int = 4_000_000) -> str:
    """A file's text, or standard input's ("-"); Windows' shells write UTF-16. Raises InputError in one sentence."""
    with _opened(source) as stream:
        raw = stream.read(most + 1)
    if len(raw) > most:
        raise InputError("The text is longer than {most:,} bytes.", most=most)
    return raw.decode("utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig", "replace")


def _error(kind: str, message: str, suggestions: Iterable[str] = ()) -> Document:
    return {"kind": kind, "message": message, "did_you_mean": list(suggestions)}


def _as_line(document: Document) -> str:
    """Plain ASCII; JSON has no NaN and no infinity, so they are errors."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _opened(source: str) -> AbstractContextManager[BinaryIO]:
    if source == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(source).open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no name of a file"
        raise InputError(
            "{source} cannot be read: {reason}.", source=Path(source).name or "The file", reason=reason.lower()
        ) from None
