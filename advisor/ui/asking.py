"""From what a link asks and what the inputs hold to an answer, with one sentence for each thing that is not possible.

Knows no Streamlit. A link may ask for anything; inputs drop silently what they cannot hold, so what the link said
is compared with what the inputs made of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from advisor.answer.answer import Answer, answer
from advisor.foundation.errors import InputError
from advisor.machines.catalogue import machine, machines
from advisor.models.catalogue import catalogue
from advisor.question.configuration import BY_FRONTEND, CUSTOM_MACHINE, FRONTENDS, SEARCHED
from advisor.question.hardware import hardware_of
from advisor.question.question import FIELDS, MAX_QUERY_LENGTH, Question
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.background import StillWorking
from advisor.sources.local_measurements import LocalMeasurement
from advisor.sources.resolve import ResolvedModel, check_model, find_in_time

CUSTOM_NAME = "Custom machine"
_MOST_PROBLEMS = 5
# What some keys must not be without; looked at alone, such a key is no mistake.
_COMPANIONS = {
    "admin_hours": {"admin_rate": 1},
    "storage_gb": {"storage_price": 1},
    "egress_gb": {"egress_price": 1},
    "api_input_price": {"api_output_price": 1},
    "api_output_price": {"api_input_price": 1},
    "api_cached_price": {"api_input_price": 1, "api_output_price": 1},
}
_COMMIT_LENGTH = 40


@dataclass(frozen=True)
class Reply:
    """What the page has to show: an answer or the sentence why there is none, and what was wrong with the link.

    `found` is the model, also where there is no answer about it; `model_error` says that `error` is about finding it,
    and `model` is what was asked for.
    """

    answer: Answer | None
    error: str | None
    problems: tuple[str, ...]
    found: ResolvedModel | None = None
    model_error: InputError | None = None
    model: str = ""

    @property
    def waiting(self) -> bool:
        """Whether the model is still being read."""
        return isinstance(self.model_error, StillWorking)

    @property
    def needs_token(self) -> bool:
        """Whether the Hub would answer to somebody with access."""
        return bool(getattr(self.model_error, "needs_token", False))


def model_names() -> dict[str, str]:
    """Names by id, in the catalogue's order."""
    return {entry.id: entry.name for entry in catalogue().values()}


def matching_models(words: str) -> list[str]:
    """Ids of the catalogue's models whose id, name or publisher hold all the words, shortest name first."""
    wanted = words.lower().split()
    found = [
        entry
        for entry in catalogue().values()
        if wanted and all(word in f"{entry.id} {entry.name} {entry.publisher}".lower() for word in wanted)
    ]
    return [entry.id for entry in sorted(found, key=lambda entry: len(entry.name))]


def model_name(text: str) -> str:
    """What to call a model before it is read: its name, the file's name, or the text itself."""
    if text in catalogue():
        return catalogue()[text].name
    if text.startswith("upload-"):
        from advisor.sources.uploads import name_of_upload

        return f"{name_of_upload(text)} (uploaded)"
    if text.startswith("https://"):
        return unquote(text.partition("?")[0].rstrip("/").rpartition("/")[2]) or text
    name, _, revision = text.partition("@")
    return f"{name}@{revision[:8]}" if len(revision) == _COMMIT_LENGTH else text


def machine_names() -> dict[str, str]:
    """Names by id, the user's own machine first."""
    return {CUSTOM_MACHINE: CUSTOM_NAME} | {found.id: found.name for found in machines().values()}


def needs_memory(machine_id: str) -> bool:
    """Whether the user must say how much memory there is."""
    return machine_id == CUSTOM_MACHINE or machine(machine_id).needs_memory


def ask(
    values: Mapping[str, Any],
    link: Mapping[str, Sequence[str]],
    before: Mapping[str, Any] | None = None,
    measured_here: tuple[LocalMeasurement, ...] = (),
) -> Reply:
    """Answer what the inputs hold (`values`; what is None was left empty).

    `link` is the raw query. What it shares with `before`, the values of the last run, the page wrote itself.
    `measured_here`: of whatever model.
    """
    asked = {key: given for key, given in link.items() if not before or not _holds(before, key, given)}
    problems = link_problems(asked, values)
    try:
        question = Question.from_values({key: value for key, value in values.items() if value is not None})
    except InputError as error:
        return Reply(None, str(error), problems)
    written = frozenset(key for key in question.given if key in link or _is_chosen(question, key))
    return reply_to(replace(question, given=written), problems, measured_here)


def _is_chosen(question: Question, key: str) -> bool:
    """Whether an input holds something of its own: one that was never touched holds the default."""
    if key in SEARCHED or (key in BY_FRONTEND and question.runtime.name in FRONTENDS):  # untouched, these are empty
        return True
    return bool(question.value(key) != FIELDS[key].default)


def reply_to(
    question: Question, problems: tuple[str, ...] = (), measured_here: tuple[LocalMeasurement, ...] = ()
) -> Reply:
    """Answer a question as the page does: models elsewhere are read in the background."""
    try:
        found = find_in_time(question.model.name)
    except InputError as error:
        return Reply(None, str(error), problems, model_error=error, model=question.model.name)
    if found.entry is None:  # with the commit that was read, so that a link opens the same again
        question = question.with_values(model=found.id)
    try:
        return _answered(question, found, problems, measured_here)
    except InputError as error:
        return Reply(None, str(error), problems, found)


def _answered(
    question: Question, found: ResolvedModel, problems: tuple[str, ...], measured_here: tuple[LocalMeasurement, ...]
) -> Reply:
    try:
        return Reply(answer(question, measured_here=measured_here), None, problems, found)
    except InputError as error:
        limit = found.model.context_length if found.model is not None else None
        if limit is None or question.workload.context <= limit:
            raise
        # Choosing a model with a shorter context is no mistake: go on with what it can do, and say so.
        shorter = answer(question.with_values(context=limit), measured_here=measured_here)
        return Reply(shorter, None, (*problems, f"{error} Shown for {limit:,} tokens."), found)


def link_problems(link: Mapping[str, Sequence[str]], used: Mapping[str, Any]) -> tuple[str, ...]:
    """One sentence for each part of a link that the inputs did not take over."""
    found = []
    length = sum(len(key) + len(value) + 2 for key, values in link.items() for value in values)
    if length > MAX_QUERY_LENGTH:
        found.append(f"The link is {length:,} characters long, more than any link of this page: check the inputs.")
    found += [problem for key, values in link.items() if (problem := _problem(key, values, used))]
    if len(found) > _MOST_PROBLEMS:
        more = len(found) - _MOST_PROBLEMS + 1
        found[_MOST_PROBLEMS - 1 :] = [f"{more} more parts of the link could not be used."]
    return tuple(found)


def _problem(key: str, values: Sequence[str], used: Mapping[str, Any]) -> str | None:
    value = values[-1]
    try:
        wanted = _meaning(key, value)
    except InputError as error:
        return f"{error}{_instead(key, used)}"
    if len(values) > 1:
        return f"'{key}' is given {len(values)} times; give it once.{_instead(key, used)}"
    if key not in used:
        return _why_unused(key, wanted, used)
    if not _holds(used, key, values):
        return f"{key}={value[:40]} could not be used.{_instead(key, used)}"
    return None


def _holds(held: Mapping[str, Any], key: str, given: Sequence[str]) -> bool:
    """Whether the inputs held what a link gives for a key."""
    if key not in held or len(given) != 1:
        return False
    try:
        wanted = _meaning(key, given[0])
    except InputError:
        return False
    value = held[key]
    if value is None:
        return bool(wanted == (None if key in SEARCHED else FIELDS[key].default))
    return bool(wanted == _meaning(key, value))


def _meaning(key: str, value: Any) -> Any:
    """What the value of a link or an input means to the engine; raises InputError in one sentence."""
    if key == "model":
        return check_model(str(value))
    if key == "machine":
        return value if value == CUSTOM_MACHINE else machine(value).id
    return Question.from_values({**_COMPANIONS.get(key, {}), key: value}).value(key)


def _instead(key: str, used: Mapping[str, Any]) -> str:
    if key not in used:
        return " It was left out."
    value = used[key]
    shown = model_name(value) if key == "model" else machine_names()[value] if key == "machine" else value
    return f" Shown with {key}={shown}." if value is not None else f" Shown without {key}."


def _why_unused(key: str, wanted: Any, used: Mapping[str, Any]) -> str | None:
    """The engine's reason why an input does not apply to the machine in use; None where it changes nothing."""
    if wanted == FIELDS[key].default:
        return None
    try:
        question = Question().with_values(machine=used["machine"], memory_gib=used.get("memory_gib"))
        question = question.with_values(**{key: wanted})
        hardware_of(question.machine, question.runtime.backend, RuntimeId.LLAMA_CPP)
    except InputError as error:
        return f"{error} It was left out."
    return f"{key} has no effect with this machine and was left out."
