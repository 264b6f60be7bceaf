"""What would flip a recommendation: a little more memory, a longer context, another user, more load."""

from __future__ import annotations

from collections.abc import Callable

from advisor.answer.answer import Answer, answer
from advisor.answer.candidate import Candidate
from advisor.answer.ladders import Subject, ladder
from advisor.answer.recommend import on_each_device
from advisor.costs.costs import Costs
from advisor.formats.levels import written
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.question.choices import MAX_USERS
from advisor.runtimes.registry import runtime_by


@kept_beside
def flips(found: Answer) -> tuple[Message, ...]:
    """Each change that would lead to another recommendation; empty where nothing is recommended."""
    chosen = found.chosen
    if chosen is None:
        return ()
    subject = Subject(found.model.parameters, found.machine_name, found.entry.license, found.runtime, chosen.writes)
    by_level = {candidate.level_id: candidate for candidate in found.candidates}
    ranked = [by_level[level] for level in ladder(list(by_level), subject)]
    place = ranked.index(chosen)
    above, below = (
        [one for one in part if not one.unmet(found.question.requirements, found.entry.license)]
        for part in (ranked[:place], ranked[place + 1 :])
    )
    changes = [_memory(found, above), _context(found, chosen, below), _users(found, chosen), _load(chosen.costs)]
    return tuple(change for change in changes if change is not None)


def _memory(found: Answer, above: list[Candidate]) -> Message | None:
    """With a least quality the smallest level that keeps it is chosen, however much memory there is."""
    better = [candidate for candidate in above if candidate.plan.missing_bytes > 0]
    if not better or found.question.requirements.least_percent is not None:
        return None
    next_up = min(better, key=lambda candidate: candidate.plan.missing_bytes)
    each = on_each_device(next_up.plan)
    return fact("with_more_memory", missing=next_up.plan.missing_bytes, each=each, level=next_up.level)


def _context(found: Answer, chosen: Candidate, below: list[Candidate]) -> Message | None:
    reach, limit = chosen.plan.max_context, found.model.context_length
    if not reach or (limit is not None and reach >= limit):
        return None
    level = next((candidate.level for candidate in below if candidate.plan.max_context > reach), None)
    instead = fact("nothing_as_asked_fits") if level is None else fact("that_level", level=level)
    if chosen.plan.settings.shared_by > 1:
        return fact("above_context_together", reach=reach, instead=instead)
    return fact("above_context", reach=reach, instead=instead)


def _users(found: Answer, chosen: Candidate) -> Message | None:
    def holds(users: int) -> bool:
        try:
            other = answer(found.question.with_values(users=users, level=written(chosen.level_id)), today=found.today)
        except InputError:
            return False
        return other.chosen is not None and other.chosen.plan.verdict == chosen.plan.verdict

    most = runtime_by(found.runtime).limits.users or MAX_USERS
    users = first_failing(holds, found.question.workload.users, most)
    if users is None:
        return None
    try:
        after = answer(found.question.with_values(users=users), today=found.today)
        level = after.recommendation.level
    except InputError:
        level = None
    if level is None:
        return fact("from_users_on", users=users, instead=_more_devices(found, users) or fact("larger_devices"))
    if level == chosen.level:
        return fact("from_users_on", users=users, instead=fact("that_level_with_offload", level=level))
    return fact("from_users_on", users=users, instead=fact("that_level", level=level))


def _more_devices(found: Answer, users: int) -> Message | None:
    """The fewest more of the same cards with which so many users are served."""
    question = found.question
    if not found.hardware.cards or found.machine.unified or question.machine.other_machine is not None:
        return None
    for gpus in (question.machine.gpus + 1, question.machine.gpus * 2, question.machine.gpus * 4):
        try:
            larger = answer(question.with_values(users=users, gpus=gpus, use_gpus=None), today=found.today)
        except InputError:
            return None
        if larger.recommendation.level is not None:
            return fact("more_of_the_same", machine=larger.machine_name, level=larger.recommendation.level)
    return None


def first_failing(holds: Callable[[int], bool], known_good: int, most: int) -> int | None:
    """The smallest number above `known_good`, at most `most`, for which `holds` fails, as it does from there on."""
    low, high = known_good, known_good + 1
    while high <= most and holds(high):
        low, high = high, high * 2
    if high > most:
        if holds(most):
            return None
        high = most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high


def _load(costs: Costs | None) -> Message | None:
    even = costs.own_against_api if costs is not None else None
    if costs is None or even is None or even.typical is None:
        return None
    if costs.tokens_per_month >= even.typical:
        return fact("api_below_tokens", tokens=even.typical, planned=costs.tokens_per_month)
    return fact("own_above_tokens", tokens=even.typical, planned=costs.tokens_per_month)
