"""Smaller models at higher precision: what to run instead of a large model squeezed onto a machine too small for it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date
from itertools import islice

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.level_choice import choose_level
from advisor.answer.recommend import SMALL_LOSS, Alternative
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.foundation.message import NOTHING, Message, fact
from advisor.models.catalogue import Entry, catalogue
from advisor.models.licences import commercial_use
from advisor.question.hardware import Hardware
from advisor.question.question import Question
from advisor.runtimes.registry import runtime_by
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.resolved import from_entry

MOST = 2
_MOST_TRIED = 10  # of each group
_GENERAL = ("instruct", "reasoning")
_SPECIALIST = re.compile(r"code|coder|devstral|math|guard|translate", re.IGNORECASE)


@kept_beside
def smaller_models(found: Answer) -> tuple[Alternative, ...]:
    """Up to two models of the catalogue that meet all requirements on this machine with small loss.

    Only where the answer's own model does not: nothing of it can be recommended, or what can loses visibly. One
    is of the same family or publisher where there is one, one the largest that is no older.
    """
    chosen = found.chosen
    if chosen is not None and (chosen.kept is None or chosen.kept.typical >= SMALL_LOSS):
        return ()
    others = [entry for entry in catalogue().values() if _comparable(found, entry)]
    others.sort(key=lambda entry: (-_size_class(entry), _newest_first(entry), entry.name))
    own = found.entry.entry
    newer = [entry for entry in others if own is None or entry.released >= own.released]
    kin = [one for one in others if own is not None and (one.family == own.family or one.publisher == own.publisher)]
    same = [one for one in kin if one in newer or (own is not None and one.family == own.family)]
    suggested: dict[str, tuple[Entry, Candidate]] = {}
    for group in (same, newer):
        wanted = (entry for entry in group if entry.id not in suggested)
        if len(suggested) < MOST and (first := _first_that_runs(found, wanted)) is not None:
            suggested[first[0].id] = first
    ranked = sorted(suggested.values(), key=lambda pair: -pair[0].parameters.counted)
    return tuple(Alternative(one.level, _reason(found, entry, one), entry.id) for entry, one in ranked)


def _comparable(found: Answer, entry: Entry) -> bool:
    """Of the same kind, smaller, and able to do what is asked for; judged without planning."""
    own, model = found.entry.entry, entry.model
    variants = _GENERAL if own is None else (own.variant,)
    limit, question = model.context_length, found.question
    return (
        entry.variant in variants
        and entry.parameters.counted < found.model.parameters
        and _same_trade(found, entry)
        and (limit is None or limit >= question.workload.context)
        and (not question.requirements.commercial or commercial_use(entry.license).possible)
        and not model.runtime_note
    )


def _same_trade(found: Answer, entry: Entry) -> bool:
    """A coder replaces a coder, or whatever is asked to code; it does not replace a model for everything."""
    wanted = bool(_SPECIALIST.search(found.entry.name))
    return bool(_SPECIALIST.search(entry.name)) == wanted or found.question.requirements.task == "code"


def _size_class(entry: Entry) -> int:
    """Models within a fifth of each other's size count as equally large."""
    return round(2 * math.log2(entry.parameters.counted))


def _newest_first(entry: Entry) -> tuple[int, ...]:
    """Year and month, and the day where it is known."""
    return tuple(-int(part) for part in entry.released.split("-") if part.isdigit())


def _first_that_runs(found: Answer, entries: Iterable[Entry]) -> tuple[Entry, Candidate] | None:
    for entry in islice(entries, _MOST_TRIED):
        one = _precise(found.question, entry, found.hardware, found.runtime, found.today)
        if one is not None:
            return entry, one
    return None


def _precise(question: Question, entry: Entry, hardware: Hardware, runtime: RuntimeId, today: date) -> Candidate | None:
    """The model at Q4_K_M or better, on the devices alone, if it keeps more than a small loss allows."""
    precise = runtime_by(runtime).ladder.precise
    asked = question.with_values(model=entry.id, level=None, context_used=None, runtime=runtime)
    try:
        _, one = choose_level(asked, from_entry(entry), hardware, today, tuple(level.name for level in precise))
    except InputError:
        return None
    if one is None or one.level_id not in precise or one.verdict != "fits":
        return None
    return one if one.kept is not None and one.kept.typical >= SMALL_LOSS else None


def _reason(found: Answer, entry: Entry, one: Candidate) -> Message:
    first = fact(
        "smaller_model",
        name=entry.name,
        parameters=entry.parameters.counted,
        instead=found.model.parameters,
        kept=one.kept.typical if one.kept is not None else 0.0,
        speed=NOTHING if one.tokens_per_s is None else fact("at_tokens_per_s", speed=one.tokens_per_s.typical),
    )
    chosen = found.chosen
    if chosen is None or chosen.kept is None:
        return first
    return fact("smaller_model_or_this", smaller=first, name=found.entry.name, kept=chosen.kept.typical)
