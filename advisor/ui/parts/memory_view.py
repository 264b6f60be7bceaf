"""Where the bytes of one plan lie, device by device, and where each figure comes from."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.foundation.message import NOTHING
from advisor.foundation.units import gib
from advisor.runtimes.registry import runtime_by
from advisor.sizing.memory_line import MemoryLine
from advisor.sizing.plan import Plan
from advisor.ui.parts.fold import fold
from advisor.ui.parts.rows import cell, number_cell, table
from advisor.ui.parts.text import plain, small
from advisor.words import say, say_all


def draw(answer: Answer, shown: Candidate) -> None:
    """Draw them."""
    plan = shown.plan
    st.markdown(plain(_placement_sentence(plan)))
    fold("Where each figure comes from", "fold_bill", _figures, answer, plan)
    for note in say_all(plan.notes, "page"):
        st.markdown(small(plain(note)))


def _figures(answer: Answer, plan: Plan) -> None:
    if lines := _bill(answer, plan):
        _lines(lines)
    else:
        _rules(plan)


def _placement_sentence(plan: Plan) -> str:
    settings, layers = plan.settings, len(plan.placement.layers)
    needed = sum(device.needed_range.low for device in plan.devices), sum(d.needed_range.high for d in plan.devices)
    if not plan.devices:
        return "Everything lies in host memory and is computed by the CPU."
    gpus, together = ("the GPUs", " together") if len(plan.devices) > 1 else ("the GPU", "")
    between = f"Between {gib(needed[0])} and {gib(needed[1])} there{together}, as parts are estimated."
    if plan.verdict != "fits with offload":
        but = " but the input embeddings" if plan.host.weights_bytes else ""  # which only some runtimes leave there
        return f"Everything is on {gpus}{but}. {between}"
    on_host = []
    if settings.gpu_layers is not None and settings.gpu_layers <= layers:
        on_host.append(f"{layers + 1 - settings.gpu_layers} of {layers} layers")
    if settings.cpu_moe_layers:
        on_host.append(f"the experts of {settings.cpu_moe_layers} layers")
    if settings.kv_on_host:
        on_host.append("the KV cache")
    return f"On the host: {' and '.join(on_host) or 'a part'}; the rest is on {gpus}. {between}"


def _bill(answer: Answer, plan: Plan) -> tuple[MemoryLine, ...]:
    basis = answer.machine.overhead_basis
    return runtime_by(plan.runtime).memory_lines(plan, basis, basis if not plan.devices else NOTHING)


def _lines(rows: Sequence[MemoryLine]) -> None:
    heads = ("Part", "Where", "Size", "Is", "How", "By the rules of")
    drawn = [
        (False, (cell(say(one.part)), cell(one.place), number_cell(gib(one.bytes)), *map(cell, _basis(one))))
        for one in rows
    ]
    st.html(table("Every part of the memory with its size, whether it is exact, and its formula", heads, drawn))


def _basis(line: MemoryLine) -> tuple[str, str, str]:
    return say(line.certainty), say(line.formula), say(line.source)


def _rules(plan: Plan) -> None:
    st.markdown(f"By the rules of {plain(plan.rules)}.")
    spread = plan.compute_range
    if spread is not None:
        st.markdown(
            plain(
                f"Weights are exact; activations and buffers are estimated at {gib(spread.typical)} for each device "
                f"({gib(spread.low)} to {gib(spread.high)})."
            )
        )
    if plan.kv_tokens is not None:
        most = "" if plan.at_once is None else f", at once {plan.at_once:,.1f} requests of the asked length"
        st.markdown(plain(f"The rest of the GPU holds the KV cache of {plan.kv_tokens:,} tokens{most}."))
