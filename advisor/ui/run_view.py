"""The commands that run a plan."""

from __future__ import annotations

import streamlit as st

from advisor.advise import Answer
from advisor.candidate import Candidate
from advisor.commands import Launch, commands
from advisor.errors import InputError
from advisor.ui.text import plain, small


def draw(answer: Answer, shown: Candidate) -> None:
    """Draw them, each with a button to copy it."""
    st.subheader(f"Run {shown.level}", anchor=False)
    try:
        found = commands(launch_of(answer, shown))
    except InputError as error:
        st.markdown(plain(str(error)))
        return
    for number, command in enumerate(found):
        st.markdown(f"**{plain(command.title)}**")
        if command.text:
            st.code(command.text, language="sh", wrap_lines=True)
        if command.note:
            st.markdown(small(plain(command.note)))
        if number == 0 and not shown.plan.fits:
            st.markdown(small("It does not fit with the safety margin: expect it to fail or to swap."))


def launch_of(answer: Answer, shown: Candidate) -> Launch:
    """What the runtime is told to run this candidate."""
    scenario, entry, plan = answer.scenario, answer.entry, shown.plan
    repository = entry.repository.id if entry.repository is not None else None
    if entry.entry is not None:
        repository = entry.entry.hf_repo or None
    return Launch(
        model_name=entry.name,
        level=plan.level,
        runtime=answer.runtime,
        settings=plan.settings,
        hf_repo=repository,
        file=entry.file.name if entry.file is not None else None,
        gpus=len(plan.devices),
        layers=len(answer.model.layers),
        split_mode=plan.settings.split,
        tensor_split=plan.settings.tensor_split,
        kv_offload=not plan.settings.kv_on_host,
        mmap=plan.settings.mmap,
        imatrix=scenario.imatrix or plan.needs_imatrix,
        mtp=scenario.mtp,
        gpu_memory_utilization=scenario.gpu_memory_utilization,
        kv_fp8=scenario.kv_fp8,
    )
