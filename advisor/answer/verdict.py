"""What to do, in one or two sentences for a manager, with the figures that were just computed."""

from __future__ import annotations

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.choices import standing_words
from advisor.answer.option import host_share_of
from advisor.answer.option_words import runs_at_another_level
from advisor.answer.other_models import OtherModel, at_another_level, other_model
from advisor.answer.plans import refuses_input
from advisor.answer.policy import ALL_KEPT, NEARLY_ALL_KEPT
from advisor.answer.reasons import fits_as_made, in_the_way, on_each_device, small_cache
from advisor.foundation.caches import kept_beside
from advisor.foundation.message import NOTHING, Message, Span, fact
from advisor.runtimes.architectures import loading_of
from advisor.sizing.plan import Plan
from advisor.sizing.runtime_id import RuntimeId


@kept_beside
def verdict(found: Answer) -> Message:
    """What to do, in one or two sentences."""
    other = leading(found)
    if other is not None:
        return fact("decision_led", instead=_run_other(found, other), itself=_itself(found))
    instead = at_another_level(found)
    if found.chosen is not None:
        return _run(found, None if instead is None else runs_at_another_level(instead.decided))
    if instead is None:
        return _refused(found)
    return fact("decision_with_warning", said=_refused(found), warning=runs_at_another_level(instead.decided))


def leading(found: Answer) -> OtherModel | None:
    """The other model that the sentence leads with, where there is one."""
    other = other_model(found)
    return other if other is not None and other.leads else None


def _run(found: Answer, instead: Message | None) -> Message:
    """`instead` is what is better than to run it so."""
    chosen = found.chosen or found.shown
    machine = found.hardware.name_of_used
    if not chosen.writes:
        said = fact("decision_run_encoder", model=found.entry.name, level=chosen.level, machine=machine)
        setup, tokens = found.decided.setup, fact("tokens", n=found.runs.workload.prompt)
        if not refuses_input(setup.runtime, found.model, setup.question):
            return said
        return fact("decision_with_warning", said=said, warning=fact("decision_refuses_input", tokens=tokens))
    kept = chosen.kept
    said = fact(
        "decision_run",
        model=found.entry.name,
        level=chosen.level,
        how=_how(found),
        machine=machine,
        parts=_known(
            None if kept is None else _keeping(kept.typical),
            _writing(found, chosen),
            _served(chosen.plan),
            _free(chosen.plan),
        ),
    )
    warning = instead or _warning(found)
    return said if warning is None else fact("decision_with_warning", said=said, warning=warning)


def _keeping(kept: float) -> Message:
    if kept >= ALL_KEPT:
        return fact("decision_keeps_all")
    if kept >= NEARLY_ALL_KEPT:
        return fact("decision_keeps_nearly_all")
    return fact("decision_keeps", kept=kept)


def _known(*parts: Message | None) -> tuple[Message, ...]:
    return tuple(part for part in parts if part is not None)


def _how(found: Answer) -> Message:
    """The engine where it is not the usual one, the cache where it is not whole, and what lies on the host."""
    decided = found.decided
    usual = decided.setup.runtime.id is RuntimeId.LLAMA_CPP
    kind, share = small_cache(decided), host_share_of(decided.plan)
    return fact(
        "decision_how",
        runtime=NOTHING if usual else fact("decision_in_runtime", runtime=decided.setup.runtime.name),
        cache=NOTHING if kind is None else fact("decision_with_cache", kind=kind),
        host=_on_host(share, after_cache=kind is not None),
    )


def _on_host(share: float | None, after_cache: bool) -> Message:
    if share is None:
        return NOTHING
    if after_cache:
        return fact("decision_and_host", percent=100 * share)
    return fact("decision_with_host", percent=100 * share)


def _writing(found: Answer, chosen: Candidate) -> Message | None:
    speed = chosen.tokens_per_s
    if speed is None:
        return None
    typical, ends, wish = speed.typical, Span(speed.low, speed.high), _wish(found, chosen)
    if found.question.workload.users > 1:
        return fact("decision_writes_for_each", speed=typical, range=ends, wish=wish)
    return fact("decision_writes", speed=typical, range=ends, wish=wish)


def _wish(found: Answer, chosen: Candidate) -> Message:
    """How the speed that is asked for is met: typically, perhaps, or not."""
    wish, speed = found.question.requirements.min_tokens_per_s, chosen.tokens_per_s
    if wish is None or speed is None:
        return NOTHING
    if speed.typical >= wish:
        return fact("wish_met", wish=wish)
    return fact("wish_perhaps", wish=wish) if speed.high >= wish else fact("wish_missed", wish=wish)


def _served(plan: Plan) -> Message | None:
    """How many users a server's cache holds at once, where their full contexts are more than it takes."""
    users = plan.settings.users
    if plan.at_once is None or (served := int(plan.at_once)) >= users:
        return None
    return fact("decision_serves", served=served, users=users)


def _free(plan: Plan) -> Message | None:
    """The share of the fullest place that is free, where the cache does not take whatever there is."""
    if plan.served_share is not None and plan.served_share < 1:
        return fact("decision_fills")
    holders = plan.devices or (plan.host,)
    shares = [
        (holder.free_bytes or 0) / holder.capacity_bytes for holder in holders if holder.capacity_bytes is not None
    ]
    return fact("decision_leaves", percent=100 * min(shares)) if shares else None


def _warning(found: Answer) -> Message | None:
    by = found.decided.setup.runtime
    if loading_of(by.engine, found.shown.plan.request.model).loads != "yes":
        return fact("decision_unsure", runtime=by.name)
    match found.status:
        case "last resort":
            return fact("decision_last_resort")
        case "slow":
            return fact("decision_slow")
        case _:
            return None


def _run_other(found: Answer, other: OtherModel) -> Message:
    shown = other.found.shown
    own = None if shown.kept is None else fact("decision_keeps_own", kept=min(shown.kept.typical, 100))
    return fact(
        "decision_run_instead",
        machine=other.found.hardware.name_of_used,
        model=other.entry.name,
        level=shown.level,
        how=_how(other.found),
        parts=_known(own, _writing(other.found, shown), _served(shown.plan), _free(shown.plan)),
        standing=standing_words(found, other),
    )


def _itself(found: Answer) -> Message:
    """What is wrong with the model that was asked for."""
    shown, name = found.shown, found.entry.name
    if found.chosen is None:
        return _refused(found)
    if found.status == "slow" and shown.tokens_per_s is not None:
        return fact("itself_slow", model=name, level=shown.level, how=_how(found), speed=shown.tokens_per_s.typical)
    kept = shown.kept
    span = NOTHING if kept is None else fact("itself_keeps", kept=kept.typical, low=kept.low, high=min(kept.high, 100))
    if found.status == "last resort" and "level" not in found.question.given:
        return fact("itself_last_resort", model=name, level=shown.level, how=_how(found), kept=span)
    return fact("itself_limited", model=name, level=shown.level, how=_how(found), kept=span)


def _refused(found: Answer) -> Message:
    decided, plan = found.decided, found.shown.plan
    if plan.verdict == "tight" and plan.missing_bytes and not decided.unmet:
        model, how, machine, each = found.entry.name, _how(found), found.machine_name, on_each_device(plan)
        level, missing = plan.level, plan.missing_bytes
        if fits_as_made(plan):
            return fact(
                "decision_tight_as_made", model=model, level=level, how=how, machine=machine, missing=missing, each=each
            )
        return fact("decision_tight", model=model, level=level, how=how, machine=machine, missing=missing, each=each)
    return fact(
        "decision_refused",
        model=found.entry.name,
        machine=found.machine_name,
        why=next(in_the_way(found.decided, found.search, found.machine_name)),
    )
