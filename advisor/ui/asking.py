"""From what a link asks to an answer, or to one sentence why there is none. Knows no Streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from advisor.answer.answer import Answer, answer
from advisor.foundation.errors import InputError
from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue
from advisor.question.configuration import CUSTOM_MACHINE
from advisor.question.question import Question
from advisor.sources.background import StillWorking
from advisor.sources.local_measurements import LocalMeasurement
from advisor.sources.resolve import ResolvedModel, find_in_time
from advisor.ui.link import ReadLink

CUSTOM_NAME = "Custom machine"
_COMMIT_LENGTH = 40


@dataclass(frozen=True)
class Reply:
    """What the page has to show: an answer or the sentence why there is none, and what was wrong with the link.

    `found` is the model, also where there is no answer about it; `model_error` says that `error` is about finding it,
    and `model` is what was asked for. `suggestions` are values that may have been meant.
    """

    answer: Answer | None
    error: str | None
    problems: tuple[str, ...]
    found: ResolvedModel | None = None
    model_error: InputError | None = None
    model: str = ""
    suggestions: tuple[str, ...] = ()

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


def ask(link: ReadLink, measured_here: tuple[LocalMeasurement, ...] = ()) -> Reply:
    """Answer what a link asks; `measured_here` is of whatever model."""
    try:
        question = Question.from_values(link.written)
    except InputError as error:
        return Reply(None, str(error), link.problems)
    return reply_to(question, link.problems, measured_here)


def reply_to(
    question: Question, problems: tuple[str, ...] = (), measured_here: tuple[LocalMeasurement, ...] = ()
) -> Reply:
    """Answer a question as the page does: models elsewhere are read in the background."""
    try:
        found = find_in_time(question.model.name)
    except InputError as error:
        return Reply(None, str(error), problems, None, error, question.model.name, error.suggestions)
    if found.entry is None:  # with the commit that was read, so that a link opens the same again
        question = question.with_values(model=found.id)
    try:
        return _answered(question, found, problems, measured_here)
    except InputError as error:
        return Reply(None, str(error), problems, found, suggestions=error.suggestions)


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
