"""What people read: no key of the program, no sign of its markup, no exponent, no verdict on a single price.

Sentences of many answers are swept; each test stands for a kind of sentence.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import advisor
from advisor.answer.answer import Answer, answer
from advisor.answer.choices import choices
from advisor.answer.flips import flips
from advisor.answer.reasons import reasons
from advisor.answer.verdict import verdict
from advisor.foundation.errors import AdvisorError
from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue
from advisor.question.question import FIELDS, Question
from advisor.report.as_json import plan_document
from advisor.report.as_text import plan_table
from advisor.report.document import ReportDocument
from advisor.report.from_answer import report_of
from advisor.speed.explain import explanation
from advisor.ui.parts.text import plain
from advisor.words import Audience, say, say_all
from advisor.words.keys import labelled
from advisor.words.language import ENGLISH, language

LABELS = {key: language(ENGLISH).label(key) for key in FIELDS}
_KEY = re.compile(rf"\b(?:{'|'.join(key for key in LABELS if '_' in key)})\b")
_SET = re.compile(rf"\b(?:{'|'.join(LABELS)})=")
_EXPONENT = re.compile(r"\d[eE][+-]?\d")
_ASKED = (
    "", "&users=4", "&users=32&runtime=vllm", "&min_quality=99", "&min_tokens_per_s=50", "&max_first_token_s=0.01",
    "&region=ch", "&region=eu&term=spot", "&runtime=ollama", "&runtime=lm-studio", "&own_hardware=on&commercial=on",
    "&max_cost_per_month=100", "&currency=CHF&country=CH", "&kv_type_k=q8_0&kv_type_v=q8_0", "&gpus=2",
    "&device_price=500&host_price=500", "&level=Q4_K_M", "&host_memory_gib=64", "&requests_per_day=1000000", "&mtp=on",
)  # fmt: skip


@cache
def answers() -> tuple[Answer, ...]:
    """A few of all that can be asked, the same in every run."""
    drawn = random.Random(13)
    models, places = sorted(catalogue()), sorted(set(machines()) - {"custom"})
    found: list[Answer] = []
    while len(found) < 24:
        asked = drawn.choice(_ASKED)
        context = drawn.choice((512, 2048, 16384))
        query = f"model={drawn.choice(models)}&machine={drawn.choice(places)}&context={context}{asked}"
        try:
            found.append(answer(Question.from_query(query)))
        except AdvisorError:
            continue
        except ValueError:
            assert "mtp" in query  # not a matter of words
    return tuple(found)


@cache
def report(found: Answer) -> ReportDocument:
    return report_of(found)


def engine_sentences(found: Answer, audience: Audience = "script") -> Iterator[str]:
    yield from say_all((verdict(found), *reasons(found)), audience)
    yield from say_all((choice.gain for choice in choices(found)), audience)
    yield from say_all(found.notes, audience)
    yield from say_all((way.message for way in found.shown.plan.ways_out), audience)
    yield from say_all(found.shown.plan.notes, audience)
    if found.shown.costs is not None:
        yield say(found.shown.costs.verdict, audience)
        yield from say_all(found.shown.costs.notes, audience)
        yield from say_all((why for _, why in found.shown.costs.missing), audience)
    if found.shown.speed is not None:
        yield from say_all(explanation(found.shown.speed), audience)


def report_sentences(found: Answer) -> Iterator[str]:
    document = report(found)
    yield from (document.verdict, *document.risks, *document.what_would_flip, *document.next_steps, *document.notes)
    facts = (*document.key_figures, *document.model, *document.machine, *document.appendix.assumptions)
    for fact in facts:
        yield from (fact.label, fact.value, fact.note)
    if document.costs is not None:
        yield document.costs.note
        yield from (option.basis for option in document.costs.options)


def test_no_report_names_a_key_or_shows_markup() -> None:
    for found in answers():
        for sentence in report_sentences(found):
            assert not _KEY.search(sentence), sentence
            assert not _SET.search(sentence), sentence
            assert "`" not in sentence, sentence
            assert "(s)" not in sentence, sentence


def test_no_page_names_a_key_or_shows_markup() -> None:
    for found in answers():
        for sentence in engine_sentences(found, "page"):
            shown = labelled(sentence)
            assert not _KEY.search(shown), sentence
            assert not _SET.search(shown), sentence
            assert "`" not in sentence, sentence
            assert "(s)" not in sentence, sentence


def test_numbers_have_no_exponent() -> None:
    for found in answers():
        text = [*engine_sentences(found), *report_sentences(found), *plan_table(found).splitlines()]
        assert [sentence for sentence in text if _EXPONENT.search(sentence)] == []


def test_equal_figures_are_not_compared() -> None:
    for found in answers():
        for sentence in engine_sentences(found):
            for one, other in re.findall(r"([\d.,]+ %) (?:of the quality )?instead of ([\d.,]+ %)", sentence):
                assert one != other, sentence
            assert "about 100.0 %" not in sentence
            for one, least in re.findall(r"keeps about ([\d.]+) % at [^;]*; at least ([\d.]+) %", sentence):
                assert float(one) < float(least), sentence


def test_there_is_a_verdict_only_between_two_prices() -> None:
    seen = set()
    for found in answers():
        costs = found.shown.costs
        if costs is None:
            continue
        advice = [words for words in ("owning costs", "renting costs", "API costs") if words in say(costs.verdict)]
        seen.add(len(costs.options))
        assert len(advice) == (len(costs.options) > 1), say(costs.verdict)
        assert "share the machine" not in say(costs.verdict)
        section = report(found).costs
        assert section is None or any(option.chosen for option in section.options) == bool(advice)
        assert (costs.best() is None) == (not advice)
        if advice:
            assert min(costs.options, key=lambda option: option.monthly.typical) is costs.best()
    assert 1 in seen
    assert max(seen) > 1


def test_what_does_not_fit_carries_no_advice_about_money() -> None:
    seen = 0
    for found in answers():
        missing = [one.level for one in found.candidates if one.verdict == "does not fit" and one.costs is None]
        assert missing == [one.level for one in found.candidates if one.verdict == "does not fit"]
        if missing and not seen:
            rows = plan_document(found)["plans"]
            assert {row["level"] for row in rows if row["verdict"] == "does not fit" and not row["cost"]} == {*missing}
            seen = len(missing)
        if found.shown.verdict == "does not fit":
            assert report(found).costs is None
    assert seen


@pytest.mark.parametrize(
    ("sentence", "page"),
    [
        ("Not published: give host_price.", "Not published: give “The computer around it”."),
        ("Nobody in the EU; 3 elsewhere: set region=any.", "Nobody in the EU; 3 elsewhere: set “Where to rent” = any."),
        ("users=300: at most 256.", "“Users at once” = 300: at most 256."),
        ("12 users share it.", "12 users share it."),
        ("See ?model=phi-4&users=2 there.", "See ?model=phi-4&users=2 there."),
    ],
)
def test_keys_become_labels_on_pages(sentence: str, page: str) -> None:
    assert labelled(sentence) == page
    assert plain(sentence) == plain(page)


def test_every_key_has_a_label_and_every_input_bears_it() -> None:
    assert all(LABELS.values())
    seen = set()
    for path in (Path(advisor.__path__[0]) / "ui").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 1):
                continue
            key, label = node.args[:2]
            inputs = ("number", "choice", "switch", "text", "picker", "picker_html")
            if node.func.id in inputs and isinstance(key, ast.Constant) and isinstance(key.value, str):
                seen.add(key.value)
                if isinstance(label, ast.Constant):
                    assert LABELS[key.value] == label.value
    assert set(LABELS) == seen


def test_the_originals_own_weights_are_called_so_and_not_measured() -> None:
    found = answer(Question.from_query("model=gpt-oss-20b&machine=rtx-4060-ti-8gb&host_memory_gib=32&context=131072"))
    said = " ".join(say_all(reasons(found)))
    assert "KV cache in q8_0" in said  # which is all that it loses
    assert found.shown.quality.of_original
    assert "the weights are the original's own, the rest goes to its KV cache" in said
    assert "0 measurements" not in said
    other = answer(Question.from_query("model=qwen3-32b&machine=rtx-4090"))
    assert not other.shown.quality.of_original


@pytest.mark.parametrize(
    ("query", "misses"),
    [("model=llama-3.1-8b&machine=rtx-4060-laptop", True), ("model=qwen3-8b&machine=rtx-4060", None)],
)
def test_a_wish_for_more_speed_says_where_it_is_not_reached(query: str, misses: bool | None) -> None:
    wishes = [flip for flip in flips(answer(Question.from_query(query))) if flip.change == "speed wish"]
    assert wishes or not misses
    for flip in wishes:
        assert flip.found is not None
        reached = flip.found.shown.tokens_per_s
        assert ("writes only about" in say(flip.sentence)) == (reached is not None and reached.typical < flip.at)
        assert misses in (None, "writes only about" in say(flip.sentence))
