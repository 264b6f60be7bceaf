"""The first page: which level to run on this machine, and why."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.choices import Choice, choices
from advisor.answer.flips import Flip, flips
from advisor.answer.other_models import OtherModel
from advisor.answer.pinned import pinned_query
from advisor.answer.plans import runtime_name
from advisor.answer.reasons import reasons
from advisor.answer.status import Status
from advisor.answer.verdict import leading, verdict
from advisor.foundation.numbers import approx, span
from advisor.foundation.units import gb, gib
from advisor.sizing.plan import Plan
from advisor.ui.asking import Reply
from advisor.ui.charts.memory import memory_chart
from advisor.ui.parts import memory_view, model_input, other_formats, published, run_view, sources, speed_view
from advisor.ui.parts.tables import common_plans, fullest_device, levels_table, memory_by_level
from advisor.ui.parts.text import plain, refusal, small, status_mark, tokens, users
from advisor.words import say, say_all

_TILE = 150  # pixels


def draw(reply: Reply) -> None:
    """Draw the page."""
    answer = reply.answer
    st.title(plain(f"{answer.entry.name} on {answer.machine_name}") if answer else "LLM Fit Advisor", anchor=False)
    if answer is None:
        _no_answer(reply)
        return
    changes = _verdict(answer)
    for note in say_all(answer.notes, "page"):
        st.info(plain(note), icon=":material/info:")
    _memory(answer)
    _levels(answer)
    shown = answer.shown
    memory_view.draw(answer, shown)
    if shown.plan.verdict != "does not fit":
        speed_view.draw(shown)
        run_view.draw(answer, shown)
    published.draw(answer.entry, answer.model, answer.question.model.imatrix)
    other_formats.draw(answer.model)
    sources.draw(answer)
    with changes:  # last: each of them is a plan of its own
        _changes(answer)


def _no_answer(reply: Reply) -> None:
    """Why there is none, and what is known even so; a model that is still being read comes by itself."""
    if reply.waiting:
        st.info(refusal(reply.error or ""), icon=":material/hourglass_top:")
        model_input.wait(reply.model)
        return
    st.error(refusal(reply.error or "There is no answer."), icon=":material/error:")
    if reply.needs_token:
        model_input.explain_token()
    if reply.found is not None and reply.found.file is not None:
        published.draw(reply.found, reply.found.model)


def _verdict(answer: Answer) -> DeltaGenerator:
    """Draw what to run and why; the place that is returned is for what would change it."""
    question, chosen, instead = answer.runs, answer.chosen, leading(answer)
    with st.container(border=True, key="verdict"):
        asked = f"{tokens(question.workload.context)} of context and {users(question.workload.users)}"
        st.markdown(small(plain(f"For {asked}, with {runtime_name(answer.runtime)}")))
        what = answer.shown.level if chosen is not None else "Nothing runs as asked"
        if instead is None:
            st.header(f"{plain(what)} {status_mark(answer.status)}", anchor=False)
            st.markdown(plain(say(verdict(answer), "page")))
        else:
            _lead(answer, instead)
            st.markdown(f"**{plain(answer.entry.name)} itself: {plain(what)}** {status_mark(answer.status)}")
        if chosen is not None:
            _figures(chosen)
        st.markdown("\n".join(f"- {plain(reason)}" for reason in say_all(reasons(answer), "page")))
        beside = [one for one in choices(answer) if instead is None or one.role != "other model"]
        if beside:
            st.markdown("**Other choices**")
            st.markdown("\n".join(_choice(one) for one in beside))
        return st.container()


def _lead(answer: Answer, instead: OtherModel) -> None:
    """Another model is the better answer: it comes first, with a link to the same question about it."""
    name = plain(instead.entry.name)
    st.header(f"Run {name} instead {status_mark(instead.found.status)}", anchor=False)
    st.markdown(plain(say(verdict(answer), "page")))
    st.markdown(f"**[Ask the same about {name}](./?{instead.found.question.to_query()})**")


def _choice(choice: Choice) -> str:
    """Its role is a link to exactly this plan."""
    link = pinned_query(choice.option.setup.question, choice.found.entry, choice.option.plan)
    gain = plain(say(choice.gain, "page"))
    return f"- **[{plain(choice.role.capitalize())}](./?{link})** {status_mark(choice.status)}: {gain}"


def _changes(answer: Answer) -> None:
    """What would lead to another answer."""
    if changes := flips(answer):
        st.markdown("**What would change it**")
        st.markdown("\n".join(_change(change) for change in changes))
    _ways_out(answer)


def _change(change: Flip) -> str:
    """What would then be decided, how good that is, and a link that asks it."""
    status: Status = "does not fit" if change.found is None else change.found.status
    sentence = plain(say(change.sentence, "page"))
    return f"- {sentence} {status_mark(status)} [Ask this](./?{change.question.to_query()})"


def _ways_out(answer: Answer) -> None:
    """Where nothing is recommended, what would make the level that comes nearest fit."""
    if answer.chosen is not None or answer.decided.unmet:
        return
    nearest = answer.shown.plan
    if ways := nearest.ways_out:
        st.markdown(f"**What would help {nearest.level}**")
        st.markdown("\n".join(f"- {plain(say(way.message, 'page'))}" for way in ways))


def _figures(chosen: Candidate) -> None:
    plan = chosen.plan
    devices = len(plan.devices)
    held_by = fullest_device(plan)
    capacity = gib(held_by.capacity_bytes or 0)
    row = st.container(horizontal=True)  # wraps to rows of two on a phone
    row.metric("File size", gb(plan.sized.file_bytes), help="What is downloaded, in GB (1000³ bytes).", width=_TILE)
    row.metric(
        "Memory needed",
        gib(plan.needed_bytes),
        help="Weights, KV cache, compute buffers and overhead, in GiB (1024³ bytes)"
        + (f", on {devices} devices together." if devices > 1 else "."),
        width=_TILE,
    )
    free = plan.free_bytes
    row.metric(
        "Least free" if devices > 1 else "Free",
        "unknown" if free is None else gib(free),
        help=(f"On the fullest device, of {capacity}" if devices > 1 else f"Of {capacity}") + ", margin included.",
        width=_TILE,
    )
    row.metric(
        "Longest context",
        f"{plan.max_context:,}" if plan.max_context else "none",
        help="Tokens per user that still fit with the safety margin, at most what the model was trained for.",
        width=_TILE,
    )
    speed = chosen.tokens_per_s if chosen.writes else chosen.inputs_per_s
    missing = "Bandwidth is not known." if chosen.writes else "This machine's arithmetic rate is not known."
    row.metric(
        "Tokens/s per user" if chosen.writes else "Inputs/s",
        "unknown" if speed is None else approx(speed.typical),
        help=missing if speed is None else f"{span(speed)}; see Speed below.",
        width=_TILE,
    )
    if not chosen.writes:  # an encoder has no score at chat
        return
    kept = chosen.kept
    row.metric(
        f"Quality kept, {chosen.task}",
        "unknown" if kept is None else f"{kept.typical:.1f} %",
        help="No measurement tells." if kept is None else f"Of the 16-bit score: {kept.low:.0f} to {kept.high:.0f} %.",
        width=_TILE,
    )


def _level(answer: Answer) -> str | None:
    return None if answer.chosen is None else answer.chosen.level


def _memory(answer: Answer) -> None:
    st.subheader("Memory by level", anchor=False)
    kept = [answer.shown.level, *(other.option.candidate.level for other in choices(answer) if other.found is answer)]
    shown = list(answer.plans)
    if len(shown) > 1 and not st.toggle("All levels", key="all_levels", persist_state="session"):
        shown = common_plans(answer.plans, kept)
    devices = len(answer.plans[0].devices)
    where = f"on the fullest of {devices} devices" if devices > 1 else "on the GPU" if devices else "on the host"
    if devices == 1 and answer.machine.unified:
        where = "in the shared memory"
    _chart(answer, shown, where)
    question = answer.question
    if devices and (question.placement.gpu_layers is not None or question.placement.cpu_moe_layers):
        _chart(answer, shown, "on the host", host=True)
    elif devices:
        ends = dict.fromkeys(gib(find(plan.host.needed_bytes for plan in shown)) for find in (min, max))
        st.markdown(small(f"Besides, the host holds input embeddings and a buffer: {' to '.join(ends)}."))


def _chart(answer: Answer, plans: list[Plan], where: str, host: bool = False) -> None:
    table = memory_by_level(plans, host=host)
    figure = memory_chart(table, _level(answer), answer.question.machine.margin_percent, where)
    capacity = table["capacity"].iloc[0]
    limit = f" against a capacity of {capacity:,.1f} GiB" if capacity == capacity and capacity is not None else ""
    st.plotly_chart(
        figure,
        key=f"memory_{'host' if host else 'device'}",
        config={"displayModeBar": False},
        alt=f"Memory {where} for {len(table)} levels{limit}, split into weights, KV cache, compute buffers and "
        "overhead. The table below has the same figures.",
    )


def _levels(answer: Answer) -> None:
    st.subheader("All levels" if len(answer.plans) > 1 else "The level", anchor=False)
    table = levels_table(answer.candidates, _level(answer))
    number = st.column_config.NumberColumn
    text = st.column_config.TextColumn
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        key="levels",
        placeholder="–",
        alt=f"{len(table)} levels of {answer.entry.name} on {answer.machine_name} with file size, memory and verdict",
        column_config={
            "level": text("Level", pinned=True, width=115, help="★ marks the recommended one."),
            "verdict": text("Verdict", help="Tight: fits, but not with the safety margin."),
            "file_gb": number(
                "File (GB)",
                format="%.2f",
                help="Exact tensor data; header and tokenizer estimated. 1 GB is 1000³ bytes.",
            ),
            "bits_per_weight": number("Bits per weight", format="%.2f"),
            "quality_percent": number(
                "Quality (%)",
                format="%.1f",
                help=f"Of the 16-bit score kept, typical; {answer.question.requirements.task}.",
            ),
            "tokens_per_s": number("Tokens/s", format="%.1f", help="For each user, typical."),
            "memory_gib": number("Memory (GiB)", format="%.1f", help="On all devices together. 1 GiB is 1024³ bytes."),
            "free_gib": number("Free (GiB)", format="%.1f", help="On the fullest device; negative: missing."),
            "max_context": number(
                "Longest context", format="localized", help="Tokens per user that fit with the safety margin."
            ),
            "rule_gb": number("Rule (GB)", format="%.1f", help="Parameters × bits / 8."),
            "rule_error_percent": number(
                "Rule error (%)", format="%+.1f", help="Against the real file; negative: too low."
            ),
            "host_gib": number("Host (GiB)", format="%.1f", help="Host memory needed beside the devices."),
            "note": text("Note", width="large"),
        },
    )
