"""Measurements that were kept: how they come back, and what they change in an answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from advisor.answer.answer import answer
from advisor.foundation.errors import InputError
from advisor.foundation.ranges import Range
from advisor.quality import estimate_quality
from advisor.quantize import native
from advisor.quantize.allowed import read_settings
from advisor.quantize.kept_run import may_be, measurements_of
from advisor.quantize.run_request import RunRequest
from advisor.quantize.runs import Run
from advisor.quantize.steps import Steps
from advisor.quantize.tinylm import FOLDER
from advisor.question.question import Question
from advisor.report.as_json import plan_document
from advisor.report.from_answer import report_of
from advisor.sources.local_measurements import LocalMeasurement, LocalSpeed, model_key, repository_key, tensors_key
from advisor.sources.resolve import find_any_model
from advisor.store.errors import StoreUnavailable
from advisor.store.kept_measurements import Measurements
from advisor.words import say_all
from tests.support.decided import identity
from tests.support.postgres import Postgres, postgres

__all__ = ["postgres"]
TODAY = date(2026, 11, 27)
OWNER, OTHER = "an owner's secret, long enough", "another one's secret, as long"
LLAMA = LocalMeasurement(
    run="0123456789abcdef", measured_on="2026-11-20", model="llama-3.1-8b-instruct", name="Llama-3.1-8B-Instruct",
    level="Q4_K_M", made_by="library", imatrix=True, engine="llama.cpp 9.9 (xllamacpp 9)", text="eval.txt (abc)",
    context=512, tokens=10_000, file_bytes=4_920_000_000, perplexity=7.5, reference_perplexity=7.4,
    increase_error=0.001, kl_divergence=0.031, kl_error=0.0004, same_top=0.93,
    speed=LocalSpeed(
        prefill=Range(90, 100, 110), decode=Range(9, 10, 11), prompt_tokens=480, cpu="AMD EPYC 9654",
        machine="epyc-genoa-12ch-ddr5-4800", threads=95, busy=False,
    ),
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Measurements]:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.emptied_database()
    found = Measurements.open(url)
    yield found
    found.close()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The tiny model, really quantized and measured."""
    if not native.is_installed():
        pytest.skip("xllamacpp is not installed: pip install -r advisor/quantize/requirements.txt")
    request = RunRequest(source="tinylm", levels=("Q2_K",), chunks=4, keep_files=False)
    settings = read_settings({"LLM_FIT_ADVISOR_QUANTIZE": "on"})
    results = Steps(request, settings, tmp_path_factory.mktemp("run"), lambda *_: None, lambda _: None).run()
    return run_of(request, results)


def run_of(request: RunRequest, results: dict[str, Any]) -> Run:
    now = datetime(2026, 11, 26, 23, 59, tzinfo=UTC)
    return Run("feedbeef", now, now, "cpu", "done", request, results, "", "", 1.0, 1, "here:1:a", now, False)


def test_what_was_really_measured_comes_back_and_only_its_keeper_forgets_it(store: Measurements, measured: Run) -> None:
    found = measurements_of(measured)
    assert store.keep(found, OWNER) == 1
    assert store.keep(found, OTHER) == 0, "it is kept already"
    assert store.keep([LLAMA], OTHER) == 1
    assert store.all() == (LLAMA, *found)
    assert store.own_runs(OWNER) == {"feedbeef"}
    assert store.forget("feedbeef", OTHER) == 0
    assert store.forget("feedbeef", OWNER) == 1
    assert store.all() == (LLAMA,)


def test_the_tiny_model_is_known_by_its_tensors(measured: Run) -> None:
    """A folder, its config and its GGUF file have no name that anybody else knows."""
    (found,) = measurements_of(measured)
    config = find_any_model(str(FOLDER / "config.json"), allow_local=True)
    assert found.model == model_key(config)
    assert found.speed is not None
    assert found.speed.cpu
    assert found.increase_error is not None
    assert 0 < found.increase_error < 0.1
    question = Question.from_values({"model": config.id, "machine": "rtx-4090", "context": 256, "level": "Q2_K"})
    (candidate,) = answer(question, allow_local=True, today=TODAY, measured_here=(found, LLAMA)).candidates
    divergence = candidate.quality_at("divergence")
    assert divergence.measured_here == (found,)
    assert divergence.kld is not None
    assert divergence.kld.typical == found.kl_divergence > 0.01
    assert divergence.kld.low < divergence.kld.typical < divergence.kld.high
    assert "Measured here on 2026-11-26" in " ".join(say_all(divergence.notes))


def test_a_measurement_counts_for_its_model_and_level_and_changes_no_advice() -> None:
    question = Question.from_query(
        "model=llama-3.1-8b-instruct&machine=epyc-genoa-12ch-ddr5-4800&memory_gib=64&context=4096"
    )
    before, after = (answer(question, today=TODAY, measured_here=measured_here) for measured_here in ((), (LLAMA,)))
    assert after.measured_here == (LLAMA,)
    assert identity(after) == identity(before)
    for old, new in zip(before.candidates, after.candidates, strict=True):
        assert new.kept == old.kept
        assert new.tokens_per_s == old.tokens_per_s
        if new.level != "Q4_K_M":
            assert new.quality_at("divergence") == old.quality_at("divergence")
    one = next(one for one in after.candidates if one.level == "Q4_K_M")
    kept = one.quality_at("perplexity")
    assert (kept.basis, kept.n, kept.measured_here) == ("measured", 1, (LLAMA,))
    assert kept.typical == pytest.approx(100 * 7.4 / 7.5)
    assert kept.low == pytest.approx(100 * 7.4 / 7.5, rel=0.002)
    assert one.measured_speeds == (LLAMA,)
    other = answer(question.with_values(machine="rtx-4090", memory_gib=None), today=TODAY, measured_here=(LLAMA,))
    assert not any(one.measured_speeds for one in other.candidates), "another device"
    assert (
        answer(
            question.with_values(model="deepseek-r1-distill-llama-8b"), today=TODAY, measured_here=(LLAMA,)
        ).measured_here
        == ()
    )


def test_the_newest_of_several_counts() -> None:
    newer = LLAMA.model_copy(update={"run": "b", "measured_on": "2026-11-21", "kl_divergence": 0.05})
    query = "model=llama-3.1-8b-instruct&machine=rtx-4090&context=4096&level=Q4_K_M"
    (one,) = answer(Question.from_query(query), today=TODAY, measured_here=(LLAMA, newer)).candidates
    found = one.quality_at("divergence")
    assert found.kld is not None
    assert (found.kld.typical, found.n, found.measured_here) == (0.05, 2, (newer, LLAMA))


def test_an_answer_names_it_beside_its_data_release() -> None:
    query = "model=llama-3.1-8b-instruct&machine=epyc-genoa-12ch-ddr5-4800&memory_gib=64&context=4096&level=Q4_K_M"
    found = answer(Question.from_query(query), today=TODAY, measured_here=(LLAMA,))
    sources = [row for row in report_of(found).appendix.sources if row.source.startswith("measured here")]
    assert [row.what for row in sources] == [
        "Divergence: Llama-3.1-8B-Instruct at Q4_K_M, 0.031 nats",
        "Speed: Llama-3.1-8B-Instruct Q4_K_M on AMD EPYC 9654, 10.0 tokens/s",
    ]
    assert {row.as_of for row in sources} == {"2026-11-20"}
    (plan,) = plan_document(found)["plans"]
    assert plan["kld"]["typical"] == 0.031
    assert [LocalMeasurement.model_validate(row) for row in plan["measured_here"]] == [LLAMA]
    assert plan_document(answer(Question.from_query(query), today=TODAY))["plans"][0]["measured_here"] == []


def test_which_model_a_folder_holds_is_for_its_keeper_to_say(measured: Run) -> None:
    llama = find_any_model("llama-3.1-8b-instruct").must_have_model()
    result = {**measured.result["Q2_K"], "model": tensors_key(llama), "parameters": llama.parameters}
    run = run_of(RunRequest(source="folder", location="/models/mine", levels=("Q2_K",)), {"Q2_K": result})
    assert {"deepseek-r1-distill-llama-8b", "llama-3.1-8b-instruct"} <= set(may_be(run))
    assert measurements_of(run, "llama-3.1-8b-instruct")[0].model == "llama-3.1-8b-instruct"
    assert measurements_of(run)[0].model == tensors_key(llama)
    with pytest.raises(InputError, match="other tensors"):
        measurements_of(run, "llama-3.1-70b-instruct")
    hub = run_of(RunRequest(source="hub", location="owner/name", levels=("Q2_K",)), {"Q2_K": result})
    assert (may_be(hub), measurements_of(hub)[0].model) == ((), "owner/name")
    assert repository_key("meta-llama/Llama-3.1-8B-Instruct") == "llama-3.1-8b-instruct"


def test_only_whole_measurements_of_finished_runs_are_kept(measured: Run) -> None:
    result = dict(measured.result["Q2_K"])
    for run, reason in (
        (replace(measured, state="failed"), "Only finished runs"),
        (replace(measured, result={"Q2_K": {"level": "Q2_K", "file_bytes": 1}}), "Only finished runs"),
        (replace(measured, result={"Q2_K": {key: result[key] for key in result if key != "cpu"}}), "older version"),
    ):
        with pytest.raises(InputError, match=reason):
            measurements_of(run)


def test_a_store_that_is_away_or_too_new_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="Measurements cannot be read now"):
        Measurements.open(f"sqlite:///{tmp_path}/file/store.sqlite3").all()


def test_scores_of_tasks_are_not_touched() -> None:
    plain = estimate_quality("llama-3.1-8b-instruct", "Q4_K_M", "math")
    with_measured = estimate_quality("llama-3.1-8b-instruct", "Q4_K_M", "math", measured_here=(LLAMA,))
    assert with_measured == replace(plain, kld=with_measured.kld)
    assert with_measured.kld is not None
    assert with_measured.kld.typical == LLAMA.kl_divergence
