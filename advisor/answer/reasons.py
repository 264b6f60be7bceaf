"""Why this plan, most important first; where nothing is to be run, what stands in the way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.option import Option
from advisor.answer.option_words import runs_at_another_level
from advisor.answer.other_models import at_another_level
from advisor.answer.plans import runtime_name
from advisor.answer.policy import MANY_USERS, READING_TOKENS_PER_S, VISIBLE_POINTS
from advisor.answer.search import Search
from advisor.answer.utility import SERVERS, decodes_slowly
from advisor.foundation.caches import kept_beside
from advisor.foundation.evidence_words import counted
from advisor.foundation.message import NOTHING, Message, Span, fact
from advisor.foundation.numbers import ROUGH, differ
from advisor.foundation.units import MIB
from advisor.quality.tasks import task_name
from advisor.runtimes.registry import runtime_by
from advisor.sizing.plan import Plan
from advisor.sizing.request import Levels
from advisor.sizing.runtime_id import RuntimeId

_WIRED_SHARE = 0.95  # of what the system leaves: raised further, a Mac stands still
_SHOWN_DIGITS = 2  # of points of quality
_SHORT_FOR_THOUGHT = 16_384  # tokens; models that think first often write more
_BASES = {
    "measured": fact("quality_measured"),
    "transferred": fact("quality_transferred"),
    "estimated": fact("quality_estimated"),
}


@kept_beside
def reasons(found: Answer) -> tuple[Message, ...]:
    """Why, most important first; where nothing is to be run, what stands in the way."""
    if found.chosen is not None:
        return tuple(_why(found, found.chosen))
    first, *others = in_the_way(found.decided, found.search, found.machine_name)
    if (instead := at_another_level(found)) is None:
        return first, *others
    return first, runs_at_another_level(instead.decided), *(said for said in others if said.kind != "ways_out_of_none")


def small_cache(option: Option) -> str | None:
    """How the KV cache is kept where that is smaller than the model computes with."""
    kinds = option.setup.runtime.cache_types(option.plan.request)
    whole = (None, "auto", "f16", "bf16", "f32")
    return next((kind for kind in kinds if kind not in whole), None)


def in_the_way(decided: Option, search: Search, machine_name: str) -> Iterator[Message]:
    """What keeps the nearest option from being run, and what would help; at least one."""
    plan = decided.plan
    if decided.unmet:
        yield fact("nearest_breaks", level=plan.level, why=decided.unmet[0].message)
        yield from (one.message for one in decided.unmet[1:])
        return
    yield _lacking(plan, machine_name, alone=len({job.level for job in search.jobs}) == 1)
    if plan.missing_bytes:
        if used := used_in_the_way(plan):
            yield fact("others_in_the_way", used=used)
        if 0 < plan.max_context < plan.settings.context:
            yield shorter_fits(plan)
        if plan.limit is not None:  # more memory would not help
            if (smaller := plan.way_out("smaller batch")) is not None:
                yield smaller.message
        elif (raised := raised_limit(plan)) is not None:
            yield fact("raised_limit_would_do", mib=raised, level=plan.level)
        elif plan.settings.users > 1 and (fewer := plan.way_out("fewer users")) is not None:
            yield fewer.message
        elif plan.verdict != "tight":
            yield fact("ways_out_of_none")
        if plan.limit is None and plan.at_once is not None and 1 <= plan.at_once < plan.settings.users:
            yield fact("would_hold_few", n=int(plan.at_once), users=plan.settings.users, level=plan.level)
        unknown = plan.devices and plan.host.capacity_bytes is None and plan.request.search
        if unknown and (needed := plan.offload_needs_host_bytes):
            alone = len({job.level for job in search.jobs}) == 1
            said = fact("host_memory_would_do", level=plan.level, memory=needed)
            yield said if alone else fact("host_memory_would_do_at_least", level=plan.level, memory=needed)


def used_in_the_way(plan: Plan) -> int | None:
    """What other programs hold, where it would fit without them."""
    used = sum(holder.used_bytes for holder in (*plan.devices, plan.host))
    if not used or not isinstance(plan.request.stored, Levels):
        return None
    memory = plan.request.memory
    free = replace(
        memory,
        devices=tuple(
            replace(one, overhead_bytes=one.overhead_bytes - one.used_bytes, used_bytes=0) for one in memory.devices
        ),
        host_overhead_bytes=memory.host_overhead_bytes - memory.host_used_bytes,
        host_used_bytes=0,
    )
    again = runtime_by(plan.runtime).plan_level(replace(plan.request, memory=free), plan.level_id)
    return used if again is not None and again.fits else None


def raised_limit(plan: Plan) -> int | None:
    """To how many MiB a Mac's `iogpu.wired_limit_mb` must be raised for it to fit; None: that does not help."""
    request = plan.request
    memory = request.memory
    whole = memory.host_capacity_bytes
    if not memory.pooled or whole is None or not isinstance(request.stored, Levels):
        return None
    device = memory.devices[0]
    if device.buffer_limit is None or device.buffer_limit.api != "Metal":
        return None
    mib = math.ceil((device.capacity_bytes + plan.missing_bytes / (1 - request.margin)) / MIB)
    if mib * MIB > whole * _WIRED_SHARE:
        return None
    larger = replace(memory, devices=(replace(device, capacity_bytes=mib * MIB),))
    again = runtime_by(plan.runtime).plan_level(replace(request, memory=larger), plan.level_id)
    return mib if again is not None and again.fits else None


def shorter_fits(plan: Plan) -> Message:
    """With how much context a plan would fit."""
    if plan.settings.shared_by > 1:
        return fact("shorter_together_fits", reach=plan.max_context, level=plan.level)
    return fact("shorter_fits", reach=plan.max_context, level=plan.level)


def on_each_device(plan: Plan) -> Message:
    """The clause after what a plan lacks or needs more of."""
    return fact("on_each_device") if len(plan.devices) > 1 else NOTHING


def _lacking(plan: Plan, machine_name: str, alone: bool) -> Message:
    """What keeps the nearest plan from fitting; `alone` says that its level is the only one looked at."""
    if plan.limit is not None:
        return fact("limit_in_the_way", level=plan.level, why=plan.limit)
    level, missing, each = plan.level, plan.missing_bytes, on_each_device(plan)
    if not missing:  # all that is missing is to know the host
        return fact("runs_host_not_known", level=level, machine=machine_name)
    if plan.verdict == "tight" and fits_as_made(plan):
        if alone:
            return fact("fits_as_made", level=level, machine=machine_name, missing=missing, each=each)
        return fact("none_fits_for_sure", level=level, machine=machine_name, missing=missing, each=each)
    if plan.verdict == "tight" and alone:
        return fact("fits_without_margin", level=level, machine=machine_name, missing=missing, each=each)
    if plan.verdict == "tight":
        return fact("none_fits_with_margin", level=level, machine=machine_name, missing=missing, each=each)
    if is_beside_host(plan) and alone:
        return fact("does_not_fit_beside_host", level=level, machine=machine_name)
    if is_beside_host(plan):
        return fact("none_fits_beside_host", level=level, machine=machine_name)
    if alone:
        return fact("does_not_fit", level=level, machine=machine_name, missing=missing, each=each)
    return fact("none_fits", smallest=level, machine=machine_name, missing=missing, each=each)


def is_beside_host(plan: Plan) -> bool:
    """Whether more of either memory would do: then what the devices lack for all of it is not what is missing."""
    return bool(plan.devices) and plan.request.search and plan.host.capacity_bytes is not None


def fits_as_made(plan: Plan) -> bool:
    """Whether it would fit with its margin but for larger files that people publish."""
    return any(note.kind in ("published_may_be_larger", "checkpoint_may_be_larger") for note in plan.notes)


def _why(found: Answer, chosen: Candidate) -> Iterator[Message]:
    yield _why_this_level(found, chosen)
    yield _memory(found, chosen)
    for said in (_quality(chosen), _speed(chosen), *_why_so(found, chosen)):
        if said is not None:
            yield said
    if chosen.plan.needs_imatrix:
        yield fact("imatrix_needed")
    yield fact("file_and_rule", file=chosen.plan.sized.file_bytes, rule=chosen.plan.rule_of_thumb_bytes)


def _why_this_level(found: Answer, chosen: Candidate) -> Message:
    """What the next better level lacks: asked of the search, which has looked at it or does now."""
    decided, level = found.decided, chosen.level
    if decided.setup.as_it_is or len(decided.setup.levels) == 1:
        whole = chosen.verdict != "fits with offload"
        return fact("fits", level=level) if whole else fact("runs_with_offload", level=level)
    above = next_better(found)
    if above is None and decided.kept.mean >= 100 - VISIBLE_POINTS:
        return fact("no_visible_gain_above", level=level)
    if above is None:
        return fact("no_better_level", level=level)
    better, plan = above.candidate, above.plan
    if plan.verdict == "does not fit" and is_beside_host(plan):
        return fact("best_that_fits_beside_host", level=level, above=better.level)
    if plan.verdict == "does not fit":
        each = on_each_device(plan)
        return fact("best_that_fits", level=level, above=better.level, missing=plan.missing_bytes, each=each)
    if plan.verdict == "tight":
        return fact("best_with_margin", level=level, above=better.level, missing=plan.missing_bytes)
    if above.unmet:
        return fact("best_as_asked_because", level=level, why=above.unmet[0].message)
    points, against = max(0.0, above.kept.task - decided.kept.task), _against(above, decided)
    if round(points, _SHOWN_DIGITS) == 0:
        return fact("better_trade_alike", level=level, above=better.level, against=against)
    return fact("better_trade", level=level, above=better.level, points=points, against=against)


def _against(above: Option, decided: Option) -> Message:
    """What speaks against a plan that keeps more and runs as well, beside the decided one: what weighs most."""
    there, here = above.candidate, decided.candidate
    slow, fast = (None if one.tokens_per_s is None else one.tokens_per_s.typical for one in (there, here))
    if slow is not None and fast is not None and slow < fast and differ(slow, fast, ROUGH):
        return fact("against_slower", speed=slow, instead=fast)
    if here.is_whole and not there.is_whole:
        return fact("against_on_host")
    if above.figures.served < decided.figures.served:
        return fact("against_served", share=100 * above.figures.served)
    if decided.setup.whole_cache and (kind := small_cache(above)):
        return fact("against_small_cache", kind=kind)
    if decodes_slowly(above.traits, above.figures) and not decodes_slowly(decided.traits, decided.figures):
        return fact("against_codebook")
    if above.traits.unpacked and not decided.traits.unpacked:
        return fact("against_unpacked")
    if (more := _held_bytes(above.plan) - _held_bytes(decided.plan)) > 0:
        return fact("against_larger", more=more)
    return fact("against_rare")


def _held_bytes(plan: Plan) -> int:
    """In all places together."""
    return sum(place.needed_bytes for place in (*plan.devices, plan.host))


def next_better(found: Answer) -> Option | None:
    """The least better level of the same engine, run as it runs best; None: nothing that is looked at keeps more."""
    decided, search = found.decided, found.search
    better = [job for job in search.jobs if job.setup is decided.setup and job.kept.mean > decided.kept.mean]
    for job in sorted(better, key=lambda job: job.kept.mean):
        if job.level is not None and (option := search.best_of_level(job.level, decided.setup)) is not None:
            return option
    return None


def _memory(found: Answer, chosen: Candidate) -> Message:
    plan, free, machine = chosen.plan, chosen.plan.free_bytes, found.hardware.name_of_used
    if free is None or (plan.served_share is not None and plan.served_share < 1):  # then the cache takes all
        left = fact("on_machine", machine=machine)
    elif len(plan.devices) > 1:
        left = fact("leaves_on_each_device", free=free, machine=machine)
    else:
        left = fact("leaves", free=free, machine=machine)
    if plan.verdict == "fits with offload":
        return fact("needs_gpu_and_host", gpu=plan.needed_bytes, host=plan.host.needed_bytes, left=left)
    return fact("needs_in_all", needed=plan.needed_bytes, left=left)


def _quality(chosen: Candidate) -> Message | None:
    kept, quality = chosen.kept, chosen.quality
    if kept is None or kept.low == kept.high or quality.basis not in _BASES:
        return None
    if quality.of_original:
        return fact(
            "original_keeps",
            kept=min(kept.typical, 100),
            task=task_name(chosen.task),
            low=kept.low,
            high=min(kept.high, 100),
        )
    return fact(
        "keeps",
        kept=min(kept.typical, 100),
        task=task_name(chosen.task),
        low=kept.low,
        high=min(kept.high, 100),
        basis=_BASES[quality.basis],
        evidence=counted(quality.n, quality.sources),
    )


def _speed(chosen: Candidate) -> Message | None:
    speed = chosen.tokens_per_s
    if (inputs := chosen.inputs_per_s) is not None and chosen.speed is not None:
        tokens = chosen.speed.load.prompt_tokens
        return fact(
            "reads_inputs", inputs=inputs.typical, tokens=fact("tokens", n=tokens), range=Span(inputs.low, inputs.high)
        )
    if speed is None:
        return None
    if speed.typical < READING_TOKENS_PER_S:
        return fact("writes_slowly", speed=speed.typical, range=Span(speed.low, speed.high))
    return fact("writes", speed=speed.typical, range=Span(speed.low, speed.high))


def _why_so(found: Answer, chosen: Candidate) -> Iterator[Message]:
    """Why this runtime and this cache, where they were chosen; and what a model that thinks needs."""
    decided, question = found.decided, found.question
    engines = {setup.runtime.id for setup in found.search.setups}
    if len(engines) > 1:
        users = question.workload.users
        if decided.setup.runtime.id is RuntimeId.VLLM:
            yield fact("why_vllm", n=users, runtime=runtime_name(found.runtime))
        else:
            yield fact("why_this_engine", n=users, runtime=runtime_name(found.runtime))
            yield from _why_no_server(found)
    if not decided.setup.whole_cache and (kind := small_cache(decided)):
        yield _why_small_cache(found, kind)
    entry = found.entry.entry
    if entry is not None and entry.variant == "reasoning" and chosen.plan.max_context < _SHORT_FOR_THOUGHT:
        yield fact("thinks_long", reach=chosen.plan.max_context)


def _why_no_server(found: Answer) -> Iterator[Message]:
    """For so many users that an engine made for them is expected: how few it would hold, where that is why."""
    users, here = found.question.workload.users, found.decided.setup.runtime.engine
    if users < MANY_USERS or here in SERVERS:
        return
    asked = map(found.search.compared, (job for job in found.search.jobs if job.traits.engine in SERVERS))
    servers = [option for option in asked if option is not None and option.plan.at_once is not None]
    most = max(servers, key=lambda option: option.plan.at_once or 0, default=None)
    held = 0 if most is None else int(most.plan.at_once or 0)
    if most is None or held < 1 or any(option.plan.fits for option in servers):
        return
    yield fact("server_holds_few", n=held, users=users, runtime=most.setup.runtime.name, level=most.plan.level)


def _why_small_cache(found: Answer, kind: str) -> Message:
    """What the small cache is for, beside the same plan with the cache as the model computes it."""
    decided, whole = found.decided, found.search.with_whole_cache(found.decided)
    if whole is None:
        return fact("small_cache_is", kind=kind)
    points = max(0.0, whole.kept.task - decided.kept.task)
    if not whole.plan.fits:
        return fact("small_cache_makes_room", kind=kind, points=points)
    return fact("small_cache_instead", kind=kind, points=points, against=_against(whole, decided))
