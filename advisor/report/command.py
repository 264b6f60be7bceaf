"""`python -m advisor report`: an answer as a PDF file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote_plus

from advisor.answer.answer import answer
from advisor.foundation.errors import InputError, one_line
from advisor.question.question import LANGUAGE_KEY, Question, language_of
from advisor.report.columns import COLUMNS_KEY, Changes, question_of_column, read_columns, write_columns
from advisor.report.comparison_pdf import comparison_pdf
from advisor.report.document import Cover, Logo
from advisor.report.from_answer import report_of
from advisor.report.logo import LOGO_BYTES, checked_logo
from advisor.report.payload import Paper
from advisor.report.pdf import render_pdf
from advisor.words import chosen, speaking


def write_report(
    query: str,
    out: Path,
    paper: Paper,
    cover: Mapping[str, str],
    logo: Path | None,
    address: str = "",
) -> str:
    """Write the report about a query to `out` and say so; raises InputError in one sentence.

    A query of the comparison, with `columns=`, makes the comparison of its questions; a cover is for one alone.
    `address` is where the dashboard runs; without it the report has no link and no code to scan. A language
    that is spoken already goes before that of the query.
    """
    with speaking(chosen() or language_of(query)):
        return _report(query, out, paper, cover, logo, address)


def _report(query: str, out: Path, paper: Paper, cover: Mapping[str, str], logo: Path | None, address: str) -> str:
    if out.is_dir():
        raise InputError("{out} is a folder: name the PDF file to write.", out=one_line(out.name or out))
    if out.suffix.lower() != ".pdf":
        raise InputError("{out} does not end in .pdf: name the PDF file to write.", out=one_line(out.name))
    if address and not address.startswith(("https://", "http://")):
        raise InputError(
            "'{address}' is no address: it must start with https:// or http://.", address=one_line(address)
        )
    on_it = Cover(**cover, logo=None if logo is None else _read_logo(logo))
    base, columns = _columns_of(query)
    found = answer(base, allow_local=True)
    if columns:
        beside = [answer(question_of_column(base, changes), allow_local=True) for changes in columns]
        asked = f"{base.to_query()}&{COLUMNS_KEY}={write_columns(columns)}"
        link = f"{address.rstrip('/')}/compare?{asked}{_language()}" if address else ""
        made = comparison_pdf((found, *beside), link=link, paper=paper)
        _write(made, out)
        return f"Wrote {out.name}: {1 + len(beside)} questions compared, {len(made):,} bytes."
    link = f"{address.rstrip('/')}/?{found.question.to_query()}{_language()}" if address else ""
    made = render_pdf(report_of(found, on_it, link), paper)
    _write(made, out)
    return f"Wrote {out.name}: {found.entry.name} on {found.machine_name}, {len(made):,} bytes."


def _language() -> str:
    """The end of a link that is in another language."""
    return f"&{LANGUAGE_KEY}={chosen()}" if chosen() else ""


def _columns_of(query: str) -> tuple[Question, tuple[Changes, ...]]:
    """The question, and what a link of the comparison has beside it."""
    pairs = query.lstrip("?").split("&")
    of_columns = [pair for pair in pairs if pair.partition("=")[0] == COLUMNS_KEY]
    base = Question.from_query("&".join(pair for pair in pairs if pair not in of_columns))
    return base, read_columns(unquote_plus(of_columns[0].partition("=")[2])) if of_columns else ()


def _write(made: bytes, out: Path) -> None:
    try:
        out.write_bytes(made)
    except OSError as error:
        raise InputError(
            "{out} cannot be written: {strerror}.",
            out=one_line(out.name),
            strerror=error.strerror or "no reason is given",
        ) from None


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
