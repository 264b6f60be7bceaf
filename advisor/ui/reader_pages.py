"""What readers of a link get: the page of a report, its PDF and the picture of its preview, of today or frozen.

Made in threads that take their turn with the pages of visitors. Knows no Streamlit.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from advisor.answer.answer import Answer
from advisor.foundation.errors import AdvisorError, InputError
from advisor.foundation.quotas import OverQuota
from advisor.foundation.turns import PAGES as TURNS
from advisor.foundation.turns import TooManyWaiting, breathe
from advisor.foundation.units import MIB
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.report.document import Cover, ReportDocument
from advisor.report.exports import file_name
from advisor.report.from_answer import report_of
from advisor.report.frozen import report_from_result, report_to_result
from advisor.report.frozen_changes import changes
from advisor.report.pdf import render_pdf
from advisor.report.web.around import Around
from advisor.report.web.page import decision_of, report_page
from advisor.report.web.preview import preview_picture
from advisor.store import Snapshot, data_release
from advisor.ui.asking import Reply, reply_to
from advisor.ui.making import Maker
from advisor.ui.one_at_a_time import turn
from advisor.ui.second_process import REPORTS
from advisor.ui.static_files import encodings
from advisor.ui.tongue import with_language
from advisor.words import speaking, to_tell, told

FileKind = Literal["pdf", "png"]
REPORT = "/r"
PDF, PICTURE = "report.pdf", "preview.png"
_SMALLEST_COMPRESSED = 500  # bytes
_LATER = to_tell("The model is being read, to compare with today; open this link again in a moment.")


class NoReport(InputError):
    """Why there is no report, in one sentence; `status` is HTTP's."""

    status = 400


class NoSuchModel(NoReport):
    """The model that the link names is not found."""

    status = 404


class StillReading(NoReport):
    """The model is being read elsewhere; ask again later."""

    status = 202


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent, also compressed. `document` is the report as kept JSON, of which its files are made."""

    body: bytes
    kind: str
    name: str
    encoded: Mapping[str, bytes] = field(default_factory=dict)
    document: bytes = b""

    @property
    def weight(self) -> int:
        """Bytes in memory, about."""
        return 1000 + len(self.body) + sum(map(len, self.encoded.values())) + len(self.document)


def _weigh(sent: Sent) -> int:
    return sent.weight


# Two at a time: one here and one in the second process.
PAGES: Maker[Sent] = Maker(_weigh, most_bytes=64 * MIB, threads=2, when_many=REPORTS.start)
FILES: Maker[Sent] = Maker(_weigh, most_bytes=48 * MIB, most_waiting=40)
SNAPSHOTS: Maker[Snapshot] = Maker(lambda _: 1, most_bytes=0, threads=4)  # not kept: one can be deleted at any time


def live_page(question: Question, address: str, lang: str) -> Sent:
    """The page about a question, computed now; `address` is that of the dashboard.

    In the second process where this one is at work, it runs, and the model needs no reading. Raises NoReport.
    """
    if TURNS.waiting and question.model.name in catalogue():
        found = REPORTS.ask(question.to_query(question.given), address, lang)
        if isinstance(found, Sent):
            return found
    return page_here(question, address, lang)


def page_here(question: Question, address: str, lang: str) -> Sent:
    """The same, in this process."""
    with speaking(lang), turn():
        reply = reply_to(question)
        answer = _answer(reply)
        breathe()
        query = with_language(answer.question.to_query())
        document = report_of(answer, link=f"{address}/?{query}" if address else "")
    return _page(document, replace(_around(query, address), told=reply.problems), lang)


def _around(asked: str, address: str) -> Around:
    return Around(
        live=f"./?{asked}",
        pdf=f".{REPORT}/{PDF}?{asked}",
        address=f"{address}{REPORT}?{asked}" if address else "",
        picture=f"{address}{REPORT}/{PICTURE}?{asked}" if address else "",
    )


def _answer(reply: Reply) -> Answer:
    if reply.answer is not None:
        return reply.answer
    if isinstance(reply.model_error, OverQuota):
        raise reply.model_error
    why = reply.error or "There is no answer."
    kind = StillReading if reply.waiting else NoSuchModel if reply.model_error is not None else NoReport
    raise kind(why, reply.suggestions)


def frozen_page(snapshot: Snapshot, around: Around, compared: bool, lang: str) -> Sent:
    """The page of a frozen recommendation, with what would be different today where it is to be `compared`.

    Raises DataError where what is stored cannot be read.
    """
    document = report_from_result(snapshot.result, snapshot.cover)
    with speaking(document.language):  # which it was frozen in, and is compared in
        changed, today = _since(snapshot, document) if compared else ((told(_LATER),), "")
        said = (*around.told, *_about(snapshot))
        around = replace(around, told=said, changed=changed, today=today)
    return _page(document, around, document.language)


def _about(snapshot: Snapshot) -> tuple[str, ...]:
    frozen = told(
        "Frozen on {day} UTC with data release {release}, version {version}: these numbers do not change.",
        day=f"{snapshot.created_at:%Y-%m-%d %H:%M}",
        release=snapshot.data_release,
        version=snapshot.app_version,
    )
    if snapshot.expires_at is None:
        return (frozen,)
    return frozen, told("This link works until {day}.", day=f"{snapshot.expires_at:%Y-%m-%d}")


def _since(snapshot: Snapshot, then: ReportDocument) -> tuple[tuple[str, ...], str]:
    """What would be different today, and the sentence of today where it is another one."""
    try:
        with turn():
            found = _answer(reply_to(Question.from_query(snapshot.query)))
            breathe()
            now = report_of(found)
    except (TooManyWaiting, OverQuota):  # which pass
        raise
    except StillReading:
        return (told(_LATER),), ""
    except AdvisorError as error:
        return (told("This question cannot be answered today: {why}", why=str(error)),), ""
    changed, release = changes(then, now), data_release()
    if snapshot.data_release != release:
        words = told("Data release {then} then, {now} today.", then=snapshot.data_release, now=release)
        changed = (*changed, words)
    return changed, "" if _says_the_same(then, now) else decision_of(now)


def _says_the_same(then: ReportDocument, now: ReportDocument) -> bool:
    if then.brief is None or now.brief is None:
        return then.verdict == now.verdict
    return then.brief.decision == now.brief.decision


def _page(document: ReportDocument, around: Around, lang: str) -> Sent:
    with speaking(document.language):
        body = report_page(document, around, lang).encode()
    kept = zlib.compress(json.dumps(report_to_result(document), separators=(",", ":")).encode())
    encoded = {name: compress(body) for name, compress in encodings().items()}
    return Sent(body, "text/html; charset=utf-8", "", encoded, kept)


def live_file(page: Sent, kind: FileKind, lang: str) -> Sent:
    """A file about the report of a page; raises ReportError."""
    return report_file(report_from_result(json.loads(zlib.decompress(page.document)), Cover()), kind, lang)


def frozen_file(snapshot: Snapshot, kind: FileKind, lang: str) -> Sent:
    """A file about what is stored; raises ReportError, and DataError where it cannot be read."""
    return report_file(report_from_result(snapshot.result, snapshot.cover), kind, lang)


def report_file(document: ReportDocument, kind: FileKind, lang: str) -> Sent:
    """The report as PDF, or the picture of its preview; raises ReportError."""
    if kind == "pdf":
        return Sent(render_pdf(document), "application/pdf", file_name(document, "pdf"))
    with speaking(document.language):
        return Sent(preview_picture(document, document.language), "image/png", "")


def plain_page(page: str) -> Sent:
    """A page of one sentence."""
    body = page.encode()
    encoded = {} if len(body) < _SMALLEST_COMPRESSED else {name: pack(body) for name, pack in encodings().items()}
    return Sent(body, "text/html; charset=utf-8", "", encoded)
