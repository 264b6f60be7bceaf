"""The inputs. Each is bound to the URL under the scenario's own key and starts at the scenario's own default.

They are drawn by the entry script, before any page: inputs drawn inside a page lose value and URL when people move
to another page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from advisor.formats.gguf_levels import LEVELS
from advisor.machines.catalogue import machine
from advisor.scenario import CUSTOM_MACHINE, Scenario
from advisor.sizing.settings import CACHE_TYPES
from advisor.ui import model_input
from advisor.ui.question import Question, ask, machine_names, model_name, needs_memory
from advisor.ui.text import plain, small
from advisor.units import MIB, gib

_SWITCH = ("on", "off")
_CONTEXTS = (4096, 8192, 16384, 32768, 65536, 131072)
# What a machine without a size of its own starts with, so that there is an answer at once. It goes into the URL.
_FIRST_MEMORY_GIB = {"custom": 24.0, "cpu": 64.0}
_MOST_LAYERS = 256
_SMALLEST_GIB = 0.01  # inputs need a smallest value where the engine wants "more than 0"


def asked() -> tuple[Question, Callable[[], None]]:
    """Draw all inputs and answer what they hold; the second thing returned draws what may take longer, when called."""
    link = {key: st.query_params.get_all(key) for key in st.query_params}
    with st.sidebar:
        st.markdown("**LLM Fit Advisor**")
        model = model_input.draw()
        values = {"model": model.model} | _main() | _advanced()
    values.setdefault("runtime", Scenario.model_fields["runtime"].default)
    # In a run that a button or a list started, the URL still says what the inputs held before.
    before = st.session_state.get("held", {})
    st.session_state["held"] = values
    with st.spinner(f"Reading {plain(model_name(model.model))}: metadata and file headers, no weights …"):
        question = ask(values, link, before)
    model.show_about(question)
    return question, model.show_results


def _main() -> dict[str, Any]:
    chosen = _picker("machine", "Machine", machine_names(), on_change=_give_memory)
    _set_first_value()
    values: dict[str, Any] = {"machine": chosen}
    if needs_memory(chosen):
        what = "Memory (GiB)" if chosen == CUSTOM_MACHINE else "RAM (GiB)"
        values["memory_gib"] = _number("memory_gib", what, step=8.0, help="As the driver or the system reports it.")
    if chosen == CUSTOM_MACHINE:
        values["bandwidth_gb_s"] = _number(
            "bandwidth_gb_s", "Memory bandwidth (GB/s)", step=50.0, placeholder="not given", help="For speed only."
        )
    elif not needs_memory(chosen):
        st.markdown(small(plain(_capacity(chosen))))
    if _takes_several(chosen):
        values["gpus"] = _number(
            "gpus", "How many of it", step=1, help="Equal devices in one host; layers are split evenly."
        )
    values["context"] = _context()
    values["users"] = _number(
        "users", "Users at the same time", step=1, help="Each has a KV cache of the context above."
    )
    return values


def _advanced() -> dict[str, Any]:
    with st.expander("Advanced"):
        values: dict[str, Any] = {
            "kv_type_k": _choice("kv_type_k", "KV cache type, keys", tuple(CACHE_TYPES), help="llama.cpp `-ctk`"),
            "kv_type_v": _choice("kv_type_v", "KV cache type, values", tuple(CACHE_TYPES), help="llama.cpp `-ctv`"),
            "ubatch": _number("ubatch", "Micro-batch (tokens)", step=128, help="llama.cpp `-ub`"),
            "flash_attention": _choice("flash_attention", "Flash attention", _SWITCH, help="llama.cpp `-fa`"),
            "gpu_layers": _choice(
                "gpu_layers",
                "Layers on the GPU",
                ("all", *(str(count) for count in range(_MOST_LAYERS + 1))),
                placeholder="automatic",
                help="llama.cpp `-ngl`; empty: all where they fit, else the fastest placement that does",
            ),
            "cpu_moe_layers": _number(
                "cpu_moe_layers",
                "Layers with experts on the host",
                step=1,
                help="llama.cpp `-ncmoe`, for mixtures of experts",
            ),
            "imatrix": _choice(
                "imatrix",
                "Importance matrix",
                _SWITCH,
                help="Sizes of files made with one; some tensors differ",
            ),
            "mtp": _choice("mtp", "Multi-token-prediction layers", _SWITCH, help="Only some models have them"),
            "level": _choice("level", "Only this level", tuple(LEVELS), placeholder="all levels"),
        }
        chosen = st.session_state["machine"]
        if _takes_several(chosen):
            values["host_memory_gib"] = _number(
                "host_memory_gib", "Host memory (GiB)", step=8.0, placeholder="not given", help="RAM beside the cards"
            )
        values["overhead_mib"] = _number(
            "overhead_mib",
            "Overhead per device (MiB)",
            step=64.0,
            placeholder=_usual_overhead(chosen),
            help="Taken by driver, runtime and screen before the model is loaded",
        )
        values["margin_percent"] = _number(
            "margin_percent", "Safety margin (%)", step=1.0, help="Kept free of each device's memory"
        )
    return values


def _picker(key: str, label: str, names: Mapping[str, str], on_change: Any = None) -> str:
    """A searchable list of names, with the id in the URL.

    A bound list writes what it shows into the URL (streamlit issue 14224), and ids such as `rtx-4090` are not found
    by typing "RTX 4090". So the bound list holds ids and is never shown; the one people see only sets it.
    """
    default = Scenario.model_fields[key].default
    shown = f"{key}_name"

    def take_over() -> None:
        st.session_state[key] = st.session_state[shown]
        if on_change is not None:
            on_change(st.session_state[shown])

    ids = list(names)
    with st.container(key=f"link_{key}"):
        chosen = st.selectbox(f"{label} id", ids, index=ids.index(default), key=key, bind="query-params")
    st.session_state[shown] = chosen
    st.selectbox(label, ids, format_func=names.__getitem__, key=shown, on_change=take_over)
    return str(chosen)


def _context() -> int:
    """Context length: a number, and the usual ones to tap."""
    value = _number(
        "context", "Context per user (tokens)", step=1024, help="Prompt and answer together; `-c` is this × users."
    )
    st.session_state["usual_context"] = value if value in _CONTEXTS else None

    def take_over() -> None:
        if st.session_state["usual_context"] is not None:
            st.session_state["context"] = st.session_state["usual_context"]

    st.pills(
        "Usual context lengths",
        _CONTEXTS,
        format_func=lambda count: f"{count // 1024}k",
        key="usual_context",
        on_change=take_over,
        label_visibility="collapsed",
    )
    return int(value)


def _number(key: str, label: str, *, step: int | float, placeholder: str | None = None, help: str | None = None) -> Any:
    """A number input with the scenario's own default and bounds."""
    field = Scenario.model_fields[key]
    kind = type(step)
    binding: dict[str, Any] = {"key": key, "bind": "query-params"}
    if kind is int and _is_endless(st.query_params.get(key, "")):
        binding = _bound_later(key)
    lowest, highest = _bounds(field.metadata)
    # Either all int or all float, as `step` says; the signature cannot tell.
    draw: Callable[..., Any] = st.number_input
    return draw(
        label,
        min_value=kind(lowest) if lowest else kind(0) if lowest == 0 else kind(_SMALLEST_GIB),
        max_value=kind(highest),
        value=None if field.default is None else kind(field.default),
        step=step,
        format="%d" if kind is int else "%g",
        placeholder=placeholder,
        help=help,
        **binding,
    )


def _is_endless(text: str) -> bool:
    try:
        return math.isinf(float(text))
    except ValueError:
        return False


def _bound_later(key: str) -> dict[str, Any]:
    """Arguments of a whole-number input for one run without the URL, which Streamlit 1.67 fails to read "inf" from."""
    with suppress(StreamlitAPIException):  # already bound: then it takes the value out of the URL itself
        del st.query_params[key]
    now = f"{key}_now"

    def take_over() -> None:
        st.session_state["first_value"] = (key, st.session_state[now])

    return {"key": now, "on_change": take_over}


def _set_first_value() -> None:
    """Set an input that is about to be drawn for the first time; the URL takes over later values by itself."""
    if first := st.session_state.pop("first_value", None):
        key, value = first
        st.session_state[key] = value
        with suppress(StreamlitAPIException):  # drawn before: then the URL follows
            st.query_params[key] = f"{value:g}"


def _bounds(metadata: list[Any]) -> tuple[float | None, float]:
    """Smallest (None: anything above 0) and largest value of a scenario's field."""
    lowest = next((rule.ge for rule in metadata if hasattr(rule, "ge")), None)
    return lowest, next(rule.le for rule in metadata if hasattr(rule, "le"))


def _choice(
    key: str, label: str, options: tuple[str, ...], *, placeholder: str | None = None, help: str | None = None
) -> Any:
    """A list of words with the scenario's own default (none: nothing is chosen)."""
    default = Scenario.model_fields[key].default
    if isinstance(default, bool):
        default = _SWITCH[not default]
    return st.selectbox(
        label,
        options,
        index=None if default is None else options.index(default),
        key=key,
        bind="query-params",
        placeholder=placeholder,
        help=help,
    )


def _give_memory(machine_id: str) -> None:
    if needs_memory(machine_id) and st.session_state.get("memory_gib") is None:
        gib_given = _FIRST_MEMORY_GIB["custom" if machine_id == CUSTOM_MACHINE else "cpu"]
        st.session_state["first_value"] = ("memory_gib", gib_given)


def _takes_several(machine_id: str) -> bool:
    return machine_id == CUSTOM_MACHINE or not machine(machine_id).unified


def _usual_overhead(machine_id: str) -> str:
    return "by its size" if machine_id == CUSTOM_MACHINE else f"{machine(machine_id).overhead_bytes / MIB:,.0f}"


def _capacity(machine_id: str) -> str:
    found = machine(machine_id)
    per_device = (
        f"{found.count} devices with {gib(found.capacity_bytes)} each" if found.count > 1 else gib(found.capacity_bytes)
    )
    return f"{found.vendor} · {per_device} usable"
