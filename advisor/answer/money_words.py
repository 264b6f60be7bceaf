"""What a decision says of money: which way is cheapest, and whether all of them give the same quality."""

from __future__ import annotations

from advisor.answer.candidate import Candidate
from advisor.answer.policy import VISIBLE_POINTS
from advisor.costs.draws import chances_of, chances_words
from advisor.costs.options import Option
from advisor.foundation.message import Message, fact
from advisor.foundation.ranges import Range


def money_words(shown: Candidate) -> tuple[Message, ...]:
    """The verdict, how sure it is, and where tokens are sold as well, how the plan's quality stands to what is sold.

    () without prices, and for a plan that does not fit. A host that states no precision is taken to serve the original.
    """
    costs = shown.costs
    if costs is None or shown.verdict == "does not fit":
        return ()
    said = [costs.verdict]
    best, chances = costs.best(), chances_of(costs)
    if best is not None and chances is not None:
        said.append(chances_words(chances, best.name))
    if costs.api is not None and shown.kept is not None:
        said.append(_equal(shown.kept, costs.api))
    return tuple(said)


def is_equal(kept: Range) -> bool:
    """Whether nobody sees what a plan loses against the original."""
    return kept.typical >= 100 - VISIBLE_POINTS


def _equal(kept: Range, api: Option) -> Message:
    if api.precision is not None:
        return fact("against_stated", kept=kept.typical, host=api.title, precision=api.precision)
    return fact("at_equal_quality") if is_equal(kept) else fact("not_at_equal_quality", kept=kept.typical)
