"""A link about "your machine": the page that asks, and that it can send nothing."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs

import pytest
from starlette.responses import PlainTextResponse

from advisor.foundation.errors import InputError
from advisor.machines.catalogue import machines
from advisor.question.question import Question
from advisor.ui.link import for_your_machine, read_link
from advisor.ui.server import SecurityHeaders
from advisor.ui.your_machine import YourMachine
from tests.support.asgi import Answered, ask

LINK = "model=qwen3-32b&machine=your-machine&context=16384"


def asked(path: str, query: str) -> Answered:
    return ask(SecurityHeaders(YourMachine(PlainTextResponse("the dashboard"))), path, query)


@pytest.mark.parametrize("path", ["/", "/compare"])
def test_such_a_link_asks_which_machine_is_meant(path: str) -> None:
    answered = asked(path, LINK)
    page = answered.body.decode()
    assert answered.status == 200
    assert "Qwen3 32B on your machine" in page
    assert "16,384 tokens of context" in page
    (data,) = re.findall(r'<script type="application/json" id="machines">(.*?)</script>', page)
    rows = {id: (gib, asks) for id, _, _, _, gib, asks in json.loads(data)}
    assert rows.keys() == machines().keys()
    assert rows["rtx-4090"] == (24, "host_memory_gib")
    assert rows["apple-m1-16gb"] == (16, "")
    assert rows["cpu-dual-ddr5-6000"][1] == "memory_gib"


def test_the_page_can_send_nothing() -> None:
    told = asked("/", LINK).headers["content-security-policy"]
    rules = dict(rule.split(" ", 1) for rule in told.split("; "))
    assert rules["default-src"] == rules["form-action"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert "connect-src" not in rules  # so that it is the default's
    assert "unsafe" not in told


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/", "model=qwen3-32b&machine=rtx-4090"),
        ("/", "model=your-machine"),
        ("/", f"{LINK}&machine=rtx-4090"),
        ("/r", LINK),
        ("/api/v1/plan", LINK),
    ],
)
def test_everything_else_goes_on(path: str, query: str) -> None:
    assert asked(path, query).body == b"the dashboard"


def test_what_stands_in_the_link_is_text() -> None:
    page = asked("/", f"{LINK}&nonsense=%3Cscript%3Ealert(1)%3C/script%3E&tab=%22%3E%3Cb%3E").body.decode()
    assert "<script>" not in page
    assert "<b>" not in page


def test_the_link_leaves_out_what_only_the_asker_s_machine_has() -> None:
    asker = "model=qwen3-32b&machine=rtx-3090&gpus=2&tensor_split=1,1&host_memory_gib=64&context=16384&goal=speed"
    written = read_link(parse_qs(asker)).written
    assert for_your_machine(written) == "model=qwen3-32b&context=16384&goal=speed&machine=your-machine"
    with pytest.raises(InputError, match="whoever opens the link"):
        Question.from_query(for_your_machine(written))
    found = read_link({"model": ["qwen3-32b"], "machine": ["your-machine"]})
    assert found.written == {"model": "qwen3-32b"}
    assert len(found.problems) == 1
