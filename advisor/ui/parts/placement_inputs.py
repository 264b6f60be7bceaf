"""Inputs for memory: which cards and how much of them, and where the model lies."""

from __future__ import annotations

from advisor.foundation.errors import InputError
from advisor.foundation.units import MIB
from advisor.machines.capacity import CPU_KIND
from advisor.machines.catalogue import machine, machines
from advisor.machines.ram import USUAL_CHANNELS, USUAL_TYPE, Ram
from advisor.question.configuration import CUSTOM_MACHINE
from advisor.question.question import Question
from advisor.ui import state
from advisor.ui.parts import paste_box, this_machine
from advisor.ui.parts.fields import choice, number, switch, text
from advisor.ui.parts.fold import fold

KEYS = (
    *("gpu_layers", "cpu_moe_layers", "kv_offload", "op_offload", "mmap", "other_machine", "other_gpus", "use_gpus"),
    *("split", "tensor_split", "bandwidth_gb_s", "host_bandwidth_gb_s", "overhead_mib", "margin_percent"),
    *("wired_limit_mb", "used_mib", "host_used_mib", "ram_type", "ram_channels", "ram_sockets"),
)
_MOST_LAYERS = 256
_SPLITS = {"layer": "Whole layers", "row": "Rows of matrices", "tensor": "Tensors"}


def draw(machine_id: str) -> None:
    """Draw those that a machine has."""
    fold("The machine this runs on", "this_machine", this_machine.draw)
    fold("Paste a machine", "paste_machine", paste_box.draw_machine)
    if machine_id == CUSTOM_MACHINE:
        number("bandwidth_gb_s", "Memory bandwidth (GB/s)", step=50.0, placeholder="not given", help="For speed only.")
    choice(
        "gpu_layers",
        "Layers on the GPU",
        _layer_counts(),
        help="llama.cpp `-ngl`; automatic: all where they fit, else the fastest placement that does",
    )
    number(
        "cpu_moe_layers",
        "Layers with experts on the host",
        step=1,
        help="llama.cpp `-ncmoe`, for mixtures of experts",
    )
    switch("kv_offload", "KV cache on the GPU", help="off: llama.cpp `--no-kv-offload`")
    switch("op_offload", "GPU reads prompts for the host", help="off: llama.cpp `--no-op-offload`")
    switch("mmap", "Map the file into memory", help="off: the file is read whole")
    if takes_several(machine_id):
        _cards()
    if takes_several(machine_id) or machine(machine_id).kind == CPU_KIND:
        _ram()
    number(
        "host_bandwidth_gb_s",
        "Host memory bandwidth (GB/s)",
        step=10.0,
        placeholder="by type and channels",
        help="Goes before type and channels, where you know it.",
    )
    number(
        "overhead_mib",
        "Overhead per device (MiB)",
        step=64.0,
        placeholder=_usual_overhead(machine_id),
        help="Taken by driver, runtime and screen before the model is loaded",
    )
    text(
        "used_mib",
        "Used by other programs, per card (MiB)",
        placeholder="nothing",
        help="What nvidia-smi shows as used before the model is loaded; card by card such as 1500,0",
    )
    number(
        "host_used_mib",
        "Used of host memory (MiB)",
        step=1024.0,
        placeholder="nothing",
        help="By other programs, beyond the 2 GiB that the system is taken to keep",
    )
    number("margin_percent", "Safety margin (%)", step=1.0, help="Kept free of each device's memory")
    number(
        "wired_limit_mb",
        "Raised GPU memory of a Mac (MiB)",
        step=1024,
        placeholder="not raised",
        help="What `sudo sysctl iogpu.wired_limit_mb=…` was set to",
    )


def _ram() -> None:
    text("ram_type", "Type of RAM", placeholder=Ram(USUAL_TYPE, 1).name, help="As sold: DDR5-6000, DDR4-3200.")
    number(
        "ram_channels",
        "Memory channels of a processor",
        step=1,
        placeholder=str(USUAL_CHANNELS),
        help="Desktops have two, workstations four or eight, servers eight or twelve; only those with memory count.",
    )
    number("ram_sockets", "Processors with RAM", step=1)


def takes_several(machine_id: str) -> bool:
    """Whether several of this machine's devices can stand in one host."""
    return machine_id == CUSTOM_MACHINE or not machine(machine_id).unified


def _cards() -> None:
    others = {found.id: found.name for found in machines().values() if not found.unified}
    choice("other_machine", "Other cards in the same host", tuple(others), names=others, placeholder="none")
    number("other_gpus", "How many of these", step=1)
    number(
        "use_gpus",
        "Cards used",
        step=1,
        help="Of cards that differ the fastest; the others stay idle, and are paid for.",
    )
    choice("split", "Split over cards by", tuple(_SPLITS), names=_SPLITS, help="llama.cpp `-sm`")
    text("tensor_split", "Shares of the cards", placeholder="by free memory", help="llama.cpp `-ts`, such as 3,1")


def _layer_counts() -> tuple[str, ...]:
    """All that models have, and what the link says: people write 99 or 999 where they mean all."""
    usual = ("all", *(str(count) for count in range(_MOST_LAYERS + 1)))
    given = state.written().get("gpu_layers", "")
    try:
        wanted = Question.from_values({"gpu_layers": given}).placement.gpu_layers
    except InputError:
        return usual
    return usual if wanted is None or given in usual else (*usual, given)


def _usual_overhead(machine_id: str) -> str:
    return "by its size" if machine_id == CUSTOM_MACHINE else f"{machine(machine_id).overhead_bytes / MIB:,.0f}"
