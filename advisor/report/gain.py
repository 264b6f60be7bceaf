"""What another choice has over the plan shown, in the figures that make it a choice."""

from __future__ import annotations

from advisor.answer.candidate import Candidate
from advisor.foundation.numbers import approx, percent


def gain_sentence(role: str, candidate: Candidate, shown: Candidate, reason: str) -> str:
    """The figure that gives the candidate its role, before `reason`, which is what else is said of it.

    `reason` alone where it names that figure.
    """
    figure, sentence = _figure(role, candidate, shown)
    return reason if figure in reason else f"{sentence} {reason}"


def _figure(role: str, candidate: Candidate, shown: Candidate) -> tuple[str, str]:
    """The figure of a role, and the sentence that holds it against that of the plan shown."""
    if role == "better quality" and candidate.kept is not None and shown.kept is not None:
        kept, usual = (percent(min(value.typical, 100)) for value in (candidate.kept, shown.kept))
        return kept, f"Better quality: it keeps about {kept} instead of {usual}."
    if role == "faster" and candidate.tokens_per_s is not None and shown.tokens_per_s is not None:
        speed = f"{approx(candidate.tokens_per_s.typical)} tokens/s"
        return speed, f"Faster: about {speed} instead of {approx(shown.tokens_per_s.typical)}."
    reach = f"{candidate.plan.max_context:,} tokens"
    return reach, f"Longer context: up to {reach} instead of {shown.plan.max_context:,}."
