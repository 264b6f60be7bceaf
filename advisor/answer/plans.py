"""From a scenario, a model and its hardware to plans, by the runtime that is to run them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.safetensors_levels import find_safetensors_level
from advisor.foundation.errors import InputError
from advisor.models.lookup import find_model
from advisor.models.model import Model
from advisor.question.hardware import Hardware, vllm_chip
from advisor.question.question import AUTO, FRONTENDS_OF_LLAMA_CPP, Scenario
from advisor.runtimes.llama_cpp.draft import beside_draft, check_draft, plan_draft
from advisor.runtimes.llama_cpp.frontends import FRONTENDS, Taken, frontend_defaults
from advisor.runtimes.llama_cpp.plans import plan_file, plan_levels
from advisor.runtimes.llama_cpp.reading import HOST_READ_SHARE, Rates
from advisor.runtimes.mlx.plans import plan_mlx, plan_mlx_file, plan_mlx_levels
from advisor.runtimes.published_support import published_support
from advisor.runtimes.support import (
    Chip,
    Format,
    Support,
    format_of_level,
    loads_somewhere,
    machine_refusal,
)
from advisor.runtimes.vllm.plans import VllmOptions, plan_vllm, plan_vllm_levels, plan_vllm_published, vllm_refusals
from advisor.sizing.plan import Memory, Plan
from advisor.sources.checkpoint_size import checkpoint_size
from advisor.sources.repository import Repository
from advisor.sources.resolve import ResolvedModel

_NAMES = {"vllm": "vLLM", "mlx": "MLX"}
_DRAFTING = ("llama.cpp", "lm-studio")
Family = str  # whose levels and rules: llama.cpp, vllm or mlx
FAMILIES: tuple[Family, ...] = ("llama.cpp", "vllm", "mlx")


def family_of(runtime: str) -> Family:
    """The engine behind a runtime: Ollama and LM Studio are llama.cpp."""
    return "llama.cpp" if runtime in FRONTENDS_OF_LLAMA_CPP else runtime


def runtime_name(runtime: str) -> str:
    """As its makers write it."""
    return FRONTENDS[runtime].name if runtime in FRONTENDS else _NAMES.get(runtime, runtime)


def runtime_of(scenario: Scenario) -> str:
    """The runtime that is asked for, or the first that loads the level that is; raises InputError where they clash."""
    if scenario.level is None:
        return "llama.cpp" if scenario.runtime == AUTO else scenario.runtime
    gguf = scenario.level in LEVELS
    stored = Format("GGUF") if gguf else format_of_level(find_safetensors_level(scenario.level))
    loading = [family for family in FAMILIES if loads_somewhere(family, stored)] or ["vllm"]
    if scenario.runtime == AUTO:
        return loading[0]
    if family_of(scenario.runtime) not in loading:
        raise InputError(f"Level {scenario.level} is not for {scenario.runtime}: choose runtime={loading[0]}.")
    return scenario.runtime


def with_frontend_defaults(
    scenario: Scenario, given: frozenset[str], model: Model, hardware: Hardware, runtime: str
) -> tuple[Scenario, tuple[Taken, ...]]:
    """The scenario with what Ollama or LM Studio choose for settings that are not `given`, and these choices."""
    if runtime not in FRONTENDS_OF_LLAMA_CPP:
        return scenario, ()
    gpu_bytes = sum(device.capacity_bytes for device in hardware.memory.devices)
    taken = tuple(each for each in frontend_defaults(runtime, gpu_bytes, model.context_length) if each.key not in given)
    return scenario.model_copy(update={each.key: each.value for each in taken}), taken


def plans_of(
    scenario: Scenario,
    entry: ResolvedModel,
    model: Model,
    hardware: Hardware,
    runtime: str,
    among: Collection[str] | None = None,
) -> tuple[Plan, ...]:
    """One plan per level, at least one; for a GGUF file that was asked for, the plan of that very file.

    Of GGUF levels, of which there are many, only those `among` some, where these are given. Raises InputError in one
    sentence where there is none, saying why and what would run.
    """
    if scenario.draft is not None and runtime not in _DRAFTING:
        raise InputError(f"draft: a draft model is planned for llama.cpp and LM Studio, not for {runtime}.")
    match family_of(runtime):
        case "vllm":
            plans = published_plans(scenario, entry, model, hardware, runtime) + _vllm_plans(scenario, model, hardware)
            if not plans:
                raise InputError(_none_for_vllm(scenario, entry, model, hardware))
            return plans
        case "mlx":
            return published_plans(scenario, entry, model, hardware, runtime) + _mlx_plans(scenario, model, hardware)
    return _llama_cpp_plans(scenario, entry, model, hardware, runtime, among)


def draft_of(scenario: Scenario, model: Model, name: str, memory: Memory) -> Plan | None:
    """The plan of the draft model a scenario asks for; raises InputError where it cannot draft for `model`."""
    if scenario.draft is None:
        return None
    found = find_model(scenario.draft)
    check_draft(found.model, found.name, model, name)
    return plan_draft(found.model, scenario.draft_level, memory, scenario.settings)


def memory_beside(memory: Memory, draft: Plan | None) -> Memory:
    """The memory that the main model may use, with what a draft model takes counted as gone."""
    return memory if draft is None else beside_draft(memory, draft)


def _llama_cpp_plans(
    scenario: Scenario,
    entry: ResolvedModel,
    model: Model,
    hardware: Hardware,
    runtime: str,
    among: Collection[str] | None,
) -> tuple[Plan, ...]:
    margin, rates = scenario.margin_percent / 100, rates_of(hardware)
    draft = draft_of(scenario, model, entry.name, hardware.memory)
    memory = memory_beside(hardware.memory, draft)
    if entry.file is not None and scenario.level is None:
        plan = plan_file(
            model,
            entry.file.sized(),
            entry.file.stored(),
            memory,
            scenario.settings,
            runtime=runtime,
            margin=margin,
            search=scenario.searches_placement,
            rates=rates,
            draft=draft,
        )
        return (plan,)
    plans = plan_levels(
        model,
        memory,
        scenario.settings,
        runtime=runtime,
        margin=margin,
        imatrix=scenario.imatrix,
        only=scenario.level,
        among=among,
        search=scenario.searches_placement,
        rates=rates,
        draft=draft,
    )
    return tuple(plans)


def rates_of(hardware: Hardware) -> Rates:
    """The bandwidths that make one placement faster than another."""
    devices = tuple(card.bandwidth_bytes_per_s for card in hardware.cards)
    return Rates(devices, hardware.host_bandwidth * HOST_READ_SHARE)


def published_plans(
    scenario: Scenario, entry: ResolvedModel, model: Model, hardware: Hardware, runtime: str
) -> tuple[Plan, ...]:
    """The repository's own checkpoint as it is, where the runtime loads its kind: sized from its headers."""
    repository = entry.repository
    if repository is None or not repository.tensors or scenario.level is not None:
        return ()
    quantization = repository.quantization
    support = checkpoint_support(scenario, repository, hardware, runtime)
    if support.refusal:
        return ()
    loaded = [tensor for tensor in repository.tensors if repository.part_of(tensor) != "mtp"]
    sized = checkpoint_size(loaded, quantization, model, repository.layers)
    margin = scenario.margin_percent / 100
    if runtime == "mlx":
        return (plan_mlx_file(model, hardware.memory, scenario.settings, sized, sized.tensor_bytes, margin=margin),)
    plan = plan_vllm_published(
        model,
        hardware.memory,
        scenario.settings,
        sized,
        [(tensor.name, tensor.bytes) for tensor in loaded],
        margin=margin,
        options=_vllm_options(scenario),
        compute_capability=vllm_chip_of(scenario, hardware).capability,
        note=support.note,
    )
    return (plan,)


def _vllm_options(scenario: Scenario) -> VllmOptions:
    return VllmOptions(utilisation=scenario.gpu_memory_utilization, kv_dtype="fp8" if scenario.kv_fp8 else "auto")


def _vllm_plans(scenario: Scenario, model: Model, hardware: Hardware) -> tuple[Plan, ...]:
    """The computed levels that vLLM loads here."""
    chip, margin, options = vllm_chip_of(scenario, hardware), scenario.margin_percent / 100, _vllm_options(scenario)
    if scenario.level is not None:
        plan = plan_vllm(
            model,
            hardware.memory,
            scenario.settings,
            find_safetensors_level(scenario.level),
            margin=margin,
            options=options,
            vendor=chip.vendor,
            compute_capability=chip.capability,
            architecture=chip.generation,
        )
        return (plan,)
    plans = plan_vllm_levels(
        model,
        hardware.memory,
        scenario.settings,
        margin=margin,
        options=options,
        vendor=chip.vendor,
        compute_capability=chip.capability,
        architecture=chip.generation,
    )
    return tuple(plans)


def vllm_chip_of(scenario: Scenario, hardware: Hardware) -> Chip:
    """The one kind of GPU there is."""
    if not hardware.cards:
        raise InputError(f"vLLM is planned for graphics cards, and {hardware.machine.name} has none: use llama.cpp.")
    if len(set(hardware.cards)) > 1:
        raise InputError("vLLM splits every tensor evenly, so all cards must be of one kind: leave other_machine out.")
    return vllm_chip(scenario, hardware.cards[0])


def _none_for_vllm(scenario: Scenario, entry: ResolvedModel, model: Model, hardware: Hardware) -> str:
    """Why vLLM loads no level at all here, from the machine or the commonest reason, and which runtime does."""
    chip = vllm_chip_of(scenario, hardware)
    why = machine_refusal("vllm", chip)
    if not why:
        refusals = vllm_refusals(
            model,
            len(hardware.memory.devices),
            vendor=chip.vendor,
            compute_capability=chip.capability,
            architecture=chip.generation,
        )
        why = Counter(refusal.rstrip(".") for refusal in refusals.values()).most_common(1)[0][0]
    instead = "choose another machine" if model.runtime_note else "use runtime=llama.cpp"
    return f"No level of {entry.name} runs with vLLM on {hardware.name}: {why}; {instead}."


def _mlx_plans(scenario: Scenario, model: Model, hardware: Hardware) -> tuple[Plan, ...]:
    if refusal := machine_refusal("mlx", hardware.machine):
        raise InputError(f"{refusal}.")
    margin = scenario.margin_percent / 100
    if scenario.level is not None:
        level = find_safetensors_level(scenario.level)
        return (plan_mlx(model, hardware.memory, scenario.settings, level, margin=margin),)
    return tuple(plan_mlx_levels(model, hardware.memory, scenario.settings, margin=margin))


def checkpoint_support(scenario: Scenario, repository: Repository, hardware: Hardware, runtime: str) -> Support:
    """Whether a runtime with safetensors files of its own loads those of a repository here."""
    on = vllm_chip_of(scenario, hardware) if runtime == "vllm" else hardware.machine
    return published_support(repository.quantization, runtime, on)
