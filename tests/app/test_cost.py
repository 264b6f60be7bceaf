"""The cost page as Streamlit draws it, its tables and its charts."""

from __future__ import annotations

import re
from decimal import Decimal
from html import escape, unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from advisor.answer.answer import Answer, answer
from advisor.answer.equal_terms import quality_words, speed_words
from advisor.answer.money_words import is_equal, money_words
from advisor.answer.verdict import leading, verdict
from advisor.costs.article import LINK, article
from advisor.costs.costs import Costs
from advisor.costs.draws import chances_of, chances_words
from advisor.costs.sensitivity import MOST_TELLING, savings
from advisor.costs.series import paid_after
from advisor.foundation.numbers import money, span
from advisor.question.question import Question
from advisor.ui.charts.cost import cumulative_chart, is_spread, staircase_chart, tornado_chart
from advisor.ui.legend import NAMES, number
from advisor.ui.main_price import main_price
from advisor.ui.parts.cost_cards import headline
from advisor.ui.parts.cost_figures import Figures, costed, figures_of
from advisor.ui.parts.cost_tables import amount, load_table, paid_table, prices_table, years_table
from advisor.ui.parts.price_seen import address
from advisor.ui.parts.text import plain
from advisor.words import say, say_all
from tests.support.pages import html, in_words, messages, opened, sections

DEFAULT = "requests_per_day=2000"
CLOUD_CARD = "requests_per_day=100000&currency=CHF&country=CH&machine=h100-sxm5-80gb"
NOBODY_HOSTS = "model=qwen2.5-7b-instruct&requests_per_day=20000&co2_g_per_kwh=400"
ONLY_API = "machine=custom&memory_gib=48"
QUERIES = (DEFAULT, LINK, CLOUD_CARD, NOBODY_HOSTS, ONLY_API)


def draw(query: str) -> None:
    from advisor.answer.answer import answer
    from advisor.question.question import Question
    from advisor.ui.tabs import cost

    cost.draw(answer(Question.from_query(query)))


def drawn(query: str, *folds: str) -> AppTest:
    """The tab about a question, with some of its parts opened."""
    page = AppTest.from_function(draw, kwargs={"query": query}, default_timeout=60)
    for fold in folds:
        page.session_state[f"fold_{fold}"] = True
    page.run()
    assert not page.exception
    return page


def figures(query: str) -> tuple[Answer, Costs, Figures]:
    asked = answer(Question.from_query(query))
    candidate = costed(asked)
    assert candidate is not None
    found = figures_of(asked, candidate)
    assert found is not None
    return asked, found.costs, found


def words(page: AppTest) -> str:
    return "\n".join(element.value for element in page.markdown).replace("\\", "")


@pytest.mark.parametrize("query", QUERIES)
def test_page_shows_the_engines_verdict_and_its_figures(query: str) -> None:
    page = drawn(query, "load", "sensitivity", "notes")
    _, costs, found = figures(query)
    best = costs.best()
    advice = {"own": "Owning costs least", "rent": "Renting costs least", "api": "An API costs least"}
    nothing = "Nothing to compare" if costs.options else "No price is known"
    assert f"<h2>{nothing if best is None else advice[best.name]}</h2>" in html(page)
    assert say(costs.verdict, "page") in words(page)
    cards = dict(zip(NAMES, sections(html(page), '<article class="way"'), strict=True))
    for name, card in cards.items():
        option = getattr(costs, name)
        assert f"{NAMES[name]}</h2>" in card
        assert ("★" in card) == (best is not None and best.name == name)
        assert ('class="price"' in card) == (option is not None)
        if option is not None:
            assert f"{money(option.monthly.typical)} {costs.currency}" in in_words(card)
            assert span(option.monthly, money) in in_words(card)
    assert len(page.get("plotly_chart")) == (3 if found.sensitivities else 2)
    for name, why in costs.missing:
        assert say(why, "page") in in_words(cards[name])
    for note in costs.notes:
        assert say(note, "page") in words(page)
    assert not page.error


@pytest.mark.parametrize("query", [DEFAULT, LINK, CLOUD_CARD])
def test_quality_and_speed_stand_beside_each_price(query: str) -> None:
    asked, costs, _ = figures(query)
    cards = dict(zip(NAMES, sections(html(drawn(query)), '<article class="way"'), strict=True))
    shown = costed(asked)
    assert shown is not None
    for option in costs.options:
        card = in_words(cards[option.name])
        for said in (quality_words(shown, option), speed_words(shown, option)):
            assert said is not None
            assert say(said, "page") in card
    assert "taken to be the original's" in in_words(cards["api"])


def test_the_page_lists_what_is_not_included() -> None:
    page = drawn(DEFAULT, "notes")
    _, costs, _ = figures(DEFAULT)
    assert len(costs.not_included) > 5
    for left_out in say_all(costs.not_included, "page"):
        assert f"- {left_out}" in words(page)


def test_the_busiest_hour_and_the_rates_of_exchange_stand_beside_the_chart() -> None:
    _, costs, _ = figures(CLOUD_CARD)
    assert costs.peak is not None
    shown = in_words(html(drawn(CLOUD_CARD)))
    assert f"In the busiest hour {costs.peak.machines} machine" in shown
    assert f"{100 * costs.peak.full:.0f} % full" in shown or "full, and requests queue up" in shown
    assert "1.1403 USD for one EUR (25 September 2026)" in shown


def test_no_advice_is_given_about_a_plan_that_does_not_fit() -> None:
    found = answer(Question.from_query("model=deepseek-v3"))
    assert found.shown.verdict == "does not fit"
    assert money_words(found.shown) == ()


def test_the_headline_says_when_it_holds_at_typical_prices_only_or_at_less_quality() -> None:
    for query in (*QUERIES, "level=Q2_K&machine=rtx-5090&api_input_price=9&api_output_price=9"):
        asked, costs, _ = figures(query)
        shown, best = costed(asked), costs.best()
        chances = chances_of(costs)
        if shown is None or best is None or chances is None:
            continue
        said = headline(shown, costs, best, keeps_data=False)
        assert ("typical prices only" in said) == (chances.share(best.name) < 0.5)
        less = shown.kept is not None and not is_equal(shown.kept) and best.name != "api" and costs.api is not None
        assert ("at less quality" in said) == less
        assert say(chances_words(chances, best.name), "page") in words(drawn(query))


def test_where_an_input_turns_the_comparison_round_is_in_the_table() -> None:
    page = drawn(LINK, "sensitivity")
    _, _, found = figures(LINK)
    table = next(element.value for element in page.table if "Turns round" in element.value.columns)
    assert len(table) == len(found.sensitivities) == MOST_TELLING
    for said, each in zip(table["Turns round"], found.sensitivities, strict=True):
        flips = [flip for flip in (each.less, each.more) if flip is not None]
        assert all(f"from {number(flip.value)}" in said and NAMES[flip.way] in said for flip in flips)
        assert flips or said == "–"
    assert any(each.less or each.more for each in found.sensitivities)


def test_what_the_years_are_worth_today_is_in_the_table_at_a_stated_rate() -> None:
    _, costs, _ = figures("buyer=small-company")
    table = paid_table(costs).set_index("After")
    row = table.loc["Worth today, at 7.2 % a year"]
    assert [row[NAMES[option.name]] for option in costs.options] == [
        amount(option.present.typical) for option in costs.options
    ]
    assert not any("Worth today" in label for label in paid_table(figures(DEFAULT)[1])["After"])


def test_bills_on_the_page_add_up_to_the_tiles() -> None:
    page = drawn(LINK, "bills")
    _, costs, _ = figures(LINK)
    bills = [table.value for table in page.table if "Item" in table.value.columns]
    assert len(bills) == len(costs.options) == 3
    for bill, option in zip(bills, costs.options, strict=True):
        cells = [Decimal(cell.strip("*").replace(",", "")) for cell in bill["USD a month"]]
        lines = cells[: len(option.bill)]
        assert sum(lines) == option.monthly.typical
        assert cells[len(option.bill) :] in ([], [option.monthly.typical])
        assert list(bill["How it is worked out"])[: len(lines)] == [plain(say(line.how)) for line in option.bill]


def test_load_and_machines_can_be_worked_out_from_what_is_shown() -> None:
    said = words(drawn("requests_per_day=9000&tokens_in=500&tokens_out=100&peak_factor=2", "bills"))
    assert "9,000 requests a day × 365 / 12 × (500 + 100) tokens = 164,250,000 tokens a month" in said
    _, costs, _ = figures("requests_per_day=9000&tokens_in=500&tokens_out=100&peak_factor=2")
    assert costs.own is not None
    served = costs.own.typical.unit_tokens
    assert served is not None
    seconds = re.search(r"\(2 × ([\d.]+) s for each request\)", said)
    assert seconds is not None
    assert float(served) == pytest.approx(730 * 3600 * 600 / (2 * float(seconds[1])), rel=1e-5)


@pytest.mark.parametrize("query", [DEFAULT, CLOUD_CARD])
def test_every_ways_price_links_to_its_source_with_its_month(query: str) -> None:
    _, costs, _ = figures(query)
    cards = dict(zip(NAMES, sections(html(drawn(query)), '<article class="way"'), strict=True))
    assert len(costs.options) > 1
    for option in costs.options:
        ((link, text),) = re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', cards[option.name])
        price = main_price(option)
        assert unescape(link) == address(price.source)
        month = "no date" if price.as_of is None else f"{price.as_of:%B %Y}"
        assert text == (month if not price.is_stale or price.as_of is None else f"price of {month}")


def test_every_price_is_listed_with_its_source_or_marked_as_the_users() -> None:
    page = drawn(LINK, "prices")
    _, costs, _ = figures(LINK)
    table = next(element.value for element in page.dataframe if "age_days" in element.value.columns)
    assert len(table) == len(costs.prices)
    for row, price in zip(table.itertuples(), costs.prices, strict=True):
        assert (row.flag == "yours") == price.users_own
        assert str(row.flag).startswith(("price of ", "no date")) == price.is_stale
        if price.is_stale and price.as_of is not None:
            assert row.flag == f"price of {price.as_of:%B %Y}"
        assert price.users_own or str(row.source).startswith("https://")
    assert set(table["flag"]) >= {"yours", ""}
    units = prices_table(costs.prices)["unit"]
    assert {"USD each", "USD per kWh", "USD per million input tokens", "USD per million output tokens"} <= set(units)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("https://a.example/x (package 1.0)", "https://a.example/x"),
        ("your input", None),
        ("by definition", None),
        ("javascript:alert(1)", None),
    ],
)
def test_only_addresses_become_links(source: str, wanted: str | None) -> None:
    assert address(source) == wanted


def test_claim_is_worked_through_with_a_link_that_opens() -> None:
    for query in (DEFAULT, "model=deepseek-v3"):  # also where there is nothing to price
        page = drawn(query, "claim")
        today = answer(Question.from_query(query)).today
        assert say(article(today).result) in words(page)
        assert f'href="./?{escape(LINK)}">Open it as a scenario</a>' in html(page)
    _, costs, _ = figures(LINK)
    assert costs.own is not None
    assert costs.own.upfront == 2000


def test_nothing_recommended_is_said_calmly() -> None:
    page = drawn("model=deepseek-v3")
    assert len(page.info) == 1
    assert page.info[0].value.startswith("There is nothing to price yet")
    assert not page.error
    assert 'class="price"' not in html(page)


def test_a_level_the_user_insists_on_is_priced_though_it_breaks_a_requirement() -> None:
    query = "model=llama-3.1-8b-instruct&level=Q4_K_M&max_cost_per_month=0.01"
    found = answer(Question.from_query(query))
    assert found.status == "not as asked"
    page = drawn(query)
    assert 'class="price"' in html(page)
    assert say(verdict(found), "page") in page.warning[0].value.replace("\\", "")


def test_a_price_is_no_advice_to_run_what_another_model_does_better() -> None:
    found = answer(Question.from_query("level=Q2_K&machine=rtx-5090"))
    other = leading(found)
    assert other is not None
    page = drawn("level=Q2_K&machine=rtx-5090")
    said = page.warning[0].value.replace("\\", "")
    assert say(verdict(found), "page") in said
    assert said.endswith(f"[What {other.entry.name} costs](./?tab=Cost&{other.found.question.to_query()})")
    assert said.startswith(":red[▲ last resort]")
    assert not drawn("model=qwen2.5-7b-instruct&machine=rtx-4090").warning


def test_data_that_must_stay_at_home_makes_owning_the_advice() -> None:
    page = drawn("own_hardware=on")
    assert "<h2>Owning, as data must stay</h2>" in html(page)
    assert "shown for comparison only" in words(page)
    assert "★ Own</h2>" in html(page)


def test_closed_models_are_compared_in_the_questions_currency() -> None:
    page = drawn("currency=EUR", "closed")
    table = page.dataframe[-1].value
    assert list(table["monthly"]) == sorted(table["monthly"])
    assert len(table) > 20
    assert (table["monthly"] > 0).all()


@pytest.mark.parametrize(
    ("query", "start"),
    [
        ("device_price=-1", "A price cannot be negative: device_price=-1"),
        ("hours_per_month=0", "A machine has to run to serve anybody: hours_per_month=0"),
        ("currency=GBP", "Unknown currency 'GBP'; choose one of USD, EUR, CHF"),
        ("requests_per_day=1e18", "This is more than 10^15 tokens a month"),
        ("requests_per_day=0", "There is no load to compare costs for: requests_per_day=0"),
        ("api_input_price=nan", "api_input_price=nan is not possible"),
    ],
)
def test_a_bad_link_gets_one_sentence_and_costs_all_the_same(query: str, start: str) -> None:
    page = opened(query)
    assert len(messages(page)) == 1
    assert messages(page)[0].startswith(start)
    assert messages(page)[0].endswith(".")
    assert "card verdict" in html(page)


def test_prices_that_need_each_other_are_asked_for_together() -> None:
    page = opened("api_input_price=1")
    assert [error.value.replace("\\", "") for error in page.error] == [
        "Give api_input_price and api_output_price together, or neither."
    ]


def test_free_electricity_is_taken_as_meant() -> None:
    page = drawn("electricity_price=0", "notes")
    assert "Electricity counts as free because you set “Electricity (per kWh)” = 0" in words(page)


# Charts and tables


@pytest.mark.parametrize("query", QUERIES)
def test_charts_draw_every_option_and_name_where_they_cross(query: str) -> None:
    _, costs, found = figures(query)
    names = [NAMES[option.name] for option in costs.options]
    paid = cumulative_chart(costs)
    assert [trace.name for trace in paid.data if trace.name in NAMES.values()] == names
    assert sum(trace.fill == "toself" for trace in paid.data) == len(names)
    stairs = staircase_chart(costs, found.curve, found.crossings)
    assert [trace.name for trace in stairs.data if trace.name in NAMES.values()] == names
    plan = next(trace for trace in stairs.data if str(trace.name).startswith("Your plan"))
    assert set(plan.x) == {costs.tokens_per_month}
    marked = [x for trace in stairs.data if trace.name == "Break-even" for x in trace.x]
    assert marked == [crossing.tokens for crossing in found.crossings][: len(marked)]
    assert bool(marked) == bool(found.crossings)
    if is_spread(costs, found.curve):
        assert all(y > 0 for trace in stairs.data for y in trace.y)


def test_break_even_in_the_chart_is_the_one_in_the_verdict() -> None:
    _, costs, found = figures(LINK)
    assert costs.own_against_api is not None
    assert found.crossings[0].tokens == costs.own_against_api.typical
    assert (found.crossings[0].cheaper, found.crossings[0].dearer) == ("own", "api")
    row = load_table(costs, found.crossings).set_index("Note").loc["Own beats API"]
    assert abs(Decimal(str(row["Own"])) - Decimal(str(row["API"]))) <= Decimal("0.02")


def test_months_until_it_has_paid_back_are_marked() -> None:
    _, costs, _ = figures(LINK)
    marks = next(trace for trace in cumulative_chart(costs).data if trace.name == "Break-even")
    assert list(marks.x) == [m for m in (costs.months_against_rent, costs.months_against_api) if m and m <= 36]


@pytest.mark.parametrize("query", QUERIES)
def test_what_has_been_paid_lies_in_its_range_and_ends_at_the_total(query: str) -> None:
    _, costs, _ = figures(query)
    months = 12 * costs.inputs.billing.years
    for option in costs.options:
        for month in (0, 1, months):
            paid = paid_after(option, month)
            assert paid.low <= paid.typical <= paid.high
        assert paid_after(option, months).typical - option.resale == option.total.typical


def test_tornado_turns_around_what_is_saved_as_planned() -> None:
    _, costs, found = figures(LINK)
    base = savings(costs)
    assert base is not None
    chart = tornado_chart(found.sensitivities, base, "USD")
    for bar, end in zip(chart.data, ("saves_from", "saves_to"), strict=True):
        assert bar.base == float(base)
        ends = [bar.base + x for x in bar.x]
        assert ends == pytest.approx([float(getattr(each, end)) for each in found.sensitivities])


def test_years_of_use_spread_the_purchase() -> None:
    _, _, found = figures(LINK)
    table = years_table(found.by_years)
    assert list(table["Used for"]) == ["1 year", *(f"{year} years" for year in range(2, 6))]
    own = [Decimal(cell.partition(" ")[0]) for cell in table["Own"]]
    assert own == sorted(own, reverse=True)
    assert len(set(table["API"])) == 1


def test_a_rerun_works_out_nothing_again() -> None:
    assert figures(LINK)[2] is figures(LINK)[2]


@given(st.decimals(min_value=0, max_value=10**12, places=7))
def test_numbers_have_no_noise_and_stay_close(value: Decimal) -> None:
    text = number(value)
    assert "E" not in text
    assert abs(Decimal(text.replace(",", "")) - value) <= max(Decimal("0.00001"), value / 10**5)
    assert "." not in text or not text.endswith(("0", "."))


@given(st.floats(min_value=0.001, max_value=1e9))
def test_amounts_are_to_the_cent(value: float) -> None:
    assert amount(Decimal(str(value))).rpartition(".")[2].isdigit()
    assert len(amount(Decimal(str(value))).rpartition(".")[2]) == 2
