"""From a scenario, a model and its hardware to plans, by the runtime that is to run them."""

from __future__ import annotations

from advisor.errors import InputError
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.safetensors_levels import find_safetensors_level
from advisor.hardware import Hardware
from advisor.machines.machine import Machine
from advisor.models.model import Model
from advisor.scenario import AUTO, Scenario
from advisor.sizing.llama_cpp import plan_file, plan_levels
from advisor.sizing.mlx import plan_mlx, plan_mlx_levels
from advisor.sizing.placement_search import HOST_BANDWIDTH, Rates
from advisor.sizing.plan import Plan
from advisor.sizing.vllm import VllmOptions, plan_vllm, plan_vllm_levels
from advisor.sources.resolve import ResolvedModel

FRONTENDS_OF_LLAMA_CPP = ("ollama", "lm-studio")
Family = str  # whose levels and rules: llama.cpp, vllm or mlx


def family_of(runtime: str) -> Family:
    """The engine behind a runtime: Ollama and LM Studio are llama.cpp."""
    return "llama.cpp" if runtime in FRONTENDS_OF_LLAMA_CPP else runtime


def runtime_of(scenario: Scenario) -> str:
    """The runtime that is asked for, or the usual one for the level that is; raises InputError where they clash."""
    by_level = "llama.cpp"
    if scenario.level is not None and scenario.level not in LEVELS:
        by_level = "mlx" if scenario.level.startswith("MLX") else "vllm"
    if scenario.runtime == AUTO:
        return by_level
    if scenario.level is not None and family_of(scenario.runtime) != by_level:
        raise InputError(f"Level {scenario.level} is not for {scenario.runtime}: choose runtime={by_level}.")
    return scenario.runtime


def plans_of(
    scenario: Scenario, entry: ResolvedModel, model: Model, hardware: Hardware, runtime: str
) -> tuple[Plan, ...]:
    """One plan per level; for a GGUF file that was asked for, the plan of that very file."""
    match family_of(runtime):
        case "vllm":
            return _vllm_plans(scenario, model, hardware)
        case "mlx":
            return _mlx_plans(scenario, model, hardware)
    return _llama_cpp_plans(scenario, entry, model, hardware, runtime)
