"""The link as the page reads and writes it: keys of the question as they were written, and what is wrong with them.

Knows no Streamlit. A link may ask for anything; what cannot be used is left out, each with one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from advisor.foundation.caches import remembered
from advisor.foundation.errors import InputError
from advisor.foundation.numbers import bare
from advisor.foundation.units import MIB
from advisor.machines.catalogue import machine
from advisor.models.catalogue import catalogue
from advisor.question.configuration import BY_FRONTEND, CUSTOM_MACHINE, FRONTENDS, YOUR_MACHINE
from advisor.question.hardware import hardware_of
from advisor.question.question import FIELDS, MAX_QUERY_LENGTH, SHOWING_KEYS, Question, with_machines_counted
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.resolve import check_model

Written = Mapping[str, str]  # values by key, as a link writes them

# Defaults of keys never change, so that old links keep their meaning; a page without a link shows a good question.
START: Written = {"model": "llama-3.3-70b-instruct", "machine": "rtx-3090", "gpus": "2"}
# Of the page, not of the question.
PAGE_KEYS = SHOWING_KEYS | {"view", "frozen", "columns"}

_MOST_PROBLEMS = 5
_MEANINGS_BYTES = MIB
# Asked alone, such a key is no mistake.
_COMPANIONS: Mapping[str, Mapping[str, Any]] = {
    "admin_hours": {"admin_rate": 1},
    "storage_gb": {"storage_price": 1},
    "egress_gb": {"egress_price": 1},
    "api_input_price": {"api_output_price": 1},
    "api_output_price": {"api_input_price": 1},
    "api_cached_price": {"api_input_price": 1, "api_output_price": 1},
}
_MEMORY_OF_ANY = {"memory_gib": 1}  # which a custom machine needs
# What only some machines have.
_OF_THE_MACHINE = (
    "memory_gib",
    "bandwidth_gb_s",
    "gpus",
    "other_machine",
    "other_gpus",
    "use_gpus",
    "host_memory_gib",
    "split",
    "tensor_split",
)
# What describes a machine, and goes with it to another question.
MACHINE_KEYS = (
    *("machine", "gpus", "memory_gib", "bandwidth_gb_s", "other_machine", "other_gpus", "use_gpus"),
    *("host_memory_gib", "host_bandwidth_gb_s", "overhead_mib", "used_mib", "host_used_mib"),
    *("ram_type", "ram_channels", "ram_sockets"),
)
_ON_IT = ("backend", "split", "tensor_split", "wired_limit_mb", "gpu_layers", "cpu_moe_layers")
_CARDS = frozenset({"machine", "gpus", "other_machine", "other_gpus", "use_gpus"})
_OF_EACH_CARD = frozenset({"tensor_split", "used_mib"})  # which are of particular cards
# A machine without a size of its own starts with one, so that there is an answer at once.
_FIRST_MEMORY_GIB = {"custom": "24", "cpu": "64"}


@dataclass(frozen=True)
class ReadLink:
    """`written` is what can be used of a link, `problems` one sentence for each part that cannot."""

    written: Written
    problems: tuple[str, ...] = ()


def read_link(raw: Mapping[str, Sequence[str]]) -> ReadLink:
    """Take from a query what the question has keys for; the start question where nothing is asked."""
    asked = {key: values for key, values in raw.items() if key not in PAGE_KEYS}
    if not asked:
        return ReadLink(START)
    length = sum(len(key) + len(value) + 2 for key, values in asked.items() for value in values)
    if length > MAX_QUERY_LENGTH:
        sentence = f"The link is {length:,} characters long; at most {MAX_QUERY_LENGTH:,} are read. It was left out."
        return ReadLink(START, (sentence,))
    once = {key: values[0] for key, values in asked.items() if len(values) == 1}
    asked |= {key: (value,) for key, value in with_machines_counted(once).items()}
    written: dict[str, str] = {}
    problems = []
    for key, values in asked.items():
        try:
            written[key] = _checked(key, values)
        except InputError as error:
            problems.append(f"{error} {_instead(key)}")
    for key, why in _out_of_place(written).items():
        problems.append(f"{why} It was left out.")
        del written[key]
    if len(problems) > _MOST_PROBLEMS:
        more = len(problems) - _MOST_PROBLEMS + 1
        problems[_MOST_PROBLEMS - 1 :] = [f"{more} more parts of the link could not be used."]
    return ReadLink(written, tuple(problems))


def changed_link(written: Written, changes: Mapping[str, Any]) -> Written:
    """The keys with others set (None takes one out), shortest first way to write them."""
    kept = {key: value for key, value in written.items() if key not in changes}
    kept |= {key: as_written(value) for key, value in changes.items() if value is not None}
    if "machine" in changes:
        chosen = kept.get("machine", FIELDS["machine"].default)
        if needs_memory(chosen):
            kept.setdefault("memory_gib", _FIRST_MEMORY_GIB["custom" if chosen == CUSTOM_MACHINE else "cpu"])
        for key in _out_of_place(kept):
            del kept[key]
    if _CARDS.intersection(changes):
        for key in _OF_EACH_CARD - changes.keys():
            kept.pop(key, None)
    if kept.get("runtime", "auto") not in FRONTENDS:
        kept = {key: value for key, value in kept.items() if key not in BY_FRONTEND or not _is_default(key, value)}
    try:
        return dict(parse_qsl(Question.from_values(kept).to_query(), keep_blank_values=True))
    except InputError:  # something is still missing or wrong: the page says it, and the link keeps it
        return kept


def for_your_machine(written: Written) -> str:
    """The query that asks the same of whoever opens it, about a machine of theirs (`your_machine.py`)."""
    kept = {key: given for key, given in written.items() if key not in MACHINE_KEYS + _ON_IT}
    return urlencode({**kept, "machine": YOUR_MACHINE})


def needs_memory(machine_id: str) -> bool:
    """Whether somebody must say how much memory there is."""
    return machine_id == CUSTOM_MACHINE or machine(machine_id).needs_memory


def as_written(value: Any) -> str:
    """A value as links write it: "on", "8192", "0.5"."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return bare(value) if isinstance(value, int | float) else str(value)


def meaning(key: str, value: Any) -> Any:
    """What the value of a link or an input means to the engine; raises InputError in one sentence."""
    return _meaning_of_text(key, value) if isinstance(value, str) else _meaning(key, value)


def _meaning(key: str, value: Any) -> Any:
    if key == "model":
        return Question.from_values({key: check_model(str(value))}).value(key)  # which may be too long
    if key == "machine":
        named = str(Question.from_values(_MEMORY_OF_ANY | {key: value}).value(key))
        return named if named == CUSTOM_MACHINE else machine(named).id
    return Question.from_values({**_COMPANIONS.get(key, {}), key: value}).value(key)


# A page asks for each of its inputs, most of which are what they were when it was drawn last.
_meaning_of_text = remembered(_MEANINGS_BYTES, lambda found: 300 + 2 * len(str(found)))(_meaning)


def _instead(key: str) -> str:
    if key == "machine":
        return f"Shown with {machine(str(FIELDS[key].default)).name}."
    return f"Shown with {catalogue()[str(FIELDS[key].default)].name}." if key == "model" else "It was left out."


def _checked(key: str, values: Sequence[str]) -> str:
    if len(values) > 1:
        raise InputError("'{name}' is given {count} times; give it once.", name=key[:40], count=len(values))
    found = meaning(key, values[0])
    return str(found) if key in ("model", "machine") else values[0]


def _is_default(key: str, value: str) -> bool:
    return bool(meaning(key, value) == FIELDS[key].default)


def _out_of_place(written: Written) -> dict[str, str]:
    """The engine's reasons why keys do not apply to the machine, by key."""
    chosen = written.get("machine", FIELDS["machine"].default)
    held: dict[str, str] = {"machine": chosen}
    if needs_memory(chosen):
        held["memory_gib"] = written.get("memory_gib", _FIRST_MEMORY_GIB["cpu"])
    if "backend" in written and _refusal(held | {"backend": written["backend"]}) is None:
        held["backend"] = written["backend"]
    found = {}
    for key in _OF_THE_MACHINE:
        if key not in written or key in held:
            continue
        if (why := _refusal(held | {key: written[key]})) is None:
            held[key] = written[key]
        else:
            found[key] = why
    return found


def _refusal(written: Written) -> str | None:
    """Why there is no such machine; None: there is."""
    try:
        question = Question.from_values(written)
        hardware_of(question.machine, question.runtime.backend, RuntimeId.LLAMA_CPP, question.others)
    except InputError as error:
        return str(error)
    return None
