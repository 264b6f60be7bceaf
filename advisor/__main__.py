"""The same questions without a browser: `sizes MODEL`, `plan "QUERY"`, `report "QUERY" OUT.pdf`, `detect`; `serve`.

`plan` and `sizes` also read many questions, a line each, with `--batch`. Errors go to stderr as one line, in JSON to
`error`, with exit code 2. Each command imports what it needs: sizes need no prices.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.costs.feeds.known_feeds import FEEDS
from advisor.foundation.errors import AdvisorError, InputError

if TYPE_CHECKING:
    from advisor.report.batch import Refusal, Work

_FORMATS = ("table", "json")
_ASKED = {"sizes": "model", "plan": "query"}  # what answers as JSON and in batches, and the name of its question
# As it was started: by the installed command, or by `python -m advisor`.
_PROGRAM = "python -m advisor" if Path(sys.argv[0]).name == "__main__.py" else "llm-fit-advisor"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if problem := _misuse(options):
        parser.error(problem)
    try:
        if getattr(options, "batch", None) is not None or (options.command in _ASKED and options.format == "json"):
            return _ask(options)
        print(_COMMANDS[options.command](options), flush=True)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except AdvisorError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_PROGRAM, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    sizes = commands.add_parser("sizes", help="exact size of a model at every level")
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
    plan = commands.add_parser("plan", help="what fits where, level by level")
    plan.add_argument(
        "query", metavar="QUERY", nargs="?", help="the page's query string: model=...&machine=...&context=..."
    )
    plan.add_argument("--plans", action="store_true", help="JSON: choices carry whole plans")
    plan.add_argument(
        "--flips",
        action="store_true",
        help="JSON: what would change the answer, asked question by question (takes as long as several)",
    )
    _add_report(commands.add_parser("report", help="the recommendation as a PDF"))
    found = commands.add_parser("detect", help="the GPUs, CPU and memory of this machine")
    update = commands.add_parser("refresh", help="update the price tables in data/prices/ from public feeds")
    update.add_argument("--accept", action="store_true", help="take over large moves and losses that are refused else")
    update.add_argument("--only", action="append", choices=FEEDS, help="only this feed; may be given several times")
    worker = commands.add_parser("worker", help="take real quantization runs from the queue until stopped")
    worker.add_argument("--queue", choices=("cpu", "gpu"), default="cpu", help="which runs; one worker a machine each")
    serve = commands.add_parser("serve", help="the dashboard in the browser, until stopped")
    serve.add_argument("--port", type=int, default=8501)
    serve.add_argument("--address", default="127.0.0.1", help="0.0.0.0 listens on every interface")
    serve.add_argument(
        "--processes", type=int, default=1, help="more than one, with nginx before them: one a core serves most people"
    )
    serve.add_argument("--print-proxy", action="store_true", help="print nginx's configuration and start nothing")
    for command in (sizes, plan, found):
        command.add_argument("--format", choices=_FORMATS, default="table")
    for command, what in ((sizes, "what each size is made of"), (plan, "every level, evidence and bills")):
        command.add_argument("--full", action="store_true", help=f"JSON: also {what}")
        command.add_argument(
            "--batch", metavar="FILE", help="one question a line (- reads stdin), one JSON object a line out"
        )
    return parser


def _add_report(made: argparse.ArgumentParser) -> None:
    made.add_argument("query", metavar="QUERY", help="the page's query string: model=...&machine=...&context=...")
    made.add_argument("out", metavar="OUT.pdf", type=Path, help="the file to write; an older one is replaced")
    made.add_argument("--paper", choices=("a4", "letter"), default="a4")
    for name in ("title", "company", "prepared-for", "note"):
        made.add_argument(f"--{name}", default="", help="text for the report's first page")
    made.add_argument("--logo", metavar="FILE", type=Path, help="PNG or SVG for the report's first page")
    made.add_argument(
        "--lang", default="", help="its language and country, such as de-CH; else that of QUERY, or English"
    )
    made.add_argument("--link", default="", help="address of the dashboard, for the link and the code to scan")


def _misuse(options: argparse.Namespace) -> str:
    """What is wrong with a command line that argparse lets pass; "" where nothing is."""
    if options.command not in _ASKED:
        return ""
    name = _ASKED[options.command]
    if (getattr(options, name) is None) == (options.batch is None):
        return f"{options.command} takes either {name.upper()} or --batch FILE"
    only_json = [flag for flag in ("plans", "flips", "full") if getattr(options, flag, False)]
    if only_json and options.batch is None and options.format != "json":
        return f"--{only_json[0]} is for JSON: add --format json"
    return ""


def _ask(options: argparse.Namespace) -> int:
    """Answer one question as JSON, or a batch of them; the exit status."""
    from advisor.report.batch import answer_line, run_batch

    work, refusal = _sizes_as_json(options) if options.command == "sizes" else _plan_as_json(options)
    if options.batch is not None:
        return run_batch(options.batch, work, refusal)
    line, status = answer_line(getattr(options, _ASKED[options.command]), work, refusal)
    print(line, flush=True)
    return status


def _sizes_as_json(options: argparse.Namespace) -> tuple[Work, Refusal]:
    from advisor.report.sizes import sizes_answer, sizes_refusal
    from advisor.sources.resolve import find_any_model

    def work(text: str) -> dict[str, Any]:
        found = find_any_model(text, allow_local=True)
        model = found.model.with_mtp() if found.model is not None and options.mtp else found.model
        return sizes_answer(found, model, full=options.full)

    return work, sizes_refusal


def _plan_as_json(options: argparse.Namespace) -> tuple[Work, Refusal]:
    from advisor.report.compact import refusal_document

    return partial(
        answer_plan, whole_plans=options.plans, with_flips=options.flips, full=options.full
    ), refusal_document


def answer_plan(
    query: str, *, whole_plans: bool = False, with_flips: bool = False, full: bool = False
) -> dict[str, Any]:
    """One question as the object that `plan --format json` prints; raises InputError in one sentence."""
    from advisor.answer.answer import answer
    from advisor.question.question import Question
    from advisor.report.compact import answer_document

    found = answer(Question.from_query(query), allow_local=True)
    if not full:
        return answer_document(found, query, whole_plans=whole_plans, with_flips=with_flips)
    from advisor.report.as_json import full_document

    return full_document(found, query, whole_plans=whole_plans, with_flips=with_flips)


def _sizes(options: argparse.Namespace) -> str:
    from advisor.formats.gguf_sizes import size_levels
    from advisor.formats.safetensors_sizes import size_safetensors_levels
    from advisor.report.sizes import sizes_table
    from advisor.sources.resolve import find_any_model

    found = find_any_model(options.model, allow_local=True)
    model = found.model
    if model is not None and options.mtp:
        model = model.with_mtp()
    levels = size_levels(model, options.imatrix) if model is not None else []
    others = size_safetensors_levels(model) if model is not None else []
    return sizes_table(levels, found, others)


def _plan(options: argparse.Namespace) -> str:
    from advisor.answer.answer import answer
    from advisor.question.question import Question
    from advisor.report.as_text import plan_table

    return plan_table(answer(Question.from_query(options.query), allow_local=True))


def _report(options: argparse.Namespace) -> str:
    from advisor.report.command import write_report

    cover = {"title": options.title, "company": options.company, "note": options.note}
    return write_report(
        options.query,
        options.out,
        options.paper,
        cover | {"prepared_for": options.prepared_for},
        options.logo,
        options.link,
        options.lang,
    )


def _detect(options: argparse.Namespace) -> str:
    from advisor.machines.detect import detect
    from advisor.report.detected import detected_document, detected_table

    detected = detect()
    return json.dumps(detected_document(detected), indent=1) if options.format == "json" else detected_table(detected)


def _refresh(options: argparse.Namespace) -> str:
    from advisor.costs.feeds.refresh import refresh, report

    outcomes = refresh(datetime.now(UTC).date(), accept=options.accept, only=options.only or FEEDS)
    if problems := [outcome.feed for outcome in outcomes if outcome.problem]:
        print(report(outcomes), flush=True)
        raise InputError("Not updated: {problems}; their last prices are kept.", problems=", ".join(problems))
    return report(outcomes)


def _worker(options: argparse.Namespace) -> str:
    from advisor.quantize.worker import run_worker  # an optional part

    return run_worker(options.queue)


def _serve(options: argparse.Namespace) -> str:
    if options.print_proxy or options.processes != 1:
        return _serve_many(options)
    from advisor.foundation.places import top_folder

    # Streamlit's own command, in this process; it reads the settings that lie beside the app.
    app = str(top_folder() / "app.py")
    sys.argv = ["streamlit", "run", app, "--server.port", str(options.port), "--server.address", options.address]
    runpy.run_module("streamlit", run_name="__main__")
    return ""


def _serve_many(options: argparse.Namespace) -> str:
    from advisor.deploy.processes import serve, served_folder
    from advisor.deploy.proxy import nginx_configuration

    if options.print_proxy:
        return nginx_configuration(options.port, options.address, options.processes, served_folder())
    serve(options.port, options.address, options.processes, partial(print, flush=True))
    return ""


_COMMANDS = {
    "sizes": _sizes,
    "plan": _plan,
    "report": _report,
    "detect": _detect,
    "refresh": _refresh,
    "worker": _worker,
    "serve": _serve,
}


if __name__ == "__main__":
    sys.exit(main())
