"""`python -m advisor report`: an answer as a PDF file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from advisor.answer.answer import answer
from advisor.foundation.errors import InputError, one_line
from advisor.question.question import LANGUAGE_KEY, Question
from advisor.report.document import Cover, Logo
from advisor.report.from_answer import report_of
from advisor.report.logo import LOGO_BYTES, checked_logo
from advisor.report.pdf import Paper, render_pdf
from advisor.words import chosen, speaking


def write_report(
    query: str,
    out: Path,
    paper: Paper,
    cover: Mapping[str, str],
    logo: Path | None,
    address: str = "",
    language: str = "",
) -> str:
    """Write the report about a query to `out` and say so; raises InputError in one sentence.

    `address` is where the dashboard runs; without it the report has no link and no code to scan. `language` goes
    before that of the query.
    """
    asked = dict(parse_qsl(query.removeprefix("?"))).get(LANGUAGE_KEY, "")
    with speaking(language or asked):
        return _write(query, out, paper, cover, logo, address)


def _write(query: str, out: Path, paper: Paper, cover: Mapping[str, str], logo: Path | None, address: str) -> str:
    if out.is_dir():
        raise InputError("{out} is a folder: name the PDF file to write.", out=one_line(out.name or out))
    if out.suffix.lower() != ".pdf":
        raise InputError("{out} does not end in .pdf: name the PDF file to write.", out=one_line(out.name))
    if address and not address.startswith(("https://", "http://")):
        raise InputError(
            "'{address}' is no address: it must start with https:// or http://.", address=one_line(address)
        )
    on_it = Cover(**cover, logo=None if logo is None else _read_logo(logo))
    found = answer(Question.from_query(query), allow_local=True)
    told_in = f"&{LANGUAGE_KEY}={chosen()}" if chosen() else ""
    link = f"{address.rstrip('/')}/?{found.question.to_query()}{told_in}" if address else ""
    made = render_pdf(report_of(found, on_it, link), paper)
    try:
        out.write_bytes(made)
    except OSError as error:
        raise InputError(
            "{out} cannot be written: {strerror}.",
            out=one_line(out.name),
            strerror=error.strerror or "no reason is given",
        ) from None
    return f"Wrote {out.name}: {found.entry.name} on {found.machine_name}, {len(made):,} bytes."


def _read_logo(path: Path) -> Logo:
    try:
        with path.open("rb") as file:
            return checked_logo(file.read(LOGO_BYTES + 1))
    except OSError as error:
        raise InputError(
            "The logo {path} cannot be read: {strerror}.",
            path=one_line(path.name),
            strerror=error.strerror or "no reason is given",
        ) from None
