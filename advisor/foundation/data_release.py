"""Which data an answer was computed with."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from functools import lru_cache
from pathlib import Path

from advisor.foundation.compiled import of_the_program
from advisor.foundation.places import data_folder

_KINDS = (".csv", ".json", ".yaml", ".yml")
_NOT_DATA = ("fonts",)
_DATE = r"20\d\d-[01]\d(?:-[0-3]\d)?"
_AS_OF = re.compile(rf"""\bas_of["']?\s*:\s*["']?({_DATE})\b""")


@lru_cache(maxsize=4)
def data_release(folder: Path | None = None) -> str:
    """Newest check date and a hash over all catalogue files: "2026-11+3f9c01d2ab74". Equal data, equal release."""
    if folder is None:
        return str(of_the_program("data-release", lambda: _release(data_folder())))
    return _release(folder)


def _release(folder: Path) -> str:
    total = hashlib.sha256()
    newest = ""
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        inside = path.relative_to(folder)
        if path.suffix not in _KINDS or inside.parts[0] in _NOT_DATA or not path.is_file():
            continue
        # A checkout on Windows may have other line ends, but no other data.
        content = path.read_bytes().replace(b"\r\n", b"\n")
        for part in (inside.as_posix().encode(), content):
            total.update(len(part).to_bytes(8, "big") + part)
        newest = max(newest, *_dates(path.suffix, content), "")
    return f"{newest or 'undated'}+{total.hexdigest()[:12]}"


def _dates(suffix: str, raw: bytes) -> list[str]:
    titles = raw.partition(b"\n")[0].split(b",")
    if suffix == ".csv" and b"as_of" not in titles:
        return []
    content = raw.decode("utf-8", "replace")
    if suffix != ".csv":
        return _AS_OF.findall(content)
    rows = csv.reader(io.StringIO(content))
    column = next(rows).index("as_of")
    # A column of a table holds few days, in thousands of rows.
    return [date for date in {row[column] for row in rows if len(row) > column} if re.fullmatch(_DATE, date)]
