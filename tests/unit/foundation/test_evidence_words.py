"""What evidence is counted as, and which level a measured file is joined to."""

from __future__ import annotations

import pytest

from advisor.answer.answer import answer
from advisor.foundation.evidence_words import counted, independent, origin
from advisor.models.catalogue import catalogue
from advisor.quality import estimate_quality
from advisor.quality.evidence import evidence
from advisor.quality.level_groups import known_level
from advisor.quality.lineage import lineage
from advisor.quality.tasks import DIVERGENCE, PERPLEXITY
from advisor.question.question import Question
from advisor.speed import measurements, speed_of
from advisor.speed.explain import explanation
from advisor.speed.row_terms import cases
from advisor.words import say, say_all
from tests.support.decided import why


@pytest.mark.parametrize(
    ("urls", "sources"),
    [
        (("https://github.com/a/b/blob/main/x.json", "https://github.com/a/b/blob/main/y.json"), 1),
        (("https://github.com/a/b/blob/main/x.json", "https://github.com/a/c/blob/main/x.json"), 2),
        (("https://github.com/a/b/issues/1", "https://github.com/a/b/issues/2"), 2),
        (("https://huggingface.co/owner/one", "https://huggingface.co/owner/two"), 2 - 1),
        (("https://example.org/one", "https://example.org/two"), 2),
        (("https://example.org/one?x=1", "https://example.org/one#there"), 1),
        ((), 0),
    ],
)
def test_files_of_one_author_are_one_source(urls: tuple[str, ...], sources: int) -> None:
    assert independent(urls) == sources


def test_counts_are_said_with_their_sources() -> None:
    assert say(counted(16, 1)) == "16 measurements of one source"
    assert say(counted(1231, 12)) == "1,231 measurements of 12 sources"
    assert say(counted(1, 1)) == "1 measurement"


@pytest.mark.parametrize(
    ("tier", "said"), [("level", "with this model at this level"), ("model", "with this model at other levels")]
)
def test_a_speed_says_how_many_sources_it_rests_on_and_of_what(tier: str, said: str) -> None:
    known = [case for case in cases(measurements(), "decode") if case.catalogued and case.model in catalogue()]
    speeds = (
        speed_of(case.model, case.row.machine, case.row.measured_level if tier == "level" else "IQ2_M")
        for case in known
        if case.row.measured_level and case.row.devices == 1
    )
    found = next(one for one in speeds if one is not None and one.rate.tier == tier)
    assert 1 <= found.sources <= found.n
    assert f"Rests on {say(counted(found.n, found.sources))} {said}" in say(explanation(found)[-1])


def test_one_table_of_one_author_is_one_source() -> None:
    rows = [case for case in cases(measurements(), "decode") if case.catalogued and case.model in catalogue()]
    by_key: dict[tuple[str, ...], list[str]] = {}
    for case in rows:
        by_key.setdefault(case.keys[-1], []).append(case.row.source)
    key, urls = max(by_key.items(), key=lambda item: len(item[1]) if independent(item[1]) == 1 else 0)
    assert len(urls) > 3
    level = next(case.row for case in rows if case.keys[-1] == key)
    if level.measured_level:
        found = speed_of(key[2], level.machine, level.measured_level, backend=key[1])
        assert found is not None
        assert (found.n, found.sources) == (len(urls), 1)


def test_a_quality_counts_its_sources_and_says_where_none_reaches() -> None:
    for model_id in ("llama-3.1-8b-instruct", "qwen3-8b", "gemma-3-27b-it"):
        for level in ("Q4_K_M", "IQ2_XXS"):
            found = estimate_quality(model_id, level)
            assert 0 < found.sources <= found.n
            assert found.n == 1 or ("source" in " ".join(say_all(found.notes)))
    kin = [row for row in evidence() if row.task not in (DIVERGENCE, PERPLEXITY)]
    above: dict[str, int] = {}
    for row in kin:
        known = known_level(row.level)
        if known is not None and row.model_id in catalogue() and known.group:
            name = lineage(row.model)
            above[name] = min(above.get(name, 99), known.bits)
    fine = next(
        row.model_id for row in kin if row.model_id in catalogue() and 4 <= above.get(lineage(row.model), 0) < 16
    )
    low = estimate_quality(fine, "IQ2_XXS")
    assert low.basis == "transferred"
    assert f"None of them is below {above[lineage(fine)]} bits." in " ".join(say_all(low.notes))


def test_the_recommendation_says_of_what() -> None:
    found = answer(Question.from_query("model=llama-3.1-8b-instruct&machine=rtx-3060-8gb"))
    reasons = why(found)
    assert "n = " not in reasons
    assert "source" in reasons


# ----------------------------------------------------------------------------------------------- joined on their bytes


def test_measured_files_are_joined_to_a_level_on_their_bytes() -> None:
    rows = [row for row in measurements() if row.level and row.file_gib and row.model_id]
    by_file = {(row.model_id, row.quant, row.file_gib): row.measured_level for row in rows}
    assert by_file["gpt-oss-120b", "MXFP4", 59.02] in ("MXFP4", "MXFP4_MOE")  # of one size
    assert by_file["gpt-oss-20b", "MXFP4", 11.27] in ("MXFP4", "MXFP4_MOE")
    # A name of llama.cpp's on a file of another size: Google's own mix, and one from before experts had levels.
    assert by_file["gemma-3-4b-it", "Q4_0", 2.35] == ""
    assert by_file["mixtral-8x7b-instruct-v0.1", "Q4_K_M", 24.6] == "Q4_K_S"


def test_nothing_is_called_measured_at_a_level_whose_file_is_another() -> None:
    from advisor.formats.gguf_levels import LEVELS
    from advisor.formats.gguf_sizes import size_level
    from advisor.foundation.units import GIB

    seen = set()
    for row in measurements():
        level = row.measured_level
        key = (row.model_id, level, row.file_gib)
        if not level or not row.model_id or row.file_gib is None or key in seen:
            continue
        seen.add(key)
        model = catalogue()[row.model_id].model
        sizes = [size_level(model, LEVELS[level], imatrix).file_bytes for imatrix in (False, True)]
        off = min(abs(row.file_gib * GIB / size - 1) for size in sizes)
        assert off <= 0.02 + 0.005 / row.file_gib, key
    assert len(seen) > 50


def test_other_mixes_are_timed_by_their_own_bytes() -> None:
    from advisor.speed.row_terms import load_of

    row = next(row for row in measurements() if row.model_id == "gemma-3-4b-it" and row.file_gib == 2.35)
    named = row.model_copy(update={"file_gib": None})
    own, stock = load_of(row), load_of(named)
    assert own is not None
    assert stock is not None
    assert own.weight_bytes(0) > 1.03 * stock.weight_bytes(0)


def test_origin_ignores_what_follows_the_path() -> None:
    assert origin("https://example.org/a/?q=1") == origin("https://example.org/a")
