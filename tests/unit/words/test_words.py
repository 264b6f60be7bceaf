"""Every kind of message has its text, with its figures and no others; another language needs a catalogue alone."""

from __future__ import annotations

import ast
import random
import string
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from babel.core import Locale
from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as BabelMessage
from babel.messages.pofile import read_po, write_po

import advisor
from advisor.answer.answer import Answer, answer
from advisor.answer.choices import choices
from advisor.answer.flips import flips
from advisor.answer.reasons import reasons
from advisor.answer.verdict import verdict
from advisor.foundation.message import Key, Message, Span, as_it_is, fact
from advisor.question.question import FIELDS, Question
from advisor.speed.explain import explanation
from advisor.words import say
from advisor.words.figures import localized, signed
from advisor.words.language import LOCALES, Language

CODE = Path(advisor.__path__[0])
ENGLISH = LOCALES / "en" / "LC_MESSAGES" / "messages.po"
# Not kinds of messages: how a language joins figures and names a key.
WORDS = ("unit", "count", "label", "table")
SIGNS = ("listed", "semicolons", "summed", "factors", "or", "and")
JOINING = {
    **{sign: set[str]() for sign in SIGNS},
    "span": {"low", "high"},
    "label": {"label"},
    "typical_size": {"size"},
}


@cache
def calls() -> dict[str, set[frozenset[str]]]:
    """The kinds that the code makes, with the names of their figures at each place."""
    found: dict[str, set[frozenset[str]]] = {}
    for path in CODE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "fact":
                (kind,) = node.args
                assert isinstance(kind, ast.Constant), f"{path}:{node.lineno}: a kind is a literal"
                names = [keyword.arg for keyword in node.keywords]
                assert None not in names, f"{path}:{node.lineno}: figures are named"
                found.setdefault(str(kind.value), set()).add(frozenset(filter(None, names)))
    return found


@cache
def entries(path: Path = ENGLISH) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


def forms(entry: BabelMessage) -> tuple[str, ...]:
    """The texts of an entry: one, or one for each plural form."""
    return (entry.string,) if isinstance(entry.string, str) else tuple(entry.string or ())


def texts() -> Iterator[tuple[str, str, str]]:
    """Kind, context and text of every entry, each plural form on its own."""
    for entry in entries():
        if entry.id:
            kind = entry.id if isinstance(entry.id, str) else entry.id[0]
            for text in forms(entry):
                yield kind, entry.context or "", text


def named(text: str) -> set[str]:
    """The figures that a text asks for."""
    found = set()
    for _, name, way, _ in string.Formatter().parse(text):
        if name in ("key", "set"):
            key, _, value = (way or "").partition("=")
            assert key in FIELDS, text
            found |= {value.strip("{}")} if value.startswith("{") else set()
        elif name is not None:
            found |= {name, *([way.removeprefix("apart ")] if way and way.startswith("apart ") else [])}
    return found


def test_every_kind_has_a_text_with_exactly_its_figures() -> None:
    in_code = calls()
    assert [kind for kind, names in in_code.items() if len(names) > 1] == []
    figures = {kind: set(next(iter(names))) for kind, names in in_code.items()} | JOINING
    assert {kind for kind, context, _ in texts() if context == "label"} == set(FIELDS)
    plain = {kind: text for kind, context, text in texts() if not context}
    assert set(plain) == set(figures)
    for kind, context, text in texts():
        if context not in WORDS:
            assert named(text) <= figures[kind], text
            # A singular may say "one"; a text for a place or a reader may say less.
            assert context or figures[kind] - named(text) <= ({"n", "sources"} if "n" in figures[kind] else set()), text


def test_every_entry_has_every_plural_form_and_no_text_twice() -> None:
    seen = [(entry.context, entry.id if isinstance(entry.id, str) else entry.id[0]) for entry in entries()]
    assert len(seen) == len(set(seen))
    assert all(text.strip() or kind in JOINING for kind, _, text in texts())
    for entry in entries():
        if not isinstance(entry.id, str):
            assert len(forms(entry)) == entries().num_plurals


# ------------------------------------------------------------------------------------------------ another language


def _bracketed(text: str) -> str:
    """A text whose every literal part is replaced by ⟦⟧, its figures kept as they are written."""
    found = ""
    for literal, name, way, _ in string.Formatter().parse(text):
        found += "⟦⟧" if literal else ""
        if name == "set" and way and not way.endswith("}"):
            way = f"{way.partition('=')[0]}=0"  # values of keys are the same in every language
        found += "" if name is None else f"{{{name}:{way}}}" if way else f"{{{name}}}"
    return found


@pytest.fixture(scope="module")
def pseudo(tmp_path_factory: pytest.TempPathFactory) -> Language:
    """A language made of the English catalogue's kinds and none of its words, with German numbers."""
    other = Catalog(locale="de")
    for entry in entries():
        if entry.id:
            changed = tuple(_bracketed(text) for text in forms(entry))
            other.add(entry.id, changed if isinstance(entry.string, tuple) else changed[0], context=entry.context)
    path = tmp_path_factory.mktemp("words") / "messages.po"
    with path.open("wb") as file:
        write_po(file, other)
    return Language(path, "de")


ASKED = (
    "model=llama-3.1-8b-instruct&machine=rtx-3060-12gb&users=4&min_quality=99",
    "model=llama-3.1-8b-instruct&machine=rtx-3090&min_tokens_per_s=5000&commercial=on",
    "model=qwen3-8b&machine=a100-sxm4-80gb&runtime=vllm&users=32",
)


def facts_of(found: Answer) -> Iterator[Message]:
    yield verdict(found)
    yield from reasons(found)
    yield from (choice.gain for choice in choices(found))
    yield from (unmet.message for unmet in found.decided.unmet)
    yield from (flip.sentence for flip in flips(found))
    yield from found.notes
    yield from (way.message for way in found.shown.plan.ways_out)
    yield from found.shown.plan.notes
    if found.shown.speed is not None:
        yield from explanation(found.shown.speed)
    if found.shown.costs is not None:
        yield found.shown.costs.verdict
        yield from found.shown.costs.notes
        yield from (why for _, why in found.shown.costs.missing)


def names_in(message: Message) -> Iterator[str]:
    """What a message names: levels, models, machines, and text from elsewhere, as it is."""
    waiting: list[object] = [figure for _, figure in message.figures]
    while waiting:
        figure = waiting.pop()
        if isinstance(figure, str):
            yield figure
        elif isinstance(figure, Message):
            waiting += [inner for _, inner in figure.figures]
        elif isinstance(figure, tuple):
            waiting += figure


@pytest.mark.parametrize("query", ASKED)
def test_another_language_needs_only_a_catalogue(query: str, pseudo: Language) -> None:
    messages = list(facts_of(answer(Question.from_query(query))))
    assert messages
    for message in messages:
        said = pseudo.say(message, "page")
        for name in sorted(names_in(message), key=len, reverse=True):
            said = said.replace(name, "") if name else said
        assert not [sign for sign in said if sign.isalpha()], (message, said)


def test_numbers_have_the_signs_of_their_language(pseudo: Language) -> None:
    tokens = fact("shorter_fits", reach=131_072, level="Q4_K_M")
    assert "131,072" in say(tokens)
    assert "131.072" in pseudo.say(tokens, "page")
    late = fact("first_token_late", level="Q8_0", wait=4.98, most=1.0)
    assert say(late) == "Q8_0 takes at least 4.98 s to the first token; at most 1 s is asked for."
    assert "4,98" in pseudo.say(late, "page")


# ------------------------------------------------------------------------------------------------------- who reads


def test_a_key_is_called_as_its_reader_knows_it() -> None:
    note = fact("not_looked_at", n=2, model="BGE", asked=(Key("min_quality"), Key("max_first_token_s")))
    assert "min_quality, max_first_token_s are not" in say(note)
    assert "“Least quality”, “Most seconds to the first token” are not" in say(note, "page")
    batch = fact("encoder_batch", tokens=fact("tokens", n=4000), prompt=4000, ubatch=512)
    assert say(batch).endswith("of 4,000 tokens with ubatch=512; set ubatch=4000.")
    assert say(batch, "page").endswith("“Micro-batch (tokens)” = 512; set “Micro-batch (tokens)” = 4000.")
    assert say(batch, "report").endswith("“Micro-batch (tokens)” = 512.")


def test_counts_choose_their_plural() -> None:
    assert say(fact("users", n=1)) == "1 user"
    assert say(fact("users", n=4)) == "4 users"
    assert say(fact("mtp_left_out", n=1, parameters=10**9)).startswith("1 multi-token-prediction layer (1.0 B")


def test_a_message_inside_another_starts_as_a_clause() -> None:
    late = fact("first_token_late", level="Q8_0", wait=1.5, most=1.0)
    assert say(fact("nearest_breaks", level="Q8_0", why=late)).startswith("Q8_0 comes nearest: ")
    assert say(fact("nearest_breaks", level="Q8_0", why=late)).endswith(
        "takes at least 1.5 s to the first token; at most 1 s is asked for."
    )
    dear = fact("too_dear", cost=200.0, currency="EUR", most=50.0)
    inside = say(fact("decision_refused", model="Qwen3", machine="RTX 4090", why=dear))
    said = say(dear)
    assert inside == f"Qwen3 does not run on RTX 4090 as asked: {said[0].lower()}{said[1:]}"


def test_an_estimate_whose_ends_read_the_same_is_one_number() -> None:
    one = fact("writes", speed=12.0, range=Span(12.0, 12.001))
    assert say(one) == "It writes about 12 tokens/s for each user (12)."
    assert say(fact("writes", speed=12.0, range=Span(Decimal(9), Decimal(15)))).endswith("(9 to 15).")


def test_text_from_elsewhere_stays_as_it_is() -> None:
    assert say(as_it_is("{odd} 100 %")) == "{odd} 100 %"


def test_a_text_that_reads_as_its_kind_is_a_text() -> None:
    assert say(fact("administration"), "report") == "administration"
    assert say(fact("administration"), "page").startswith("administration (“Admin hours")


def test_a_kind_without_a_text_is_an_error() -> None:
    with pytest.raises(KeyError, match="never_heard_of"):
        say(Message("never_heard_of"))


def test_english_figures_are_those_of_the_locale() -> None:
    """English ones are written without the locale's data, which take long to load."""
    draw = random.Random(11)
    for name in ("en", "en_US", "en_GB"):
        locale = Locale.parse(name)
        for _ in range(300):
            figure = draw.choice((draw.uniform(-1, 1), draw.uniform(-1e9, 1e9), draw.randrange(10**12), 0.0, -0.0))
            text = format(figure, draw.choice((",.0f", ".1f", ",.2f", "+.3f", ".15f")))
            for grouped in (True, False):
                assert signed(text, locale, grouped) == localized(text, locale, grouped)
