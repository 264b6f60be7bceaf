"""The same questions without a browser: `plan "QUERY"`, `sizes MODEL`, `check "QUERY"`, `report "QUERY" OUT.pdf`,
`models` and `machines` of the catalogue, `detect`; `serve`.

`plan` and `sizes` also read many questions, a line each, with `--batch`. Errors go to stderr as one line, in JSON to
`error`, with exit code 2. Each command imports what it needs: sizes need no prices.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import json
import os
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.command_line import ASKED, command_parser, misuse
from advisor.foundation.caches import weigh_nothing
from advisor.foundation.errors import AdvisorError, InputError
from advisor.foundation.quick_classes import load_less, write_methods_late
from advisor.report.asking import answer_plan, answer_sizes

if TYPE_CHECKING:
    from advisor.report.batch import Document, Refusal, Work

_LASTING = ("serve", "worker", "mcp")
# As it was started: by the installed command, or by `python -m advisor`.
_PROGRAM = "python -m advisor" if Path(sys.argv[0]).name == "__main__.py" else "llm-fit-advisor"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Without arguments, those of the process, which then ends."""
    if arguments is not None:
        return _run(arguments)
    # One answer and the end: nothing that is thrown away is worth looking for.
    gc.disable()
    status = _run(None)
    if threading.active_count() == 1:
        # Taking apart all that was loaded takes a third as long as an answer.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def _run(arguments: Sequence[str] | None) -> int:
    parser = command_parser(_PROGRAM, __doc__ or "", sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(arguments)
    if problem := misuse(options):
        parser.error(problem)
    if getattr(options, "batch", None) is not None or options.command in _LASTING:
        gc.enable()
    elif arguments is None:
        write_methods_late()
        weigh_nothing()
        if not _is_asked_once(options):
            load_less()
    try:
        if getattr(options, "batch", None) is not None or _is_asked_once(options):
            return _ask(options, lasting=arguments is not None)
        if options.command == "check":
            return _check(options)
        if told := _COMMANDS[options.command](options):  # agents read each line of `mcp` as a message
            print(told, flush=True)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except AdvisorError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _ask(options: argparse.Namespace, lasting: bool) -> int:
    """Answer one question as JSON, or a batch of them; the exit status. A process that is `lasting` keeps its answers
    itself.
    """
    from advisor.report.batch import answer_line, run_batch

    work, refusal = _sizes_as_json(options) if options.command == "sizes" else _plan_as_json(options)
    if options.batch is not None:
        return run_batch(options.batch, work, refusal)
    text = getattr(options, ASKED[options.command])
    if lasting:
        line, status = answer_line(text, work, refusal)
    else:
        from advisor.report.repeated_answers import answer_before

        told = {key: value for key, value in vars(options).items() if key not in ("query", "model", "batch")}
        flags = json.dumps(told, sort_keys=True)
        line, status = answer_before(options.command, text, flags, partial(_answer_anew, text, work, refusal))
    print(line, flush=True)
    return status


def _is_asked_once(options: argparse.Namespace) -> bool:
    """Whether one question is answered in JSON, perhaps as before."""
    return options.command in ASKED and options.format == "json" and options.batch is None


def _answer_anew(text: str, work: Work, refusal: Refusal) -> tuple[str, int]:
    from advisor.report.batch import answer_line

    load_less()
    return answer_line(text, work, refusal)


def _sizes_as_json(options: argparse.Namespace) -> tuple[Work, Refusal]:
    def refusal(text: str, error: Document) -> Document:
        from advisor.report.sizes import sizes_refusal

        return sizes_refusal(text, error)

    return partial(answer_sizes, mtp=options.mtp, full=options.full), refusal


def _plan_as_json(options: argparse.Namespace) -> tuple[Work, Refusal]:
    def refusal(text: str, error: Document) -> Document:
        from advisor.report.compact import refusal_document

        return refusal_document(text, error)

    return partial(answer_plan, whole_plans=options.plans, with_flips=options.flips, full=options.full), refusal


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
    own = () if found.entry is None else found.entry.own_checkpoints
    others = size_safetensors_levels(model, own) if model is not None else []
    return sizes_table(levels, found, others)


def _plan(options: argparse.Namespace) -> str:
    from advisor.answer.answer import answer
    from advisor.question.question import Question, language_of
    from advisor.report.as_text import plan_table
    from advisor.words import speaking

    with speaking(language_of(options.query)):
        return plan_table(answer(Question.from_query(options.query), allow_local=True))


def _report(options: argparse.Namespace) -> str:
    from advisor.report.command import write_report
    from advisor.words import speaking

    cover = {"title": options.title, "company": options.company, "note": options.note}
    cover |= {"prepared_for": options.prepared_for}
    with speaking(options.lang):
        return write_report(options.query, options.out, options.paper, cover, options.logo, options.link)


def _detect(options: argparse.Namespace) -> str:
    if options.source is not None:
        return _pasted(options)
    from advisor.machines.detect import detect
    from advisor.report.detected import detected_document, detected_table

    detected = detect()
    return json.dumps(detected_document(detected), indent=1) if options.format == "json" else detected_table(detected)


def _pasted(options: argparse.Namespace) -> str:
    from advisor.question.question import Question
    from advisor.report.batch import whole_text
    from advisor.report.paste_output import evidence_csv, paste_document, paste_table

    asked = Question.from_query(options.beside).chosen() if options.beside else {}
    text = whole_text(options.source)
    if options.evidence:
        return evidence_csv(text, asked, options.source_url, datetime.now(UTC).date()).rstrip("\n")
    if options.format == "json":
        return json.dumps(paste_document(text, asked), indent=1)
    return paste_table(text, asked)


def _deploy(options: argparse.Namespace) -> str:
    from advisor.answer.answer import answer
    from advisor.question.question import Question, language_of
    from advisor.report.deployments import deployment
    from advisor.words import speaking

    with speaking(language_of(options.query)):
        return deployment(answer(Question.from_query(options.query), allow_local=True), options.what).rstrip("\n")


def _models(options: argparse.Namespace) -> str:
    from advisor.report.lists import models_document, models_table

    found = models_document(" ".join(options.words), options.limit)
    return json.dumps(found, indent=1) if options.format == "json" else models_table(found)


def _machines(options: argparse.Namespace) -> str:
    from advisor.report.lists import machines_document, machines_table

    found = machines_document(" ".join(options.words), options.limit)
    return json.dumps(found, indent=1) if options.format == "json" else machines_table(found)


def _check(options: argparse.Namespace) -> int:
    """Whether an answer is good enough: 0, or 1 where it misses what is asked."""
    from advisor.report.gate import Gate

    gate = Gate(
        options.status,
        options.min_tokens_per_s,
        options.max_first_token_s,
        options.min_context,
        options.min_quality_percent,
    )
    document = answer_plan(options.query)
    missed = gate.missed(document)
    if options.format == "json":
        decision = document["decision"]
        told = {"schema": "check/1", "ok": not missed, "missed": missed, "status": decision["status"]}
        print(json.dumps({**told, "sentence": decision["sentence"], "query": decision["plan"]["query"]}), flush=True)
    else:
        print("\n".join(missed or (document["decision"]["sentence"],)), flush=True)
    return 1 if missed else 0


def _refresh(options: argparse.Namespace) -> str:
    return _propose(options) if options.what == "models" else _refresh_prices(options)


def _propose(options: argparse.Namespace) -> str:
    """Entries for models that the catalogue lacks: shown as a difference, written where --write says so."""
    from advisor.sources.new_models import difference_of, propose, report, unknown_of, write_all

    today = datetime.now(UTC).date()
    wanted = tuple(options.repositories[: options.limit]) or unknown_of(options.by, options.limit)
    found = propose(wanted, today, progress=partial(print, file=sys.stderr, flush=True))
    if options.write:
        written = write_all(found, today)
        return "\n".join((report(found), *(f"written: {path}" for path in written)))
    return "\n\n".join(filter(None, (difference_of(found, today), report(found))))


def _refresh_prices(options: argparse.Namespace) -> str:
    from advisor.costs.feeds.known_feeds import FEEDS
    from advisor.costs.feeds.refresh import refresh, report

    today, only = datetime.now(UTC).date(), options.only or FEEDS
    outcomes = refresh(today, accept=options.accept, dry_run=options.dry_run, only=only)
    told = report(outcomes, sys.maxsize) if options.dry_run else report(outcomes)
    if problems := [outcome.feed for outcome in outcomes if outcome.problem]:
        print(told, flush=True)
        raise InputError("Not updated: {problems}; their last prices are kept.", problems=", ".join(problems))
    return told


def _operate(options: argparse.Namespace) -> str:
    from advisor import operator_commands

    return operator_commands.run(options)


_COMMANDS = {
    "admin": _operate,
    "sizes": _sizes,
    "plan": _plan,
    "report": _report,
    "deploy": _deploy,
    "models": _models,
    "machines": _machines,
    "detect": _detect,
    "refresh": _refresh,
    "worker": _operate,
    "mcp": _operate,
    "serve": _operate,
}


if __name__ == "__main__":
    sys.exit(main())
