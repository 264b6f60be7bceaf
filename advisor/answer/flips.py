"""What would change a decision: every change is a question that is asked again, by the same search.

`at` is the first value with another answer, one step above the last with the same. Answers need not change back and
forth only once, so nothing is said of what lies beyond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from advisor.answer.answer import Answer, answer
from advisor.answer.candidate import Candidate
from advisor.answer.other_models import other_model
from advisor.answer.reasons import small_cache
from advisor.costs.hosts import COMPLETE
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.foundation.message import NOTHING, Message, fact
from advisor.foundation.turns import still_wanted
from advisor.quality.tasks import DEMANDS
from advisor.question.configuration import CUSTOM_MACHINE, MAX_USERS
from advisor.question.question import Question

Change = Literal["context", "users", "memory", "host memory", "cards", "speed wish", "quality wish"]

CONTEXT_STEP = 256
HOST_GIB = (32, 64, 128, 256, 512)
_MOST_USERS_TIMES = 16
_MOST_CONTEXT = 1 << 20  # tokens, of a model that knows no end
_MEMORY_TIMES = 4  # as much as a custom device has
_FASTER = (2.0,)  # times the speed of the plan, as a wish


@dataclass(frozen=True, eq=False)
class Flip:
    """A change of one value to `at`, with the answer `found` to it (None: nothing can be asked or fits)."""

    change: Change
    at: float
    unit: str
    question: Question
    found: Answer | None
    sentence: Message


@kept_beside
def flips(found: Answer) -> tuple[Flip, ...]:
    """Each change that leads to another answer; costs several searches."""
    return tuple(flip for look in (_context, _users, _cards, _host, _memory, _speed, _quality) for flip in look(found))


def same(one: Answer, other: Answer | None) -> bool:
    """Whether two answers are the same: model, runtime, level, KV cache, and whole on the devices or not."""
    return _identity(one) == (None if other is None else _identity(other))


def _identity(found: Answer) -> tuple[object, ...] | None:
    """None where nothing fits, whatever would come nearest."""
    if found.status == "does not fit":
        return None
    setup, plan = found.decided.setup, found.decided.plan
    kinds = setup.runtime.cache_types(plan.request)
    return found.entry.id, setup.runtime.id, plan.level_id, kinds, plan.placement.offloads


def _asked(found: Answer, **changes: Any) -> tuple[Question, Answer | None]:
    still_wanted()
    question = found.as_asked.with_values(**changes)
    try:
        return question, answer(question, today=found.today, measured_here=found.measured_here)
    except InputError:
        return question, None


def _flip(found: Answer, change: Change, unit: str, at: float, **changes: Any) -> Flip:
    question, there = _asked(found, **changes)
    return Flip(change, at, unit, question, there, _sentence(change, at, there))


def _first(found: Answer, start: int, most: int, step: int, asks: Callable[[int], dict[str, Any]]) -> int | None:
    """The first value, in steps from `start`, whose answer is another while that one step before is the same."""
    low, width = 0, 1  # in steps; the answer at `low` is the same
    last = (most - start) // step
    while True:
        high = min(low + width, last)
        if high <= low:
            return None
        if not same(found, _asked(found, **asks(start + high * step))[1]):
            break
        low, width = high, width * 2
    while high - low > 1:
        middle = (low + high) // 2
        if same(found, _asked(found, **asks(start + middle * step))[1]):
            low = middle
        else:
            high = middle
    return start + high * step


def _context(found: Answer) -> Iterator[Flip]:
    """From the plan's own longest context on, which most answers change at."""
    limit = found.model.context_length or _MOST_CONTEXT
    start = -(-found.question.workload.context // CONTEXT_STEP) * CONTEXT_STEP
    reach = found.shown.plan.max_context // CONTEXT_STEP * CONTEXT_STEP
    if found.chosen is None or start >= limit:
        return
    if reach > start and found.shown.is_whole and same(found, _asked(found, context=reach)[1]):
        start = reach
    elif start != found.question.workload.context and not same(found, _asked(found, context=start)[1]):
        return
    at = _first(found, start, limit, CONTEXT_STEP, lambda value: {"context": value})
    if at is not None:
        yield _flip(found, "context", "tokens", at, context=at)


def _users(found: Answer) -> Iterator[Flip]:
    now = found.question.workload.users
    users = 2 * now
    while users <= min(MAX_USERS, _MOST_USERS_TIMES * now):
        if not same(found, _asked(found, users=users)[1]):
            yield _flip(found, "users", "users", users, users=users)
            return
        users *= 2


def _cards(found: Answer) -> Iterator[Flip]:
    asked = found.question.machine
    if not found.hardware.cards or found.machine.kind in COMPLETE or "use_gpus" in found.question.pins:
        return  # nobody puts a second card into a laptop
    if not same(found, _asked(found, gpus=asked.gpus + 1)[1]):
        yield _flip(found, "cards", "cards", asked.gpus + 1, gpus=asked.gpus + 1)


def _host(found: Answer) -> Iterator[Flip]:
    """Only where a part lies on the host, or could: what is good and whole needs no RAM."""
    if not found.hardware.cards or found.machine.unified or (found.status == "good" and found.shown.is_whole):
        return
    now = found.question.machine.host_memory_gib or 0
    for size in HOST_GIB:
        if size > now and not same(found, _asked(found, host_memory_gib=float(size))[1]):
            yield _flip(found, "host memory", "GiB", size, host_memory_gib=float(size))
            return


def _memory(found: Answer) -> Iterator[Flip]:
    now = found.question.machine.memory_gib
    if found.question.machine.name != CUSTOM_MACHINE or now is None:
        return
    start = int(now)
    if start != now:
        start += 1
        if not same(found, _asked(found, memory_gib=float(start))[1]):
            yield _flip(found, "memory", "GiB", start, memory_gib=float(start))
            return
    at = _first(found, start, _MEMORY_TIMES * start, 1, lambda value: {"memory_gib": float(value)})
    if at is not None:
        yield _flip(found, "memory", "GiB", at, memory_gib=float(at))


def _speed(found: Answer) -> Iterator[Flip]:
    """Twice as fast, where somebody may want that."""
    speed = found.shown.tokens_per_s
    if found.chosen is None or speed is None or found.question.requirements.min_tokens_per_s is not None:
        return
    for times in _FASTER:
        wish = float(max(1, round(speed.typical * times)))
        if not same(found, _asked(found, min_tokens_per_s=wish)[1]):
            yield _flip(found, "speed wish", "tokens/s", wish, min_tokens_per_s=wish)
            return


def _quality(found: Answer) -> Iterator[Flip]:
    """The strictest demand that the plan does not keep."""
    if found.chosen is None or found.shown.kept is None or found.question.requirements.min_quality is not None:
        return
    for demand in sorted(DEMANDS, key=lambda demand: demand.percent):
        least = demand.percent
        if found.shown.kept.typical < least and not same(found, _asked(found, min_quality=least)[1]):
            yield _flip(found, "quality wish", "%", least, min_quality=least)
            return


def _sentence(change: Change, at: float, there: Answer | None) -> Message:
    instead = _instead(there)
    match change:
        case "context":
            return fact("flip_context", tokens=int(at), instead=instead)
        case "users":
            return fact("flip_users", users=int(at), instead=instead)
        case "cards":
            return fact("flip_cards", cards=int(at), instead=instead)
        case "host memory":
            return fact("flip_host_memory", gib=at, instead=instead)
        case "memory":
            return fact("flip_memory", gib=at, instead=instead)
        case "speed wish":
            return _faster(at, there, instead)
        case "quality wish":
            return fact("flip_quality_wish", percent=at, instead=instead)


def _faster(wish: float, there: Answer | None, instead: Message) -> Message:
    """What is run for a wish, and that it misses it: another answer need not be as fast as is asked for."""
    speed = None if there is None or there.chosen is None else there.shown.tokens_per_s
    if there is None or speed is None or there.shown.as_fast_as(wish):
        return fact("flip_speed_wish", speed=wish, instead=instead)
    return fact("flip_short_of_speed_wish", speed=wish, instead=instead, reached=speed.typical)


def _instead(there: Answer | None) -> Message:
    if there is None or there.chosen is None:
        other = None if there is None else other_model(there)
        return fact("flip_nothing_fits") if other is None else fact("flip_other_model", name=other.entry.name)
    shown = there.shown
    return fact(
        "flip_plan",
        level=shown.level,
        runtime=there.decided.setup.runtime.name,
        cache=NOTHING if (kind := small_cache(there.decided)) is None else fact("decision_with_cache", kind=kind),
        where=_where(shown),
    )


def _where(shown: Candidate) -> Message:
    """Whether everything lies on the devices, where there are any."""
    if not shown.plan.devices:
        return NOTHING
    return fact("flip_whole") if shown.is_whole else fact("flip_with_host")
