"""Every model meets every key of a link: each question is answered, or refused with one sentence about the input.

A random slice runs with the suite; `pytest -m sweep` runs all of it (about a quarter of an hour on one core).
`SWEEP_SEED` asks a slice or a sweep again.
"""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.answer.machines_for_model import machines_for
from advisor.answer.models_for_machine import models_on
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.sizing.memory import NOTHING_BESIDE
from advisor.words import say
from tests.support.model_files import gguf_file, gguf_metadata
from tests.support.seeds import seed
from tests.support.sweep import (
    PLACES,
    REFUSED_PLACES,
    TODAY,
    alone,
    asked,
    check_plan,
    check_refusal,
    checked,
    its_share,
    keys_of,
    questions,
    values_of,
    write_config,
)

SEED = seed()
_PARTS, _MODELS, _QUESTIONS = 3, 6, 4  # of the slice: models of a part, questions of a model
_WITH_OUTPUTS = 20  # one question of so many is also reported, exported and turned into commands


def sweep(model_id: str, draw: random.Random, most: int | None = None) -> list[str]:
    """What is wrong with the answers to this model's questions, or to `most` of them."""
    wrong = []
    drawn = list(questions(model_id, draw))
    for question in drawn if most is None else draw.sample(drawn, most):
        found, problem = checked(question, outputs=draw.randrange(_WITH_OUTPUTS) == 0)
        if found is None and not problem:
            wrong += [problem for each in alone(question) if (problem := checked(each)[1])]
        elif problem:
            wrong.append(problem)
    return wrong


def told(wrong: list[str]) -> str:
    return f"SWEEP_SEED={SEED}: {len(wrong)} questions\n" + "\n".join(wrong[:20])


@pytest.mark.parametrize("part", range(_PARTS))
def test_a_slice_of_all_questions_is_answered_or_refused_in_a_sentence(part: int) -> None:
    sys.stdout.write(f"SWEEP_SEED={SEED}\n")
    draw = random.Random(f"{SEED} {part}")
    wrong = []
    # Of a few models several questions each: what is worked out once for a model is shared by them.
    for model_id in draw.sample(sorted(catalogue()), _MODELS):
        wrong += sweep(model_id, draw, _QUESTIONS)
    assert not wrong, told(wrong)


@pytest.mark.sweep
@pytest.mark.parametrize("model_id", sorted(catalogue()))
def test_every_question_about_a_model_is_answered_or_refused_in_a_sentence(model_id: str) -> None:
    sys.stdout.write(f"SWEEP_SEED={SEED}\n")
    wrong = sweep(model_id, random.Random(f"{SEED} {model_id}"))
    assert not wrong, told(wrong)


@pytest.mark.parametrize("part", ["weights twice", "a projector unlisted", "an embedding forgotten"])
def test_what_is_counted_twice_or_left_out_does_not_pass(part: str) -> None:
    found = asked(values_of("model=qwen3-vl-8b-instruct&machine=rtx-4090&level=Q8_0&context=8192&vision=on"))
    assert not isinstance(found, str)
    plan = found.shown.plan
    check_plan(plan)
    (card,) = plan.devices
    match part:
        case "weights twice":
            wrong = replace(plan, devices=(replace(card, weights_bytes=2 * card.weights_bytes),))
        case "a projector unlisted":
            wrong = replace(plan, devices=(replace(card, beside=NOTHING_BESIDE),))
        case _:
            wrong = replace(plan, host=replace(plan.host, weights_bytes=0))
    with pytest.raises(AssertionError):
        check_plan(wrong)


@pytest.mark.parametrize("model_id", ["glm-4.5-air", "qwen3-8b"])
def test_every_model_meets_every_place_and_key_and_every_architecture_every_value(model_id: str) -> None:
    first, second = (list(questions(model_id, random.Random(seed))) for seed in (1, 2))
    assert first != second
    entry = catalogue()[model_id]
    for drawn in (first, second):
        for key, values in its_share(entry).items():
            assert values, key
            assert {question.get(key) for question in drawn} >= set(values), key
        assert sum("level" not in question for question in drawn) >= len(PLACES)
        for place in PLACES:
            assert any(values_of(place).items() <= question.items() for question in drawn), place
    alike = [one for one in catalogue().values() if one.model.architecture == entry.model.architecture]
    for key in ("level", "runtime", "kv_type_k", "goal", "country"):
        assert {value for one in alike for value in its_share(one)[key]} == set(keys_of(entry)[key]), key


@pytest.mark.parametrize("place", REFUSED_PLACES)
def test_a_machine_on_which_nothing_runs_as_asked_is_refused_with_the_reason(place: str) -> None:
    said = asked({"model": "qwen3-8b", **values_of(place)})
    assert isinstance(said, str)
    check_refusal(said)


@pytest.mark.parametrize(
    "place", [place for place in REFUSED_PLACES if "runtime=vllm" in place and "other_machine" not in place]
)
def test_where_vllm_runs_nothing_the_refusal_names_a_runtime_that_does(place: str) -> None:
    values = {"model": "qwen3-8b", **values_of(place)}
    said = asked(values)
    assert isinstance(said, str)
    assert said.endswith(("use llama.cpp.", "use runtime=llama.cpp."))
    instead = asked(values | {"runtime": "llama.cpp"})
    assert not isinstance(instead, str)
    assert instead.chosen is not None


@pytest.mark.parametrize("model_id", sorted(id for id, entry in catalogue().items() if entry.model.mtp_layers))
def test_draft_layers_weigh_and_are_not_read(model_id: str) -> None:
    """Every plan with `mtp=on` crashed: the speed was that of N layers, the placement had N + 1."""
    values = {"model": model_id, **values_of("machine=rtx-4090&host_memory_gib=2000&gpu_layers=4&level=Q8_0")}
    with_them, without = asked(values | {"mtp": "on"}), asked(values)
    assert not isinstance(with_them, str)
    assert not isinstance(without, str)
    one, other = with_them.candidates[0], without.candidates[0]
    held, less = (sum(holder.weights_bytes for holder in (*each.plan.devices, each.plan.host)) for each in (one, other))
    # Q8_0 stores 34 bytes for 32 weights; norms and routers are wider.
    assert held - less >= with_them.model.trunk.mtp_parameters * 34 / 32  # type: ignore[union-attr]
    assert one.plan.sized.tensor_bytes - other.plan.sized.tensor_bytes == held - less
    # Of the last four layers and the output head, which lie on the card, the draft layers are the last.
    assert one.plan.placement.layers[-3:] == (0, 0, 0)
    assert len(one.plan.placement.layers) == len(with_them.model.layers)
    assert one.speed is not None
    assert other.speed is not None
    read, read_without = (
        sum(load.dense_bytes.values()) + sum(load.expert_bytes.values()) for load in (one.speed.load, other.speed.load)
    )
    assert read == read_without


def test_a_file_of_ones_own_is_swept_too(tmp_path: Path) -> None:
    draw = random.Random(f"{SEED} files")
    wrong = []
    for model_id in draw.sample(sorted(gguf_metadata()), 3):
        path = tmp_path / f"{model_id}.gguf"
        path.write_bytes(gguf_file(model_id)[0])
        wrong += _swept_file(model_id, str(path), draw)
    for model_id in draw.sample(sorted(catalogue()), 3):
        wrong += _swept_file(model_id, write_config(catalogue()[model_id], tmp_path), draw)
    assert not wrong, told(wrong)


def _swept_file(model_id: str, path: str, draw: random.Random) -> list[str]:
    drawn = draw.sample(list(questions(model_id, draw)), 6)
    return [
        problem
        for number, question in enumerate(drawn)
        if (problem := checked(question | {"model": path}, allow_local=True, outputs=number == 0)[1])
    ]


@pytest.mark.parametrize(
    "changes",
    ["mtp=on&users=32", *(pytest.param(each, marks=pytest.mark.sweep) for each in ("runtime=vllm", "gpus=2"))],
)
def test_the_reverse_questions_give_a_reason_for_whatever_does_not_run(changes: str) -> None:
    rows = models_on(Question.from_query(f"machine=rtx-3090&{changes}"), TODAY)
    assert len(rows) == len(catalogue())
    for row in rows:
        assert row.chosen is not None or row.reason, row.entry.id
        if row.reason:
            check_refusal(say(row.reason))
    bought = machines_for(Question.from_query(f"model=glm-4.5-air&{changes}"), TODAY)
    assert bought.machines
    assert all(row.chosen.plan.fits for row in bought.machines)
