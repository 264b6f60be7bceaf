"""What drafting does to speed: by a model's own layers, and by a draft model, of which it must be known how many of its
tokens are accepted.
"""

from __future__ import annotations

from dataclasses import replace

from advisor.answer.candidate import Candidate
from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.evidence_words import counted
from advisor.foundation.message import Message, Span, fact
from advisor.foundation.ranges import Range
from advisor.models.lookup import find_model
from advisor.question.configuration import ModelChoice
from advisor.question.hardware import Hardware
from advisor.runtimes.llama_cpp.draft import expected_tokens
from advisor.runtimes.llama_cpp.mtp import DRAFTED
from advisor.runtimes.llama_cpp.weights import level_weights
from advisor.speed import Speed, estimate_speed, placed_load

_WORTH_IT = 1.1  # times as fast
# Percent of a draft's tokens that were accepted: EAGLE 3 beside Tess 4 27B and MiniMax M3 (data/drafting.csv); a small
# model of the family was seen to gain as much as those (vLLM's post of 2024-10-17).
_OTHERS_ACCEPTED = (41.0, 67.0)


def drafting_note(asked: ModelChoice, hardware: Hardware, shown: Candidate) -> Message | None:
    """About the speed of the candidate with the draft model that is asked for; None without one."""
    if asked.draft is None or shown.speed is None:
        return None
    name = find_model(asked.draft).name
    accepted = asked.draft_accepted_percent
    if accepted is None:
        low, high = (drafted_speed(asked, hardware, shown, shown.speed, percent) for percent in _OTHERS_ACCEPTED)
        if low is None or high is None:
            return fact("drafting_not_known", draft=name)
        others = Span(*_OTHERS_ACCEPTED)
        return fact("drafting_of_others", draft=name, accepted=others, range=Span(low.typical, high.typical))
    found, plain = drafted_speed(asked, hardware, shown, shown.speed, accepted), shown.tokens_per_s
    if found is None or plain is None:
        return None
    return fact(
        "drafting",
        accepted=accepted,
        draft=name,
        drafted=DRAFTED,
        level=shown.level,
        speed=found.typical,
        range=Span(found.low, found.high),
        instead=plain.typical,
    )


def mtp_note(shown: Candidate) -> Message:
    """What drafting by the model's own layers does to the speed that is shown."""
    speed = shown.speed
    if speed is None or speed.gain is None or speed.load.drafting is None:
        return fact("mtp_counted")
    gain, users = speed.gain, speed.load.users
    drafted, times = speed.load.drafting.drafted, Span(gain.times.low, gain.times.high)
    whose = fact("mtp_of_this_model") if gain.own else fact("mtp_of_other_models")
    evidence = counted(gain.n, gain.sources)
    if gain.times.typical < _WORTH_IT:
        return fact(
            "mtp_not_worth_it",
            users=fact("users", n=users),
            times=gain.times.typical,
            range=times,
            evidence=evidence,
            whose=whose,
        )
    return fact(
        "mtp_gains",
        drafted=drafted,
        accepted=100 * gain.accepted,
        times=gain.times.typical,
        range=times,
        evidence=evidence,
        whose=whose,
    )


def drafted_speed(
    asked: ModelChoice, hardware: Hardware, shown: Candidate, plain: Speed, accepted_percent: float
) -> Range | None:
    """Tokens/s of each user where so many drafted tokens are accepted; None where a bandwidth is not known.

    A step drafts one token after the other, then the main model reads all of them at once, as it would tokens of so
    many users that share one cache. What the step takes is compared with a step of one token.
    """
    draft = shown.plan.draft
    if draft is None or asked.draft is None:
        return None
    model, level = find_model(asked.draft).model, LEVELS[asked.draft_level]
    load, devices, backend = plain.load, plain.devices, plain.backend
    drafts = placed_load(
        model,
        level_weights(model, level),
        draft.placement,
        level.name,
        level.nominal_bits,
        settings=draft.settings,
        context_used=load.context_used,
        prompt_tokens=load.prompt_tokens,
    )
    checks = replace(
        load,
        users=load.users * (DRAFTED + 1),
        cache_bytes={device: size / (DRAFTED + 1) for device, size in load.cache_bytes.items()},
    )
    host = hardware.host_bandwidth
    drafting = estimate_speed(drafts, devices, backend, host_bandwidth=host)
    checking = estimate_speed(checks, devices, backend, host_bandwidth=host, split=shown.plan.settings.split)
    alone, drafted, checked = (
        None if speed is None else speed.decode_tokens_per_s for speed in (plain, drafting, checking)
    )
    if alone is None or drafted is None or checked is None:
        return None
    one = 1 / alone.typical
    step = DRAFTED / drafted.typical + 1 / checked.typical
    return alone.scaled(expected_tokens(accepted_percent / 100) * one / step)
