"""The HTTP interface: the same objects as on the command line, under addresses and keys that stay."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from starlette.applications import Starlette

from advisor.api import openapi, routes
from advisor.api.badge import badge
from advisor.api.problems import problem_of
from advisor.api.routes import MOST_WAITING, api_routes
from advisor.foundation.data_release import data_release
from advisor.foundation.quotas import OverQuota
from advisor.models.catalogue import catalogue
from advisor.report import compact
from advisor.report.asking import answer_plan, answer_sizes
from advisor.ui.start_page import StartPage
from tests.support.asgi import Answered, ask, send

APP = Starlette(routes=list(api_routes(("", "/advisor"))))
QUERY = "model=qwen3-8b&machine=rtx-4090&context=8192"
KEYS = Path(__file__).with_name("keys_v1.json")
SVG = "{http://www.w3.org/2000/svg}"


@cache
def asked(path: str, query: str = "") -> Answered:
    return ask(APP, f"/api/v1{path}", query)


def document(path: str, query: str = "") -> Any:
    answered = asked(path, query)
    assert answered.status == 200, answered.body
    assert answered.headers["content-type"] == "application/json"
    return json.loads(answered.body)


def test_answers_are_those_of_the_command_line() -> None:
    assert document("/plan", QUERY) == json.loads(json.dumps(answer_plan(QUERY)))
    assert document("/sizes", "model=qwen3-8b") == json.loads(json.dumps(answer_sizes("qwen3-8b")))
    whole = document("/plan", f"{QUERY}&plans=on")
    assert whole["query"] == QUERY
    assert "memory" in whole["choices"][0]["plan"]


def test_answers_are_small_and_hold_to_their_schemas() -> None:
    schemas = Path(compact.__file__).with_name("schemas")
    for name, path, query in (("answer", "/plan", QUERY), ("sizes", "/sizes", "model=qwen3-8b")):
        jsonschema.validate(document(path, query), json.loads((schemas / f"{name}.schema.json").read_text("utf-8")))
    assert len(asked("/plan", QUERY).body) <= 5000


def test_lists_are_searched() -> None:
    assert len(document("/models")["models"]) == len(catalogue())
    found = document("/machines", "q=2x+3090&limit=1")["machines"]
    assert [(one["id"], one["gpus"]) for one in found] == [("rtx-3090", 2)]
    assert document("/models", "q=qwen3+8b&limit=2")["models"][0]["id"] == "qwen3-8b"


def keys_of(value: Any, at: str = "") -> set[str]:
    """Every key with the way to it; those of lists as of one of their items."""
    if isinstance(value, dict):
        return {f"{at}.{key}" for key in value}.union(*(keys_of(inner, f"{at}.{key}") for key, inner in value.items()))
    if isinstance(value, list):
        return set[str]().union(*(keys_of(inner, f"{at}[]") for inner in value))
    return set()


def test_no_key_of_version_1_goes() -> None:
    """Keys may be added: then write them into keys_v1.json. One that is gone or renamed breaks somebody's program."""
    kept, paths = json.loads(KEYS.read_text("utf-8")), openapi.document()["paths"]
    found = {
        "/plan": sorted(keys_of(document("/plan", QUERY))),
        "/sizes": sorted(keys_of(document("/sizes", "model=qwen3-8b"))),
        "/models": sorted(keys_of(document("/models", "q=qwen3+8b&limit=2"))),
        "/machines": sorted(keys_of(document("/machines", "q=rtx+3090&limit=2"))),
        "addresses": sorted(f"{method} {path}" for path, told in paths.items() for method in told),
    }
    assert {key: sorted(set(kept[key]) - set(found[key])) for key in kept} == {key: [] for key in kept}
    assert found == kept, "keys were added: list them in keys_v1.json"


def test_every_address_of_the_document_is_served() -> None:
    served = {(method.lower(), route.path) for route in APP.routes for method in route.methods}  # type: ignore[attr-defined]
    for path, methods in openapi.document()["paths"].items():
        assert {(method, f"/api/v1{path}") for method in methods} <= served
    assert document("/openapi.json") == json.loads(json.dumps(openapi.document()))
    for path in ("/api", "/api/v1"):
        page = ask(APP, path)
        assert page.status == 200
        assert b"/api/v1/plan?" in page.body
        assert b"<script" not in page.body


def test_an_answer_that_cannot_have_changed_is_not_sent_again() -> None:
    first = asked("/plan", QUERY)
    tag = first.headers["etag"]
    assert data_release() in tag
    again = ask(APP, "/api/v1/plan", QUERY, if_none_match=tag)
    assert (again.status, again.body) == (304, b"")
    assert asked("/plan", f"{QUERY}&users=2").headers["etag"] != tag
    # What lies elsewhere may change at any time.
    assert routes._tag(_request("model=org/name")) is None


def test_the_start_page_leaves_it_alone() -> None:
    app = StartPage(APP)
    tag = asked("/plan", QUERY).headers["etag"]
    assert ask(app, "/api/v1/plan", QUERY, if_none_match=tag).status == 304
    assert b"For programs" in ask(app, "/api").body


def _request(query: str) -> Any:
    from starlette.requests import Request

    return Request(
        {"type": "http", "method": "GET", "path": "/api/v1/plan", "query_string": query.encode(), "headers": []}
    )


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/plan", "machine=rtx-409"),
        ("/plan", "model=qwen3-8b&contxt=1"),
        ("/plan", f"model={'x' * 9000}"),
        ("/sizes", ""),
        ("/sizes", "model=/etc/passwd"),
        ("/models", "limit=0"),
        ("/machines", "limit=x"),
        ("/report.pdf", "machine=rtx-409"),
    ],
)
def test_bad_questions_are_problems(path: str, query: str) -> None:
    answered = asked(path, query)
    problem = json.loads(answered.body)
    assert answered.status == problem["status"] == 400
    assert answered.headers["content-type"] == "application/problem+json"
    assert problem["error"]["message"] == problem["detail"]
    assert "Traceback" not in problem["detail"]


def test_an_address_that_is_not_there_is_a_problem_and_not_the_page() -> None:
    for path, status in (("/plans", 404), ("/plan/", 404), ("/a/b", 404), ("/detect", 405)):
        answered = asked(path)
        assert answered.status == json.loads(answered.body)["status"] == status
        assert answered.headers["content-type"] == "application/problem+json"


def test_what_may_have_been_meant_is_said() -> None:
    assert "rtx-4090" in json.loads(asked("/plan", "machine=rtx-409").body)["error"]["did_you_mean"]


def test_errors_of_our_own_name_their_kind_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("/home/secret")

    monkeypatch.setattr(routes, "answer_plan", broken)
    answered = ask(APP, "/api/v1/plan", QUERY)
    assert answered.status == 500
    assert b"RuntimeError" in answered.body
    assert b"secret" not in answered.body


def test_too_many_at_once_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes._waiting, "count", MOST_WAITING)
    answered = ask(APP, "/api/v1/plan", QUERY)
    assert answered.status == 429
    assert int(answered.headers["retry-after"]) > 0
    assert send(APP, b"x", "/api/v1/detect", content_type="text/plain").status == 429


def test_a_visitor_has_so_much_an_hour() -> None:
    error = OverQuota("Enough.")
    error.wait_s = 61.2
    refused = problem_of(error)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "62")


def test_a_paste_is_read() -> None:
    table = (
        "|   0  NVIDIA GeForce RTX 4090        Off |   00000000:01:00.0 Off |                  Off |\n"
        "|  0%   40C    P8             20W /  450W |      12MiB /  24564MiB |      3%      Default |\n"
    )
    answered = send(APP, table.encode(), "/advisor/api/v1/detect", content_type="text/plain; charset=utf-8")
    assert answered.status == 200
    assert json.loads(answered.body)["query"] == "machine=rtx-4090&gpus=1"
    assert send(APP, b"hello", "/api/v1/detect", content_type="text/plain").status == 400
    assert send(APP, table.encode(), "/api/v1/detect", content_type="text/html").status == 415
    assert send(APP, b"x" * 2_000_000, "/api/v1/detect", content_type="text/plain").status == 413


def test_the_report_is_a_pdf() -> None:
    answered = asked("/report.pdf", QUERY)
    assert answered.headers["content-type"] == "application/pdf"
    assert answered.body.startswith(b"%PDF")


def test_a_badge_says_how_well_it_runs() -> None:
    answered = ask(APP, "/badge.svg", QUERY)
    assert answered.headers["content-type"].startswith("image/svg+xml")
    drawn = ET.fromstring(answered.body)
    said = [text.text for text in drawn.iter(f"{SVG}text")]
    plan = document("/plan", QUERY)
    assert said[0] == f"{plan['model']['name']} · {plan['machine']['name']}"
    assert said[1] is not None
    assert said[1].startswith(f"{plan['decision']['status']} · {plan['decision']['plan']['level']}")
    refused = ask(APP, "/badge.svg", "model=nix")
    assert refused.status == 200
    assert b"no answer" in refused.body
    assert ET.fromstring(badge("<b>&", '"</svg>', "#000")).find(f"{SVG}title") is not None
