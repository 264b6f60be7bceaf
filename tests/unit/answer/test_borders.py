"""Decisions on a border: a plan that only lacks its margin, equals, caches of another kind, one machine or several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from advisor.answer.answer import Answer, answer
from advisor.answer.choices import choices
from advisor.answer.flips import same
from advisor.answer.machines_for_model import (
    COUNTS,
    FittingMachine,
    _as_good_as_the_largest,
    _machine_for,
    on_any_machine,
)
from advisor.answer.option import Option
from advisor.answer.reasons import reasons
from advisor.answer.utility import SERVERS
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message
from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.sources.resolved import from_entry
from advisor.ui.tabs.quality import pareto_table
from tests.support.decisions import drawn
from tests.support.seeds import seed

TODAY = date(2026, 11, 30)
SMALL = "model=llama-3.1-8b-instruct&machine=custom&runtime=llama.cpp&context=8192"


def asked(query: str) -> Answer:
    return answer(Question.from_query(query), today=TODAY)


@pytest.mark.parametrize(("memory_gib", "kind"), [(5.2, "best_with_margin"), (6.4, "best_that_fits")])
def test_what_the_next_level_lacks_is_true_when_it_is_asked_for(memory_gib: float, kind: str) -> None:
    """Either only its margin, or room."""
    query = f"{SMALL}&memory_gib={memory_gib}"
    said = reasons(asked(query))[0]
    assert said.kind == kind
    above = dict(said.figures)["above"]
    with_margin, without = asked(f"{query}&level={above}"), asked(f"{query}&level={above}&margin_percent=0")
    assert not with_margin.shown.plan.fits
    assert without.shown.plan.fits is (kind == "best_with_margin")


def test_an_i_quant_on_a_processor_is_passed_over_for_what_it_is() -> None:
    """It keeps as much and is smaller: what speaks against it is in no figure."""
    found = asked("model=deepseek-r1-0528&machine=epyc-genoa-12ch-ddr5-4800&memory_gib=768")
    figures: dict[str, Any] = dict(reasons(found)[0].figures)
    assert str(figures["above"]).startswith("IQ")
    assert not found.shown.level.startswith("IQ")
    assert figures["against"].kind == "against_codebook"


def _reasons_of(seed: str, count: int) -> Iterator[tuple[Answer, Message]]:
    """What is run as drawn, and why at this level."""
    for number in range(count):
        with suppress(InputError):
            found = answer(Question.from_values(drawn(seed, number)), today=TODAY)
            if found.chosen is not None:
                yield found, reasons(found)[0]


def test_what_is_said_of_the_next_level_is_what_is_answered_when_it_is_asked_for() -> None:
    """Whatever its cache, its cards and its place on the host may be."""
    kinds: Counter[str] = Counter()
    for found, said in _reasons_of(f"next level {seed()}", 60):
        figures: dict[str, Any] = dict(said.figures)
        if (level := figures.get("above")) is None:
            continue
        runtime = str(found.decided.setup.runtime.id)
        again = answer(found.as_asked.with_values(level=level, runtime=runtime), today=TODAY)
        kinds[said.kind] += 1
        match said.kind:
            case "best_that_fits" | "best_with_margin":
                assert again.shown.plan.verdict == ("tight" if said.kind == "best_with_margin" else "does not fit")
                assert again.shown.plan.missing_bytes == figures["missing"]
            case "best_that_fits_beside_host":
                assert again.shown.plan.verdict == "does not fit"
            case "best_as_asked_because":
                assert again.decided.unmet
            case _:
                assert again.shown.plan.fits
                _check_trade(found.decided, again.decided, figures)
    assert len(kinds) >= 3, kinds


def _check_trade(decided: Option, above: Option, figures: Mapping[str, Any]) -> None:
    gained = max(0.0, above.kept.task - decided.kept.task)
    assert gained == pytest.approx(figures.get("points", 0.0), abs=0.005)
    against = figures["against"]
    said = dict(against.figures)
    match against.kind:
        case "against_slower":
            there, here = above.candidate.tokens_per_s, decided.candidate.tokens_per_s
            assert there is not None
            assert here is not None
            assert (there.typical, here.typical) == (said["speed"], said["instead"])
            assert there.typical < here.typical
        case "against_on_host":
            assert decided.candidate.is_whole
            assert not above.candidate.is_whole
        case "against_served":
            assert 100 * above.figures.served == said["share"] < 100 * decided.figures.served
        case "against_small_cache":
            assert said["kind"] in above.setup.runtime.cache_types(above.plan.request)
        case "against_larger":
            assert said["more"] > 0


def test_the_small_cache_makes_room_where_the_whole_one_has_none() -> None:
    seen = set()
    for found, _ in _reasons_of("small cache", 150):
        told = next((one for one in reasons(found) if one.kind.startswith("small_cache")), None)
        if told is None or found.decided.setup.whole_cache:
            continue
        keys = ("kv_fp8",) if found.decided.setup.runtime.engine in SERVERS else ("kv_type_k", "kv_type_v")
        whole = dict.fromkeys(keys, False if keys == ("kv_fp8",) else "f16")
        level = found.decided.plan.level
        again = answer(
            found.as_asked.with_values(level=level, runtime=str(found.decided.setup.runtime.id), **whole), today=TODAY
        )
        assert again.shown.plan.fits is (told.kind == "small_cache_instead"), (found.as_asked, told)
        seen.add(told.kind)
    assert seen == {"small_cache_makes_room", "small_cache_instead"}


@pytest.mark.parametrize("memory_gib", [6.6, 7.4])
def test_a_choice_may_differ_by_its_cache_alone(memory_gib: float) -> None:
    found = asked(f"{SMALL}&memory_gib={memory_gib}")
    (longer,) = [one for one in choices(found) if one.role == "longer context"]
    here, there = found.decided, longer.option
    assert (here.plan.level_id, here.plan.placement) == (there.plan.level_id, there.plan.placement)
    kinds = [one.setup.runtime.cache_types(one.plan.request) for one in (here, there)]
    assert kinds[0] != kinds[1]
    assert there.candidate.kept is not None
    assert here.candidate.kept is not None
    assert there.candidate.kept.low <= here.candidate.kept.low


def test_answers_with_caches_of_another_kind_are_not_the_same() -> None:
    query = f"{SMALL}&memory_gib=12&level=Q4_K_M"
    found, like = asked(query), asked(f"{query}&currency=EUR")
    other = asked(f"{query}&kv_type_k=q4_0&kv_type_v=q4_0")
    assert same(found, like)
    assert not same(found, other)
    assert found.shown.kept is not None
    assert other.shown.kept is not None
    assert other.shown.kept.typical < found.shown.kept.typical  # a cache in 4 bits costs something


def test_of_equal_qualities_only_the_first_is_the_best_for_its_memory() -> None:
    candidates = asked("model=llama-3.1-8b-instruct&machine=rtx-4090").candidates
    once, twice = pareto_table(candidates), pareto_table([*candidates, *candidates])
    assert 1 < once["frontier"].sum() < len(once)
    assert len(twice) == 2 * len(once)
    assert twice["frontier"].sum() == once["frontier"].sum()


@pytest.mark.parametrize("name", ["rtx-4090", "rtx-3060-12gb", "h100-sxm5-80gb", "tesla-p40"])
def test_a_machine_is_taken_in_the_smallest_number_that_does_as_well(name: str) -> None:
    """Well, or as well as eight of it: each number asked for by itself."""
    question = on_any_machine(Question.from_query("model=llama-3.3-70b-instruct&context=8192"))
    found = _machine_for(question, from_entry(catalogue()["llama-3.3-70b-instruct"]), machines()[name], TODAY)
    assert found is not None

    def status(gpus: int) -> str:
        return answer(found.question.with_values(gpus=gpus), today=TODAY).status

    wanted = found.option.status
    assert status(found.gpus) == wanted
    fewer = [status(number) for number in COUNTS if number < found.gpus]
    assert wanted not in fewer
    if found.rank:
        assert status(COUNTS[-1]) == wanted


def test_as_many_are_taken_as_it_takes_to_be_as_fast_as_asked() -> None:
    question = on_any_machine(Question.from_query("model=llama-3.3-70b-instruct&context=8192&min_tokens_per_s=30"))
    entry = from_entry(catalogue()["llama-3.3-70b-instruct"])
    found = _machine_for(question, entry, machines()["rtx-4090"], TODAY)
    assert found is not None
    assert found.as_fast_as_asked
    fewer = [answer(found.question.with_values(gpus=number), today=TODAY) for number in COUNTS if number < found.gpus]
    assert found.option.status in [one.status for one in fewer], "the speed alone makes the difference"
    assert not any(one.decided.candidate.as_fast_as(30) for one in fewer)


def test_what_a_search_says_below_what_it_was_asked_for_is_not_taken() -> None:
    """A search that has nothing of a status may tell of another option all the same."""
    question = Question.from_values({})

    def told(status: str, gpus: int) -> Any:
        candidate = SimpleNamespace(as_fast_as=lambda _: True)
        option = SimpleNamespace(status=status, runs=True, candidate=candidate)
        return question.with_values(gpus=gpus), SimpleNamespace(best=lambda least: option)

    one = machines()["rtx-4090"]
    for statuses, taken in ((("last resort", "slow", "slow"), 2), (("slow", "slow", "slow"), 1)):
        found = _as_good_as_the_largest(one, [told(*each) for each in zip(statuses, COUNTS, strict=False)])
        assert found is not None
        assert found.gpus == taken


@pytest.mark.parametrize(
    ("machine", "gpus", "name"),
    [
        ("rtx-4090", 1, "{}"),
        ("rtx-4090", 2, "2 x {}"),
        ("mi250", 1, "{}"),  # two devices on one card
        ("mi250", 2, "2 x {}"),
    ],
)
def test_what_to_buy_is_named_by_how_many_there_are(machine: str, gpus: int, name: str) -> None:
    found = machines()[machine]
    option: Any = None
    assert FittingMachine(found, gpus, Question(), option).name == name.format(found.name)
