"""What a picker offers for what somebody typed or pasted: the catalogue's entries, the best match first, and more.

Knows no Streamlit: the browser asks while people type, without a run of the page. Each choice is a link to the same
question with this one part changed; the page reads it as any other link.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from advisor.foundation.errors import InputError, one_line
from advisor.foundation.numbers import exact
from advisor.foundation.units import format_count, gib
from advisor.machines.catalogue import find_machines, machine
from advisor.machines.machine import Machine
from advisor.models.catalogue import Entry, catalogue
from advisor.models.find import find_models
from advisor.models.names import find_by_repository
from advisor.question.configuration import CUSTOM_MACHINE
from advisor.question.question import FIELDS, MAX_QUERY_LENGTH, Question
from advisor.report.columns import COLUMNS_KEY, read_columns, write_columns
from advisor.ui.asking import model_name
from advisor.ui.column_changes import with_change
from advisor.ui.link import PAGE_KEYS, changed_link, meaning, read_link

if TYPE_CHECKING:  # it brings the Hub's library along
    from advisor.sources.search import Hit

MODEL_KEYS = ("model", "draft")
MACHINE_KEYS = ("machine", "other_machine")
MOST_TYPED = 2000
_MOST_CHOICES = 8
_WORDS = re.compile(r"[^/\\:{}@]{1,100}")
_FILE = (".gguf", ".json", ".safetensors")
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*(?:gib|gb|g)\b", re.IGNORECASE)
_NUMBERED = re.compile(r"\S*\d\S*")
_OWN = re.compile(r"\b(custom|own|other|another)\b", re.IGNORECASE)
_IN_CATALOGUE = "from the catalogue, the Hub is not asked"


@dataclass(frozen=True, slots=True)
class Choice:
    """`value` is what the key becomes and `query` the question then; `search` are words to look for on the Hub.

    `again`: even where they were just looked for.
    """

    label: str
    note: str = ""
    value: str = ""
    query: str = ""
    search: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """`best` is the place of the choice that Enter takes, None where nobody should take one unseen."""

    choices: tuple[Choice, ...] = ()
    best: int | None = None
    said: str = ""


class Asked:
    """The question that a picker would change a key of: that of a link, or of a column compared with it."""

    def __init__(self, link: str, key: str, column: int | None = None) -> None:
        raw = parse_qs(link[:MAX_QUERY_LENGTH].removeprefix("?"), keep_blank_values=True)
        self.key, self.column = key, column
        self._written = read_link(raw).written
        self._page = {key: values[0] for key, values in raw.items() if key in PAGE_KEYS}

    def with_value(self, value: str | None, **more: Any) -> str:
        """The query in which the key has this value; None takes it out."""
        changes = {self.key: value, **more}
        if self.column is None:
            return urlencode(self._page | dict(changed_link(self._written, changes)))
        try:
            base, columns = Question.from_values(self._written), read_columns(self._page.get(COLUMNS_KEY, ""))
            page = self._page | {COLUMNS_KEY: write_columns(with_change(base, columns, self.column, changes))}
        except InputError:  # the page says what is wrong with its columns
            page = self._page
        return urlencode(page | dict(self._written))


def offer_models(typed: str, asked: Asked) -> Offer:
    """Models for what was typed: itself where it names one, what the catalogue has, and a search of the Hub."""
    text = typed[:MOST_TYPED].strip()
    if not text:
        none = (Choice("No draft model", query=asked.with_value(None)),) if asked.key == "draft" else ()
        said = "Type a name or a size such as 70B, or paste a link."
        return Offer((*none, _search("", "Popular on the Hub")), said=said)
    is_words = bool(_WORDS.fullmatch(text)) and not text.lower().endswith(_FILE)
    named, problem = _named(text, asked)
    found = find_models(text, _MOST_CHOICES)
    likely = [_entry(catalogue()[one.id], asked) for one in found if is_words or not one.missed]
    choices = [*named, *(choice for choice in likely if choice.value not in {one.value for one in named})]
    if named or (likely and is_words and not found[0].missed):
        return Offer((*choices, *([_search(text)] if is_words else [])), 0)
    if not is_words:
        return Offer(tuple(choices), said=problem)
    said = f"The catalogue has no model by all of these words{', but these:' if choices else '.'}"
    return Offer((*choices, _search(text)), len(choices), said)


def offer_hub(words: str, hits: Iterable[Hit], asked: Asked) -> Offer:
    """What the Hub found."""
    choices = []
    for hit in hits:
        known = _known(hit.repository)
        parts = [f"{format_count(hit.downloads)} downloads", "GGUF" * hit.gguf, "gated" * hit.gated]
        parts.append(f"in the catalogue as {known.name}" if known is not None and not hit.gguf else "")
        note = " · ".join(part for part in parts if part)
        choices.append(Choice(hit.repository, note, hit.repository, asked.with_value(hit.repository)))
    if choices:
        return Offer(tuple(choices), 0, f"On the Hub for “{one_line(words)}”:" if words else "Popular on the Hub:")
    return Offer(said=f"The Hub has no language model for “{one_line(words)}”.")


def offer_without_hub(words: str, trouble: str, asked: Asked) -> Offer:
    """What there is where the Hub does not answer: what the catalogue has by these words, and another try."""
    found = [_entry(catalogue()[one.id], asked) for one in find_models(words, _MOST_CHOICES)]
    return Offer((*found, Choice("Try again", "ask the Hub once more", search=words, again=True)), said=trouble)


def offer_machines(typed: str, asked: Asked) -> Offer:
    """Machines for what was typed, and a machine of one's own."""
    text = typed[:MOST_TYPED].strip()
    found = find_machines(text, _MOST_CHOICES)
    choices = [_machine(machine(one.id), one.count, asked) for one in found]
    memory = _MEMORY.search(text)
    if asked.key == "machine":
        choices.append(_custom(float(memory[1]) if memory else None, asked))
    if _OWN.search(text) and asked.key == "machine":
        return Offer((choices[-1], *choices[:-1]), 0)
    if not text:
        return Offer(tuple(choices), said="Type a name or memory, such as 4090, Mac Studio or 24 GB.")
    if not found or found[0].missed:
        return Offer(
            tuple(choices), said=f"There is no machine by all of these words{', but these:' if found else '.'}"
        )
    return Offer(tuple(choices), 0)


def offer_for(typed: str, asked: Asked) -> Offer:
    """What to offer for what was typed; raises InputError for other keys."""
    if asked.key in MODEL_KEYS:
        return offer_models(typed, asked)
    if asked.key in MACHINE_KEYS:
        return offer_machines(typed, asked)
    raise InputError(
        "Nothing is picked as '{name}'; keys are {keys}.",
        name=one_line(asked.key),
        keys=", ".join((*MODEL_KEYS, *MACHINE_KEYS)),
    )


def offer_opened(shown: str, asked: Asked) -> Offer:
    """What to offer before anything is typed: what the picker shows, its relatives, and what may be typed."""
    same, others = offer_for(shown, asked), offer_for(_NUMBERED.sub(" ", shown), asked)
    hint = offer_for("", asked)
    first = same.choices[:1] if same.best == 0 and same.choices[0].value else ()
    more = [choice for choice in others.choices if choice.value and choice not in first] if first else []
    choices = (*first, *(choice for choice in more if choice not in hint.choices), *hint.choices)
    return Offer(choices, 0 if first else None, hint.said)


def nearest_in_catalogue(model: str) -> Entry | None:
    """The catalogue's model that a repository holds or was made from, else the one whose name is nearest."""
    if (known := _known(model)) is not None:
        return known
    found = find_models(model.partition("@")[0].partition(":")[0], 1)
    return catalogue()[found[0].id] if found else None


def _named(text: str, asked: Asked) -> tuple[list[Choice], str]:
    """What the text itself names, and the catalogue's model of it; or why it can never be a model."""
    try:
        value = str(meaning("model", text))
    except InputError as error:
        return [], str(error)
    entry = catalogue().get(value.partition(":")[0])
    if entry is not None:
        level = value.partition(":")[2]
        choice = _entry(entry, asked)
        if level:
            choice = Choice(f"{entry.name} at {level}", choice.note, value, asked.with_value(value))
        return [choice], ""
    found = [Choice(model_name(value), _what(value), value, asked.with_value(value))]
    if "/" in value and (known := _known(value)) is not None:
        found.append(Choice(known.name, _IN_CATALOGUE, known.id, asked.with_value(known.id)))
    return found, ""


def _known(repository: str) -> Entry | None:
    """The catalogue's model that a repository of the Hub holds, or was made from by quantizing."""
    name = repository.partition("@")[0].partition(":")[0]
    return None if "://" in repository else find_by_repository(name)


def _what(value: str) -> str:
    if value.startswith("upload-"):
        return "uploaded here"
    if value.startswith("https://"):
        return "file, of which the header is read"
    return "repository on the Hub" if "/" in value else "a typical model of this size"


def _search(words: str, label: str = "") -> Choice:
    label = label or f"Add from the Hub: search for “{one_line(words)}”"
    return Choice(label, "asks huggingface.co", search=words)


def _entry(entry: Entry, asked: Asked) -> Choice:
    note = f"{entry.publisher} · {format_count(entry.model.parameters)} parameters · {entry.released[:4]}"
    return Choice(entry.name, note, entry.id, asked.with_value(entry.id))


def _machine(found: Machine, count: int | None, asked: Asked) -> Choice:
    held = found.memory_bytes * found.count
    parts = [found.vendor if found.vendor != "generic" else "CPU", gib(held) if held else "give its memory"]
    parts.append(str(found.release_year or ""))
    several = count if count is not None and not found.unified else None
    more = {"gpus" if asked.key == "machine" else "other_gpus": several} if several else {}
    label = f"{several} x {found.name}" if several else found.name
    note = " · ".join(part for part in parts if part)
    return Choice(label, note, found.id, asked.with_value(found.id, **more))


def _custom(size: float | None, asked: Asked) -> Choice:
    lowest = FIELDS["memory_gib"].metadata
    fits = size is not None and all(size <= rule.le for rule in lowest if hasattr(rule, "le")) and size > 0
    more = {"memory_gib": size} if fits else {}
    label = f"Another GPU with {exact(size)} GiB" if fits and size else "Another GPU: give its memory"
    return Choice(label, "not in the catalogue", CUSTOM_MACHINE, asked.with_value(CUSTOM_MACHINE, **more))
