"""Words that people type find what they mean first."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from advisor.foundation.typed_words import one_letter_apart
from advisor.machines.catalogue import find_machines, machines
from advisor.models.catalogue import catalogue
from advisor.models.find import find_models, suggest

_TYPED = yaml.safe_load(Path(__file__).with_name("typed_words.yaml").read_text("utf-8"))


def is_one_of(found: str, wanted: Any) -> bool:
    return any(fnmatchcase(found, pattern) for pattern in ([wanted] if isinstance(wanted, str) else wanted))


def test_the_model_that_was_meant_comes_first() -> None:
    wrong = {}
    for typed, wanted in _TYPED["models"].items():
        found = [one.id for one in find_models(typed)]
        if bool(found) != (wanted is not None) or (found and not is_one_of(found[0], wanted)):
            wrong[typed] = found[:3]
    assert not wrong


def test_the_machine_that_was_meant_comes_first() -> None:
    wrong = {}
    for typed, wanted in _TYPED["machines"].items():
        pattern, count = next(iter(wanted.items())) if isinstance(wanted, dict) else (wanted, None)
        found = find_machines(typed)
        if bool(found) != (wanted is not None) or (
            found and (not is_one_of(found[0].id, pattern) or found[0].count != count)
        ):
            wrong[typed] = found[:3]
    assert not wrong


def test_every_entry_is_found_by_its_own_id_and_name() -> None:
    for entry in catalogue().values():
        for typed in (entry.id, entry.name, entry.name.upper(), entry.hf_repo):
            first = find_models(typed, 1)[0]
            assert catalogue()[first.id].model.parameters == entry.model.parameters, (typed, first)
            assert not first.missed
    for machine in machines().values():
        for typed in (machine.id, machine.name, machine.name.lower()):
            assert find_machines(typed, 1)[0].id == machine.id, typed


@pytest.mark.parametrize(
    ("typed", "missed"),
    [
        ("llama 3.3 8b", ("8b",)),
        ("gemma-3-99b", ("99b",)),
        ("qwen3-8b-abliterated", ("abliterated",)),
        ("qwen3 8b", ()),
    ],
)
def test_words_that_an_entry_lacks_are_told(typed: str, missed: tuple[str, ...]) -> None:
    assert find_models(typed)[0].missed == missed


def test_a_hint_keeps_size_and_version() -> None:
    assert suggest("llama 3.3 8b") == ()
    assert suggest("qwen3-8b-abliterated")[0] == "qwen3-8b"


@pytest.mark.parametrize("typed", ["", " ", "-", "x" * 10_000, "4 " * 5_000, "ÿ€", "\x00", "%s%n", "0x", "x2"])
def test_whatever_is_typed_is_answered(typed: str) -> None:
    assert len(find_models(typed)) <= 8
    assert len(find_machines(typed)) <= 8


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("lama", "llama", True),
        ("quen", "qwen", True),
        ("stirx", "strix", True),
        ("llamas", "llama", True),
        ("llama", "llama", False),
        ("lamma", "llama", False),
        ("phi", "gemma", False),
    ],
)
def test_one_letter_apart(one: str, other: str, apart: bool) -> None:
    assert one_letter_apart(one, other) is one_letter_apart(other, one) is apart
