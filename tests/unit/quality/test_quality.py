"""What a level costs in quality: what must hold for every model, level and task."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS
from advisor.foundation.errors import InputError
from advisor.models.catalogue import catalogue
from advisor.quality import (
    DEMANDS,
    KV_CACHE_NOTE,
    SCORED_TASKS,
    TASKS,
    ModelFacts,
    estimate_quality,
    facts_of,
    facts_of_row,
)
from advisor.quality.estimator import Estimator
from advisor.quality.evidence import evidence
from advisor.quality.level_groups import SERIES, find_quality_level, known_level
from advisor.quality.lineage import lineage, slug
from advisor.quality.losses import GROUPS, fit, scores
from advisor.words import say
from tests.benchmarks.quality import coverage, cross_validate, width

LEVEL_NAMES = (*LEVELS, *SAFETENSORS_LEVELS)
# A level for each group of the safetensors series.
OF_GROUP = {
    "W2 calibrated": "GPTQ-W2A16-g64", "W2 tuned": "AutoRound-W2A16-g64",
    "W3 calibrated": "GPTQ-W3A16-g128", "W4 calibrated": "AWQ-W4A16-g128",
    "W8": "FP8-dynamic", "W2 rounded": "MLX-2bit-g64", "W3 rounded": "MLX-3bit-g64", "W4 rounded": "NF4",
    "W5": "MLX-5bit-g64", "W6": "MLX-6bit-g64",
}  # fmt: skip


def _unheard_of(billions: float, active_share: float = 1.0, variant: str = "instruct") -> ModelFacts:
    moe = active_share < 1
    return ModelFacts(
        id="nobody/heard-of-it",
        name="Unheard of",
        family="none",
        parameters=billions * 1e9,
        active_parameters=billions * 1e9 * active_share if moe else None,
        variant=variant,
        moe=moe,
    )


models = st.one_of(
    st.sampled_from(sorted(catalogue())).map(facts_of),
    st.builds(_unheard_of, st.floats(0.1, 2000), st.one_of(st.just(1.0), st.floats(0.02, 0.99))),
)


@given(model=models, level=st.sampled_from(LEVEL_NAMES), task=st.sampled_from(sorted(TASKS)))
def test_ranges_rise_and_stay_plausible(model: ModelFacts, level: str, task: str) -> None:
    quality = estimate_quality(model, level, task)
    if quality.kept:
        assert 0 <= quality.kept.low <= quality.kept.typical <= quality.kept.high < 125
        assert quality.kept.typical <= 100
    if quality.kld:
        assert 0 <= quality.kld.low <= quality.kld.typical <= quality.kld.high
        assert math.isfinite(quality.kld.high)
    assert (quality.basis == "unknown") == (quality.kept is None and (task != "divergence" or quality.kld is None))
    assert quality.n >= len(quality.evidence)
    assert quality.notes
    assert quality.low == (quality.kept.low if quality.kept else None)


@given(
    model=models.filter(lambda model: model.variant != "embedding"),
    series=st.sampled_from(sorted(SERIES)),
    task=st.sampled_from(sorted(set(TASKS) - {"divergence"})),
)
def test_more_bits_of_a_series_never_keep_less(model: ModelFacts, series: str, task: str) -> None:
    found = [estimate_quality(model, OF_GROUP.get(group, group), task).typical for group in SERIES[series]]
    known = [typical for typical in found if typical is not None]
    assert known == sorted(known)


@given(
    model=models.filter(lambda model: model.variant != "embedding"), series=st.sampled_from(["k-quants", "i-quants"])
)
def test_more_bits_of_a_series_never_diverge_more(model: ModelFacts, series: str) -> None:
    found = [estimate_quality(model, level, "divergence").kld for level in SERIES[series]]
    assert all(found)
    typical = [kld.typical for kld in found if kld]
    assert typical == sorted(typical, reverse=True)


@given(billions=st.floats(0.2, 500), factor=st.floats(1.1, 20), task=st.sampled_from(SCORED_TASKS))
def test_larger_models_keep_no_less(billions: float, factor: float, task: str) -> None:
    small, large = (estimate_quality(_unheard_of(size), "Q3_K_M", task).kept for size in (billions, billions * factor))
    assert small
    assert large
    assert large.typical >= small.typical


@given(billions=st.floats(2, 500), active=st.floats(0.02, 0.9), task=st.sampled_from(SCORED_TASKS))
def test_a_mixture_keeps_no_more_than_a_dense_model_of_its_size(billions: float, active: float, task: str) -> None:
    dense, mixture = (estimate_quality(_unheard_of(billions, share), "Q4_0", task).kept for share in (1.0, active))
    assert dense
    assert mixture
    assert mixture.typical <= dense.typical


def test_the_range_is_never_narrower_when_evidence_is_further_away() -> None:
    """The same estimator without the model's own row, and then without all of its network's rows."""
    rows = [row for row in evidence() if row.task in SCORED_TASKS]
    name, level, task = "Llama-3-8B-Instruct", "IQ4_XS", "knowledge"
    kin = [row for row in rows if lineage(row.model) == lineage(name)]
    own = [row for row in kin if row.model == name and row.level == level]
    assert own
    facts = ModelFacts(name, name, "llama3", 8.03e9)
    found = {}
    for basis, left in (
        ("measured", rows),
        ("transferred", [row for row in rows if row not in own]),
        ("estimated", [row for row in rows if row not in kin]),
    ):
        quality = Estimator(left).estimate(facts, find_quality_level(level), task)
        assert quality.basis == basis
        assert quality.kept
        # What is to be lost differs with the rows; the width is compared for what one unit of scatter is.
        spread = math.hypot(fit(scores(left)).noise[SCORED_TASKS.index(task)], 0.5 * (100 - quality.kept.typical))
        found[basis] = (quality.kept.typical - quality.kept.low) / spread
    assert found["measured"] < found["transferred"] < found["estimated"] * 1.02


def test_measured_rows_are_found_for_their_own_model() -> None:
    for row in evidence():
        level = known_level(row.level)
        if not (row.model_id and row.stock == "yes" and row.task in SCORED_TASKS and level and level.group in GROUPS):
            continue
        quality = estimate_quality(row.model_id, row.level_id, row.task)
        assert quality.basis == "measured", (row.model_id, row.level)
        assert quality.n <= 20 or len(quality.evidence) == 20
        assert all(slug(other.model) == slug(row.model) for other in quality.evidence)
        assert row in quality.evidence or quality.n > 20


def test_an_unpublished_level_of_a_measured_model_is_transferred_from_it() -> None:
    quality = estimate_quality("llama-3-8b-instruct", "Q5_1", "math")
    assert quality.basis == "transferred"
    assert all(lineage(row.model) == "llama-3-8b" for row in quality.evidence)
    assert KV_CACHE_NOTE in quality.notes


def test_an_unheard_of_model_is_estimated_from_scores_at_that_level() -> None:
    quality = estimate_quality(_unheard_of(8), "Q4_K_M", "knowledge")
    assert quality.basis == "estimated"
    assert quality.n > 10
    assert all(known_level(row.level).group == "Q4_K_M" for row in quality.evidence)  # type: ignore[union-attr]


@pytest.mark.parametrize("level", ["TQ1_0", "TQ2_0", "GPTQ-W2A16-channel"])
def test_what_nobody_measured_is_unknown(level: str) -> None:
    quality = estimate_quality("llama-3.1-8b-instruct", level, "chat")
    assert (quality.basis, quality.kept, quality.kld, quality.n, quality.evidence) == ("unknown", None, None, 0, ())


def test_benchmarks_of_text_say_nothing_of_an_embedding_model() -> None:
    assert estimate_quality("bge-m3", "Q4_K_M", "chat").basis == "unknown"


@pytest.mark.parametrize(("model", "level"), [("llama-3.1-8b-instruct", "BF16"), ("gpt-oss-20b", "MXFP4-native")])
def test_the_published_file_is_what_others_are_compared_with(model: str, level: str) -> None:
    quality = estimate_quality(model, level, "math")
    assert quality.kept
    assert (quality.kept.low, quality.kept.typical, quality.kept.high) == (100, 100, 100)


def test_levels_of_other_names_are_placed_by_their_bits() -> None:
    def kept(bits: float) -> float | None:
        return estimate_quality("llama-3.1-8b-instruct", "my own mix", "chat", bits_per_weight=bits).typical

    assert kept(1.2) is None
    assert kept(16) == 100
    known = [kept(bits) for bits in (3.0, 3.7, 4.5, 5.0, 6.0, 9.0)]
    assert known == sorted(known)  # type: ignore[type-var]
    assert estimate_quality("llama-3.1-8b-instruct", "my own mix", "chat", bits_per_weight=4.9).basis != "measured"


def test_names_of_the_hub_and_of_the_evidence_are_understood() -> None:
    assert facts_of("meta-llama/Meta-Llama-3-8B-Instruct") == facts_of("llama-3-8b-instruct")
    assert facts_of("Mistral-7B-v0.1").parameters == pytest.approx(7.24e9)
    assert estimate_quality("Mistral-7B-v0.1", "W4A16-g128", "reasoning").basis == "measured"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("no-such-model", "Q4_K_M"), "Unknown model"),
        (("x" * 10_000, "Q4_K_M"), "Unknown model"),
        (("llama-3.1-8b-instruct", "Q4_K_XXL"), "Unknown level"),
        (("llama-3.1-8b-instruct", "q" * 10_000), "Unknown level"),
        (("llama-3.1-8b-instruct", "mix", "chat", None, -3.0), "bits per weight"),
        (("llama-3.1-8b-instruct", "mix", "chat", None, math.nan), "bits per weight"),
        (("llama-3.1-8b-instruct", "Q4_K_M", "poetry\n"), "Unknown task"),
        (("llama-3.1-8b-instruct", "Q4_K_M", "chat", "awq"), "does not belong"),
        ((_unheard_of(0.0), "Q4_K_M"), "parameters"),
        ((_unheard_of(math.inf), "Q4_K_M"), "parameters"),
        ((ModelFacts("a", "a", "a", 1e9, 2e9, moe=True), "Q4_K_M"), "parameters"),
    ],
)
def test_bad_questions_get_one_sentence(arguments: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(InputError, match=reason) as error:
        estimate_quality(*arguments)
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


@given(text=st.text(max_size=120))
@settings(max_examples=200)
def test_any_words_are_answered_or_refused_in_a_sentence(text: str) -> None:
    for arguments in ((text, "Q4_K_M", "chat"), ("phi-4", text, "chat"), ("phi-4", "Q4_K_M", text)):
        try:
            estimate_quality(*arguments)
        except InputError as error:
            assert str(error).isprintable()


def test_the_same_question_has_the_same_answer() -> None:
    again = Estimator(evidence())
    for model in ("llama-3.1-70b-instruct", "qwen3-30b-a3b", "smollm2-135m-instruct"):
        for level in ("Q4_K_M", "IQ2_M", "FP8-dynamic"):
            for task in TASKS:
                first = estimate_quality(model, level, task)
                assert again.estimate(facts_of(model), find_quality_level(level), task) == first


def test_words_for_quality_get_stricter_in_order() -> None:
    percents = [demand.percent for demand in DEMANDS]
    assert percents == sorted(percents, reverse=True)
    eight = [row.retention_percent for row in evidence() if (kind := known_level(row.level)) and kind.bits == 8]
    off = [abs(100 - kept) for kept in eight if kept is not None]
    assert sum(one >= 1 for one in off) / len(off) == pytest.approx(1 / 3, abs=0.05)  # "no visible loss"
    assert sum(one < 3 for one in off) / len(off) == pytest.approx(0.87, abs=0.02)  # "small loss is fine"


@pytest.mark.parametrize("way", ["networks", "sources"])
def test_kept_aside_measurements_fall_inside_the_range(way: str) -> None:
    checked = [one for one in cross_validate(way) if one.row.task in SCORED_TASKS]
    four = [one for one in checked if one.bits == 4]
    assert len(four) > 800
    assert coverage(checked) >= 0.895
    assert coverage(four) >= 0.89
    assert width(four) <= 6.3


def test_two_bits_whose_rounding_is_learned_are_another_level_than_gptqs() -> None:
    tuned, calibrated, rounded = (
        estimate_quality("llama-2-13b-chat", level, "knowledge").kept
        for level in ("AutoRound-W2A16-g64", "GPTQ-W2A16-g64", "MLX-2bit-g64")
    )
    assert tuned
    assert calibrated
    assert rounded
    assert tuned.typical > calibrated.typical + 15
    assert 35 <= rounded.typical <= 50
    assert rounded.typical <= calibrated.typical <= 60


@given(model=models, level=st.sampled_from([name for name, one in LEVELS.items() if one.nominal_bits < 3]))
def test_below_three_bits_nothing_is_said_to_beat_the_original(model: ModelFacts, level: str) -> None:
    for task in SCORED_TASKS:
        kept = estimate_quality(model, level, task).kept
        assert kept is None or kept.high <= 100


def test_what_was_measured_of_a_model_at_a_level_lies_inside_what_is_said_of_it() -> None:
    cells: dict[tuple[str, str, str], list[float]] = {}
    facts = {}
    for row in evidence():
        level = known_level(row.level)
        if row.task in SCORED_TASKS and level and level.stock and level.group not in ("", "16-bit"):
            cells.setdefault((row.model, level.name, row.task), []).append(row.retention_percent or 0)
            facts[row.model] = facts_of_row(row)
    for (model, name, task), kept in cells.items():
        found = estimate_quality(facts[model], name, task)
        assert found.basis == "measured"
        mean = sum(kept) / len(kept)
        assert found.kept
        assert found.kept.low - 0.01 <= mean
        assert mean <= found.kept.high + 0.01 or find_quality_level(name).bits < 3
        assert any(f"{mean:.1f} %" in say(note) for note in found.notes)


def test_divergence_of_a_model_never_measured_follows_its_family() -> None:
    """Without any of a GLM's rows, those of its kin say that it diverges more than others of its size."""
    rows = [row for row in evidence() if lineage(row.model) != lineage("GLM-4.6")]
    glm = next(facts_of_row(row) for row in evidence() if row.model == "GLM-4.6")
    other = replace(glm, id="nobody", name="nobody", family="none")
    found = Estimator(rows)
    level = find_quality_level("Q4_K_M")
    one, two = found.estimate(glm, level, "divergence").kld, found.estimate(other, level, "divergence").kld
    assert one
    assert two
    assert one.typical > 1.4 * two.typical
