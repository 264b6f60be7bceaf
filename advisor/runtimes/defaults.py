"""What a front end chooses for an engine where the user does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from advisor.foundation.message import Message


@dataclass(frozen=True, slots=True)
class Default:
    """What is chosen for an option, and where it is said. `value` is as the program spells it."""

    value: str
    meaning: Message
    source: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A setting that a runtime chose, as the user did not: the question's `key`, its value, and why, as a fact."""

    key: str
    value: int | str
    said: Message
    source: str


@dataclass(frozen=True)
class Frontend:
    """A program around an engine. `defaults` by the option's own name; `as_of` is the month they were read.

    `choose` gives what it takes where it differs from its engine, of the bytes of all GPUs together and the longest
    context that the model knows. `unified` says that requests at once share one KV cache.
    """

    defaults: Mapping[str, Default]
    choose: Callable[[int, int | None], tuple[Taken, ...]]
    notes: tuple[Message, ...]
    source: str
    as_of: str
    unified: bool = False
