"""What a KV cache in fewer bits costs: what the measurements say, and nothing against reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.answer.answer import answer
from advisor.answer.candidate import Candidate
from advisor.foundation.errors import InputError
from advisor.models.catalogue import catalogue
from advisor.quality import Quality, estimate_quality, facts_of
from advisor.quality.estimator import KV_CACHE_NOTE
from advisor.quality.kv_cache_loss import DAMAGE_POINTS, _fit, damages, kv_loss, with_cache
from advisor.quality.kv_evidence import FP8, KINDS, LOSSLESS, kv_evidence
from advisor.quality.losses import relative_loss
from advisor.quality.tasks import SCORED_TASKS
from advisor.question.question import Question
from advisor.sizing.settings import CACHE_TYPES
from advisor.words import say

BITS = {kind: 8 * size / block for kind, (block, size) in CACHE_TYPES.items()}
FAMILIES = st.sampled_from(sorted({entry.family for entry in catalogue().values()}))
TYPES = st.sampled_from(sorted(KINDS))


def asked(query: str, level: str) -> Candidate:
    found = answer(Question.from_query(query))
    return next(one for one in found.candidates if one.level == level)


@pytest.mark.parametrize("family", ["Llama 3", "Llama 3.1", "Qwen3", "Qwen3.5", "Qwen3.6", "Gemma 3", "Mistral", ""])
def test_eight_bits_cost_about_a_tenth_of_a_point(family: str) -> None:
    eight, float8 = kv_loss(family, "q8_0", "q8_0"), kv_loss(family, "fp8", "fp8")
    assert 0.03 < eight.typical < 0.2
    assert eight.typical < float8.typical < DAMAGE_POINTS
    assert not damages(family, "q8_0", "q8_0")


def test_a_family_without_measurements_is_at_the_reference_points_and_the_least_certain() -> None:
    unknown, known = kv_loss("a family of tomorrow", "q8_0", "q8_0"), kv_loss("Qwen3.5", "q8_0", "q8_0")
    assert unknown.typical == pytest.approx(0.1, abs=0.03)
    assert kv_loss("a family of tomorrow", "fp8", "fp8").typical == pytest.approx(0.2, abs=0.06)
    assert unknown.high / unknown.low > known.high / known.low


def test_the_family_that_measurements_show_damaged_loses_much_more() -> None:
    measured = [row for row in kv_evidence() if row.family == "Gemma 4" and row.kind_k == row.kind_v == "q8_0"]
    assert min(row.value for row in measured) > 0.1  # nats; a hundred times the others'
    assert kv_loss("Gemma 4", "q8_0", "q8_0").typical > 10 * kv_loss("Gemma 3", "q8_0", "q8_0").typical
    assert damages("Gemma 4", "q8_0", "q8_0")
    assert damages("Gemma 4", "fp8", "fp8")
    assert kv_loss("gemma4", "q8_0", "q8_0") == kv_loss("Gemma 4", "q8_0", "q8_0")  # as a file calls it


def test_without_its_measurements_it_would_be_as_any_other() -> None:
    fitted = _fit([row for row in kv_evidence() if row.family != "Gemma 4"])
    assert fitted.at("gemma4", "q8_0", "q8_0")[0] == fitted.at("another", "q8_0", "q8_0")[0]


def test_measurements_lie_in_the_range() -> None:
    """Of divergence, in points as the quality room counts it: 30 a nat, three times as many in the mean as median."""
    rows = [row for row in kv_evidence() if row.task == "divergence"]
    inside = 0
    for row in rows:
        points = 30 * (row.value - row.baseline) * (3.1 if row.benchmark == "kld-median" else 1)
        lost = kv_loss(row.family, row.kind_k, row.kind_v)
        inside += lost.low <= points <= lost.high
    assert inside >= 0.85 * len(rows)


def test_keys_cost_about_one_and_a_half_times_what_values_cost() -> None:
    for family in ("Llama 3", "Qwen3.6", "Gemma 4"):
        keys, values = kv_loss(family, "q8_0", "f16").typical, kv_loss(family, "f16", "q8_0").typical
        assert 1.2 < keys / values < 1.5
        assert keys < kv_loss(family, "q8_0", "q8_0").typical


@given(FAMILIES, TYPES, TYPES, TYPES)
def test_fewer_bits_never_cost_less(family: str, one: str, other: str, beside: str) -> None:
    assert kv_loss(family, "f16", None) == kv_loss(family, "f32", "bf16") == kv_loss(family, None, None)
    assert kv_loss(family, None, None).high == 0
    if one in BITS and other in BITS and one not in LOSSLESS and BITS[one] >= BITS[other]:
        for pair in (((one, beside), (other, beside)), ((beside, one), (beside, other))):
            more, fewer = (kv_loss(family, *types) for types in pair)
            assert more.typical <= fewer.typical + 1e-12
            assert more.high <= fewer.high + 1e-12
    if one not in LOSSLESS:
        found = kv_loss(family, one, beside)
        assert 0 < found.low < found.typical < found.high <= 65
        assert kv_loss(family, "f16", beside).typical < found.typical
    assert kv_loss(family, FP8[0], beside) == kv_loss(family, FP8[1], beside)
    assert kv_loss(family, FP8[1], beside).typical < kv_loss(family, FP8[2], beside).typical


def test_an_unknown_type_is_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match=r"^Unknown type of KV cache 'turbo3'; use one of [\w, ]+\.$"):
        kv_loss("Llama 3", "q8_0", "turbo3")


@given(FAMILIES, TYPES, TYPES, st.sampled_from([m for m, e in catalogue().items() if e.variant != "embedding"]),
       st.sampled_from(["BF16", "Q8_0", "Q4_K_M", "Q2_K", "FP8-dynamic"]), st.sampled_from(SCORED_TASKS))  # fmt: skip
def test_a_cache_only_ever_lowers_what_is_kept(
    family: str, keys: str, values: str, model: str, level: str, task: str
) -> None:
    before = estimate_quality(model, level, task)
    after = with_cache(before, family, keys, values)
    lost = kv_loss(family, keys, values)
    if not lost.typical:
        assert after is before
        return
    assert before.kept is not None
    assert after.kept is not None
    assert after.kept.typical == pytest.approx(max(0, before.kept.typical - lost.typical))
    assert after.kept.low < before.kept.low or after.kept.low == 0
    assert after.kept.high < max(before.kept.high, 100 + 1e-9) + 1e-9  # no loss lifts a score
    assert len(after.remarks) == 1
    assert KV_CACHE_NOTE not in after.notes
    assert replace(after, kept=before.kept, notes=before.notes, remarks=()) == before


def test_a_plan_counts_its_cache() -> None:
    base = "model=llama-3.1-8b-instruct&machine=rtx-4090&level=Q4_K_M"
    whole, eight = asked(base, "Q4_K_M"), asked(f"{base}&kv_type_k=q8_0&kv_type_v=q8_0", "Q4_K_M")
    lost = kv_loss(facts_of("llama-3.1-8b-instruct").family, "q8_0", "q8_0")
    assert not whole.quality.remarks
    for task in SCORED_TASKS:
        before, after = whole.quality_at(task).kept, eight.quality_at(task).kept
        assert before is not None
        assert after is not None
        share = relative_loss(task) if task == "long_context" else 1.0
        assert before.typical - after.typical == pytest.approx(lost.typical * share)
    assert whole.quality_at("divergence") == eight.quality_at("divergence")
    (remark,) = eight.quality.remarks
    assert say(remark) == "KV cache in q8_0: about 0.1 points less (0.02 to 0.6)."
    mixed = asked(f"{base}&kv_type_k=q8_0&kv_type_v=q4_0", "Q4_K_M").quality.remarks
    assert say(mixed[0]).startswith("KV cache with keys in q8_0 and values in q4_0: about 0.3 points less")


def test_vllm_counts_its_cache_too() -> None:
    base = "model=qwen3-8b&machine=h100-sxm5-80gb&runtime=vllm&level=FP8-dynamic"
    whole, eight = (asked(query, "FP8-dynamic").quality for query in (base, f"{base}&kv_fp8=on"))
    assert whole.kept is not None
    assert eight.kept is not None
    assert not whole.remarks
    assert whole.kept.typical - eight.kept.typical == pytest.approx(kv_loss("Qwen3", "fp8", "fp8").typical)
    assert "in fp8" in say(eight.remarks[0])


def test_long_texts_suffer_first() -> None:
    whole, long = (estimate_quality("qwen3-32b", "Q4_K_M", task) for task in ("knowledge", "long_context"))

    def lost(quality: Quality, task: str) -> float:
        kept = with_cache(quality, "Qwen 3", "q8_0", "q8_0", task).kept
        assert kept
        assert quality.kept
        return quality.kept.typical - kept.typical

    assert lost(long, "long_context") > 1.5 * lost(whole, "knowledge") > 0
