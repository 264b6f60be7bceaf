"""A link with `machine=your-machine`: the page that asks whoever opens it which machine is theirs.

The catalogue's machines lie in the page, and `your_machine.js` finds among them what the browser tells of itself. Its
Content-Security-Policy lets the browser send nothing to anybody; what is chosen is a link to the answer. Knows no
Streamlit.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from functools import cache
from html import escape
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from advisor.foundation.errors import InputError
from advisor.foundation.units import GIB
from advisor.machines.capacity import CPU_KIND
from advisor.machines.catalogue import machines
from advisor.machines.machine import Machine
from advisor.question.configuration import YOUR_MACHINE
from advisor.question.question import MAX_QUERY_LENGTH, Question
from advisor.report.web.page import security_policy, whole_page
from advisor.ui.asking import model_name
from advisor.ui.link import MACHINE_KEYS, read_link
from advisor.ui.parts.navigation import TITLES
from advisor.ui.parts.text import tokens, users
from advisor.ui.static_files import YOUR_MACHINE_SCRIPT, accepted, encodings, path_in_app, script_version

_LONGEST = MAX_QUERY_LENGTH + 200  # with keys of the page
_STYLE = """
#found { list-style: none; padding: 0; }
#found li { display: flex; gap: 0.8rem; align-items: center; padding: 0.5rem 0.7rem; border: 1px solid var(--hair);
  border-radius: 0.4rem; margin: 0.4rem 0; }
#found li.best { background: var(--chosen); border-color: var(--accent); }
#found span { flex: 1; }
#found small { display: block; }
#found a { white-space: nowrap; border: 1px solid var(--accent); border-radius: 0.4rem; padding: 0.3rem 0.7rem;
  text-decoration: none; }
#found a:hover, #found a:focus-visible { background: var(--accent); color: var(--paper); }
#told { display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 1rem; margin: 0.4rem 0; }
#told dt { color: var(--quiet); }
#told dd { margin: 0; }
form:not([hidden]) { display: grid; gap: 0.7rem; margin: 0.8rem 0; }
form input:not([type=checkbox]) { display: block; width: 100%; max-width: 22rem; font: inherit; color: inherit;
  background: var(--paper); border: 1px solid var(--quiet); border-radius: 0.4rem; padding: 0.35rem 0.5rem; }
"""


class YourMachine:
    """Answers such links itself; everything else goes on to the app."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(scope) if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") else None
        await (answer or self.app)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        query = scope.get("query_string", b"").decode("latin-1")
        if YOUR_MACHINE not in query or len(query) > _LONGEST or path_in_app(scope).strip("/") not in TITLES:
            return None
        try:
            raw = parse_qs(query, keep_blank_values=True, errors="strict", max_num_fields=200)
        except ValueError:
            return None
        if raw.get("machine") != [YOUR_MACHINE]:
            return None
        return _sent(_page(raw), Headers(scope=scope), scope["method"])


def _sent(page: str, asked: Headers, method: str) -> Response:
    body, encoding = page.encode(), accepted(asked)
    own = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = security_policy("; script-src 'self'").replace("style-src ", f"style-src 'sha256-{own}' ")
    headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-cache", "Content-Security-Policy": policy}
    if encoding is not None:
        body = encodings()[encoding](body)
        headers["Content-Encoding"] = encoding
    headers["Content-Length"] = str(len(body))
    return Response(b"" if method == "HEAD" else body, 200, MutableHeaders(headers), "text/html")


def _page(raw: dict[str, list[str]]) -> str:
    rest = {key: values for key, values in raw.items() if key not in MACHINE_KEYS}
    model, work = _asked(rest)
    title = f"{model} on your machine"
    script = f"{YOUR_MACHINE_SCRIPT}?v={script_version(YOUR_MACHINE_SCRIPT)}"
    query = urlencode(rest, doseq=True)
    pick = f'<a href="./{"?" if query else ""}{escape(query, quote=True)}">the dashboard, and pick it there</a>'
    return whole_page(
        title,
        f'<style>{_STYLE}</style><script src=".{script}" defer></script>',
        f"<header><p class=quiet>LLM Fit Advisor</p><h1>{escape(title)}</h1><p class=quiet>{escape(work)}</p></header>"
        f'<main data-keys="{" ".join(MACHINE_KEYS)}"><h2>Which machine is yours?</h2>'
        '<p id="guess" role="status">Without scripts nothing can be recognized.</p><dl id="told" class="quiet"></dl>'
        '<ol id="found"></ol><p id="more" class="quiet"></p>'
        '<form hidden><label>Another one: its name or memory<input id="words" type="search" autocomplete="off"></label>'
        '<label>RAM in GiB, where you know it<input id="ram" inputmode="decimal" autocomplete="off"></label>'
        '<label><input id="keep" type="checkbox"> Keep it in this browser as my machine</label></form>'
        "<p class=quiet>Your browser looked this up in a list on this page. Nothing was sent; what you choose becomes "
        f"part of the address of the answer.</p><p>Not in the list? Open {pick}.</p></main>"
        f'<script type="application/json" id="machines">{_machines()}</script>',
        "en",
    )


def _asked(rest: dict[str, list[str]]) -> tuple[str, str]:
    """The model's name, and the rest of the question in words."""
    try:
        question = Question.from_values(read_link(rest).written)
    except InputError:  # the page that follows says it
        question = Question.of()
    work = question.workload
    return model_name(question.model.name), f"{tokens(work.context)} of context · {users(work.users)}"


@cache
def _machines() -> str:
    """Id, name, vendor, architecture, GiB and what else is to be asked: RAM beside cards, or all that there is."""
    rows = [
        [one.id, one.name, one.vendor, one.architecture or "", round(one.memory_bytes * one.count / GIB), _asks(one)]
        for one in machines().values()
    ]
    return json.dumps(rows, separators=(",", ":")).replace("<", "\\u003c")


def _asks(one: Machine) -> str:
    if one.kind == CPU_KIND:
        return "memory_gib"
    return "" if one.unified else "host_memory_gib"
