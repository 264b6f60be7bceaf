"""The server for agents, asked by the client of its own package: in this process, over standard input, over HTTP."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from advisor.report.asking import answer_plan
from advisor.store.tokens import Tokens
from tests.support.own_loop import in_own_loop

pytest.importorskip("mcp", reason="not installed: pip install -r advisor/api/requirements.txt")

from mcp import Client, StdioServerParameters

from advisor.api.agents import agents_server

ROOT = Path(__file__).resolve().parents[3]
TOOLS = {"recommend", "size_model", "what_runs_here", "what_to_buy", "detect"}
QUERY = "model=qwen3-8b&machine=rtx-4090&context=8192&users=1"
TABLE = (
    "|   0  NVIDIA GeForce RTX 4090        Off |   00000000:01:00.0 Off |                  Off |\n"
    "|  0%   40C    P8             20W /  450W |      12MiB /  24564MiB |      3%      Default |\n"
)


def asked(server: Any, name: str, **arguments: Any) -> Any:
    async def work() -> Any:
        async with Client(server) as client:
            return await client.call_tool(name, arguments)

    return in_own_loop(work())


def result(server: Any, name: str, **arguments: Any) -> Any:
    found = asked(server, name, **arguments)
    assert not found.is_error, found.content
    return found.structured_content


def test_tools_say_what_they_take() -> None:
    async def work() -> Any:
        async with Client(agents_server()) as client:
            return await client.list_tools()

    tools = in_own_loop(work()).tools
    assert {tool.name for tool in tools} == TOOLS
    assert all(tool.description and tool.input_schema["properties"] for tool in tools)


def test_a_recommendation_is_the_compact_answer() -> None:
    found = result(agents_server(), "recommend", model="qwen3-8b", machine="RTX 4090")
    assert found == json.loads(json.dumps(answer_plan(QUERY)))
    pinned = result(agents_server(), "recommend", model="qwen3-8b", machine="rtx-4090", more={"level": "Q4_K_M"})
    assert pinned["decision"]["plan"]["level"] == "Q4_K_M"


def test_other_tools() -> None:
    server = agents_server(allow_detect=False)
    assert result(server, "size_model", model="qwen3-8b")["levels"]
    assert result(server, "detect", pasted=TABLE)["query"] == "machine=rtx-4090&gpus=1"
    here = asked(server, "detect")
    assert here.is_error
    assert "paste" in here.content[0].text


@pytest.mark.parametrize(
    ("tool", "arguments"), [("what_runs_here", {"machine": "rtx-4090"}), ("what_to_buy", {"model": "qwen3-32b"})]
)
def test_lists_are_short_and_ask_again(tool: str, arguments: dict[str, str]) -> None:
    found = result(agents_server(), tool, **arguments, limit=2)
    rows = found["models" if tool == "what_runs_here" else "machines"]
    assert len(rows) == 2
    assert len(json.dumps(found)) < 4000
    plan = answer_plan(rows[0]["query"])["decision"]["plan"]
    assert (plan["level"], plan["runtime"]) == (rows[0]["level"], rows[0]["runtime"])


def test_an_error_is_a_sentence_with_what_may_have_been_meant() -> None:
    found = asked(agents_server(), "recommend", model="qwen3-8b", machine="rtx-409")
    assert found.is_error
    assert "rtx-4090" in found.content[0].text
    secret = asked(agents_server(), "size_model", model="/etc/passwd")
    assert secret.is_error


def test_over_standard_input() -> None:
    command = StdioServerParameters(command=sys.executable, args=["-m", "advisor", "mcp"], cwd=str(ROOT), env=_paths())
    found = result(command, "detect", pasted=TABLE)
    assert found["question"]["machine"] == "rtx-4090"


def _paths() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(path for path in sys.path if path)}


@pytest.fixture
def over_http() -> Iterator[str]:
    with served() as address:
        yield address


@contextmanager
def served(**environment: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "advisor", "mcp", "--http", "--port", str(port)]
    quiet = subprocess.DEVNULL
    running = subprocess.Popen(command, cwd=ROOT, env=_paths() | environment, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        for _ in range(200):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        running.terminate()
        running.wait(10)


def test_over_http(over_http: str) -> None:
    found = result(over_http, "recommend", model="qwen3-8b", machine="rtx-4090")
    assert found["decision"]["status"] == "good"
    # Who serves others says nothing of the machine it runs on.
    assert asked(over_http, "detect").is_error


def test_over_http_a_token_is_needed_where_people_log_in(tmp_path: Path) -> None:
    database, roles = f"sqlite:///{tmp_path / 'advisor.sqlite3'}", tmp_path / "roles.toml"
    roles.write_text('[may]\nsee = ["ann@example.com"]\n')
    tokens = Tokens.open(database)
    secret, made = tokens.make("ann@example.com", 1)
    params = {"name": "size_model", "arguments": {"model": "qwen3-8b"}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}

    def status(address: str, **headers: str) -> int:
        known = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        asked = urllib.request.Request(address, json.dumps(call).encode(), known | headers)
        try:
            with urllib.request.urlopen(asked, timeout=60) as answered:
                assert b"levels" in answered.read()
                return int(answered.status)
        except urllib.error.HTTPError as error:
            assert b"levels" not in error.read()
            return error.code

    with served(LLM_FIT_ADVISOR_DATABASE=database, LLM_FIT_ADVISOR_ROLES=str(roles)) as address:
        assert status(address) == 401
        assert status(address, Authorization="Bearer lfa_x") == 401
        assert status(address, Authorization=f"Bearer {secret}") == 200
        tokens.revoke(made.id)
        assert status(address, Authorization=f"Bearer {secret}") == 401
    tokens.close()


def test_a_server_that_ends_says_nothing_that_is_no_message() -> None:
    ended = subprocess.run([sys.executable, "-m", "advisor", "mcp"], stdin=subprocess.DEVNULL, capture_output=True)
    assert ended.returncode == 0
    assert ended.stdout == b""
