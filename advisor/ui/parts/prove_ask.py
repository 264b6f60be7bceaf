"""Ask llama.cpp what it would allocate, and show it beside the prediction."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from datetime import datetime

import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.plans import runtime_name
from advisor.formats.gguf_levels import LEVELS, LLAMA_CPP_RULES, Level
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.errors import AdvisorError, InputError
from advisor.foundation.units import GIB, MIB
from advisor.models.model import Model
from advisor.quantize import ask
from advisor.quantize.errors import ToolMissing
from advisor.quantize.gguf_writing import Entry
from advisor.quantize.header_only import metadata_of_config, metadata_of_header
from advisor.quantize.kept_answers import Told, as_json, from_json, key_of
from advisor.quantize.tools import find_tool
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Device, Memory
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings
from advisor.store.asked import Asked
from advisor.store.database import default_url
from advisor.store.errors import StoreUnavailable
from advisor.ui import login
from advisor.ui.asking import Reply
from advisor.ui.ownership import keep_owner
from advisor.ui.parts.html import question_href
from advisor.ui.parts.html_table import Link, html_table
from advisor.ui.parts.text import plain, refusal, small

_PATIENCE_S = 60.0
_ASKING = threading.Lock()  # one at a time: each builds a graph of the whole model
_ROOMY = 1 << 40  # bytes; where the capacity of this server's GPUs does not matter
_MIB_COLUMNS = ("Predicted (MiB)", "llama.cpp (MiB)", "Difference (MiB)")
_JUST_TOLD = "told_by_llama_cpp"  # by key, where the database is away


def draw(reply: Reply, owner: str) -> None:
    """Draw the question, and the answer where it was asked before."""
    st.header("Ask", anchor=False)
    st.markdown(
        "What would this model take? llama.cpp's own planner says so within seconds, whatever its size. It gets a file "
        "with the real header and no weights: kilobytes, no download."
    )
    answer = reply.answer
    if answer is None:
        st.error(refusal(reply.error or "There is no answer."), icon=":material/error:")
        return
    candidates = {found.level: found for found in answer.candidates if found.level in LEVELS}
    if not candidates:
        st.info(
            f"llama.cpp reads GGUF files, and this question is answered for {runtime_name(answer.runtime)}: choose the "
            "runtime llama.cpp to ask it.",
            icon=":material/info:",
        )
        return
    kept, away = _kept(answer, candidates, owner)
    level = _level(answer, list(candidates), kept)
    if st.button("Ask again" if level in kept else "Ask llama.cpp", key="ask_llama_cpp", type="primary"):
        try:
            with st.spinner(f"llama.cpp plans {plain(answer.entry.name)} at {level} …"):
                kept |= {level: (_ask(answer, candidates[level], owner), None)}
        except AdvisorError as error:
            st.error(refusal(str(error)), icon=":material/error:")
    if level in kept:
        _show(answer, candidates[level], *kept[level])
    if away:
        st.markdown(small(refusal(away)))
    _before(owner)


@st.cache_resource(show_spinner=False)
def _opened(url: str) -> Asked:
    return Asked.open(url)


def _kept(
    answer: Answer, candidates: Mapping[str, Candidate], owner: str
) -> tuple[dict[str, tuple[Told, datetime | None]], str]:
    """What this browser was told about these levels, the newest first, with its time; and why nothing can be kept."""
    keys = {_key(answer, candidate): level for level, candidate in candidates.items()}
    held: Mapping[str, Told] = st.session_state.get(_JUST_TOLD, {})
    just: dict[str, tuple[Told, datetime | None]] = {
        keys[key]: (told, None) for key, told in held.items() if key in keys
    }
    try:
        rows = _opened(default_url()).of(owner, keys).values()
    except StoreUnavailable as error:
        return just, str(error)
    newest = sorted(rows, key=lambda row: row.asked_at, reverse=True)
    found: dict[str, tuple[Told, datetime | None]] = {}
    for row in newest:
        if (told := from_json(row.told)) is not None:
            found[keys[row.key]] = told, row.asked_at
    return found | just, ""


def _key(answer: Answer, candidate: Candidate) -> str:
    return key_of(answer.model, LEVELS[candidate.level], candidate.plan.settings, answer.question.model.imatrix)


def _before(owner: str) -> None:
    """What this browser asked before, each with a link to its question."""
    try:
        rows = _opened(default_url()).newest(owner)
    except StoreUnavailable:
        return  # said above
    if not rows:
        return
    told = [(row, from_json(row.told)) for row in rows]
    table = html_table(
        f"{len(rows)} answers that this browser asked for, the newest first",
        ("Asked before", "Level", "llama.cpp says", "When (UTC)"),
        [
            (
                Link(row.model, question_href(row.query, "prove-it")),
                row.level,
                f"{_total(one) / GIB:.1f} GiB" if one else "–",
                f"{row.asked_at:%Y-%m-%d %H:%M}",
            )
            for row, one in told
        ],
        ("llama.cpp says",),
    )
    st.html(table)


def _total(told: Told) -> int:
    return sum(one.weights_bytes + one.kv_cache_bytes + one.compute_bytes for one in told.said.devices)


def _level(answer: Answer, levels: list[str], kept: Collection[str]) -> str:
    """The level to ask about: at first the one last asked about, else the one that is shown."""
    first = next(iter(kept), answer.shown.level)
    if st.session_state.get("ask_level") not in levels:
        st.session_state["ask_level"] = first if first in levels else levels[0]
    return str(
        st.selectbox(
            "Level to ask about",
            levels,
            key="ask_level",
            width=240,
            format_func=lambda name: f"{name} (asked)" if name in kept else name,
        )
    )


def _ask(answer: Answer, candidate: Candidate, owner: str) -> Told:
    """Raises AdvisorError in one sentence."""
    login.require("quantize")
    level, metadata = LEVELS[candidate.level], _metadata(answer)
    if not _ASKING.acquire(timeout=_PATIENCE_S):
        raise InputError("llama.cpp is being asked by others; try again in a minute.")
    try:
        said = _said(answer, level, candidate.plan.settings, metadata)
        dry_run, why = _dry_run(answer.model, level, metadata)
    finally:
        _ASKING.release()
    told, key = Told(said, dry_run, why), _key(answer, candidate)
    _planned(answer, level, candidate.plan.settings, said)  # an answer that cannot be compared is none
    try:
        _opened(default_url()).keep(
            key, owner, model=answer.entry.name, level=level.name, query=answer.question.to_query(), told=as_json(told)
        )
        keep_owner(owner)
    except StoreUnavailable:
        st.session_state[_JUST_TOLD] = {key: told}  # for this visit
    return told


def _metadata(answer: Answer) -> list[Entry]:
    found = answer.entry
    if found.file is not None:
        return metadata_of_header(found.file.header)
    config = found.entry.config if found.entry else found.repository.config if found.repository else None
    if config is None:
        raise InputError("llama.cpp can be asked about models of the catalogue, Hub repositories and GGUF files.")
    return metadata_of_config(answer.model, config)


def _said(answer: Answer, level: Level, settings: Settings, metadata: list[Entry]) -> ask.Answer:
    """llama.cpp's answer for the devices it has here.

    Where to put what is only said where the question's devices are those of this machine.
    """
    imatrix, settings = answer.question.model.imatrix, _sayable(settings)
    said = ask.ask_memory(answer.model, level, settings, metadata, imatrix)
    gpus = len(said.devices) - 1
    if gpus and gpus != len(answer.memory.devices) and settings != settings.without_placement:
        return ask.ask_memory(answer.model, level, settings.without_placement, metadata, imatrix)
    return said


def _sayable(settings: Settings) -> Settings:
    """Without a placement where only the library is there, which cannot be told one."""
    return settings.without_placement if find_tool("llama-fit-params") is None else settings


def _planned(answer: Answer, level: Level, settings: Settings, said: ask.Answer) -> tuple[ask.Compared, ...]:
    """Our plan for the devices that llama.cpp answered for, beside what it said."""
    settings, memory = _sayable(settings), answer.memory
    if len(said.devices) - 1 != len(memory.devices):
        settings = settings.without_placement
        memory = Memory(tuple(Device(told.name, _ROOMY, 0) for told in said.devices[:-1]), None)
    stored = Levels(level.id, imatrix=answer.question.model.imatrix)
    (plan,) = LLAMA_CPP.plan(PlanRequest(answer.model, memory, settings, stored=stored))
    return ask.compare_with_plan(said, plan)


def _dry_run(model: Model, level: Level, metadata: list[Entry]) -> tuple[int | None, str]:
    if find_tool("llama-quantize") is None:
        return None, "llama-quantize was not found here, so its dry run does not confirm the bytes."
    try:
        return ask.ask_size(model, level, metadata), ""
    except ToolMissing as error:
        return None, str(error)
    except AdvisorError as error:
        return None, f"The dry run gave no answer: {error}"


def _show(answer: Answer, candidate: Candidate, told: Told, asked_at: datetime | None) -> None:
    level, gpus = LEVELS[candidate.level], len(told.said.devices) - 1
    if gpus != len(answer.memory.devices):
        here = f"{gpus or 'no'} GPU{'s' if gpus > 1 else ''}"
        st.markdown(
            plain(
                f"llama.cpp answers for the machine it runs on. Here it has {here}, so both columns are for that, "
                f"and not for {answer.machine_name}."
            )
        )
    rows = _planned(answer, level, candidate.plan.settings, told.said)
    st.html(
        html_table(
            f"Memory of {level.name} by device: predicted, as llama.cpp says, and the difference",
            ("Device", "Part", *_MIB_COLUMNS, "Verdict"),
            [_row(row) for row in rows if row.predicted_bytes or row.told_bytes],
            _MIB_COLUMNS,
        )
    )
    when = f" on {asked_at:%Y-%m-%d %H:%M} UTC" if asked_at else ""
    st.markdown(
        small(
            plain(
                f"Answered by {told.said.engine}{when}, in whole MiB: it cuts off the rest, so a difference below 1 is "
                "none. Weights and KV cache (the memory of the conversation) are exact. Compute buffers (scratch "
                f"space) follow the rules of {LLAMA_CPP_RULES}; other releases lay them out differently."
            )
        )
    )
    if told.dry_run_bytes is None:
        st.markdown(small(plain(told.why)))
        return
    predicted = size_level(answer.model, level).tensor_bytes
    same = told.dry_run_bytes == predicted
    sign = "✔ the same" if same else f"✖ {predicted - told.dry_run_bytes:+,} bytes"
    st.markdown(f"llama-quantize's dry run: {told.dry_run_bytes:,} bytes of tensors; predicted {predicted:,}: {sign}.")


def _row(row: ask.Compared) -> tuple[str, ...]:
    difference = (row.predicted_bytes - row.told_bytes) / MIB
    share = f" by {difference * MIB / row.told_bytes:+.1%}" if row.told_bytes else ""
    return (
        row.device,
        row.figure,
        f"{row.predicted_bytes / MIB:,.1f}",
        f"{row.told_bytes // MIB:,}",
        f"{difference:+,.1f}",
        "✔ agrees" if row.agrees else f"▲ differs{share}",
    )
