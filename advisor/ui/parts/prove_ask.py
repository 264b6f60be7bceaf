"""Ask llama.cpp what it would allocate, and show it beside the prediction."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.plans import runtime_name
from advisor.formats.gguf_levels import LEVELS, LLAMA_CPP_RULES, Level
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.errors import AdvisorError, InputError
from advisor.foundation.units import MIB
from advisor.models.model import Model
from advisor.quantize import ask
from advisor.quantize.errors import ToolMissing
from advisor.quantize.gguf_writing import Entry
from advisor.quantize.header_only import metadata_of_config, metadata_of_header
from advisor.quantize.tools import find_tool
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Device, Memory
from advisor.sizing.plan import Plan
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings
from advisor.ui.asking import Reply
from advisor.ui.parts.text import plain, refusal, small

_TOLD = "told_by_llama_cpp"
_PATIENCE_S = 60.0
_ASKING = threading.Lock()  # one at a time: each builds a graph of the whole model
_ROOMY = 1 << 40  # bytes; where the capacity of this server's GPUs does not matter


@dataclass(frozen=True)
class Told:
    """llama.cpp's answer beside a plan for the same devices. `dry_run_bytes` None: nobody here can say, see `why`."""

    engine: str
    gpus: int
    rows: tuple[ask.Compared, ...]
    tensor_bytes: int
    dry_run_bytes: int | None
    why: str


def draw(reply: Reply) -> None:
    """Draw the question, and the answer where it was asked."""
    st.subheader("Ask llama.cpp", anchor=False)
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
    level = _level(answer, list(candidates))
    key = f"{answer.question.to_query()} {level}"
    if st.button("Ask llama.cpp", key="ask_llama_cpp", type="primary"):
        st.session_state.pop(_TOLD, None)
        try:
            with st.spinner(f"llama.cpp plans {plain(answer.entry.name)} at {level} …"):
                st.session_state[_TOLD] = key, _ask(answer, candidates[level])
        except AdvisorError as error:
            st.error(refusal(str(error)), icon=":material/error:")
    asked, told = st.session_state.get(_TOLD, ("", None))
    if told is not None and asked == key:
        _show(answer, level, told)
    else:
        st.markdown(
            small("A file with the real header and no weights is written and removed again: kilobytes, no download.")
        )


def _level(answer: Answer, levels: list[str]) -> str:
    first = answer.shown.level
    if st.session_state.get("ask_level") not in levels:
        st.session_state["ask_level"] = first if first in levels else levels[0]
    return str(st.selectbox("Level to ask about", levels, key="ask_level", width=240))


def _ask(answer: Answer, candidate: Candidate) -> Told:
    """Raises AdvisorError in one sentence."""
    level, metadata = LEVELS[candidate.level], _metadata(answer)
    if not _ASKING.acquire(timeout=_PATIENCE_S):
        raise InputError("llama.cpp is being asked by others; try again in a minute.")
    try:
        said, plan = _asked(answer, level, candidate.plan.settings, metadata)
        rows = ask.compare_with_plan(said, plan)
        dry_run, why = _dry_run(answer.model, level, metadata)
    finally:
        _ASKING.release()
    return Told(said.engine, len(said.devices) - 1, rows, size_level(answer.model, level).tensor_bytes, dry_run, why)


def _metadata(answer: Answer) -> list[Entry]:
    found = answer.entry
    if found.file is not None:
        return metadata_of_header(found.file.header)
    config = found.entry.config if found.entry else found.repository.config if found.repository else None
    if config is None:
        raise InputError("llama.cpp can be asked about models of the catalogue, Hub repositories and GGUF files.")
    return metadata_of_config(answer.model, config)


def _asked(answer: Answer, level: Level, settings: Settings, metadata: list[Entry]) -> tuple[ask.Answer, Plan]:
    """llama.cpp's answer for the devices it has here, and our plan for the same.

    Where to put what is only said where the question's devices are those of this machine.
    """
    imatrix = answer.question.model.imatrix
    if find_tool("llama-fit-params") is None:  # the library cannot be told a placement
        settings = settings.without_placement
    said = ask.ask_memory(answer.model, level, settings, metadata, imatrix)
    gpus, memory = len(said.devices) - 1, answer.memory
    if gpus != len(memory.devices):
        if gpus and settings != settings.without_placement:
            said = ask.ask_memory(answer.model, level, settings.without_placement, metadata, imatrix)
        settings = settings.without_placement
        memory = Memory(tuple(Device(told.name, _ROOMY, 0) for told in said.devices[:-1]), None)
    (plan,) = LLAMA_CPP.plan(PlanRequest(answer.model, memory, settings, stored=Levels(level.id, imatrix=imatrix)))
    return said, plan


def _dry_run(model: Model, level: Level, metadata: list[Entry]) -> tuple[int | None, str]:
    if find_tool("llama-quantize") is None:
        return None, "llama-quantize was not found here, so its dry run does not confirm the bytes."
    try:
        return ask.ask_size(model, level, metadata), ""
    except ToolMissing as error:
        return None, str(error)
    except AdvisorError as error:
        return None, f"The dry run gave no answer: {error}"


def _show(answer: Answer, level: str, told: Told) -> None:
    asked = len(answer.memory.devices)
    if told.gpus != asked:
        here = f"{told.gpus or 'no'} GPU{'s' if told.gpus > 1 else ''}"
        st.markdown(
            plain(
                f"llama.cpp answers for the machine it runs on. Here it has {here}, so both columns are for that, "
                f"and not for {answer.machine_name}."
            )
        )
    rows = [_row(row) for row in told.rows if row.predicted_bytes or row.told_bytes]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="content",
        key="told",
        alt=f"Memory of {level} by device: predicted, as llama.cpp says, and the difference",
        column_config={
            "device": "Device",
            "figure": "Part",
            "predicted": st.column_config.NumberColumn("Predicted (MiB)", format="%.1f"),
            "told": st.column_config.NumberColumn("llama.cpp (MiB)", format="%d", help="It cuts to whole MiB."),
            "difference": st.column_config.NumberColumn(
                "Difference (MiB)", format="%+.1f", help="Predicted less llama.cpp's; below 1 is what it cuts off."
            ),
            "verdict": "Verdict",
        },
    )
    st.markdown(
        small(
            plain(
                f"Answered by {told.engine}. Weights and KV cache are exact; compute buffers are modelled by the rules "
                f"of {LLAMA_CPP_RULES}, and other releases lay them out differently."
            )
        )
    )
    if told.dry_run_bytes is None:
        st.markdown(small(plain(told.why)))
    else:
        same = told.dry_run_bytes == told.tensor_bytes
        sign = "✔ the same" if same else f"✖ {told.tensor_bytes - told.dry_run_bytes:+,} bytes"
        st.markdown(
            f"llama-quantize's dry run: {told.dry_run_bytes:,} bytes of tensors; "
            f"predicted {told.tensor_bytes:,}: {sign}."
        )


def _row(row: ask.Compared) -> dict[str, object]:
    difference = (row.predicted_bytes - row.told_bytes) / MIB
    share = f" by {difference * MIB / row.told_bytes:+.1%}" if row.told_bytes else ""
    return {
        "device": row.device,
        "figure": row.figure,
        "predicted": row.predicted_bytes / MIB,
        "told": row.told_bytes // MIB,
        "difference": difference,
        "verdict": "✔ agrees" if row.agrees else f"▲ differs{share}",
    }
