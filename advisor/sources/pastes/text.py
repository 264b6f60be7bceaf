"""What was pasted, as plain lines: bounded, without colour codes, in whatever line ends and signs a terminal left."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from advisor.foundation.errors import InputError

LONGEST = 400_000  # characters; a whole log with eight devices has a fifth of that
LONGEST_LINE = 8_000  # a row of JSON with its samples has 3,000
_CODES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)
_BOXES = str.maketrans({"│": "|", "║": "|", "┃": "|", "─": "-", "═": "=", "\xa0": " ", "\u202f": " ", "\ufeff": ""})


@dataclass(frozen=True, slots=True)
class Reading:
    """What one tool printed: `kind` is the tool, `values` are its figures as it names them, units in the names.

    What was not printed is not there; a figure that stands for "unknown" is None.
    """

    kind: str
    values: dict[str, Any] = field(default_factory=dict)


def lines_of(text: str) -> list[str]:
    """The lines of a paste; raises InputError where it is longer than any such output."""
    if len(text) > LONGEST:
        raise InputError(
            "The text is {length:,} characters long; at most {most:,} are read.", length=len(text), most=LONGEST
        )
    plain = _CODES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).translate(_BOXES)
    return [line[:LONGEST_LINE].rstrip() for line in plain.split("\n")]


def number(text: str) -> float:
    """A figure with or without commas: "370,656", "2.03"."""
    return float(text.replace(",", ""))


def plain_figure(value: float) -> float | int:
    """Whole figures as integers."""
    return int(value) if value == int(value) else value


def known(**values: Any) -> dict[str, Any]:
    """The values that are known."""
    return {name: value for name, value in values.items() if value is not None}
