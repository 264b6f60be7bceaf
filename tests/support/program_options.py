"""The options that programs have, as recorded from their documentation, and those that a command line uses."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from advisor.runtimes.commands import Command
from advisor.words import say

RECORDED = Path(__file__).parent / "recorded"


def recorded(program: str) -> dict[str, set[str] | None]:
    """Options with the words they take, None where they take anything."""
    options: dict[str, set[str] | None] = {}
    for line in (RECORDED / f"flags_{program}.txt").read_text().splitlines():
        if not line.startswith("#"):
            names, _, values = line.partition(" : ")
            options |= dict.fromkeys(names.split(), set(values.split()) or None)
    return options


def arguments(text: str) -> list[str]:
    return shlex.split(text.replace("\\\n", ""))


def option_values(words: list[str]) -> Iterator[tuple[str, str | None]]:
    """Every option of a command line with the word that follows it."""
    for position, word in enumerate(words):
        if re.match(r"--?[a-zA-Z]", word):
            following = words[position + 1] if position + 1 < len(words) else None
            yield word, following


def program_lines(command: Command) -> Iterator[list[str]]:
    """The program calls in a command: not Modelfiles, not Python."""
    if "(" in say(command.title):
        return
    for line in command.text.replace("\\\n", "").split("&&"):
        words = shlex.split(line)
        while re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words = words[1:]
        if words[:2] == ["python", "-m"]:
            words = words[1:]
        yield words[1:] if words[0] in ("python", "-m") else words


def check_options(command: Command) -> set[str]:
    """Assert that every program call has only options, and words behind them, that the program knows; its programs."""
    programs = set()
    for words in program_lines(command):
        known = recorded(words[0])
        for option, value in option_values(words[1:]):
            assert option in known, (words[0], option)
            allowed = known[option]
            if allowed is not None and not (value or "").isdigit() and option != "--gpu":
                assert value in allowed, (words[0], option, value)
        if words[0] in ("ollama", "lms"):
            assert words[1] in (known["commands"] or ()), words
        programs.add(words[0])
    return programs
