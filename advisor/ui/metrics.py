"""Figures about this process in Prometheus' text format, for its operator: what was drawn, how fast, what waits.

No figure is about a visitor or a question.
"""

from __future__ import annotations

import secrets
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from ipaddress import ip_address
from threading import Lock

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from advisor import __version__
from advisor.answer.data_ages import data_ages
from advisor.foundation.caches import kept_beside_bytes, remembered_bytes
from advisor.foundation.data_release import data_release
from advisor.foundation.environment import environment
from advisor.foundation.turns import PAGES
from advisor.sources.background import waiting_reads
from advisor.ui import reader_pages, sweeps, view_cache
from advisor.ui.second_process import REPORTS

_BOUNDS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """Seconds by how many took at most so long."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS_S) + 1)
        self._sum = 0.0
        self._lock = Lock()

    def add(self, seconds: float) -> None:
        with self._lock:
            self._counts[bisect_left(_BOUNDS_S, seconds)] += 1
            self._sum += seconds

    def lines(self, name: str) -> Iterator[str]:
        with self._lock:
            counts, total = list(self._counts), self._sum
        so_far = 0
        for bound, count in zip((*map(str, _BOUNDS_S), "+Inf"), counts, strict=True):
            so_far += count
            yield f'{name}_bucket{{le="{bound}"}} {so_far}'
        yield f"{name}_sum {total:.6f}"
        yield f"{name}_count {so_far}"


RERUNS = Histogram()
SESSIONS: Counter[str] = Counter()  # open connections by network
_counted: Counter[str] = Counter()
_responses: Counter[str] = Counter()


@contextmanager
def rerun() -> Iterator[None]:
    """Around the script that draws a page: how long it took with all waiting, and whether it failed.

    A run that Streamlit ends because the visitor did something else counts neither way.
    """
    began = time.perf_counter()
    try:
        yield
    except Exception:
        _counted["rerun_errors"] += 1
        raise
    RERUNS.add(time.perf_counter() - began)


def count(what: str) -> None:
    """One more of "quota_refusals" or "overload_refusals"."""
    _counted[what] += 1


class Responses:
    """Counts answers by the first digit of their status."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                _responses[f"{message['status'] // 100}xx"] += 1
            await send(message)

        await self.app(scope, receive, counted if scope["type"] == "http" else send)


def text(today: date) -> str:
    """All figures."""
    return "\n".join(_lines(today)) + "\n"


def _lines(today: date) -> Iterator[str]:
    yield from _one("info", "gauge", "What runs here", [(f'version="{__version__}",data="{data_release()}"', 1)])
    yield from _one("sessions", "gauge", "Open connections of visitors", [("", SESSIONS.total())])
    yield "# HELP llm_fit_advisor_rerun_seconds Seconds until a page was drawn, waiting included"
    yield "# TYPE llm_fit_advisor_rerun_seconds histogram"
    yield from RERUNS.lines("llm_fit_advisor_rerun_seconds")
    for name, what in (
        ("rerun_errors", "Pages that failed"),
        ("quota_refusals", "What was refused because a visitor had enough"),
        ("overload_refusals", "Visits and pages refused because too many were there"),
    ):
        yield from _one(f"{name}_total", "counter", what, [("", _counted[name])])
    answers = [(f'status="{status}"', number) for status, number in sorted(_responses.items())]
    yield from _one("http_responses_total", "counter", "Answers over HTTP", answers)
    queues = (("pages", PAGES.waiting), ("sweeps", sweeps.waiting()), ("reads", waiting_reads()))
    yield from _one("queue", "gauge", "How many are at work or wait", [(f'of="{name}"', size) for name, size in queues])
    yield from _one("second_process", "gauge", "Processes beside this one that make reports", [("", int(REPORTS.runs))])
    for name, what, number in (
        ("second_process_starts", "How often it was started", REPORTS.starts),
        ("second_process_reports", "Reports that it made", REPORTS.made),
    ):
        yield from _one(f"{name}_total", "counter", what, [("", number)])
    yield from _one("cache_bytes", "gauge", "About how many bytes are kept to be asked again", _caches())
    ages = [
        (f'table="{age.table.file}"', (today - newest).days)
        for age in data_ages(today)
        if age.table.limit_days is not None and (newest := _day(age.seen or age.source)) is not None
    ]
    yield from _one("price_age_days", "gauge", "Days since the newest price of a table was seen", ages)


def _caches() -> Iterator[tuple[str, float]]:
    yield 'of="pages"', view_cache.bytes_kept()
    yield 'of="reports"', reader_pages.PAGES.bytes + reader_pages.FILES.bytes
    yield 'of="beside_models"', kept_beside_bytes()
    for name, (held, _) in sorted(remembered_bytes().items()):
        yield f'of="{name}"', held


def _one(name: str, kind: str, what: str, values: Iterable[tuple[str, float]]) -> Iterator[str]:
    name = f"llm_fit_advisor_{name}"
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values:
        yield f"{name}{{{labels}}} {value}" if labels else f"{name} {value}"


def _day(ends: tuple[str, str] | None) -> date | None:
    if ends is None:
        return None
    year, month, day = (*map(int, ends[1].split("-")), 1, 1)[:3]
    return date(year, month, day)


async def metrics(request: Request) -> Response:
    """The figures, for who holds the operator's token, or asks on this machine itself where there is none."""
    if not _is_operator(request):
        return PlainTextResponse("Not found\n", 404)
    return PlainTextResponse(text(datetime.now(UTC).date()), media_type=_TYPE, headers={"Cache-Control": "no-store"})


def _is_operator(request: Request) -> bool:
    token = environment().metrics_token.get_secret_value()
    if token:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        return secrets.compare_digest(given.encode(), token.encode())
    peer = request.client.host if request.client is not None else ""
    # A proxy on this machine asks for somebody else.
    forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    try:
        return ip_address(peer).is_loopback and not forwarded
    except ValueError:
        return False
