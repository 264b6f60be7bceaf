"""What an answer promises: that its flips, its links and its choices are true, and that none of them beats it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tests.support.decisions import (
    ENOUGH_TOKENS_PER_S,
    HOST_GIB,
    NOTICEABLE,
    RANKS,
    VISIBLE_POINTS,
    Document,
    Values,
    ask,
    changed,
    identity,
    in_short,
    is_split,
    number_of,
    offered,
    problem_unless,
    quality,
    query_of,
    said,
    speed,
    values_of,
)

_CONTEXT_STEP = 256
# What a change writes into the link; on a CPU the host's memory is the machine's.
_KEYS_OF_CHANGES: Mapping[str, tuple[str, ...]] = {
    "context": ("context",),
    "users": ("users",),
    "cards": ("gpus",),
    "host memory": ("host_memory_gib", "memory_gib"),
    "memory": ("memory_gib",),
}
_FREE_TOLERANCE = 0.05


def flips_are_true(values: Values, found: Document) -> Iterator[str]:
    """Asked again, a flip gives its plan; one step before, the decision's."""
    now = offered(found)
    for flip in found["flips"]:
        promised = None if flip["plan"] is None else identity(flip["plan"])
        then = ask(flip["ask"])
        what = f"flip at {flip['at']} {flip['unit']}"
        yield problem_unless(offered(then) == promised, f"{what} promises {promised}, gives {said(then)}")
        yield problem_unless(promised != now, f"{what} leads to the same plan")
        if (before := _one_step_before(values, flip)) is not None:
            there = ask(before)
            yield problem_unless(offered(there) == now, f"{what}: one step before is already {said(there)}")


def _one_step_before(values: Values, flip: Document) -> str | None:
    """The query; None for a wish, before which nothing was wished. Never less than what is asked today."""
    asked = values_of(flip["ask"])
    for key in _KEYS_OF_CHANGES.get(flip["change"], ()):
        today, there = number_of(values, key), number_of(asked, key)
        if there <= today:
            continue
        before = max(today, _step_back(flip["change"], there))
        return changed(asked, **{key: f"{before:.12g}" if before else None})
    return None


def _step_back(change: str, value: float) -> float:
    if change == "context":
        return value - _CONTEXT_STEP
    if change == "users":
        return value // 2
    if change == "host memory":
        return max((size for size in HOST_GIB if size < value), default=0)
    return value - 1


def links_give_their_plan(values: Values, found: Document) -> Iterator[str]:
    """The query of a plan is answered by exactly that plan: every figure, and the status."""
    decision = found["decision"]
    plans = [] if decision["plan"] is None else [{**decision["plan"], "status": decision["status"]}]
    for plan in (*plans, *(choice["plan"] for choice in found["choices"])):
        again = ask(plan["query"])
        if again is None or again["decision"]["plan"] is None:
            yield f"the link of {in_short(plan)} gives {said(again)}: {plan['query']}"
            continue
        there = {**again["decision"]["plan"], "status": again["decision"]["status"]}
        other = [f"{key} {there[key]} instead of {plan[key]}" for key in plan if there[key] != plan[key]]
        yield problem_unless(not other, f"the link of {in_short(plan)} gives another: {'; '.join(other)}")


def choices_are_what_they_say(values: Values, found: Document) -> Iterator[str]:
    """A choice has what its role says, and another model is what the same question about it decides for."""
    for choice in found["choices"]:
        role, plan, shown = choice["role"], choice["plan"], found["decision"]["plan"]
        what = f"{role}: {in_short(plan)} beside {in_short(shown)}"
        if role == "other model":
            itself = {key: value for key, value in values_of(plan["query"]).items() if key in values}
            again = ask(query_of(itself))
            yield problem_unless(offered(again) == identity(plan), f"{what}: asked itself it is {said(again)}")
        elif role in _GAINS:
            gained, from_what = _GAINS[role](plan), _GAINS[role](shown)
            yield problem_unless(
                gained is not None and from_what is not None and gained > from_what, f"{what}: no such gain"
            )
        elif role == "other engine":
            yield problem_unless(plan["runtime"] != shown["runtime"], f"{what}: the same engine")


_GAINS: Mapping[str, Callable[[Document], float | None]] = {
    "better quality": quality,
    "faster": speed,
    "longer context": lambda plan: float(plan["max_context"]),
}


def nothing_beats_the_decision(values: Values, found: Document) -> Iterator[str]:
    """No choice of the same engine is no worse in everything and noticeably better in quality or speed."""
    yield from _beaten(values, found, same_engine=True)


def no_other_engine_beats_it(values: Values, found: Document) -> Iterator[str]:
    yield from _beaten(values, found, same_engine=False)


def _beaten(values: Values, found: Document, same_engine: bool) -> Iterator[str]:
    decision = found["decision"]
    shown = decision["plan"]
    for choice in found["choices"]:
        plan = choice["plan"]
        if plan["model_id"] == shown["model_id"] and (plan["runtime"] == shown["runtime"]) is same_engine:
            worse = RANKS.index(plan["status"]) > RANKS.index(decision["status"])
            beats = not worse and _beats(values, plan, shown)
            yield problem_unless(not beats, f"{choice['role']} {in_short(plan)} beats {in_short(shown)}")


def _beats(values: Values, plan: Document, shown: Document) -> bool:
    speeds = felt(values, plan), felt(values, shown)
    pairs = ((quality(plan), quality(shown)), speeds, (plan["max_context"], shown["max_context"]))
    no_worse = all(one is None or other is None or one >= other for one, other in pairs)
    if not no_worse or is_split(plan) > is_split(shown) or _free(plan) < _free(shown) - _FREE_TOLERANCE:
        return False
    (kept, usual), (written, usually), _ = pairs
    better = kept is not None and usual is not None and kept >= usual + VISIBLE_POINTS
    faster = written is not None and usually is not None and written >= usually * NOTICEABLE
    return better or faster


def felt(values: Values, plan: Document) -> float | None:
    """Tokens/s as far as a reader feels them; whoever asks for more, or for speed, wants all of that."""
    written, most = speed(plan), max(ENOUGH_TOKENS_PER_S, number_of(values, "min_tokens_per_s"))
    return written if written is None or values.get("goal") == "speed" else min(written, most)


def _free(plan: Document) -> float:
    """The share of the fullest place that is left, 0 to 1."""
    places = [place for place in plan["memory"] if place["capacity_bytes"]]
    return min((1 - place["needed_bytes"] / place["capacity_bytes"] for place in places), default=1.0)
