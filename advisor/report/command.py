"""`python -m advisor report`: an answer as a PDF file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from advisor.answer.answer import answer
from advisor.foundation.errors import InputError, one_line
from advisor.question.question import Question
from advisor.report.document import Cover, Logo
from advisor.report.from_answer import report_of
from advisor.report.logo import LOGO_BYTES, checked_logo
from advisor.report.pdf import Paper, render_pdf


def write_report(
    query: str, out: Path, paper: Paper, cover: Mapping[str, str], logo: Path | None, address: str = ""
) -> str:
    """Write the report about a query to `out` and say so; raises InputError in one sentence.

    `address` is where the dashboard runs; without it the report has no link and no code to scan.
    """
    if out.is_dir():
        raise InputError(f"{one_line(out.name or out)} is a folder: name the PDF file to write.")
    if out.suffix.lower() != ".pdf":
        raise InputError(f"{one_line(out.name)} does not end in .pdf: name the PDF file to write.")
    if address and not address.startswith(("https://", "http://")):
        raise InputError(f"'{one_line(address)}' is no address: it must start with https:// or http://.")
    on_it = Cover(**cover, logo=None if logo is None else _read_logo(logo))
    found = answer(Question.from_query(query), allow_local=True)
    link = f"{address.rstrip('/')}/?{found.question.to_query()}" if address else ""
    made = render_pdf(report_of(found, on_it, link), paper)
    try:
        out.write_bytes(made)
    except OSError as error:
        raise InputError(f"{one_line(out.name)} cannot be written: {error.strerror or 'no reason is given'}.") from None
    return f"Wrote {out.name}: {found.entry.name} on {found.machine_name}, {len(made):,} bytes."


def _read_logo(path: Path) -> Logo:
    try:
        with path.open("rb") as file:
            return checked_logo(file.read(LOGO_BYTES + 1))
    except OSError as error:
        raise InputError(
            f"The logo {one_line(path.name)} cannot be read: {error.strerror or 'no reason is given'}."
        ) from None
