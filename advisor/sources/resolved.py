"""A model that was found, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, sentence
from advisor.models.catalogue import Entry
from advisor.models.model import Model

if TYPE_CHECKING:  # they bring the Hub's library along
    from advisor.sources.repository import Repository
    from advisor.sources.stored_file import StoredFile


@dataclass(frozen=True)
class ResolvedModel:
    """A model and where it comes from.

    `model` is None where only a file's own sizes are known. `id` restores it in a link, with the commit that was
    read. `source` is the sentence that says what the figures rest on. `level` is the level that was named with the
    model (`llama3.3:70b-instruct-q4_K_M`, `Qwen3-32B-AWQ`), where no file tells it. `file` is the GGUF file that
    was asked for, `repository` what else its repository holds. `size_range` is how many times as large real models
    of a mere size are, at least and at most.
    """

    id: str
    name: str
    model: Model | None
    source: Message
    publisher: str = ""
    license: str = ""
    confidence: Literal["verified", "recalled"] = "verified"
    recalled_fields: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    as_of: str = ""
    notes: tuple[Message, ...] = ()
    entry: Entry | None = None
    repository: Repository | None = None
    file: StoredFile | None = None
    level: str | None = None
    size_range: tuple[float, float] | None = None

    def must_have_model(self) -> Model:
        """The model; raises InputError where the file's architecture is not known."""
        if self.model is None:
            raise InputError("{name}: {source}", name=self.name, source=self.source)
        return self.model


def from_entry(entry: Entry) -> ResolvedModel:
    """A model of the bundled catalogue."""
    return ResolvedModel(
        id=entry.id,
        name=entry.name,
        model=entry.model,
        source=sentence("From the catalogue, as of {as_of}.", as_of=entry.as_of),
        publisher=entry.publisher,
        license=entry.license,
        confidence=entry.confidence,
        recalled_fields=tuple(entry.recalled_fields),
        sources=tuple(entry.sources),
        as_of=entry.as_of,
        entry=entry,
    )


def today() -> str:
    return datetime.now(UTC).date().isoformat()
