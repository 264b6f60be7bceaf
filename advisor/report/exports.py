"""Plans as CSV for a spreadsheet, and a question as YAML for an editor, there and back."""

from __future__ import annotations

import csv
import io
from typing import Any

import yaml

from advisor.answer.answer import Answer
from advisor.foundation.errors import InputError, one_line
from advisor.question.question import Question
from advisor.report.as_json import plan_document
from advisor.report.document import ReportDocument

QUESTION_BYTES = 16 * 1024
_DEEPEST = 20
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # also as wide as Chinese characters
_DEVICE_COLUMNS = (
    "capacity_bytes",
    "weights_bytes",
    "kv_cache_bytes",
    "compute_bytes",
    "overhead_bytes",
    "draft_bytes",
    "projector_bytes",
    "adapter_bytes",
    "mtp_bytes",
)


def file_name(document: ReportDocument, ending: str) -> str:
    """ "llama-3.1-70b-on-rtx-4090.pdf": letters and digits only, whatever the model is called."""
    words = "".join(sign if sign.isascii() and (sign.isalnum() or sign in ".-") else " " for sign in document.subject)
    return f"{'-'.join(words.lower().split())[:80].strip('.-') or 'report'}.{ending}"


def safe_cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula: such texts get an apostrophe in front; numbers stay numbers."""
    if isinstance(value, str) and (value.lstrip().startswith(_FORMULA_STARTS) or value.startswith(("\t", "\r", "\n"))):
        return f"'{value}"
    return "" if value is None else value


def csv_text(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> str:
    """Rows as CSV (RFC 4180), safe to open in a spreadsheet."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\r\n")
    writer.writerow([safe_cell(column) for column in columns])
    writer.writerows([safe_cell(row.get(column)) for column in columns] for row in rows)
    return made.getvalue()


def plans_csv(answer: Answer) -> str:
    """One row a level, the keys of the JSON as columns; memory is of the fullest device and of the host.

    `free_bytes` is what the fullest device has left (negative: too little).
    """
    document = plan_document(answer)
    rows = []
    for plan, planned in zip(document["plans"], answer.plans, strict=True):
        fullest = min(plan["devices"], key=_left, default=None)
        row = {key: value for key, value in plan.items() if not isinstance(value, list | dict)}
        row |= {
            "model": document["model"]["id"],
            "machine": document["machine"]["id"],
            "recommended": "yes" if plan["level"] == document["recommendation"]["level"] else "no",
            "needed_bytes": planned.needed_bytes,
            "free_bytes": planned.free_bytes,
        }
        for prefix, holder in (("device", fullest), ("host", plan["host"])):
            row |= {f"{prefix}_{column}": holder[column] for column in _DEVICE_COLUMNS if holder is not None}
        rows.append(row)
    first = ("model", "machine", "level", "format", "runtime", "verdict", "recommended", "needed_bytes", "free_bytes")
    return csv_text(tuple(dict.fromkeys((*first, *(key for row in rows for key in row)))), rows)


def _left(device: dict[str, Any]) -> int:
    if device["capacity_bytes"] is None:
        return 0
    return int(device["capacity_bytes"] - sum(device[column] for column in _DEVICE_COLUMNS[1:]))


def question_to_yaml(question: Question) -> str:
    """Everything the user chose, and nothing else: what is left out keeps its default."""
    values = question.chosen()
    # PyYAML folds these line breaks of Unicode into spaces unless it escapes them.
    breaks = any(sign in str(value) for sign in "\x85\u2028\u2029" for value in values.values())
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=not breaks, width=1000)


def question_from_yaml(text: str | bytes) -> Question:
    """The question of such a text; raises InputError in one sentence that says what is wrong."""
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "replace"))
    if size > QUESTION_BYTES:
        raise InputError(
            "The scenario file has {size:,} bytes; at most {question_bytes:,} are read.",
            size=size,
            question_bytes=QUESTION_BYTES,
        )
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        _check_plain(decoded)
        values = yaml.safe_load(decoded)
    except UnicodeDecodeError:
        raise InputError("The scenario file is not UTF-8 text.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise InputError(
            "The scenario file is no YAML{where}: {problem}.",
            where=where,
            problem=one_line(error.problem or "unreadable", 80),
        ) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        raise InputError("The scenario file is no YAML that can be read.") from None
    if not isinstance(values, dict):
        raise InputError("The scenario file must hold lines like 'model: llama-3.1-70b-instruct'.")
    for key, value in values.items():
        if not isinstance(key, str) or not isinstance(value, str | int | float | bool | None):
            raise InputError("'{name}' in the scenario file must be a key with one plain value.", name=one_line(key))
    # YAML reads a bare off or yes as a truth value, which is right for a switch and wrong for a number of users.
    words = {True: "on", False: "off"}
    plain = {key: words[value] if isinstance(value, bool) else value for key, value in values.items()}
    return Question.from_values({key: value for key, value in plain.items() if value is not None})


def _check_plain(text: str) -> None:
    """A question is flat and repeats nothing: no anchors, which can multiply, no deep nesting, no key given twice."""
    depth, keys, wants_key = 0, set(), True
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise InputError("The scenario file must not use anchors or references (& and *).")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise InputError("The scenario file is nested: it must hold plain keys and values.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            wants_key = True if depth == 1 else wants_key
        elif isinstance(event, yaml.ScalarEvent) and depth == 1:
            if wants_key and event.value in keys:
                raise InputError(
                    "'{value}' is given twice in the scenario file; give it once.", value=one_line(event.value)
                )
            if wants_key:
                keys.add(event.value)
            wants_key = not wants_key
