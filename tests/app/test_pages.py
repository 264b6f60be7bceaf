"""Answer as Streamlit draws it: the decision and what stands beside it, and inputs that ask something else."""

from __future__ import annotations

import re
from html import escape
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from advisor.answer.answer import answer
from advisor.answer.choices import choices
from advisor.answer.flips import flips
from advisor.answer.reasons import reasons
from advisor.answer.verdict import leading, verdict
from advisor.foundation.numbers import rough, span
from advisor.foundation.units import gib
from advisor.question.question import FIELDS, Question
from advisor.question.requirements import GOALS
from advisor.ui.link import START, read_link
from advisor.ui.parts.html import badge
from advisor.ui.views.answer import EXAMPLES
from advisor.words import say
from tests.support.pages import html, in_words, links, messages, opened, plain_words, read, sections

QUERIES = [
    "model=llama-3.1-70b-instruct&machine=a100-sxm4-80gb&gpus=2&users=4",
    "model=gpt-oss-20b&machine=apple-m4-max-40c-128gb&context=65536",
    "model=llama-3.1-8b-instruct&machine=cpu-dual-ddr5-6000&memory_gib=64",
    "model=qwen2.5-7b-instruct&machine=custom&memory_gib=12.5&bandwidth_gb_s=500",
    "model=llama-3.1-70b-instruct&gpu_layers=40&host_memory_gib=64",
    "level=Q2_K&machine=rtx-5090",
]


@pytest.mark.parametrize("query", QUERIES)
def test_the_first_screen_shows_the_engines_decision(query: str) -> None:
    page = opened(query)
    found = answer(Question.from_query(query))
    other = leading(found)
    about = found if other is None else other.found
    (card,) = [part for part in sections(html(page), "<section") if part.startswith('<section class="card verdict')]
    head = f"Run {'it' if other is None else other.entry.name} as {about.shown.level}"
    assert f"<h1>{escape(head)} {badge(about.status)}</h1>" in card
    assert f"{found.entry.name} on {found.machine_name}" in in_words(card)
    assert say(verdict(found), "page") in in_words(card)
    plan, speed, kept = about.shown.plan, about.shown.tokens_per_s, about.shown.kept
    assert speed is not None
    assert kept is not None
    figures = in_words(card)
    held = sum(device.needed_bytes for device in plan.devices) if plan.devices else plan.host.needed_bytes
    assert all(
        shown in figures
        for shown in (gib(held), rough(speed.typical), span(speed, rough), f"{min(kept.typical, 100):.1f} %")
    )
    if other is not None:
        assert f"<b>{escape(f'{found.entry.name} itself: {found.shown.level}')}</b> {badge(found.status)}" in card
        asked = links(card)[f"Ask the same about {other.entry.name}"]
        assert answer(Question.from_query(asked)).entry.id == other.entry.id
    assert all(say(reason, "page") in in_words(card) for reason in reasons(found))
    assert not messages(page)
    assert not page.error


@pytest.mark.parametrize("query", [*QUERIES, "model=qwen2.5-7b-instruct&machine=rtx-4090"])
def test_each_choice_is_a_card_whose_link_asks_for_exactly_that_plan(query: str) -> None:
    found = answer(Question.from_query(query))
    cards = sections(html(opened(query)), "<article")
    # The verdict itself leads to the model that it speaks of.
    beside = [choice for choice in choices(found) if choice.role != "other model" or leading(found) is None]
    assert len(cards) == len(beside)
    for card, choice in zip(cards, beside, strict=True):
        assert f"{choice.role.capitalize()} {badge(choice.status)}" in card
        assert say(choice.gain, "page") in in_words(card)
        assert f"{gib(choice.option.plan.needed_bytes)} of memory" in in_words(card)
        again = answer(Question.from_query(links(card)["Use this"]))
        assert again.entry.id == choice.found.entry.id
        assert again.decided.plan.level_id == choice.option.plan.level_id
        assert again.decided.setup.runtime is choice.option.setup.runtime
        assert again.decided.plan.needed_bytes == choice.option.plan.needed_bytes
        assert again.status == choice.status


def test_what_would_change_it_is_asked_again() -> None:
    query = "model=llama-3.1-8b-instruct&machine=cpu-dual-ddr5-6000&memory_gib=64"
    found = answer(Question.from_query(query))
    page = opened(query, tab_open="What would change it")
    lines = [row for row in sections(html(page), "<tr") if "Try" in row]
    assert len(lines) == len(flips(found)) > 0
    for line, change in zip(lines, flips(found), strict=True):
        what, then = say(change.sentence, "page").split(": ", 1)
        assert what in in_words(line)
        assert then.lower() in in_words(line).lower()
        assert links(line)["Try"] == change.question.to_query()
        assert badge("does not fit" if change.found is None else change.found.status) in line


def test_examples_are_questions_that_have_a_good_answer() -> None:
    for name, query in EXAMPLES.items():
        read = read_link({key: [value] for key, value in parse_qsl(query)})
        assert not read.problems, name
        assert answer(Question.from_values(read.written)).status == "good", name


def test_what_is_wrong_can_be_said_with_the_question_attached() -> None:
    query = "model=llama-3.1-8b-instruct&machine=rtx-4090&users=3"
    said = read(opened(query))
    assert f"/?{query}" in said.partition("This figure is wrong")[2]


def test_without_a_link_a_good_question_is_written_out() -> None:
    page = opened()
    found = answer(Question.from_values(START))
    assert found.status == "good"
    assert f"{found.entry.name} on {found.machine_name}" in read(page)
    for title, query in links(html(page)).items():
        if title == "Models for a machine":
            assert Question.from_query(query) == Question.from_values(START)


@pytest.mark.parametrize(
    ("key", "value", "held"),
    [
        ("gpus", "3", 3),
        ("users", "2", 2),
        ("host_memory_gib", "64.5", 64.5),
        ("goal", "many-users", "many-users"),
        ("use_gpus", "1", 1),
        ("context", "4097", 4097),
        ("level", "Q4_K_M", "Q4_K_M"),
        ("kv_type_k", "q8_0", "q8_0"),
        ("kv_type_v", "q4_0", "q4_0"),
        ("ubatch", "1024", 1024),
        ("flash_attention", "off", False),
        ("gpu_layers", "12", "12"),
        ("gpu_layers", "all", "all"),
        ("cpu_moe_layers", "5", 5),
        ("imatrix", "on", True),
        ("publisher", "legraphista", "legraphista"),
        ("mtp", "on", True),
        ("overhead_mib", "100", 100.0),
        ("margin_percent", "2.5", 2.5),
        ("runtime", "ollama", "ollama"),
        ("backend", "vulkan", "vulkan"),
        ("other_machine", "rtx-3060-12gb", "rtx-3060-12gb"),
        ("tensor_split", "1", "1"),
        ("kv_offload", "off", "off"),
        ("context_used", "4096", 4096),
        ("prompt_tokens", "2048", 2048),
        ("host_bandwidth_gb_s", "200", 200.0),
        ("ram_type", "DDR5-6000", "DDR5-6000"),
        ("ram_channels", "12", 12),
        ("cached_tokens", "512", 512),
        ("draft_accepted_percent", "70", 70.0),
        ("split", "tensor", "tensor"),
        ("task", "math", "math"),
        ("min_quality", "lossless", "lossless"),
        ("min_quality", "97.5", "97.5"),
        ("min_tokens_per_s", "2", 2.0),
        ("commercial", "on", True),
        ("requests_per_day", "250", 250.0),
        ("currency", "CHF", "CHF"),
        ("country", "DE", "DE"),
        ("device_price", "1200", 1200.0),
        ("years", "5", 5),
    ],
)
def test_every_key_of_a_link_reaches_its_input_and_the_answer(key: str, value: str, held: object) -> None:
    page = everything(f"{key}={value}", only=key)
    assert page.session_state[f"in_{key}"] == held
    assert_answered(page, f"{key}={value}")


def test_the_draft_model_of_a_link_reaches_its_picker_and_the_answer() -> None:
    query = "draft=llama-3.2-1b-instruct"
    page = opened(query, more=True, tab_open="Sources", more_group="Engine and file")
    (picker,) = re.findall('data-picker="draft".*?value="(.*?)"', html(page), re.DOTALL)
    assert picker == "Llama 3.2 1B Instruct"
    assert_answered(page, query)


def assert_answered(page: AppTest, query: str) -> None:
    # The answer's own question: what Ollama chooses is in its link, so that the link opens the same again.
    wanted = answer(Question.from_query(query)).question.to_query()
    shown = [code.value for code in page.code]
    assert f"/?{wanted}" in shown
    assert f'python -m advisor plan "{wanted}"' in shown
    assert not messages(page)


GROUPS = ("Work and wishes", "Load and money", "Engine and file", "Memory and placement")


def everything(query: str, only: str = "") -> AppTest:
    """The page with the group of "More" open that has the input of a key; it writes its question on Sources."""
    for group in GROUPS:
        page = opened(query, more=True, own_prices=True, tab_open="Sources", more_group=group)
        if f"in_{only}" in page.session_state:
            return page
    raise AssertionError(f"no input for {only}")


def test_every_key_of_a_question_has_an_input() -> None:
    keys = set()
    for query in ("machine=custom&memory_gib=24", "machine=rtx-4090"):
        for group in GROUPS:
            page = opened(query, more=True, own_prices=True, more_group=group)
            keys |= {
                element.key.removeprefix("in_")
                for kind in ("selectbox", "number_input", "text_input", "toggle")
                for element in page.get(kind)
                if element.key
            }
            keys |= set(re.findall('data-picker="(.*?)"', html(page)))
    assert set(FIELDS) <= keys


def test_more_says_how_much_is_set_and_takes_it_back() -> None:
    page = opened("model=llama-3.1-8b-instruct&machine=rtx-4090&task=math&commercial=on&years=5", more=True)
    assert [part.proto.popover.label for part in page.get("popover")] == ["More · 3 set"]
    page.button(key="more_reset").click().run()
    assert dict(page.query_params).keys() == {"model", "machine", "years"}
    assert not page.exception


def test_an_input_changes_the_link_and_a_default_leaves_it() -> None:
    page = opened("model=llama-3.1-8b-instruct&machine=rtx-4090")
    page.number_input(key="in_users").set_value(3).run()
    assert page.query_params["users"] in ("3", ["3"])
    assert "3 users" in read(page)
    page.number_input(key="in_users").set_value(1).run()
    assert "users" not in page.query_params
    assert not messages(page)


def test_who_goes_back_before_the_inputs_follow_is_not_overruled_by_them() -> None:
    page = opened("model=llama-3.1-8b-instruct&machine=rtx-4090&users=2")
    # What a browser sends that goes to another link while an input still shows what it showed.
    page.query_params["users"] = "5"
    page.number_input(key="in_users").set_value(3).run()
    assert page.query_params["users"] in ("5", ["5"])
    assert "5 users" in read(page)
    # Two changes in a row, the second sent before the browser knew of the first.
    page.number_input(key="in_users").set_value(7).run()
    page.query_params["users"] = "5"
    page.number_input(key="in_gpus").set_value(2).run()
    assert "7 users" in read(page)
    assert "2 x GeForce RTX 4090" in read(page)


def test_ollamas_own_context_holds_until_one_is_chosen() -> None:
    page = everything("model=llama-3.1-8b-instruct&runtime=ollama&level=Q4_K_M", only="context")
    assert page.number_input(key="in_context").value is None
    assert "Ollama's defaults: 32,768 tokens of context" in read(page)
    page.number_input(key="in_context").set_value(8192).run()
    assert page.query_params["context"] in ("8192", ["8192"])
    assert "Ollama's defaults: 32,768 tokens of context" not in read(page)
    assert not page.exception


def test_a_value_in_a_link_wins_over_the_frontend() -> None:
    page = opened("model=llama-3.1-8b-instruct&runtime=lm-studio&level=Q4_K_M&context=8192&users=1", tab_open="Sources")
    assert any("context=8192&users=1" in code.value for code in page.code)
    assert not messages(page)


@pytest.mark.parametrize(
    ("query", "start"),
    [
        ("model=lama-3.1-70b", "Unknown model 'lama-3.1-70b'; did you mean"),
        ("machine=rtx4090", "There is no machine 'rtx4090' in the catalogue: did you mean 'rtx-4090'"),
        ("context=0", "context=0 is not possible"),
        ("context=nan", "context=nan is not possible"),
        ("context=inf", "context=inf is not possible"),
        ("users=-1e400", "users=-1e400 is not possible"),
        ("margin_percent=inf", "margin_percent=inf is not possible"),
        ("kv_type_k=q3", "Unknown KV cache type 'q3'"),
        ("level=Q9", "Unknown level 'Q9'"),
        ("foo=1", "Unknown key 'foo'"),
        ("memory_gib=3", "memory_gib is for machine=custom; GeForce RTX 4090 has its own memory. It was left out."),
        ("machine=apple-m4-max-40c-128gb&gpus=2", "gpus=2: Apple M4 Max (40-core GPU) 128GB is one device"),
        (
            "model=llama-2-7b&context=40000",
            "context=40,000 is more than 8 times what Llama 2 7B Chat was trained for: at most 32,768 tokens, and up "
            "to 4,096 without stretching its positions. Shown for 4,096 tokens.",
        ),
    ],
)
def test_a_bad_link_gets_one_clear_message_and_an_answer(query: str, start: str) -> None:
    page = opened(query)
    assert len(messages(page)) == 1
    assert messages(page)[0].startswith(start)
    assert "card verdict" in html(page)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("machine=custom", "A custom machine needs memory_gib"),
        ("machine=cpu-dual-ddr5-6000", "Desktop, dual-channel DDR5-6000 (Ryzen 9000 class) has no memory of its own"),
        ("flash_attention=off&kv_type_v=q8_0", "V cache type q8_0 needs flash attention"),
        ("level=MXFP4", "Level MXFP4 is only for models published in it"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(query: str, sentence: str) -> None:
    page = opened(query)
    assert len(page.error) == 1
    assert plain_words(page.error[0].value).startswith(sentence)
    assert "card verdict" not in html(page)


def test_a_hostile_link_is_quoted_and_cut_short() -> None:
    keys = "&".join(f"key{number}=%3Cimg src=x onerror=alert(1)%3E" for number in range(100))
    page = opened(f"model={'A' * 500}**&machine=:material/alarm:&{keys}")
    assert len(messages(page)) == 5
    assert sum(map(len, messages(page))) < 2000
    assert messages(page)[-1].endswith("more parts of the link could not be used.")
    assert any(r"\:material\/alarm\:" in warning.value for warning in page.warning)
    assert "<img" not in html(page)
    (only,) = messages(opened(f"model={'A' * 50_000}"))
    assert only.startswith("The link is 50,")


def test_a_machine_without_a_size_of_its_own_asks_for_it_and_cards_are_of_cards() -> None:
    page = opened("machine=custom&memory_gib=24&model=gpt-oss-20b")
    assert page.number_input(key="in_memory_gib").value == 24
    assert "in_memory_gib" not in {field.key for field in opened("machine=rtx-4090").number_input}
    mac = {field.key for field in opened("machine=apple-m4-max-40c-128gb").number_input}
    assert not {"in_gpus", "in_host_memory_gib"} & mac


def test_a_last_resort_is_never_green_and_never_the_headline() -> None:
    said = html(opened("level=Q2_K&machine=rtx-5090"))
    assert "Q2_K" not in said.partition("<h1>")[2].partition("</h1>")[0]
    assert f"itself: Q2_K</b> {badge('last resort')}" in said
    assert "red" in badge("last resort")


def test_a_level_that_does_not_fit_comes_with_a_link_to_leave_it_open() -> None:
    said = html(opened("model=qwen3-8b&machine=rtx-4060&level=Q8_0"))
    assert f"<h1>Nothing runs as asked {badge('does not fit')}</h1>" in said
    assert "model=qwen3-8b&amp;machine=rtx-4060" in said.partition("Leave the level open")[0].rpartition("<a ")[2]


def test_nothing_fits_is_said_with_what_runs_instead() -> None:
    page = opened("model=llama-3.1-70b-instruct&machine=rtx-4060-ti-8gb")
    assert f"itself: nothing runs as asked</b> {badge('does not fit')}" in html(page)
    assert "green" in html(page).partition("<h1>")[2].partition("</h1>")[0]


def test_nothing_fits_and_nothing_else_does() -> None:
    page = opened("model=llama-3.1-70b-instruct&machine=custom&memory_gib=0.1&overhead_mib=0")
    assert f"<h1>Nothing runs as asked {badge('does not fit')}</h1>" in html(page)
    assert 'class="tiles"' not in html(page)
    assert "What would help" in read(page)


def test_a_goal_is_chosen_by_its_name_and_written_by_its_key() -> None:
    page = opened("model=llama-3.1-8b-instruct&machine=cpu-dual-ddr5-6000&memory_gib=64")
    shown = page.selectbox(key="in_goal")
    assert list(shown.options) == ["Balanced", "Best quality", "Fastest", "Many users", "Cheapest"]
    assert len(shown.options) == len(GOALS)
    before = html(page).partition("<h1>")[2].partition("</h1>")[0]
    shown.select("quality").run()
    assert page.query_params["goal"] in ("quality", ["quality"])
    assert html(page).partition("<h1>")[2].partition("</h1>")[0] != before
    assert messages(opened("goal=cheap"))[0].startswith("Unknown goal 'cheap'")


def test_an_encoder_has_inputs_a_second_and_no_quality_at_chat() -> None:
    said = read(opened("model=bge-m3&machine=rtx-4090"))
    assert "inputs/s" in said
    assert "Quality kept" not in said


def test_levels_are_best_first_and_a_click_shows_another() -> None:
    query = "model=llama-3.1-8b-instruct&machine=rtx-3060-12gb"
    found = answer(Question.from_query(query))
    page = opened(query, tab_open="Levels")
    rows = [row for row in sections(html(page), "<tr") if "<td" in row]
    fitting = [one for one in found.candidates if one.plan.fits]
    assert len(rows) == len(fitting) + 2
    assert [("does not fit" in row or "tight" in row) for row in rows] == [False] * len(fitting) + [True] * 2
    (chosen,) = [row for row in rows if row.startswith("<tr class=chosen")]
    assert f"★ {found.shown.level}" in chosen
    for row in rows[:3]:
        ((name, link),) = links(row).items()
        assert answer(Question.from_query(link)).shown.level == name.removeprefix("★ ")
    page.toggle(key="every_level").set_value(True).run()
    assert len([row for row in sections(html(page), "<tr") if "<td" in row]) == len(found.candidates)


def test_memory_shows_eight_levels_around_the_chosen_and_all_on_request() -> None:
    page = opened("model=llama-3.1-8b-instruct&machine=rtx-4090")
    shown = sections(html(page).partition("Levels around it")[2], '<div role="listitem"')
    assert len(shown) == 8
    assert sum("bar chosen" in bar for bar in shown) == 1
    assert "Q4_0:" not in html(page)
    page.toggle(key="all_levels").set_value(True).run()
    assert "Q4_0:" in html(page)


@pytest.mark.parametrize("tab", ["Memory", "Levels", "Speed", "Quality", "Cost", "Files", "Sources"])
@pytest.mark.parametrize("query", [QUERIES[1], "model=bge-m3&machine=rtx-4090", "model=deepseek-v3&machine=rtx-4090"])
def test_every_tab_opens_by_its_address(tab: str, query: str) -> None:
    page = opened(f"{query}&tab={tab.replace(chr(32), chr(43))}")
    assert not page.error
    assert [part.open for part in page.tabs if hasattr(part, "open")] in ([], [True])


@pytest.mark.parametrize("query", EXAMPLES.values())
def test_examples_are_questions_with_a_good_answer(query: str) -> None:
    found = answer(Question.from_query(query))
    other = leading(found)
    assert (found if other is None else other.found).status == "good"


def test_the_machine_that_the_server_runs_on_can_be_asked_about() -> None:
    page = opened("model=qwen3-8b", more=True, more_group="Memory and placement", this_machine=True)
    page.button(key="use_this_machine").click().run()
    assert not page.exception
    assert dict(page.query_params)["machine"]
    assert "This describes the machine the advisor runs on" in " ".join(text.value for text in page.markdown)
