"""The search over configurations: its bound leaves out nothing that would have been better."""

from __future__ import annotations

from datetime import date
from functools import cache

import pytest

from advisor.answer.decide import search_for
from advisor.answer.job import Job
from advisor.answer.option import RANKS, Key
from advisor.answer.policy import WEIGHTS
from advisor.answer.search import Search
from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.sources.resolve import find_any_model
from tests.support.decisions import drawn

TODAY = date(2026, 11, 30)
SEED = "exhaustive"
MIXTRAL = "model=mixtral-8x7b-instruct-v0.1&runtime=llama.cpp"
_GOALS = tuple(WEIGHTS)


def search_of(question: Question) -> Search:
    return search_for(question, find_any_model(question.model.name), TODAY)[1]


def _makes_no_room(search: Search, job: Job) -> bool:
    """A smaller cache of what lies whole on the devices without it: by policy nobody is told to use it."""
    whole = None if job.whole is None else search.option_of(job.whole)
    return whole is not None and whole.plan.verdict == "fits" and whole.figures.served >= 1


@cache
def question_of(number: int) -> Question:
    return Question.from_values(drawn(SEED, number)).with_values(goal=_GOALS[number % len(_GOALS)])


@cache
def planned(question: Question) -> Search:
    """The search with every job planned."""
    search = search_of(question)
    for job in search.jobs:
        search.option_of(job)
    return search


def _check(question: Question) -> None:
    try:
        bounded, every = search_of(question), planned(question)
    except InputError as refusal:
        pytest.skip(str(refusal))
    options = [job.option for job in every.jobs if job.option is not None and not _makes_no_room(every, job)]
    found, best = bounded.best(), max(options, key=every.key_of, default=None)
    keys: list[Key | None] = [None] if best is None else [every.key_of(best)]
    if best is not None and (whole := every.with_whole_cache(best)) is not None:
        keys.append(every.key_of(whole))  # which is as good but for what nobody notices
    assert (None if found is None else bounded.key_of(found)) in keys


def test_a_smaller_cache_is_taken_for_what_is_noticed_only() -> None:
    """Where 16 bits have room as well, 8 must be a tenth faster."""
    hardly, much = (
        search_of(Question.from_query(f"{MIXTRAL}&machine={machine}")).best()
        for machine in (
            "rtx-pro-2000-blackwell&host_memory_gib=32&context=16384",
            "rtx-3090&host_memory_gib=64&context=32768&users=8",
        )
    )
    assert hardly is not None
    assert hardly.setup.whole_cache
    assert much is not None
    assert not much.setup.whole_cache


@pytest.mark.parametrize("number", range(25))
def test_the_bounded_search_finds_what_an_exhaustive_one_finds(number: int) -> None:
    _check(question_of(number))


@pytest.mark.parametrize("number", range(15, 20))
def test_so_it_does_where_plans_live_off_the_margin(number: int) -> None:
    _check(question_of(number).with_values(margin_percent=40))


@pytest.mark.parametrize("number", [*range(25), 58, 125])
def test_no_plan_is_better_than_its_bound(number: int) -> None:
    """Of what fits; of what does not, only the smallest is looked at."""
    question = question_of(number)
    try:
        search, every = search_of(question), planned(question)
    except InputError as refusal:
        pytest.skip(str(refusal))
    for job, same in zip(search.jobs, every.jobs, strict=True):
        coarse, refined = (search.bound(job, search.weights, refined=one)[:2] for one in (False, True))
        if same.option is not None and (key := search.key_of(same.option)[:2])[0] > 0:
            assert key <= refined <= coarse, (job.level, job.setup.runtime.id)


@pytest.mark.parametrize("number", range(0, 25, 3))
def test_whether_a_status_is_reached_is_known_without_searching_further(number: int) -> None:
    try:
        every = planned(question_of(number))
    except InputError as refusal:
        pytest.skip(str(refusal))
    jobs = [job for job in every.jobs if job.option is not None and not _makes_no_room(every, job)]
    for bits in (0, 4):
        ranks = [every.key_of(job.option).rank for job in jobs if job.option and job.traits.bits >= bits]

        def in_question(job: Job, least: int = bits) -> bool:
            return job.traits.bits >= least

        for status, rank in RANKS.items():
            expected = max(ranks, default=-1) >= rank
            assert search_of(question_of(number)).reaches(status, in_question) is expected, (status, bits)


@pytest.mark.parametrize("number", range(0, 25, 3))
def test_what_may_be_whole_and_so_fast_is_known_before_it_is_planned(number: int) -> None:
    try:
        every = planned(question_of(number))
    except InputError as refusal:
        pytest.skip(str(refusal))
    for job in every.jobs:
        if (option := job.option) is None or not option.plan.fits or option.figures.host_share is not None:
            continue
        speed = option.figures.tokens_per_s or 0.0
        assert every.may_be_whole(job, speed), (job.level, job.setup.runtime.id)
        if option.setup.speed_is_known and job.level is not None and speed:
            assert not every.may_be_whole(job, 1e7)


def test_few_levels_are_planned() -> None:
    search = search_of(Question.from_query("model=qwen3-32b&machine=rtx-4090&host_memory_gib=64"))
    search.best()
    assert len(list(search.seen)) < len(search.jobs) / 2


def test_a_smaller_cache_is_looked_at_where_users_wait_for_room() -> None:
    """vLLM's pool runs with room for half of the users' contexts: 8 bits then serve more of them at once."""
    search = search_of(
        Question.from_query("model=llama-3.3-70b-instruct&machine=mi300x&users=32&context=16384&runtime=vllm")
    )
    waiting = [job for job in search.jobs if job.whole is None and (one := search.option_of(job)) and one.runs]
    waiting = [job for job in waiting if job.option is not None and job.option.figures.served < 1]
    smaller = [job for job in search.jobs if job.whole in waiting]
    assert smaller
    assert not any(search.is_needless(job) for job in smaller)
    best = search.best()
    assert best is not None
    assert best.figures.served == 1


@pytest.mark.parametrize("runtime", ["vllm", "llama.cpp"])
@pytest.mark.parametrize("model", ["gpt-oss-20b", "gpt-oss-120b"])
def test_of_a_model_published_in_4_bits_only_smaller_files_are_looked_at_beside_it(model: str, runtime: str) -> None:
    search = search_of(Question.from_query(f"model={model}&machine=h100-sxm5-80gb&runtime={runtime}&users=32"))
    sizes = {job.level.name: size_of(job) for job in search.jobs if job.level is not None}
    native = "MXFP4-native" if runtime == "vllm" else "MXFP4"
    assert {name for name, size in sizes.items() if size >= sizes[native]} == {native}
    assert ("IQ3_XS" in sizes) == (runtime == "llama.cpp" and model == "gpt-oss-20b")
    turing = search_of(Question.from_query(f"model={model}&machine=titan-rtx&runtime=vllm"))
    assert {"AWQ-W4A16-g128"} <= {job.level.name for job in turing.jobs if job.level is not None}  # cannot load it


def size_of(job: Job) -> int:
    assert job.level is not None
    plan = job.setup.runtime.plan_level(job.setup.request, job.level)
    assert plan is not None
    return plan.sized.tensor_bytes


def test_a_split_that_is_given_is_the_split_of_the_plan() -> None:
    """It is no longer ours to search for, also where nothing is said about layers."""
    found = search_of(
        Question.from_query("model=llama-3.1-8b-instruct&machine=rtx-3090&gpus=2&tensor_split=1,3")
    ).best()
    assert found is not None
    assert list(found.plan.settings.tensor_split or ()) == [1, 3]
    first, second = (device.weights_bytes for device in found.plan.devices)
    assert 2 * first < second


@pytest.mark.parametrize("model", ["exaone-3.5-2.4b-instruct", "phi-2", "llama-3.1-8b-instruct"])
def test_no_cache_is_looked_at_that_llama_cpp_refuses(model: str) -> None:
    """Blocks of 32 do not divide heads of 80."""
    query = f"model={model}&machine=rtx-3050-laptop-4gb&host_memory_gib=32"
    looked_at = {
        job.setup.runtime.cache_types(job.setup.request)[0] for job in search_of(Question.from_query(query)).jobs
    }
    for kind in ("f16", "q8_0"):
        pinned = Question.from_query(f"{query}&runtime=llama.cpp&kv_type_k={kind}&kv_type_v={kind}")
        if kind in looked_at:
            assert search_of(pinned).best() is not None
        else:
            with pytest.raises(InputError, match="no multiple of 32"):
                search_of(pinned)
    assert ("q8_0" in looked_at) == (model == "llama-3.1-8b-instruct")
