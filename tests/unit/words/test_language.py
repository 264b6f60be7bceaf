"""A language is one file: what the program says is then in it, but for what is listed here with its reason."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from advisor.answer.answer import Answer, answer
from advisor.answer.launching import launch_of
from advisor.formats.gguf_sizes import size_levels
from advisor.formats.safetensors_sizes import size_safetensors_levels
from advisor.foundation.errors import AdvisorError, InputError
from advisor.foundation.message import fact, in_english, sentence
from advisor.quality.claims import claims
from advisor.question.question import Question
from advisor.report.as_json import full_document
from advisor.report.as_text import plan_table
from advisor.report.compact import answer_document
from advisor.report.comparison import compare
from advisor.report.from_answer import report_of
from advisor.report.sizes import sizes_table
from advisor.runtimes.commands import commands
from advisor.sources.resolve import find_any_model
from advisor.words import in_use, say, say_all, speak
from advisor.words.template import of_reports, sentences, template
from tests.unit.words.test_words import ENGLISH, JOINING

_MODULE = import_module("advisor.words.language")  # whose name a function of the package hides
OPENED, CLOSED = "⟦", "⟧"
QUERIES = (
    "model=llama-3.1-8b-instruct&machine=rtx-3060-12gb&users=4&min_quality=99&host_memory_gib=32",
    "model=qwen3-8b&machine=a100-sxm4-80gb&runtime=vllm&users=32&term=spot&region=eu",
    "model=qwen3-8b&machine=rtx-4090&runtime=ollama&own_hardware=on&api_input_price=1&api_output_price=2",
    "model=bge-m3&machine=rtx-4090",
)
# What stays as it is, by where it stands in an answer or a report, and why.
LEFT = {
    r"\.(evidence|rows|sources)\b": "rows of the data: their source's own words",
    r"\.(verdict|role|change|kind|status|runtime|state)$": "values that scripts compare; `report/named.py` words them",
    r"\.(machine|devices|name|name_of_all|where|publisher)\b": "names of models, machines and those who publish them",
    r"\.(line|reproduce|text|query)$": "commands and links",
    r"\.prices\b.*\.source$": "an address, or where the data says a price was quoted",
    r"report\.(machine|model)\[\]\.(value|note)$": "names of models, machines and those who publish them",
}
_TWO_WORDS = re.compile(r"[A-Za-z]{2,} [a-z]{2,}|[a-z]{2,} [A-Za-z]{2,}")


@pytest.fixture(scope="module")
def pseudo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A language whose every text is the English one in brackets, dropped beside the others and asked for."""
    folder = tmp_path_factory.mktemp("languages")
    shutil.copytree(ENGLISH.parents[1], folder / "en")
    with ENGLISH.open("rb") as file:
        english = read_po(file)
    other = Catalog(locale="de")
    for entry in english:
        kind = entry.id if isinstance(entry.id, str) else entry.id[0] if entry.id else ""
        if not kind:
            continue
        joins = kind in JOINING or entry.context in ("unit", "count")
        bracketed: Callable[[str], str] = (lambda text: text) if joins else (lambda text: f"{OPENED}{text}{CLOSED}")
        texts = entry.string
        said = bracketed(texts) if isinstance(texts, str) else tuple(map(bracketed, texts or ()))
        other.add(entry.id, said, context=entry.context)
    for text in sentences():
        other.add(text, f"{OPENED}{text}{CLOSED}")
    for text in of_reports():
        other.add(text, f"{OPENED}{text}{CLOSED}", context="report")
    path = folder / "de" / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_po(file, other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_MODULE, "LOCALES", folder)
        patch.setenv("LLM_FIT_ADVISOR_LANGUAGE", "de")
        _forget()
        yield
    _forget()


def _forget() -> None:
    _MODULE.language.cache_clear()
    _MODULE.languages.cache_clear()


def unwrapped(text: str) -> str:
    """What of a text comes from no catalogue."""
    while (inner := re.sub(rf"{OPENED}[^{OPENED}{CLOSED}]*{CLOSED}", " ", text)) != text:
        text = inner
    return text


def texts(found: object, place: str) -> Iterator[tuple[str, str]]:
    """Every text in a document, with where it stands."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield from texts(value, f"{place}.{key}")
    elif isinstance(found, list | tuple):
        for value in found:
            yield from texts(value, f"{place}[]")
    elif isinstance(found, str):
        yield from ((place, line) for line in found.splitlines())


def left(found: object, place: str, *names: str) -> set[tuple[str, str]]:
    """Texts of two words or more that come from no catalogue and that `LEFT` does not excuse."""
    return {
        (where, text)
        for where, text in texts(found, place)
        if _TWO_WORDS.search(_without(unwrapped(text), names)) and not any(re.search(one, where) for one in LEFT)
    }


def _without(text: str, names: tuple[str, ...]) -> str:
    for name in sorted(filter(None, names), key=len, reverse=True):
        text = text.replace(name, "")
    return text


def names(found: Answer) -> tuple[str, ...]:
    return found.entry.name, found.machine_name, found.machine.name


@pytest.mark.parametrize("query", QUERIES)
def test_an_answer_is_in_the_language_that_is_asked_for(query: str, pseudo: None) -> None:
    found = answer(Question.from_query(query))
    said = [
        ("json", answer_document(found, query)),
        ("full", full_document(found, query)),
        ("report", asdict(report_of(found))),
        ("commands", [say(one.title) for one in commands(launch_of(found, found.shown))]),
        ("notes", [text for one in commands(launch_of(found, found.shown)) for text in say_all(one.notes)]),
        ("compared", [(row.name, row.values) for row in compare([found])]),
    ]
    assert [one for place, document in said for one in sorted(left(document, place, *names(found)))] == []
    table = plan_table(found).splitlines()
    assert [line for line in table if _TWO_WORDS.search(_without(unwrapped(line), names(found)))] == []


def test_the_rest_is_in_that_language_too(pseudo: None) -> None:
    found = find_any_model("llama-3.1-8b-instruct")
    model = found.must_have_model()
    table = sizes_table(size_levels(model), found, tuple(size_safetensors_levels(model)))
    assert unwrapped(table.splitlines()[0]).strip() == f"{found.name}:"
    assert unwrapped(table.splitlines()[1]).strip() == ""
    assert [one.id for one in claims() if unwrapped(say(one.claim) + say(one.sentence)).strip()] == []


@pytest.mark.parametrize(
    "query",
    [
        "model=nope",
        "model=qwen3-8b&machine=rtx-409",
        "users=0",
        "users=x",
        "level=Q9",
        "foo=1",
        "task=cooking",
        "min_quality=perfect",
        "model=qwen3-8b&machine=mi100&runtime=vllm",
        "tensor_split=a",
        "model=qwen3-8b&context=900000",
        "kv_type_k=q9",
        "admin_hours=3",
        "country=XX",
        "split=row",
        "api_input_price=-1&api_output_price=1",
        "requests_per_day=0",
        "machine=custom",
        "a=1&a=2",
        "model=org/name/x/y",
        "runtime=nope",
        "tokens_in=0&tokens_out=0",
        "model=qwen3-8b&machine=rtx-4090&draft=llama-3.1-8b-instruct",
        "machine=rtx-4090&tensor_split=1,1",
    ],
)
def test_an_error_is_in_that_language(query: str, pseudo: None) -> None:
    with pytest.raises(InputError) as caught:
        answer(Question.from_query(query))
    assert unwrapped(str(caught.value)).strip() == ""


def test_a_page_can_choose_another_language_than_the_settings(pseudo: None) -> None:
    assert in_use() == "de"
    speak("en")
    assert say(fact("users", n=2)) == "2 users"
    speak("")
    assert say(fact("users", n=2)) == f"{OPENED}2 users{CLOSED}"
    with pytest.raises(InputError, match="There is no language 'xx'; there are de, de-CH, de-DE, en, en-GB, en-US"):
        speak("xx")


def test_a_language_that_there_is_not_is_said_in_english(pseudo: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_LANGUAGE", "../etc")
    with pytest.raises(InputError, match=r"There is no language '\.\./etc'; there are de, de-CH, de-DE, en, "):
        say(fact("users", n=2))


def test_what_a_catalogue_lacks_is_said_in_english(tmp_path: Path) -> None:
    empty = Catalog(locale="fr")
    with (tmp_path / "messages.po").open("wb") as file:
        write_po(file, empty)
    french = _MODULE.Language(tmp_path / "messages.po", "fr", _MODULE.language("en"))
    assert french.say(fact("users", n=4), "page") == "4 users"
    assert french.say(sentence("{name} holds {size:gb}.", name="a", size=1.5e9), "page") == "a holds 1,5\u00a0GB."


def test_the_list_for_translators_holds_every_text() -> None:
    listed = {entry.id if isinstance(entry.id, str) else entry.id[0] for entry in template() if entry.id}
    assert {
        "users",
        "There is no language '{name}'; there are {known}.",
        "Get or make its {level} file ({file_bytes:gb}) and run it.",
    } <= listed


def test_an_error_without_a_catalogue_is_in_english() -> None:
    assert in_english(AdvisorError("{name} takes {size:gib}.", name="{x}", size=2**30).message) == "{x} takes 1.0 GiB."
    assert str(AdvisorError("a {brace} that is not a figure")) == "a {brace} that is not a figure"
