"""What the operator's own machines ask: health, readiness, figures; what logs hold; what search engines may take."""

from __future__ import annotations

import io
import json
import logging
import re
from datetime import date
from pathlib import Path
from typing import NoReturn

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from advisor.foundation.logs import JsonLines
from advisor.ui import metrics, server
from advisor.ui.metrics import Responses, rerun
from advisor.ui.server import SecurityHeaders, healthz, readyz, robots
from tests.support.asgi import Answered, ask


async def plain(_: Request) -> Response:
    return PlainTextResponse("x")


APP = Starlette(
    routes=[
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics.metrics),
        Route("/robots.txt", robots),
        Route("/", plain),
        Route("/s/{id}", plain),
    ],
    middleware=[Middleware(Responses), Middleware(SecurityHeaders)],
)


def figures(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"^(llm\S+) (\S+)$", text, re.MULTILINE)}


def test_health_and_readiness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", f"sqlite:///{tmp_path / 'advisor.sqlite3'}")
    assert ask(APP, "/healthz").body == b"ok"
    assert (ask(APP, "/readyz").status, ask(APP, "/readyz").body) == (200, b"ready")
    # A folder where the file should be; pages are answered all the same.
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", f"sqlite:///{tmp_path}")
    assert (ask(APP, "/readyz").status, ask(APP, "/readyz").body) == (200, b"ready, without the database")
    monkeypatch.setattr(server, "MOST_SESSIONS", 0)
    assert (ask(APP, "/readyz").status, ask(APP, "/readyz").body) == (503, b"full")
    assert ask(APP, "/healthz").status == 200  # full is not broken
    for path in ("/healthz", "/readyz"):
        assert ask(APP, path).headers["cache-control"] == "no-store"


def test_figures_count_what_happens() -> None:
    before = figures(metrics.text(date(2026, 11, 30)))
    with rerun():
        pass
    with pytest.raises(ZeroDivisionError), rerun():
        _ = 1 // 0
    metrics.count("quota_refusals")
    ask(APP, "/")
    ask(APP, "/none")
    after = figures(metrics.text(date(2026, 11, 30)))
    moved = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name)}
    moved.pop("llm_fit_advisor_rerun_seconds_sum")
    assert moved.pop('llm_fit_advisor_rerun_seconds_bucket{le="+Inf"}') == 1
    assert {name: value for name, value in moved.items() if "bucket" not in name} == {
        "llm_fit_advisor_rerun_seconds_count": 1,
        "llm_fit_advisor_rerun_errors_total": 1,
        "llm_fit_advisor_quota_refusals_total": 1,
        'llm_fit_advisor_http_responses_total{status="2xx"}': 1,
        'llm_fit_advisor_http_responses_total{status="4xx"}': 1,
    }


def test_a_histogram_counts_what_took_at_most_so_long() -> None:
    found = metrics.Histogram()
    for seconds in (0.01, 0.025, 0.026, 3.0, 100.0):
        found.add(seconds)
    counted = dict(re.findall(r'le="(\S+)"} (\d+)', "\n".join(found.lines("x"))))
    assert counted["0.025"] == "2"
    assert counted["0.05"] == counted["2.5"] == "3"
    assert counted["5.0"] == counted["30.0"] == "4"
    assert counted["+Inf"] == "5"


def test_queues_sessions_caches_and_the_age_of_prices_are_there() -> None:
    found = figures(metrics.text(date(2026, 11, 30)))
    caches = ('cache_bytes{of="pages"}', 'cache_bytes{of="reports"}', 'cache_bytes{of="beside_models"}')
    for name in ("sessions", 'queue{of="pages"}', 'queue{of="sweeps"}', 'queue{of="reads"}', *caches):
        assert f"llm_fit_advisor_{name}" in found
    ages = {name: value for name, value in found.items() if "price_age_days" in name}
    assert len(ages) >= 3
    older = figures(metrics.text(date(2026, 12, 10)))
    assert all(older[name] == value + 10 for name, value in ages.items())
    for line in metrics.text(date(2026, 11, 30)).splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \S+ .+|[a-z_]+(\{([a-z]+="[^"\\]*",?)+\})? [0-9.e+-]+', line), line


def scraped(**headers: str) -> Answered:
    return ask(APP, "/metrics", **headers)


def test_figures_are_for_the_operator_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert scraped().status == 200  # of this machine
    assert scraped(x_forwarded_for="203.0.113.5").status == 404  # through the proxy on it
    monkeypatch.setenv("LLM_FIT_ADVISOR_METRICS_TOKEN", "s3cret")
    assert scraped().status == 404
    assert scraped(authorization="Bearer wrong").status == 404
    assert scraped(authorization="Bearer s3cret", x_forwarded_for="203.0.113.5").status == 200


def test_search_engines_take_no_questions() -> None:
    said = ask(APP, "/robots.txt")
    assert "Disallow: /*?" in said.body.decode()
    assert "Disallow: /s/" in said.body.decode()
    assert "x-robots-tag" not in ask(APP, "/").headers
    assert ask(APP, "/", "model=x").headers["x-robots-tag"] == "noindex"
    assert ask(APP, "/s/abc").headers["x-robots-tag"] == "noindex"
    assert ask(APP, "/").headers["cache-control"] == "no-cache"


def test_logs_hold_where_and_not_what() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    secret = "model=secret&path=/home/me/file.gguf"

    def fail() -> NoReturn:
        raise ValueError(secret)

    for name in ("advisor.ui.test", "streamlit.test"):
        log = logging.getLogger(name)
        log.addHandler(handler)
        try:
            fail()
        except ValueError as error:
            log.exception("It failed: %s", error)
            if name.startswith("streamlit"):
                log.error(f"Uncaught {error}\nTraceback", exc_info=error)  # as libraries do
        log.warning("Removed %d", 3)
        log.removeHandler(handler)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert len(lines) == 5
    assert "secret" not in written.getvalue()
    assert lines[0]["error"] == "ValueError"
    assert lines[0]["at"][-1].endswith(" fail")
    assert lines[0]["at"][-1].startswith("test_operations.py:")
    assert lines[1]["message"] == "Removed 3"
    assert {line["level"] for line in lines} == {"error", "warning"}
