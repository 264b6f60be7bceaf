"""The whole answer to a scenario, in one call: what the page, the command line and exports all show."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

from advisor.errors import InputError
from advisor.formats.gguf_levels import LEVELS
from advisor.machines.capacity import CPU_KIND
from advisor.machines.catalogue import Machine, custom_machine, machine, with_memory
from advisor.models.mixers import Attention, LatentAttention
from advisor.models.model import Model
from advisor.recommend import Recommendation, recommend
from advisor.scenario import CUSTOM_MACHINE, Scenario
from advisor.sizing.llama_cpp import plan_file, plan_levels
from advisor.sizing.plan import Device, Memory, Plan
from advisor.sizing.settings import CACHE_TYPES, Settings
from advisor.sources.resolve import ResolvedModel, find_any_model
from advisor.units import GIB, MIB, format_count

_REMEMBERED_S = 600
# MiniMax M3 selects blocks user by user: llama.cpp runs out of graph nodes (seen with 16, not with 4).
_BLOCK_SELECTION_USERS = 16


@dataclass(frozen=True)
class Answer:
    """Everything computed for a scenario. `notes` are sentences the reader should see beside the numbers."""

    scenario: Scenario
    entry: ResolvedModel
    model: Model
    machine: Machine
    memory: Memory
    plans: tuple[Plan, ...]
    recommendation: Recommendation
    notes: tuple[str, ...]

    @property
    def machine_name(self) -> str:
        count = len(self.memory.devices)
        return f"{count} x {self.machine.name}" if count > 1 else self.machine.name


@lru_cache(maxsize=64)
def _find(text: str, allow_local: bool, period: int) -> ResolvedModel:
    """The model, asked for again only in the next period: a branch on the Hub may move."""
    return find_any_model(text, allow_local=allow_local)


def answer(scenario: Scenario, allow_local: bool = False) -> Answer:
    """Answer a scenario; raises InputError in one sentence when it cannot be answered.

    `allow_local` lets its model be a path on this machine: for the command line only.
    """
    return _answer(scenario, allow_local, int(time.monotonic() // _REMEMBERED_S))


@lru_cache(maxsize=256)
def _answer(scenario: Scenario, allow_local: bool, period: int) -> Answer:
    entry = _find(scenario.model, allow_local, period)
    model = entry.must_have_model()
    if scenario.mtp:
        model = model.with_mtp()
    _check_limits(scenario, model, entry.name)
    chosen = find_machine(scenario)
    memory = usable_memory(scenario, chosen)
    plans = _plans(scenario, entry, model, memory)
    return Answer(
        scenario=scenario,
        entry=entry,
        model=model,
        machine=chosen,
        memory=memory,
        plans=plans,
        recommendation=recommend(plans, model.parameters, chosen.name),
        notes=_notes(entry, chosen, model),
    )


def _plans(scenario: Scenario, entry: ResolvedModel, model: Model, memory: Memory) -> tuple[Plan, ...]:
    """One plan per level; for a GGUF file that was asked for, the plan of that very file."""
    margin = scenario.margin_percent / 100
    if entry.file is not None and scenario.level is None:
        sized, tensors = entry.file.sized(), entry.file.tensor_bytes()
        return (plan_file(model, sized, tensors, memory, scenario.settings, runtime=scenario.runtime, margin=margin),)
    return tuple(
        plan_levels(
            model,
            memory,
            scenario.settings,
            runtime=scenario.runtime,
            margin=margin,
            imatrix=scenario.imatrix,
            only=scenario.level,
        )
    )


def _check_limits(scenario: Scenario, model: Model, name: str) -> None:
    limit = model.context_length
    if limit is not None and scenario.context > limit:
        raise InputError(
            f"context={scenario.context:,} is beyond what {name} was trained for: at most {limit:,} tokens."
        )
    _check_cache_types(scenario.settings, model)
    if scenario.users >= _BLOCK_SELECTION_USERS and _selects_blocks_per_user(model):
        raise InputError(
            f"users={scenario.users}: llama.cpp aborts on {name} with {_BLOCK_SELECTION_USERS} users or more; "
            "run several instances."
        )
    if not scenario.level:
        return
    if not LEVELS[scenario.level].offered_for(model):
        raise InputError(f"Level {scenario.level} is only for models published in it; {name} is not.")


def _selects_blocks_per_user(model: Model) -> bool:
    mixers = (mixer for layer in model.layers for mixer in layer.mixers)
    return any(isinstance(m, Attention) and m.indexer is not None and m.indexer.keeps_values for m in mixers)


def _check_cache_types(settings: Settings, model: Model) -> None:
    """llama.cpp refuses a KV cache type whose blocks do not divide a head, and two types where K and V are one."""
    for layer in model.layers:
        for mixer in layer.mixers:
            if isinstance(mixer, LatentAttention) and settings.cache_type_k != settings.cache_type_v:
                raise InputError(
                    "This model caches one latent vector for K and V: set kv_type_k and kv_type_v to the same type."
                )
            if isinstance(mixer, Attention):
                _check_head("kv_type_k", settings.cache_type_k, mixer.head_size)
                _check_head("kv_type_v", settings.cache_type_v, mixer.value_head_size)


def _check_head(key: str, kind: str, size: int) -> None:
    if size % CACHE_TYPES[kind][0]:
        raise InputError(
            f"{key}={kind} does not work with this model: its heads of {size} are no multiple of 32; use f16."
        )


def find_machine(scenario: Scenario) -> Machine:
    """The machine a scenario names, with the memory it gives where the catalogue leaves it open."""
    if scenario.machine == CUSTOM_MACHINE and scenario.memory_gib is not None:
        return custom_machine(scenario.memory_gib, scenario.bandwidth_gb_s)
    chosen = machine(scenario.machine)
    if not chosen.needs_memory:
        if scenario.memory_gib is not None:
            raise InputError(f"memory_gib is for machine=custom; {chosen.name} has its own memory.")
        return chosen
    if scenario.memory_gib is None:
        raise InputError(f"{chosen.name} has no memory of its own: give its RAM in GiB as memory_gib.")
    return with_memory(chosen, scenario.memory_gib)


def usable_memory(scenario: Scenario, chosen: Machine) -> Memory:
    """What the runtime may use of the machine, after what driver and system take."""
    overhead = chosen.overhead_bytes if scenario.overhead_mib is None else int(scenario.overhead_mib * MIB)
    if chosen.kind == CPU_KIND:
        return Memory((), chosen.capacity_bytes, overhead)
    if chosen.unified and scenario.gpus > 1:
        raise InputError(f"gpus={scenario.gpus}: {chosen.name} is one device; several of them do not share memory.")
    host = chosen.host_memory_bytes
    if scenario.host_memory_gib is not None:
        if chosen.unified:
            raise InputError(f"host_memory_gib: {chosen.name} shares one memory between host and GPU.")
        host = int(scenario.host_memory_gib * GIB)
    device = Device(chosen.name, chosen.capacity_bytes, overhead)
    return Memory((device,) * (scenario.gpus * chosen.count), host, pooled=chosen.unified)


def _notes(entry: ResolvedModel, chosen: Machine, model: Model) -> tuple[str, ...]:
    notes = list(entry.notes)
    if model.runtime_note:
        notes.append(f"{model.runtime_note} Sizes follow from the tensors; the runtime figures are hypothetical.")
    if entry.confidence == "recalled":
        fields = f" ({', '.join(entry.recalled_fields)})" if entry.recalled_fields else ""
        notes.append(f"Part of this model's shape was not confirmed by a source{fields}; check before relying on it.")
    if chosen.confidence == "weak":
        notes.append(f"The figures for {chosen.name} come from a weak source.")
    if model.trunk is not None:
        notes.append(
            "The multi-token-prediction layers are counted as weights; llama.cpp loads them only to draft with them."
        )
    if model.mtp_layers:
        notes.append(
            f"{len(model.mtp_layers)} multi-token-prediction layer(s) with {format_count(model.mtp_parameters)} "
            "parameters are left out; mtp=on includes them."
        )
    return tuple(notes)
