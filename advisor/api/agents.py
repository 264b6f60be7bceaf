"""A server for agents (Model Context Protocol): the same questions as tools with small, structured results.

`serve` speaks over standard input and output, or over HTTP. The package `mcp` is an optional part
(`requirements.txt` beside this file).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urlencode

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.types import ASGIApp

from advisor.api.bearer import TokensOnly
from advisor.foundation.errors import InputError
from advisor.foundation.turns import PAGES
from advisor.foundation.version import VERSION
from advisor.question.question import Question
from advisor.report.advised import runs_here_document, to_buy_document
from advisor.report.asking import answer_plan, answer_sizes

_MOST_LISTED = 20
_WORD = re.compile(r"[a-z0-9]+")
_INSTRUCTIONS = (
    "Sizes of model files are exact, memory is modelled, speed, quality and cost are estimates with ranges. Name "
    "models and machines as people do or by catalogue id; an error says what may have been meant. Bytes are integers, "
    "what is not known is null. `query` in a result asks for exactly that plan again."
)


def agents_server(allow_detect: bool = True, allow_local: bool = False) -> MCPServer:
    """The server with its tools.

    `allow_detect` lets `detect` look at the machine this runs on, which is the agent's own only over standard input;
    `allow_local` lets a model be a path there.
    """
    server = MCPServer("llm-fit-advisor", title="LLM Fit Advisor", instructions=_INSTRUCTIONS, version=VERSION)

    @server.tool()
    def recommend(
        model: str, machine: str, context: int = 8192, users: int = 1, gpus: int = 1, more: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """What to run of a model on a machine: level, runtime, memory, speed, quality, cost, and the choices beside it.

        model: catalogue id, Hub repository or a size such as 70B. machine: catalogue id or name ("rtx-4090").
        context: tokens per user. gpus: equal cards. more: further keys of the dashboard's link, such as
        {"host_memory_gib": "64", "goal": "speed", "runtime": "vllm", "min_tokens_per_s": "20"}.
        """
        asked: dict[str, str] = {"model": model, "machine": _machine(machine), "context": str(context)}
        asked |= {"users": str(users), **({"gpus": str(gpus)} if gpus != 1 else {}), **(more or {})}
        return _answered(lambda: answer_plan(urlencode(asked), allow_local=allow_local))

    @server.tool()
    def size_model(model: str) -> dict[str, Any]:
        """The exact bytes of a model at every quantization level, and what published files of it measure."""
        return _answered(lambda: answer_sizes(model, allow_local=allow_local))

    @server.tool()
    def what_runs_here(
        machine: str, gpus: int = 1, context: int = 8192, users: int = 1, task: str = "chat", limit: int = 8
    ) -> dict[str, Any]:
        """The best models for a machine, the good ones first. machine: catalogue id or name; gpus: equal cards."""
        asked = {"machine": _machine(machine), "gpus": gpus, "context": context, "users": users, "task": task}
        return _answered(lambda: runs_here_document(Question.from_values(asked), _limited(limit)))

    @server.tool()
    def what_to_buy(model: str, context: int = 8192, users: int = 1, limit: int = 8) -> dict[str, Any]:
        """Machines that run a model well, the cheapest first, with what they cost a month, bought and rented."""
        asked = {"model": model, "context": context, "users": users}
        return _answered(lambda: to_buy_document(Question.from_values(asked), _limited(limit)))

    @server.tool()
    def detect(pasted: str = "") -> dict[str, Any]:
        """The machine that pasted output of nvidia-smi, rocm-smi, lspci, free, system_profiler or dxdiag describes.

        Also a measurement (llama-bench, a server's log) beside its prediction; the text is never executed. Without a
        text: the machine this server runs on.
        """
        return _answered(lambda: _detected(pasted, allow_detect))

    return server


def serve(transport: Literal["stdio", "http"], address: str = "127.0.0.1", port: int = 8765) -> None:
    """Serve until stopped."""
    if transport == "stdio":
        agents_server(allow_local=True).run("stdio")
    else:
        import uvicorn

        uvicorn.run(TokensOnly(http_app(address)), host=address, port=port, log_level="info", access_log=False)


def http_app(address: str) -> ASGIApp:
    """The server over HTTP, as it is before anybody is asked for a token."""
    server = agents_server(allow_detect=False)
    return server.streamable_http_app(stateless_http=True, json_response=True, host=address)


def _answered(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        with PAGES.turn():
            return work()
    except InputError as error:
        meant = f" Did you mean {', '.join(error.suggestions)}?" if error.suggestions else ""
        raise ToolError(f"{error}{meant}") from None


def _machine(said: str) -> str:
    """An id of the catalogue, or the machine whose name has all of the words; what is not that stays as it was said."""
    from advisor.machines.catalogue import machines
    from advisor.machines.find import MachineFinder

    known = machines()
    if said in known or not (found := MachineFinder(known).find(said, 1)):
        return said
    named = f"{found[0].id} {known[found[0].id].name} {known[found[0].id].vendor}"
    return found[0].id if set(_WORD.findall(said.lower())) <= set(_WORD.findall(named.lower())) else said


def _limited(limit: int) -> int:
    return max(1, min(_MOST_LISTED, limit))


def _detected(pasted: str, allow_detect: bool) -> dict[str, Any]:
    if pasted.strip():
        from advisor.report.paste_output import paste_document

        return paste_document(pasted, {})
    if not allow_detect:
        raise InputError("This server runs elsewhere: paste what nvidia-smi or the system's own tools print.")
    from advisor.machines.detect import detect
    from advisor.report.detected import detected_document

    return detected_document(detect())
