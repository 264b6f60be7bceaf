"""The same questions without a browser: `python -m advisor sizes MODEL` and `python -m advisor plan "QUERY"`.

Errors go to stderr as one line, with exit code 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from advisor.advise import answer
from advisor.errors import AdvisorError, InputError
from advisor.formats.gguf_sizes import size_levels
from advisor.formats.safetensors_sizes import size_safetensors_levels
from advisor.models.blueprints import model_from_config
from advisor.models.catalogue import catalogue, find_model
from advisor.models.model import Model
from advisor.report.as_json import plan_document, safetensors_document, sizes_document
from advisor.report.as_text import plan_table, sizes_table
from advisor.scenario import Scenario

_MAX_CONFIG_BYTES = 4 << 20
_FORMATS = ("table", "json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        print(_sizes(options) if options.command == "sizes" else _plan(options))
    except AdvisorError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m advisor", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    sizes = commands.add_parser("sizes", help="exact size of a model at every level")
    sizes.add_argument("model", metavar="MODEL", help="catalogue id, or path to a config.json")
    sizes.add_argument("--imatrix", action="store_true", help="sizes of files made with an importance matrix")
    sizes.add_argument("--mtp", action="store_true", help="include multi-token-prediction layers")
    plan = commands.add_parser("plan", help="what fits where, level by level")
    plan.add_argument("query", metavar="QUERY", help="the page's query string: model=...&machine=...&context=...")
    for command in (sizes, plan):
        command.add_argument("--format", choices=_FORMATS, default="table")
    return parser


def _sizes(options: argparse.Namespace) -> str:
    model = _load_model(options.model)
    chosen = model.with_mtp() if options.mtp else model
    levels, others = size_levels(chosen, options.imatrix), size_safetensors_levels(chosen)
    if options.format == "json":
        return json.dumps(sizes_document(levels) + safetensors_document(others), indent=1)
    return sizes_table(levels, model, others)


def _plan(options: argparse.Namespace) -> str:
    result = answer(Scenario.from_query(options.query))
    return json.dumps(plan_document(result), indent=1) if options.format == "json" else plan_table(result)


def _load_model(name: str) -> Model:
    if name in catalogue() or not (name.endswith(".json") or "/" in name or "\\" in name):
        return find_model(name).model
    path = Path(name)
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise InputError(f"{path.name} is larger than {_MAX_CONFIG_BYTES >> 20} MiB, which no config.json is.")
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no file {path.name}; give a catalogue id or the path of a config.json.") from None
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path.name} cannot be read as a text file.") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path.name} is not valid JSON.") from None
    return model_from_config(raw)


if __name__ == "__main__":
    sys.exit(main())
