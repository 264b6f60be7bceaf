"""Everything that can be asked beyond the bar: in four groups, drawn only while they are open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from advisor.ui import state
from advisor.ui.parts import load_inputs, placement_inputs, requirement_inputs, runtime_inputs
from advisor.ui.parts.fold import fold


@dataclass(frozen=True)
class Group:
    """`keys` are the question's that `draw` shows inputs for."""

    name: str
    keys: tuple[str, ...]
    draw: Callable[[], None]

    @property
    def written(self) -> int:
        """How many of them somebody has set."""
        return sum(key in state.written() for key in self.keys)


def draw(machine_id: str, runtime: str) -> None:
    """A button that says how much is set, and the inputs behind it."""
    groups = (
        Group("Work and wishes", requirement_inputs.KEYS, lambda: _wishes(runtime)),
        Group("Load and money", (*load_inputs.LOAD_KEYS, *load_inputs.PRICE_KEYS), _money),
        Group("Engine and file", runtime_inputs.KEYS, runtime_inputs.draw),
        Group("Memory and placement", placement_inputs.KEYS, lambda: placement_inputs.draw(machine_id)),
    )
    written = sum(group.written for group in groups)
    label = f"More · {written} set" if written else "More"
    with st.popover(label, icon=":material/tune:", key="more", on_change="rerun") as more:
        if not more.open:
            return
        named = {group.name: group for group in groups}
        name = st.segmented_control(
            "Group",
            list(named),
            format_func=lambda name: f"{name} · {named[name].written}" if named[name].written else name,
            default=groups[0].name,
            required=True,
            key="more_group",
            label_visibility="collapsed",
        )
        chosen = named[name or groups[0].name]
        with st.container(key="more_inputs"):
            chosen.draw()
        st.button(
            f"Reset {chosen.name.lower()}",
            on_click=_reset,
            args=(chosen.keys,),
            key="more_reset",
            disabled=not chosen.written,
            icon=":material/restart_alt:",
        )


def _reset(keys: tuple[str, ...]) -> None:
    state.change(**dict.fromkeys(keys))


def _wishes(runtime: str) -> None:
    requirement_inputs.draw(runtime_inputs.frontends_own(runtime))


def _money() -> None:
    load_inputs.draw_load()
    load_inputs.draw_terms()
    fold("Own prices and figures", "own_prices", load_inputs.draw_prices)
