"""The columns of a comparison as one short value of a link, and back.

The first column is the question of the link itself. Each other one says what is different in it:
`columns=machine~rtx-5090~~model~qwen3-32b~machine~rtx-4090`. What a column does not say, such as context and users,
it has in common with the first; a machine or a model of its own comes without what belongs to the first's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, unquote

from advisor.foundation.errors import InputError
from advisor.question.configuration import SEARCHED
from advisor.question.question import MAX_QUERY_LENGTH, Question

COLUMNS_KEY = "columns"
MOST_BESIDE = 3
Changes = Mapping[str, str | None]  # values by key, as a link writes them; None is the default

_BETWEEN, _NEXT, _DEFAULT = "~", "~~", "."
_OF_THE_MODEL = frozenset(
    {"level", "imatrix", "mtp", "draft", "draft_level", "draft_accepted_percent", "context_used"}
    | {"gpu_layers", "cpu_moe_layers", "tensor_split", "vision", "projector", "lora_rank", "loras"}
)
_OF_THE_MACHINE = frozenset(
    {"gpus", "memory_gib", "bandwidth_gb_s", "other_machine", "other_gpus", "use_gpus", "host_memory_gib"}
    | {
        "host_bandwidth_gb_s",
        "ram_type",
        "ram_channels",
        "ram_sockets",
        "overhead_mib",
        "used_mib",
        "host_used_mib",
        "wired_limit_mb",
        "backend",
        "gpu_layers",
        "cpu_moe_layers",
        "tensor_split",
        "split",
    }
)
_STAYS = frozenset({"gpus", "host_memory_gib"})  # people who try another card mean as many of it, in the same computer
_OWN = {"model", "machine"} | _OF_THE_MODEL | _OF_THE_MACHINE


def read_columns(text: str) -> tuple[Changes, ...]:
    """What the value of a link says; raises InputError in one sentence where it cannot be read."""
    if len(text) > MAX_QUERY_LENGTH:
        raise InputError(
            "The comparison is {count:,} characters long; at most {max_query_length:,} are read.",
            count=len(text),
            max_query_length=MAX_QUERY_LENGTH,
        )
    columns = [part for part in text.split(_NEXT) if part]
    if len(columns) > MOST_BESIDE:
        raise InputError(
            "The link compares {count} questions; at most {most_beside} fit side by side.",
            count=len(columns) + 1,
            most_beside=MOST_BESIDE + 1,
        )
    return tuple(_read(part) for part in columns)


def _read(column: str) -> Changes:
    parts = column.split(_BETWEEN)
    if len(parts) % 2:
        raise InputError("A column of the comparison in the link is not of the form key~value~key~value.")
    keys, values = parts[::2], parts[1::2]
    if len(set(keys)) < len(keys):
        raise InputError("A column of the comparison in the link gives a key twice; give it once.")
    found = zip(keys, values, strict=True)
    return {unquote(key): None if value == _DEFAULT else unquote(value) for key, value in found}


def write_columns(columns: Sequence[Changes]) -> str:
    """The value for the link; nothing for no columns."""
    return _NEXT.join(_BETWEEN.join(part for key in one for part in (key, _write(one[key]))) for one in columns)


def _write(value: str | None) -> str:
    return _DEFAULT if value is None else value.replace("%", "%25").replace(_BETWEEN, "%7E")


def question_of_column(base: Question, changes: Changes) -> Question:
    """The question of a column beside the first one; raises InputError in one sentence."""
    left_out = set(changes)
    left_out |= _OF_THE_MODEL if changes.get("model") else set()
    left_out |= _OF_THE_MACHINE if changes.get("machine") else set()
    kept = {key: value for key, value in written(base).items() if key not in left_out}
    return Question.from_values(kept | {key: value for key, value in changes.items() if value is not None})


def changes_of(question: Question, base: Question) -> Changes:
    """What makes a column of a question: its model and machine whatever the first one's are, and what else differs."""
    own, first = written(question), written(base)
    changes: dict[str, str | None] = {key: value for key, value in own.items() if key in _OWN}
    shared = [key for key in {**own, **first} if key not in _OWN and own.get(key) != first.get(key)]
    return changes | {key: own.get(key) for key in shared}


def without(key: str) -> Changes:
    """What another model or machine takes with it: what fixes the old one's levels and layers, to be left out."""
    gone = {"model": _OF_THE_MODEL | SEARCHED, "machine": _OF_THE_MACHINE - _STAYS | SEARCHED}.get(key, frozenset())
    return dict.fromkeys(sorted(gone))


def written(question: Question) -> dict[str, str]:
    """The shortest way to write a question, by key."""
    return dict(parse_qsl(question.to_query(), keep_blank_values=True))
