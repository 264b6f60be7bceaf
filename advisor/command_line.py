"""The commands and what each takes, as argparse knows them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

ASKED = {"sizes": "model", "plan": "query"}  # what answers as JSON and in batches, and the name of its question
# As advisor/answer/status.py has them, which would load the engine for --help.
STATUSES = ("good", "limited", "slow", "last resort", "does not fit", "not as asked")
DEPLOYMENTS = ("compose", "kubernetes", "systemd", "llama-swap", "modelfile")  # as advisor/report/deployments.py has
_FORMATS = ("table", "json")


def command_parser(program: str, about: str, asked: Sequence[str] = ()) -> argparse.ArgumentParser:
    """What the commands take; where the first argument of `asked` is one of them, what that one takes."""
    parser = argparse.ArgumentParser(prog=program, description=about)
    named = asked[:1] if asked and asked[0] in _COMMANDS else tuple(_COMMANDS)
    every = f"{{{','.join(_COMMANDS)}}}" if len(named) < len(_COMMANDS) else None
    commands = parser.add_subparsers(dest="command", required=True, metavar=every)
    for name in named:
        told, add = _COMMANDS[name]
        add(commands.add_parser(name, help=told))
    return parser


def _add_sizes(sizes: argparse.ArgumentParser) -> None:
    sizes.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        help="catalogue id, Hub repository, link or path of a GGUF file, path of a config.json, or a size such as 70B",
    )
    sizes.add_argument(
        "--imatrix", action="store_true", help="table: sizes of files made with an importance matrix; JSON has both"
    )
    sizes.add_argument("--mtp", action="store_true", help="include multi-token-prediction layers")
    _add_format(sizes)
    _add_batch(sizes, "what each size is made of")


def _add_plan(plan: argparse.ArgumentParser) -> None:
    plan.add_argument(
        "query", metavar="QUERY", nargs="?", help="the page's query string: model=...&machine=...&context=..."
    )
    plan.add_argument("--plans", action="store_true", help="JSON: choices carry whole plans")
    plan.add_argument(
        "--flips",
        action="store_true",
        help="JSON: what would change the answer, asked question by question (takes as long as several)",
    )
    _add_format(plan)
    _add_batch(plan, "every level, evidence and bills")


def _add_format(command: argparse.ArgumentParser) -> None:
    command.add_argument("--format", choices=_FORMATS, default="table")


def _add_batch(command: argparse.ArgumentParser, full: str) -> None:
    command.add_argument("--full", action="store_true", help=f"JSON: also {full}")
    command.add_argument(
        "--batch", metavar="FILE", help="one question a line (- reads stdin), one JSON object a line out"
    )


def _add_list(one: argparse.ArgumentParser) -> None:
    one.add_argument("words", metavar="WORD", nargs="*", help="a name in part, a size, a vendor: qwen 32b, 2x 3090")
    one.add_argument("--limit", type=_whole, default=1000, help="how many at most")
    _add_format(one)


def _add_deploy(made: argparse.ArgumentParser) -> None:
    made.add_argument("query", metavar="QUERY", help="the page's query string: model=...&machine=...&context=...")
    made.add_argument("--as", dest="what", choices=DEPLOYMENTS, default="compose")


def _add_refresh(update: argparse.ArgumentParser) -> None:
    from advisor.costs.feeds.known_feeds import FEEDS

    update.add_argument("what", nargs="?", choices=("prices", "models"), default="prices")
    update.add_argument("repositories", metavar="ORG/NAME", nargs="*", help="models: these, instead of popular ones")
    update.add_argument("--by", choices=("trending", "downloads"), default="trending", help="models: what is popular")
    update.add_argument("--limit", type=_whole, default=20, help="models: how many at most")
    update.add_argument(
        "--write", action="store_true", help="models: write the difference that is only shown else; nothing is replaced"
    )
    update.add_argument("--accept", action="store_true", help="take over large moves and losses that are refused else")
    update.add_argument("--dry-run", action="store_true", help="print every change and write none")
    update.add_argument("--only", action="append", choices=FEEDS, help="only this feed; may be given several times")


def _add_worker(worker: argparse.ArgumentParser) -> None:
    worker.add_argument("--queue", choices=("cpu", "gpu"), default="cpu", help="which runs; one worker a machine each")


def _add_agents(agents: argparse.ArgumentParser) -> None:
    agents.add_argument("--http", action="store_true", help="streamable HTTP at /mcp instead of standard input")
    agents.add_argument("--port", type=int, default=8765)
    agents.add_argument("--address", default="127.0.0.1", help="0.0.0.0 listens on every interface")


def _add_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--port", type=int, default=8501)
    serve.add_argument("--address", default="127.0.0.1", help="0.0.0.0 listens on every interface")
    serve.add_argument(
        "--processes", type=int, default=1, help="more than one, with nginx before them: one a core serves most people"
    )
    serve.add_argument("--print-proxy", action="store_true", help="print nginx's configuration and start nothing")
    serve.add_argument(
        "--at",
        metavar="HOST:PORT",
        action="append",
        default=[],
        help="for --print-proxy: a process that runs elsewhere",
    )


def _add_gate(gate: argparse.ArgumentParser) -> None:
    gate.add_argument("query", metavar="QUERY", help="the page's query string: model=...&machine=...&context=...")
    gate.add_argument("--status", choices=STATUSES, help="this status or a better one")
    gate.add_argument("--min-tokens-per-s", type=float, help="for each user, typically")
    gate.add_argument("--max-first-token-s", type=float, help="the wait for the first token, typically")
    gate.add_argument("--min-context", type=int, help="tokens that fit, for each user")
    gate.add_argument("--min-quality-percent", type=float, help="of the unquantized model's score, typically")
    _add_format(gate)


def _whole(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1")
    return int(text)


def _add_paste(found: argparse.ArgumentParser) -> None:
    found.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        help="read output of nvidia-smi, rocm-smi, lspci, free, llama-bench, a log of llama-server or vLLM and so on "
        "instead of looking (- reads stdin); nothing in it is executed",
    )
    found.add_argument(
        "--beside",
        metavar="QUERY",
        default="",
        help="what the text does not say of a measurement: model=...&machine=...",
    )
    found.add_argument(
        "--evidence", action="store_true", help="print what was measured as rows for data/speed_measurements.csv"
    )
    found.add_argument(
        "--source-url", metavar="URL", default="", help="for --evidence: where others can read the output"
    )
    _add_format(found)


def _add_report(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "query", metavar="QUERY", help="the page's query string; with columns=... the comparison of that link"
    )
    made.add_argument("out", metavar="OUT.pdf", type=Path, help="the file to write; an older one is replaced")
    made.add_argument("--paper", choices=("a4", "letter"), default="a4")
    for name in ("title", "company", "prepared-for", "note"):
        made.add_argument(f"--{name}", default="", help="text for the report's first page")
    made.add_argument("--logo", metavar="FILE", type=Path, help="PNG or SVG for the report's first page")
    made.add_argument(
        "--lang", default="", help="its language and country, such as de-CH; else that of QUERY, or English"
    )
    made.add_argument("--link", default="", help="address of the dashboard, for the link and the code to scan")


def _add_admin(admin: argparse.ArgumentParser) -> None:
    kinds = admin.add_subparsers(dest="admin", required=True)
    shown = kinds.add_parser("list", help="frozen recommendations that work, newest first, without what they say")
    shown.add_argument("--limit", type=int, default=100)
    kinds.add_parser("revoke", help="have a link stop working").add_argument("id", metavar="ID")
    gone = kinds.add_parser("purge", help="remove for good what expired or was deleted")
    gone.add_argument("--older-than", type=int, metavar="DAYS", help="and whatever was frozen before that")
    kinds.add_parser("users", help="who keeps frozen recommendations or had runs, and how many")
    kinds.add_parser("quota", help="what may be kept and had, and who keeps the most")
    token = kinds.add_parser("token", help="make, list or revoke what programs ask with where people log in")
    token.add_argument("email", metavar="ADDRESS", nargs="?", help="for whom; without one those that work are listed")
    token.add_argument("--days", type=int, default=90, help="how long it works")
    token.add_argument("--revoke", metavar="ID", help="have one stop working")
    for name, what in (("backup", "all of the database, to a file"), ("restore", "a backup, to an empty database")):
        kinds.add_parser(name, help=what).add_argument("file", metavar="FILE", type=Path)


def _misused_refresh(options: argparse.Namespace) -> str:
    if options.what == "models":
        wrong = [flag for flag in ("accept", "dry_run", "only") if getattr(options, flag)]
        return f"--{wrong[0].replace('_', '-')} is for prices" if wrong else ""
    return "repositories and --write are for refresh models" if options.repositories or options.write else ""


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "sizes": ("exact size of a model at every level", _add_sizes),
    "plan": ("what fits where, level by level", _add_plan),
    "report": ("the recommendation as a PDF", _add_report),
    "detect": ("the GPUs, CPU and memory of this machine, or of pasted output", _add_paste),
    "models": ("models of the catalogue, all or by words", _add_list),
    "machines": ("machines of the catalogue, all or by words", _add_list),
    "deploy": ("the plan as a container, a service, a manifest or a model's description", _add_deploy),
    "check": ("exit with 1 where an answer is not good enough, for pipelines", _add_gate),
    "refresh": (
        "update the price tables in data/prices/ from public feeds, or propose models from the Hub",
        _add_refresh,
    ),
    "worker": ("take real quantization runs from the queue until stopped", _add_worker),
    "mcp": ("a server for agents, over standard input and output or over HTTP", _add_agents),
    "admin": ("what is kept in the database: look, revoke, remove, back up", _add_admin),
    "serve": ("the dashboard in the browser, until stopped", _add_serve),
}


def misuse(options: argparse.Namespace) -> str:
    """What is wrong with a command line that argparse lets pass; "" where nothing is."""
    if options.command == "detect" and options.source is None and (options.beside or options.evidence):
        return "--beside and --evidence need --from FILE"
    if options.command == "refresh":
        return _misused_refresh(options)
    if options.command == "serve" and options.at and not options.print_proxy:
        return "--at needs --print-proxy"
    if options.command not in ASKED:
        return ""
    name = ASKED[options.command]
    if (getattr(options, name) is None) == (options.batch is None):
        return f"{options.command} takes either {name.upper()} or --batch FILE"
    only_json = [flag for flag in ("plans", "flips", "full") if getattr(options, flag, False)]
    if only_json and options.batch is None and options.format != "json":
        return f"--{only_json[0]} is for JSON: add --format json"
    return ""
