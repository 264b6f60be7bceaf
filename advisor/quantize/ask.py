"""Ask llama.cpp itself what memory a model would take, without downloading or loading it.

Its own planner (`llama-fit-params`, or the same function inside the xllamacpp wheel) gets a header-only file and
builds the real graph without allocating anything. It answers for the devices of this machine, in whole MiB.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.formats.gguf_levels import LEVELS, Level, row_bytes
from advisor.foundation.errors import InputError
from advisor.foundation.numbers import bare
from advisor.foundation.places import IMPORT_FOLDER
from advisor.foundation.units import MIB
from advisor.models.model import Model
from advisor.quantize import ask_library, native
from advisor.quantize.errors import RunFailed, ToolMissing
from advisor.quantize.gguf_writing import Entry
from advisor.quantize.header_only import write_header_only
from advisor.quantize.tools import Tool, find_tool, must_find, plain_environment, python_command, run_briefly
from advisor.sizing.plan import DeviceMemory, Plan
from advisor.sizing.settings import Settings

_TIMEOUT_S = 120
_LINE = re.compile(r"^(\S+) (\d+) (\d+) (\d+) *$", re.MULTILINE)
_TYPED = re.compile(r"^\[ *\d+/ *\d+\] (\S+) .* size = [^>\n]*(?:-> [^(\n]*\((\w+)\))?$", re.MULTILINE)
_NAME = "model.gguf"


@dataclass(frozen=True, slots=True)
class DeviceAnswer:
    """What llama.cpp says one device would hold. Bytes, cut to whole MiB by llama.cpp."""

    name: str
    weights_bytes: int
    kv_cache_bytes: int
    compute_bytes: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Devices in llama.cpp's order, the host last. `engine` says who answered."""

    engine: str
    devices: tuple[DeviceAnswer, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure on one device, predicted and told by llama.cpp. Bytes."""

    device: str
    figure: str
    predicted_bytes: int
    told_bytes: int

    @property
    def agrees(self) -> bool:
        """Within the MiB that llama.cpp cuts off."""
        return self.told_bytes <= self.predicted_bytes < self.told_bytes + MIB


def can_ask() -> bool:
    """Whether anything here can answer."""
    return find_tool("llama-fit-params") is not None or ask_library.can_ask()


def ask_memory(
    model: Model, level: Level, settings: Settings, metadata: Sequence[Entry], imatrix: bool = False
) -> Answer:
    """What llama.cpp would allocate on this machine; raises ToolMissing, InputError or RunFailed."""
    tool = find_tool("llama-fit-params")
    if tool is None and not ask_library.can_ask():
        raise ToolMissing("Nothing here can ask llama.cpp: {install}", install=native.INSTALL)
    if tool is None and (settings.cpu_moe_layers or settings.tensor_split or settings.split != "layer"):
        must_find("llama-fit-params")  # such placements can only be told to the program
    with tempfile.TemporaryDirectory(prefix="ask-") as scratch:
        folder = Path(scratch)
        write_header_only(folder / _NAME, model, level, metadata, imatrix)
        if tool is not None:
            return _answer(f"llama-fit-params, {tool.version}", _from_tool(tool, settings, folder))
        return _answer(native.engine_name(), _from_library(settings, folder))


def _from_tool(tool: Tool, settings: Settings, folder: Path) -> str:
    options = [
        "-m", _NAME, "-fitp", "on",
        "-c", settings.total_context,
        "-np", settings.users,
        "-ub", settings.micro_batch,
        "-b", max(2048, settings.micro_batch),
        "-fa", "auto" if settings.flash_attention else "off",
        "-ctk", settings.cache_type_k,
        "-ctv", settings.cache_type_v,
        "-ngl", 999 if settings.gpu_layers is None else settings.gpu_layers,
    ]  # fmt: skip
    if "--no-repack" in tool.help:  # weights repacked for the CPU would not be counted
        options += ["--no-repack"]
    if settings.unified:
        options += ["--kv-unified"]
    if settings.cpu_moe_layers:
        options += ["-ncmoe", settings.cpu_moe_layers]
    if settings.kv_on_host:
        options += ["--no-kv-offload"]
    if settings.split != "layer":
        options += ["-sm", settings.split]
    if settings.tensor_split:
        options += ["-ts", ",".join(bare(share) for share in settings.tensor_split)]
    if not settings.op_offload:
        options += ["--no-op-offload"]
    return run_briefly([tool.path, *map(str, options)], tool.environment, folder, _TIMEOUT_S).output


def _from_library(settings: Settings, folder: Path) -> str:
    """In a process of its own: llama.cpp ends the process on a failed assertion."""
    arguments = (
        str(folder / _NAME), settings.total_context, settings.users, settings.micro_batch,
        int(settings.flash_attention), settings.cache_type_k, settings.cache_type_v,
        999 if settings.gpu_layers is None else settings.gpu_layers, int(settings.kv_on_host),
        int(settings.unified),
    )  # fmt: skip
    command = python_command("advisor.quantize.ask_library", *map(str, arguments))
    return run_briefly(command, plain_environment(), IMPORT_FOLDER, _TIMEOUT_S).output


def _answer(engine: str, output: str) -> Answer:
    devices = tuple(
        DeviceAnswer(name, int(weights) * MIB, int(cache) * MIB, int(compute) * MIB)
        for name, weights, cache, compute in _LINE.findall(output)
    )
    if not devices or devices[-1].name != "Host":
        raise RunFailed("{engine} gave no answer that can be read; it may be too old or too new.", engine=engine)
    return Answer(engine, devices)


def compare_with_plan(answer: Answer, plan: Plan) -> tuple[Compared, ...]:
    """Our prediction beside llama.cpp's answer; raises InputError where the plan is for another number of GPUs."""
    predicted: tuple[DeviceMemory, ...] = (*plan.devices, plan.host)
    if len(predicted) != len(answer.devices):
        raise InputError(
            "llama.cpp answers for this machine, whose number of GPUs is {gpus}; the plan is for {count}.",
            gpus=len(answer.devices) - 1,
            count=len(plan.devices),
        )
    return tuple(
        Compared(told.name, figure, getattr(ours, name), getattr(told, name))
        for ours, told in zip(predicted, answer.devices, strict=True)
        for figure, name in (("weights", "weights_bytes"), ("KV cache", "kv_cache_bytes"), ("compute", "compute_bytes"))
    )


def ask_size(model: Model, level: Level, metadata: Sequence[Entry]) -> int:
    """Tensor bytes at a level by llama-quantize's own dry run over a 16-bit header; raises ToolMissing, RunFailed."""
    tool = must_find("llama-quantize", "--dry-run")
    with tempfile.TemporaryDirectory(prefix="ask-") as scratch:
        folder = Path(scratch)
        layout = write_header_only(folder / _NAME, model, LEVELS["F16"], metadata)
        printed = run_briefly([tool.path, "--dry-run", _NAME, level.name], tool.environment, folder, _TIMEOUT_S)
    shapes = {slot.name: slot for slot in layout.slots}
    total = 0
    for name, kind in _TYPED.findall(printed.output + printed.errors):
        slot = shapes.pop(name, None)
        if slot is None:
            raise RunFailed("llama-quantize names a tensor '{name}' that it was not given.", name=name[:80])
        stored = next((known for known in type(slot.type) if known.name.lower() == kind.lower()), slot.type)
        rows = slot.bytes // row_bytes(slot.type, slot.shape[0])
        total += rows * row_bytes(stored, slot.shape[0])
    if shapes:
        raise RunFailed("llama-quantize's dry run did not name every tensor; it may be too old or too new.")
    return total
