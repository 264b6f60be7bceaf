"""The popular claims: their verdicts follow from the measurements."""

from __future__ import annotations

from advisor.foundation.message import NOTHING
from advisor.quality import claims as module
from advisor.quality.claims import claims
from advisor.quality.evidence import evidence
from advisor.words import say


def test_every_claim_has_the_verdict_that_the_measurements_support() -> None:
    assert {claim.id: claim.outcome for claim in claims()} == {
        "fp16": "holds partly",
        "int8": "not supported",
        "int4": "not supported",
        "int3": "not supported",
        "int2": "holds partly",
        "math-and-reasoning": "holds partly",
        "instruct": "holds partly",
        "70b": "holds partly",
        "q4-k-m": "holds partly",
    }


def test_numbers_are_those_of_the_measurements() -> None:
    by_id = {claim.id: claim for claim in claims()}
    assert by_id["int8"].numbers["median"] > 99.5
    assert by_id["int4"].numbers["median"] > 98
    assert by_id["int2"].numbers["p10"] < 60
    assert by_id["70b"].numbers["large"] > by_id["70b"].numbers["small"]
    assert by_id["math-and-reasoning"].numbers["gap, 3 bits and less"] < 0
    assert by_id["instruct"].numbers["networks"] < 10
    assert by_id["q4-k-m"].numbers["Q3_K_M / Q4_K_M"] > 2
    for claim in claims():
        assert claim.n > 0
        assert say(claim.sentence).endswith(".")
        assert say(claim.sentence).isprintable()


def test_other_measurements_give_other_verdicts() -> None:
    """A claim is computed: where all scores of 4 bits lie at 96 %, the table's line for 4 bits holds."""
    scores = [
        module._Score(score.row, score.level, 96.0 + number % 2, score.size)
        for number, score in enumerate(module._scores(evidence()))
    ]
    assert module._share_between("int4", NOTHING, scores, 95, 98, 4).outcome == "holds"
    assert module._share_between("int2", NOTHING, scores, 85, 92, 2).outcome == "not supported"
