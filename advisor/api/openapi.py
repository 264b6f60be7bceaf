"""The description of the HTTP interface (OpenAPI 3.1), made from the schemas that the answers are held to."""

from __future__ import annotations

import json
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from advisor.foundation.version import VERSION
from advisor.report import compact
from advisor.report.lists import MOST

_SCHEMAS = Path(compact.__file__).with_name("schemas")
_QUESTION = (
    "The keys of the question as the dashboard's address has them: `model=...&machine=...&context=...&users=...`. "
    "A link of the dashboard can be used as it is."
)
EXAMPLE = "model=qwen3-8b&machine=rtx-4090&context=8192"
_TRIED = {
    "/plan": EXAMPLE,
    "/report.pdf": EXAMPLE,
    "/badge.svg": EXAMPLE,
    "/sizes": "model=70B",
    "/models": "q=qwen+8b",
}


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    paths = {
        "/plan": _get("What to run: the compact answer", "answer", [_question(), _switch("plans"), _switch("flips")]),
        "/sizes": _get("What a model measures at every level", "sizes", [_text("model", "As in a question.", True)]),
        "/models": _get("Models of the catalogue", "models", _list_of("qwen 32b")),
        "/machines": _get("Machines of the catalogue", "machines", _list_of("2x 3090")),
        "/detect": _paste(),
        "/report.pdf": _get("The recommendation as a PDF", "application/pdf", [_question()]),
        "/badge.svg": _get("A badge for a README", "image/svg+xml", [_question()]),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "LLM Fit Advisor", "version": VERSION, "description": _about()},
        "servers": [{"url": "/api/v1"}],
        "security": [{}, {"token": []}],  # a token where people log in, nothing elsewhere
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "answer": _schema("answer"),
                "sizes": _schema("sizes"),
                "models": {"type": "object", "required": ["schema", "words", "models"]},
                "machines": {"type": "object", "required": ["schema", "words", "machines"]},
                "paste": {"type": "object", "required": ["schema", "read", "machine", "question", "measurements"]},
                "problem": {"type": "object", "required": ["type", "title", "status", "detail", "error"]},
            },
        },
    }


def page(folder: str) -> str:
    """The same to read, without a script."""
    rows = []
    for path, methods in document()["paths"].items():
        for method, told in methods.items():
            keys = "".join(
                f"<li><code>{escape(one['name'])}</code>: {escape(one.get('description', ''))}</li>"
                for one in told.get("parameters", ())
            )
            query = {"/plan": EXAMPLE, "/report.pdf": EXAMPLE, "/badge.svg": EXAMPLE, "/sizes": "model=70B"}.get(
                path, ""
            )
            href = f"{folder}/api/v1{path}{'?' if query else ''}{query}"
            tried = f'<p><a href="{escape(href, quote=True)}">{escape(href)}</a></p>' if method == "get" else ""
            rows.append(
                f"<section><h2><code>{method.upper()} /api/v1{escape(path)}</code></h2>"
                f"<p>{escape(told['summary'])}</p><ul>{keys}</ul>{tried}</section>"
            )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>LLM Fit Advisor: for programs</title>'
        '<meta name="viewport" content="width=device-width"><style>body{font:16px/1.5 system-ui,sans-serif;'
        "max-width:48rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}code{font-size:.95em}"
        "section{border-top:1px solid #8886;padding-top:.5rem}</style></head><body><main>"
        f"<h1>For programs</h1><p>{escape(_about())}</p>"
        f'<p><a href="{escape(folder, quote=True)}/api/v1/openapi.json">OpenAPI document</a></p>{"".join(rows)}'
        "</main></body></html>"
    )


def _about() -> str:
    return (
        "The same questions as the dashboard's, answered as JSON with units in the names. Keys are added, never "
        "renamed: what changes one gets another address than /api/v1. Answers carry an ETag, which changes with the "
        "data release and the day; errors are application/problem+json."
    )


def _get(summary: str, what: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    is_schema = "/" not in what
    kind = "application/json" if is_schema else what
    content = {"schema": {"$ref": f"#/components/schemas/{what}"}} if is_schema else {"schema": {"type": "string"}}
    return {"get": {"summary": summary, "parameters": parameters, "responses": _responses({kind: content})}}


def _paste() -> dict[str, Any]:
    """Text comes in a body: addresses are written into logs."""
    body = {"required": True, "content": {"text/plain": {"schema": {"type": "string"}}}}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/paste"}}}
    summary = "A machine or a measurement from what tools print; the question says what the text does not"
    return {
        "post": {
            "summary": summary,
            "parameters": [_question(required=False)],
            "requestBody": body,
            "responses": _responses(content),
        }
    }


def _responses(content: dict[str, Any]) -> dict[str, Any]:
    refused = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}}
    return {
        "200": {"description": "The answer", "content": content},
        "304": {"description": "As before, by its ETag"},
        **{
            status: {"description": said, "content": refused}
            for status, said in (
                ("400", "No such question; the sentence says why, and what may have been meant"),
                ("429", "Too many questions at once; ask again after Retry-After seconds"),
                ("503", "The model is still being read; ask again after Retry-After seconds"),
            )
        },
    }


def _question(required: bool = True) -> dict[str, Any]:
    return {
        "name": "question",
        "in": "query",
        "required": required,
        "description": _QUESTION,
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        "example": dict(pair.split("=") for pair in EXAMPLE.split("&")),
    }


def _switch(name: str) -> dict[str, Any]:
    said = {"plans": "Choices carry whole plans", "flips": "What would change the answer; takes as long as several"}
    return {"name": name, "in": "query", "description": said[name], "schema": {"type": "string", "enum": ["on"]}}


def _text(name: str, said: str, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "description": said, "schema": {"type": "string"}}


def _list_of(example: str) -> list[dict[str, Any]]:
    limit = {"name": "limit", "in": "query", "description": "How many at most", "schema": {"type": "integer"}}
    limit["schema"] = {"type": "integer", "minimum": 1, "maximum": MOST}
    return [_text("q", f"Words such as: {example}"), limit]


def _schema(name: str) -> Any:
    return json.loads((_SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
