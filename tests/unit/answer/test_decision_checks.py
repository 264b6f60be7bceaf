"""The properties of decisions notice what is not so: each holds of a true answer, and not of one with a lie in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import decision_properties
from tests.support.decision_figures import figures_agree, status_follows_from_the_figures
from tests.support.decision_promises import (
    choices_are_what_they_say,
    flips_are_true,
    links_give_their_plan,
    no_other_engine_beats_it,
    nothing_beats_the_decision,
)
from tests.support.decision_properties import (
    a_least_quality_costs_nothing,
    a_speed_wish_is_soft,
    more_room_is_never_worse,
)
from tests.support.decisions import Document, Values, ask, changed, query_of, values_of

QUERY = "model=llama-3.1-8b-instruct&machine=rtx-3060-12gb&context=8192&runtime=llama.cpp"
VALUES = values_of(QUERY)


def found(query: str = QUERY) -> Document:
    answered = ask(query, flips=True, plans=True)
    assert answered is not None
    return answered


def plan() -> dict[str, Any]:
    return dict(found()["decision"]["plan"])


def with_plan(**lies: Any) -> Document:
    return {**found(), "decision": {**found()["decision"], "plan": plan() | lies}}


def with_choice(role: str, **lies: Any) -> Document:
    status = found()["decision"]["status"]
    return {**found(), "choices": [{"role": role, "gain": "", "plan": {**plan(), "status": status, **lies}}]}


def more(figure: str, factor: float) -> dict[str, Any]:
    return {figure: {end: value * factor for end, value in plan()[figure].items()}}


def wrong(holds: Callable[[Values, Document], Iterator[str]], answered: Document, values: Values = VALUES) -> list[str]:
    """What is wrong with an answer; that nothing was looked at is wrong in any case."""
    problems = list(holds(values, answered))
    assert problems
    return [problem for problem in problems if problem]


def flip(asked: str, at: float, change: str, plan: Document | None) -> dict[str, Any]:
    return {"change": change, "at": at, "unit": "", "ask": asked, "plan": plan, "sentence": ""}


def test_a_flip_is_true_at_its_value_and_not_one_step_before() -> None:
    # A plan that is pinned by everything fits up to its longest context, and without a margin it is never tight.
    values = values_of(plan()["query"]) | {"margin_percent": "0"}
    pinned = found(query_of(values))
    reach = pinned["decision"]["plan"]["max_context"]
    beyond = changed(values, context=str(reach + 256))
    further = changed(values, context=str(reach + 512))
    true = flip(beyond, reach + 256, "context", None)
    assert not wrong(flips_are_true, {**pinned, "flips": [true]}, values)
    for lie in (
        flip(beyond, reach + 256, "context", {**plan(), "level": "Q2_K"}),  # another plan than it gives
        flip(further, reach + 512, "context", None),  # too late
        flip(changed(values, context=str(reach)), reach, "context", plan()),  # nothing changes
        flip(changed(values, users="2048"), 2048, "users", None),
    ):
        assert wrong(flips_are_true, {**pinned, "flips": [lie]}, values), lie


@pytest.mark.parametrize(
    ("change", "values", "at", "before"),
    [
        ("cards", {"gpus": "2"}, {"gpus": "4"}, {"gpus": "3"}),
        ("host memory", {}, {"host_memory_gib": "32"}, {}),
        ("host memory", {"host_memory_gib": "48"}, {"host_memory_gib": "64"}, {"host_memory_gib": "48"}),
        ("host memory", {"memory_gib": "16"}, {"memory_gib": "128"}, {"memory_gib": "64"}),
        ("users", {"users": "3"}, {"users": "12"}, {"users": "6"}),
        ("context", {"context": "8192"}, {"context": "8300"}, {"context": "8192"}),
    ],
)
def test_one_step_before_is_never_less_than_today(
    change: str, values: dict[str, str], at: dict[str, str], before: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("tests.support.decision_promises.ask", lambda query: asked.append(query))
    list(flips_are_true(VALUES | values, {**found(), "flips": [flip(query_of(VALUES | at), 0, change, None)]}))
    assert [values_of(query) for query in asked] == [VALUES | at, VALUES | before]


def test_a_link_gives_every_figure_of_its_plan() -> None:
    assert not wrong(links_give_their_plan, found())
    assert wrong(links_give_their_plan, with_plan(file_bytes=plan()["file_bytes"] + 1))
    assert wrong(links_give_their_plan, with_plan(query=changed(values_of(plan()["query"]), level="Q2_K")))
    assert wrong(links_give_their_plan, with_choice("faster", status="slow"))


def test_a_choice_has_what_its_role_says() -> None:
    assert not wrong(choices_are_what_they_say, with_choice("faster", **more("tokens_per_s", 2)))
    for role in ("better quality", "faster", "longer context", "other engine"):
        assert wrong(choices_are_what_they_say, with_choice(role))
    other = found(changed(VALUES, model="qwen3-8b"))["decision"]["plan"]
    assert not wrong(choices_are_what_they_say, with_choice("other model", **other))
    of_a_third = changed(values_of(other["query"]), model="llama-3.2-3b-instruct")
    assert wrong(choices_are_what_they_say, with_choice("other model", **{**other, "query": of_a_third}))


def test_a_choice_that_is_better_in_everything_is_noticed() -> None:
    better = more("quality_percent", 1.01)
    assert not wrong(nothing_beats_the_decision, with_choice("faster"))
    assert not wrong(nothing_beats_the_decision, with_choice("better quality", **better, max_context=256))
    assert not wrong(nothing_beats_the_decision, with_choice("better quality", **better, status="last resort"))
    assert wrong(nothing_beats_the_decision, with_choice("better quality", **better))
    assert wrong(no_other_engine_beats_it, with_choice("better quality", **better, runtime="vllm"))


def test_a_decision_that_more_room_would_spoil_is_noticed() -> None:
    assert not wrong(more_room_is_never_worse, found())
    assert wrong(more_room_is_never_worse, with_plan(**more("quality_percent", 1.05), **more("tokens_per_s", 5)))


def test_wishes_that_cost_too_much_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    spoiled: Document = {}
    monkeypatch.setattr(decision_properties, "_USUAL_SPEED", 0.0)  # no wish is for less than that
    monkeypatch.setattr(
        decision_properties, "ask", lambda query: spoiled if values_of(query).keys() - VALUES.keys() else found()
    )
    for holds, lies in (
        (a_least_quality_costs_nothing, more("quality_percent", 0.999)),
        (a_speed_wish_is_soft, more("quality_percent", 0.96)),
        (a_speed_wish_is_soft, more("tokens_per_s", 0.8)),
    ):
        spoiled = found()
        assert not wrong(holds, found())
        spoiled = with_plan(**lies)
        assert wrong(holds, found()), (holds, lies)


@pytest.mark.parametrize(
    ("lies", "status"),
    [
        ({"level": "Q2_K"}, "last resort"),
        ({"level": "Q3_K_M"}, "limited"),
        ({"quality_percent": {"low": 95, "typical": 96.9, "high": 98}}, "last resort"),
        ({"tokens_per_s": {"low": 1, "typical": 4.9, "high": 9}}, "slow"),
        ({"tokens_per_s": {"low": 1, "typical": 1.4, "high": 9}}, "last resort"),
        ({"verdict": "tight"}, "limited"),
        ({"verdict": "fits with offload"}, "good"),
        ({"verdict": "fits with offload", "query": changed(VALUES, machine="apple-m4-16gb")}, "limited"),
        ({"verdict": "does not fit"}, "does not fit"),
        ({"query": f"{QUERY}&min_quality=100"}, "not as asked"),
        ({"query": f"{QUERY}&max_first_token_s=0.001"}, "not as asked"),
        ({"query": f"{QUERY}&min_tokens_per_s=5000"}, "good"),
    ],
)
def test_a_status_follows_from_the_figures(lies: dict[str, Any], status: str) -> None:
    for named in ("good", "limited", "slow", "last resort", "not as asked", "does not fit"):
        answered = with_plan(**lies)
        answered = {**answered, "decision": {**answered["decision"], "status": named}, "choices": []}
        assert bool(wrong(status_follows_from_the_figures, answered)) is (named != status)


def test_figures_that_differ_between_report_text_and_json_are_noticed() -> None:
    assert not wrong(figures_agree, found())
    for lies in (
        {"level": "Q2_K"},
        {"file_bytes": plan()["file_bytes"] * 2},
        {"max_context": 512},
        more("quality_percent", 0.99),
        more("tokens_per_s", 1.02),
        {"memory": [{**place, "needed_bytes": place["needed_bytes"] + 10**9} for place in plan()["memory"]]},
    ):
        assert wrong(figures_agree, with_plan(**lies)), lies
    money = found()["money"]
    for told in (
        None,
        {**money, "cheapest": "own" if money["cheapest"] != "own" else "rent"},
        {**money, "own": {**money["own"], "upfront": 1}},
    ):
        assert wrong(figures_agree, {**found(), "money": told})
