"""The speed of a catalogue model at a GGUF level on a catalogue machine."""

from __future__ import annotations

from functools import lru_cache

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.errors import InputError
from advisor.machines.capacity import CPU_KIND
from advisor.machines.catalogue import machine as find_machine
from advisor.models.lookup import find_model
from advisor.sizing.placement import place
from advisor.sizing.settings import Settings
from advisor.speed.backends import check_backend, default_backend
from advisor.speed.estimate import Speed, estimate_speed
from advisor.speed.load import gguf_load
from advisor.speed.rate import Split

_MOST_GPUS = 64
_place = lru_cache(maxsize=1024)(place)


def speed_of(
    model_id: str,
    machine_id: str,
    level: str,
    *,
    context_used: int = 0,
    prompt_tokens: int = 512,
    users: int = 1,
    backend: str | None = None,
    gpus: int = 1,
    gpu_layers: int | None = None,
    cpu_moe_layers: int = 0,
    host_bandwidth: float | None = None,
    cache_type: str = "f16",
    split: Split = "layer",
) -> Speed | None:
    """The speed of catalogue model `model_id` at `level` on `gpus` machines `machine_id`, whether it fits or not.

    `context_used` is the number of tokens already in the cache while generating. Other arguments as in `Settings`.
    None where a bandwidth is not known, and for encoders, which generate nothing; InputError where an id, a level or a
    number is not known or out of bounds.
    """
    if level not in LEVELS:
        raise InputError(
            "Level {level} is not known; use one of {levels}.", level=repr(level[:30]), levels=", ".join(LEVELS)
        )
    if context_used < 0 or prompt_tokens < 0 or users < 1 or not 1 <= gpus <= _MOST_GPUS:
        raise InputError("Give no negative tokens, at least one user, and 1 to {most_gpus} GPUs.", most_gpus=_MOST_GPUS)
    machine = find_machine(machine_id)
    model = find_model(model_id).model
    if not model.causal:
        return None
    chosen = check_backend(backend) if backend else default_backend(machine)
    alone = machine.kind == CPU_KIND or chosen == "cpu"
    devices = () if alone else (machine,) * (gpus * machine.count)
    placement = _place(len(model.layers), (1.0,) * len(devices), gpu_layers, cpu_moe_layers)
    settings = Settings(
        max(1, context_used), users=users, cache_type_k=cache_type, cache_type_v=cache_type, gpu_layers=gpu_layers
    )
    load = gguf_load(
        model,
        LEVELS[level],
        placement,
        settings=settings,
        context_used=context_used,
        prompt_tokens=prompt_tokens,
    )
    return estimate_speed(load, devices or (machine,), chosen, host_bandwidth=host_bandwidth, split=split)
