"""Publishers' own files: which levels of which models they are, and what the quality of such a level is."""

from __future__ import annotations

import pytest

from advisor.answer.answer import answer
from advisor.answer.candidate import Candidate
from advisor.formats.level_id import LevelId
from advisor.formats.levels import find_level
from advisor.models.catalogue import catalogue
from advisor.quality import SCORED_TASKS, estimate_quality
from advisor.quality.own_files import is_native, own_file_in, own_level, with_own_file
from advisor.question.question import Question
from advisor.words import say

Q4_0, Q4_K_M = LevelId("GGUF", "Q4_0"), LevelId("GGUF", "Q4_K_M")
OWN = [(entry, file) for entry in catalogue().values() for file in entry.own_files]


def asked(query: str, level: str) -> Candidate:
    return next(one for one in answer(Question.from_query(query)).candidates if one.level == level)


@pytest.mark.parametrize(
    ("model", "level", "share"),
    [
        ("gpt-oss-20b", LevelId("GGUF", "MXFP4"), 0),
        ("gpt-oss-120b", LevelId("mxfp4", "MXFP4-native"), 0),
        ("gemma-3-27b-it", Q4_0, 0.46),
        ("gemma-4-26b-a4b-it", Q4_0, 0.46),
        ("kimi-k2-thinking", LevelId("gptq", "INT4-native"), 0),
        ("deepseek-v3", LevelId("fp8", "FP8-block128"), 0),
    ],
)
def test_levels_that_publishers_offer_themselves(model: str, level: LevelId, share: float) -> None:
    assert is_native(catalogue()[model], level) == (share == 0)
    own = own_level(catalogue()[model], level)
    assert own is not None
    assert own.loss_share == share


@pytest.mark.parametrize("model", ["gemma-2-27b-it", "llama-3.1-8b-instruct", "qwen3-8b"])
def test_other_models_have_none(model: str) -> None:
    for level in (Q4_0, Q4_K_M, LevelId("fp8", "FP8-block128")):
        assert not is_native(catalogue()[model], level)
        assert own_level(catalogue()[model], level) is None


def test_another_level_or_a_model_outside_the_catalogue_has_none() -> None:
    assert not is_native(catalogue()["gemma-3-27b-it"], Q4_K_M)
    assert not is_native(catalogue()["gpt-oss-20b"], Q4_0)
    assert own_level(None, Q4_0) is None


def test_every_own_file_is_of_a_known_level_and_found_by_its_repository() -> None:
    for entry, file in OWN:
        level = find_level(f"{file.format}:{file.level}").id
        assert own_level(entry, level) == file
        assert own_file_in(file.repo.upper(), level) == own_file_in(file.repo) == file
        if file.kind == "native" and file.format != "GGUF":
            assert file.repo == entry.hf_repo  # what is published so is the model itself
    assert own_file_in("nobody/nothing") is None


def test_levels_of_models_with_native_weights_only_are_in_the_catalogue_as_such() -> None:
    """The kind of gpt-oss: what `offered_for` knows by the wiring, the catalogue says with its source."""
    native = {entry.id for entry in catalogue().values() if entry.model.wiring.repository.native_mxfp4}
    assert native == {entry.id for entry, file in OWN if file.level in ("MXFP4", "MXFP4-native")}


def test_a_file_trained_for_its_level_loses_its_share_of_the_loss() -> None:
    file = own_level(catalogue()["gemma-3-27b-it"], Q4_0)
    assert file is not None
    for task in SCORED_TASKS:
        usual = estimate_quality("gemma-3-27b-it", "Q4_0", task)
        own = with_own_file(usual, file, task)
        assert usual.kept is not None
        assert own.kept is not None
        assert 100 - own.kept.typical == pytest.approx(0.46 * (100 - usual.kept.typical))
        assert own.kept.high - own.kept.low == pytest.approx(usual.kept.high - usual.kept.low)
        assert usual.kld is not None
        assert own.kld is not None
        assert own.kld.typical == pytest.approx(0.46 * usual.kld.typical)
        (remark,) = own.remarks
        assert "google/gemma-3-27b-it-qat-q4_0-gguf, was trained for Q4_0" in say(remark)


def test_a_level_by_its_bare_name_is_what_stock_tools_make() -> None:
    plan = asked("model=gemma-3-27b-it&machine=rtx-4090&level=Q4_0", "Q4_0")
    assert plan.kept == estimate_quality("gemma-3-27b-it", "Q4_0", "chat").kept
    assert not plan.quality.remarks


def test_other_levels_of_that_model_are_as_they_were() -> None:
    plan = asked("model=gemma-3-27b-it&machine=rtx-4090&level=Q4_K_M", "Q4_K_M")
    assert plan.quality == estimate_quality("gemma-3-27b-it", "Q4_K_M")


@pytest.mark.parametrize(
    ("query", "level"),
    [
        ("model=gpt-oss-20b&machine=rtx-4090&level=MXFP4", "MXFP4"),
        ("model=gpt-oss-20b&machine=h100-sxm5-80gb&runtime=vllm&level=MXFP4-native", "MXFP4-native"),
        ("model=deepseek-v3&machine=h200-sxm-141gb&gpus=8&runtime=vllm&level=FP8-block128", "FP8-block128"),
    ],
)
def test_a_native_file_loses_nothing(query: str, level: str) -> None:
    plan = asked(query, level)
    for task in SCORED_TASKS:
        kept = plan.quality_at(task).kept
        assert kept is not None
        assert kept.low == kept.typical == 100
