"""How much a function is handed and a value holds: what is more than a reader keeps in mind is named here, and why."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ADVISOR = Path(__file__).resolve().parents[2] / "advisor"
MOST_PARAMETERS, MOST_FIELDS = 6, 15
_ROW = "a row of a table: a field for each column"
WIDE = {
    "answer/accuracy.py:Accuracy": _ROW,
    "answer/assess.py:candidates_of": "what an answer is made of, before there is one",
    "costs/costs.py:Costs": "the three ways side by side, and what compares them",
    "costs/price_rows.py:Host": _ROW,
    "costs/options.py:Option": "one way to pay as page, report and JSON show it",
    "machines/machine.py:Machine": "the figures of a processor, most of them optional",
    "machines/rows.py:Row": _ROW,
    "models/blueprints/common.py:decoder": "each names a place in a decoder, with what stands there usually as default",
    "models/blueprints/common.py:uniform_decoder": "as `decoder`",
    "models/blueprints/deepseek.py:_latent_decoder": "as `decoder`",
    "models/catalogue.py:Entry": "a model's file, field by field",
    "models/model.py:Model": "what every size follows from, half of it optional, and what its config calls it",
    "models/wiring.py:GraphWiring": "what llama.cpp does differently for an architecture, off by default",
    "models/mixers.py:Attention": "the variants of attention that publishers combine, off by default",
    "quality/evidence.py:Evidence": _ROW,
    "quantize/compress.py:compress": "what a library's process is told; most by name",
    "quantize/gguf_quantize.py:quantize_gguf": "what llama-quantize takes, and how to report and stop",
    "quantize/measure.py:make_reference": "what a measurement depends on, and how to report and stop",
    "quantize/tool_runs.py:make_imatrix": "what llama-imatrix takes, and how to report and stop",
    "quantize/tool_runs.py:quantize_with_tool": "what llama-quantize takes, and how to report and stop",
    "report/document.py:ReportDocument": "the parts of the report in their order",
    "runtimes/runtime.py:Runtime": "all that a runtime says of itself",
    "runtimes/launch.py:Launch": "all that a command line may say, most of it off by default",
    "runtimes/llama_cpp/compute/frame.py:Frame": "the tensors alive while a graph is walked",
    "runtimes/llama_cpp/placement_search.py:best_placement": "a model, its level, machine and settings, two switches",
    "sizing/plan.py:Plan": "what all pages show of one plan",
    "sources/local_measurements.py:LocalMeasurement": "a measurement with the conditions it was made under",
    "sources/resolved.py:ResolvedModel": "a model with what each kind of source knows of it",
    "sources/pastes/measured.py:PastedRun": "a run as its tool printed it, most of it optional",
    "speed/draft_evidence.py:DraftEvidence": _ROW,
    "speed/catalogued.py:speed_of": "the conditions of a published measurement, all but three with defaults",
    "speed/load.py:_shared_load": "what lies where, and what is done with it",
    "sizing/settings.py:Settings": "what a runtime is told, option by option",
    "speed/load.py:gguf_load": "what lies where, and what is done with it",
    "speed/load.py:placed_load": "what lies where, and what is done with it",
    "speed/measurements.py:Measurement": _ROW,
    "ui/machine_rows.py:MachineRow": "a machine as the table, its filters and its file need it",
    "ui/parts/fields.py:choice": "what an input is told",
    "ui/parts/fields.py:number": "what an input is told",
    "ui/parts/ways_to_get_it.py:_machine": "a card of the page: what stands on it",
}


@cache
def wide() -> frozenset[str]:
    found = set()
    for path in ADVISOR.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = f"{path.relative_to(ADVISOR).as_posix()}:{getattr(node, 'name', '')}"
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and parameters(node) > MOST_PARAMETERS:
                found.add(name)
            if isinstance(node, ast.ClassDef) and fields(node) > MOST_FIELDS:
                found.add(name)
    return frozenset(found)


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """All but the object itself."""
    given = node.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def fields(node: ast.ClassDef) -> int:
    annotated = (one for one in node.body if isinstance(one, ast.AnnAssign))
    return sum("ClassVar" not in ast.unparse(one.annotation) for one in annotated)


def test_nothing_new_takes_or_holds_more_than_a_reader_keeps_in_mind() -> None:
    assert wide() - set(WIDE) == set(), f"take at most {MOST_PARAMETERS} parameters, hold at most {MOST_FIELDS} fields"


def test_what_was_mended_is_no_longer_excused() -> None:
    assert set(WIDE) - wide() == set()


# Files of one name outside the pages, which are drawn by the same names as what they show: the same job in each room.
SAME_JOB = {
    "adapters": "LoRA adapters: their bytes by rank, and where llama.cpp puts them",
    "serve_options": "what a server is told, checked as it checks it",
    "stack": "what a runtime loads beside the model",
    "catalogue": "the rows of data/ that a room is about",
    "commands": "of all runtimes, and one of each",
    "every_level": "what a runtime's plans have in common whatever the level",
    "errors": "what can go wrong in a room",
    "find": "what typed words mean, of models and of machines",
    "feed_forward": "a block of a network, and its nodes in llama.cpp's graph",
    "gemma": "an architecture, and its nodes in llama.cpp's graph",
    "kv_cache": "what a runtime keeps of the past",
    "mixers": "blocks of a network, and their nodes in llama.cpp's graph",
    "plans": "of a question, and of each runtime",
    "recurrent": "blocks of a network, and their nodes in llama.cpp's graph",
    "runtime": "what a runtime is, and each of them",
    "search": "looking for the best: among models of the Hub, among plans",
    "weights": "bytes of weights by a runtime's rules",
}


def test_no_two_files_of_one_name_do_different_jobs() -> None:
    outside = [path for path in ADVISOR.rglob("*.py") if "ui" not in path.relative_to(ADVISOR).parts]
    names = [path.stem for path in outside if path.stem != "__init__"]
    assert {name for name in names if names.count(name) > 1} == set(SAME_JOB), "rename one by what it holds"
