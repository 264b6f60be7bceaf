"""Answers to plain requests: a page or file as it was made, and pages of one sentence."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from advisor.report.web.page import message_page, security_policy
from advisor.ui.reader_pages import Sent, plain_page
from advisor.ui.static_files import accepted
from advisor.words import in_use

_AGAIN_S = 5


def sent_page(request: Request, sent: Sent, status: int, headers: dict[str, str]) -> Response:
    """A page or file, in the form that the reader takes."""
    body, encoding = sent.body, accepted(request.headers)
    if encoding is not None and encoding in sent.encoded:
        body = sent.encoded[encoding]
        headers |= {"Content-Encoding": encoding}
    if sent.encoded:
        headers |= {"Vary": "Accept-Encoding", "Content-Security-Policy": security_policy()}
    if sent.name:
        headers |= {"Content-Disposition": f'attachment; filename="{sent.name}"'}
    headers |= {"Content-Length": str(len(body))}
    return Response(b"" if request.method == "HEAD" else body, status, headers, sent.kind)


def sentence_page(
    request: Request, status: int, title: str, sentence: str, ways: Mapping[str, str] | None = None
) -> Response:
    """A page with one sentence, and ways on by what they are called; where waiting helps, it asks again by itself."""
    again_s = _AGAIN_S if status in (202, 503) else 0
    page = message_page(title, sentence, ways or {}, in_use(), again_s)
    headers = {"Cache-Control": "no-store"}
    if again_s:
        headers["Retry-After"] = str(again_s)
    return sent_page(request, plain_page(page), status, headers)
