"""The pages as Streamlit draws them, without a browser."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from advisor.answer.answer import answer
from advisor.answer.choices import choices
from advisor.answer.flips import flips
from advisor.answer.reasons import reasons
from advisor.answer.rules_of_thumb import article_7b
from advisor.answer.verdict import leading, verdict
from advisor.foundation.units import gb, gib
from advisor.question.question import FIELDS, Question
from advisor.question.requirements import GOALS
from advisor.ui.parts.requirement_inputs import GOAL_NAMES
from advisor.ui.parts.text import status_mark
from advisor.words import say

# The script, not app.py: on an `st.App` file AppTest would pass without drawing anything.
SCRIPT = Path(__file__).resolve().parents[2] / "advisor" / "ui" / "main.py"


def opened(query: str = "") -> AppTest:
    page = AppTest.from_file(str(SCRIPT), default_timeout=30)
    for key, value in parse_qsl(query, keep_blank_values=True):
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def plain_words(text: str) -> str:
    return text.replace("\\", "").replace("\u2060", "")


def told(page: AppTest) -> str:
    return "\n".join(plain_words(part.value) for part in page.markdown)


def messages(page: AppTest) -> list[str]:
    return [warning.value.replace("\\", "") for warning in page.warning]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "model=llama-3.1-70b-instruct&machine=a100-sxm4-80gb&gpus=2&users=4",
        "model=gpt-oss-20b&machine=apple-m4-max-40c-128gb&context=65536",
        "model=llama-3.1-8b-instruct&machine=cpu-dual-ddr5-6000&memory_gib=64",
        "model=qwen2.5-7b-instruct&machine=custom&memory_gib=12.5&bandwidth_gb_s=500",
        "model=llama-3.1-70b-instruct&gpu_layers=40&host_memory_gib=64",
        "level=Q2_K&machine=rtx-5090",
    ],
)
def test_the_first_page_shows_the_engines_answer(query: str) -> None:
    page = opened(query)
    found = answer(Question.from_query(query))
    plan, other = found.decided.plan, leading(found)
    assert page.title[0].value.replace("\\", "") == f"{found.entry.name} on {found.machine_name}"
    if other is None:
        assert plain_words(page.header[0].value) == f"{plan.level} {status_mark(found.status)}"
    else:
        assert plain_words(page.header[0].value) == f"Run {other.entry.name} instead :green[✔ good]"
        assert f"**{found.entry.name} itself: {plan.level}** {status_mark(found.status)}" in told(page)
    assert say(verdict(found), "page") in told(page)
    figures = [metric.value for metric in page.metric]
    assert plan.free_bytes is not None
    assert figures[:3] == [gb(plan.sized.file_bytes), gib(plan.needed_bytes), gib(plan.free_bytes)]
    table = page.dataframe[0].value
    assert len(table) == len(found.plans)
    assert list(table["level"]) == [f"★ {one.level}" if one.level == plan.level else one.level for one in found.plans]
    assert not messages(page)
    assert not page.error


@pytest.mark.parametrize(
    ("key", "value", "held"),
    [
        ("model", "gpt-oss-20b", "gpt-oss-20b"),
        ("machine", "rtx-5090", "rtx-5090"),
        ("gpus", "3", 3),
        ("use_gpus", "1", 1),
        ("context", "4097", 4097),
        ("users", "2", 2),
        ("level", "Q4_K_M", "Q4_K_M"),
        ("kv_type_k", "q8_0", "q8_0"),
        ("kv_type_v", "q4_0", "q4_0"),
        ("ubatch", "1024", 1024),
        ("flash_attention", "off", "off"),
        ("gpu_layers", "12", "12"),
        ("gpu_layers", "all", "all"),
        ("cpu_moe_layers", "5", 5),
        ("imatrix", "on", "on"),
        ("mtp", "on", "on"),
        ("host_memory_gib", "64.5", 64.5),
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
        ("draft", "llama-3.2-1b-instruct", "llama-3.2-1b-instruct"),
        ("draft_accepted_percent", "70", 70.0),
        ("split", "tensor", "tensor"),
        ("task", "math", "math"),
        ("min_quality", "lossless", "lossless"),
        ("min_quality", "97.5", "97.5"),
        ("min_tokens_per_s", "2", 2.0),
        ("goal", "many-users", "many-users"),
        ("commercial", "on", "on"),
        ("requests_per_day", "250", 250.0),
        ("currency", "CHF", "CHF"),
        ("country", "DE", "DE"),
        ("device_price", "1200", 1200.0),
        ("years", "5", 5),
    ],
)
def test_every_key_of_a_link_reaches_its_input_and_the_answer(key: str, value: str, held: object) -> None:
    page = opened(f"{key}={value}")
    assert page.session_state[key] == held
    # The answer's own question: what Ollama chooses is in its link, so that the link opens the same again.
    wanted = answer(Question.from_query(f"{key}={value}")).question.to_query()
    shown = [code.value for code in page.code]
    assert f"/?{wanted}" in shown
    assert f'python -m advisor plan "{wanted}"' in shown
    assert not messages(page)


def test_ollamas_own_context_holds_until_one_is_chosen() -> None:
    page = opened("model=llama-3.1-8b-instruct&runtime=ollama&level=Q4_K_M")
    assert page.number_input(key="context").value is None
    assert "Ollama's defaults: 32,768 tokens of context" in notes(page)
    page.number_input(key="context").set_value(8192).run()
    assert "tokens of context" not in notes(page)
    page.selectbox(key="runtime").set_value("llama.cpp").run()
    assert page.session_state["context"] == 8192
    assert page.session_state["users"] == 1
    page.selectbox(key="runtime").set_value("lm-studio").run()
    assert "LM Studio's defaults: 4,096 tokens of context (shared by all requests, unless chosen" in notes(page)
    assert not page.exception


def notes(page: AppTest) -> str:
    return " ".join(info.value for info in page.info).replace("\\", "")


def test_a_value_in_a_link_wins_over_the_frontend() -> None:
    page = opened("model=llama-3.1-8b-instruct&runtime=lm-studio&level=Q4_K_M&context=8192&users=1")
    assert (page.session_state["context"], page.session_state["users"]) == (8192, 1)
    assert any("context=8192&users=1" in code.value for code in page.code)
    assert not messages(page)


def test_every_key_of_a_question_has_an_input() -> None:
    custom = opened("machine=custom&memory_gib=24")
    card = opened()
    keys = {
        element.key
        for page in (custom, card)
        for kind in ("selectbox", "number_input", "text_input")
        for element in page.get(kind)
    }
    assert set(FIELDS) <= keys


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
            "model=llama-2-7b&context=8192",
            "context=8,192 is beyond what Llama 2 7B Chat was trained for: at most 4,096 tokens. Shown",
        ),
    ],
)
def test_a_bad_link_gets_one_clear_message_and_an_answer(query: str, start: str) -> None:
    page = opened(query)
    assert len(messages(page)) == 1
    assert messages(page)[0].startswith(start)
    assert page.metric


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
    assert page.error[0].value.replace("\\", "").startswith(sentence)
    assert not page.metric


def test_a_hostile_link_is_quoted_and_cut_short() -> None:
    keys = "&".join(f"key{number}=%3Cimg src=x onerror=alert(1)%3E" for number in range(500))
    page = opened(f"model={'A' * 50_000}**&machine=:material/alarm:&{keys}")
    assert len(messages(page)) == 5
    assert sum(map(len, messages(page))) < 2000
    assert messages(page)[-1].endswith("more parts of the link could not be used.")
    assert r"\:material\/alarm\:" in page.warning[2].value


def test_changing_inputs_changes_the_answer_without_messages() -> None:
    page = opened("context=32768")
    page.selectbox(key="model_name").select("gpt-oss-20b").run()
    assert page.session_state["model"] == "gpt-oss-20b"
    assert page.title[0].value.startswith("gpt\\-oss 20B")
    page.selectbox(key="machine_name").select("custom").run()
    assert page.session_state["memory_gib"] == 24
    assert page.metric
    page.selectbox(key="machine_name").select("apple-m4-max-40c-128gb").run()
    assert "gpus" not in {field.key for field in page.number_input}
    assert not page.exception
    assert not page.error


@pytest.mark.parametrize(
    "query",
    [
        "model=qwen2.5-7b-instruct&machine=rtx-4090",  # good
        "model=llama-3.1-8b-instruct&machine=cpu-dual-ddr5-6000&memory_gib=64",  # with several choices
        "level=Q2_K&machine=rtx-5090",  # a last resort: another model leads
        "model=llama-3.1-70b-instruct&gpu_layers=40&host_memory_gib=64",  # slow
    ],
)
def test_reasons_choices_and_changes_are_those_of_the_decision_each_with_its_link(query: str) -> None:
    page = opened(query)
    found = answer(Question.from_query(query))
    said = told(page)
    assert all(f"- {say(reason, 'page')}" in said for reason in reasons(found))
    other = leading(found)
    for choice in choices(found):
        if choice.role == "other model" and other is not None:
            continue
        (line,) = [line for line in said.splitlines() if f"[{choice.role.capitalize()}](./?" in line]
        assert line.endswith(f"{status_mark(choice.status)}: {say(choice.gain, 'page')}")
        again = answer(Question.from_query(linked(line)))
        assert again.entry.id == choice.found.entry.id
        assert again.decided.plan.level_id == choice.option.plan.level_id
        assert again.decided.setup.runtime is choice.option.setup.runtime
        assert again.decided.plan.needed_bytes == choice.option.plan.needed_bytes
        assert again.status == choice.status
    assert (other is not None) == ("[Ask the same about " in said)
    if other is not None:
        (line,) = [line for line in said.splitlines() if "[Ask the same about " in line]
        assert answer(Question.from_query(linked(line))).entry.id == other.entry.id
    for change in flips(found):
        (line,) = [line for line in said.splitlines() if line.startswith(f"- {say(change.sentence, 'page')} ")]
        assert linked(line) == change.question.to_query()
        there = "does not fit" if change.found is None else change.found.status
        assert status_mark(there) in line


def linked(line: str) -> str:
    """The query of the link in a line of Markdown."""
    return line.partition("](./?")[2].partition(")")[0]


def test_a_last_resort_is_never_green_and_never_the_headline() -> None:
    page = opened("level=Q2_K&machine=rtx-5090")
    assert "Q2_K" not in page.header[0].value
    assert ":red[▲ last resort]" in told(page)
    assert ":green[✔ good]" not in next(line for line in told(page).splitlines() if "itself" in line and "Q2_K" in line)


def test_nothing_fits_is_said_with_what_runs_instead() -> None:
    page = opened("model=llama-3.1-70b-instruct&machine=rtx-4060-ti-8gb")
    assert page.header[0].value.startswith("Run ")
    assert "itself: Nothing runs as asked** :red[✖ does not fit]" in told(page)
    assert not page.metric
    assert len(page.dataframe[0].value) > 30


def test_nothing_fits_and_nothing_else_does() -> None:
    page = opened("model=llama-3.1-70b-instruct&machine=custom&memory_gib=0.1&overhead_mib=0")
    assert page.header[0].value == "Nothing runs as asked :red[✖ does not fit]"
    assert not page.metric


def test_a_goal_is_chosen_by_its_name_and_written_by_its_key() -> None:
    assert set(GOAL_NAMES) == set(GOALS)
    page = opened("model=llama-3.1-8b-instruct&machine=cpu-dual-ddr5-6000&memory_gib=64")
    shown = page.selectbox(key="goal_name")
    assert list(shown.options) == ["Balanced", "Best quality", "Fastest", "Many users", "Cheapest"]
    level = page.header[0].value
    shown.select("quality").run()
    assert page.session_state["goal"] == "quality"
    assert any("goal=quality" in code.value for code in page.code)
    assert page.header[0].value != level
    assert opened("goal=speed").selectbox(key="goal_name").value == "speed"
    assert messages(opened("goal=cheap"))[0].startswith("Unknown goal 'cheap'")


def test_an_encoder_has_inputs_a_second_and_no_quality_at_chat() -> None:
    labels = [metric.label for metric in opened("model=bge-m3&machine=rtx-4090").metric]
    assert "Inputs/s" in labels
    assert not [label for label in labels if "Quality" in label or "Tokens/s" in label]


def test_all_levels_are_one_click_away() -> None:
    page = opened()
    assert '"Q4_0"' not in page.get("plotly_chart")[0].proto.spec
    page.toggle(key="all_levels").set_value(True).run()
    assert '"Q4_0"' in page.get("plotly_chart")[0].proto.spec


def test_the_second_page_shows_rules_next_to_real_files() -> None:
    def draw() -> None:
        from advisor.ui.asking import ask
        from advisor.ui.views import rules as rules_page

        rules_page.draw(ask({"model": "gpt-oss-20b"}, {}))

    page = AppTest.from_function(draw, default_timeout=30).run()
    assert not page.exception
    assert page.title[0].value == "Rules of thumb"
    assert [header.value.replace("\\", "") for header in page.header] == [
        "A 7B model",
        "Llama 3.1 70B Instruct",
        "Your model: gpt-oss 20B",
    ]
    seven = page.dataframe[0].value
    assert list(seven["rule_gb"]) == [28, 14, 7, 3.5, 3.5, 1.75]
    assert list(seven["file_gb"]) == [row.file_bytes / 1e9 for row in article_7b()]
    assert list(page.dataframe[1].value["rule_gb"]) == [140, 40, 20]
