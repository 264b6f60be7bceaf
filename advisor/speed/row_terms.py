"""From a row of evidence to the terms its rate is explained by."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.units import GIB
from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue
from advisor.sizing.placement import HOST, place
from advisor.sizing.rates import LINK_BANDWIDTH
from advisor.sizing.settings import Settings
from advisor.speed.backends import BACKENDS, SERVER_BANDWIDTH, Backend, check_backend, chip_of, group_of
from advisor.speed.load import USUAL_READ_PER_WRITTEN, SpeedLoad, gguf_load
from advisor.speed.measurements import Measurement
from advisor.speed.nominal_rates import device_of
from advisor.speed.roofline import (
    DECODE_TERMS,
    Device,
    Terms,
    bus_terms,
    decode_terms,
    host_terms,
    pipeline_gain,
    prefill_terms,
    serving_terms,
)
from advisor.speed.shape import Shape

# Bits per weight where neither a GGUF level nor a file size is given.
_BITS = {
    "MLX-4bit": 4.5, "4bit": 4.5, "MLX-8bit": 8.5, "NVFP4": 4.5, "nvfp4": 4.5, "FP8": 8.0, "fp8": 8.0, "BF16": 16.0,
    "FP16": 16.0, "F16": 16.0, "INT8": 8.0, "GPTQ-Int8": 8.3, "AutoRound INT4": 4.4, "AWQ": 4.4, "INT4": 4.4,
    "AWQ-INT4": 4.4, "GPTQ-INT4": 4.4, "W4A16": 4.4, "MXFP4": 4.4, "INT4-AWQ": 4.4, "NVFP4 (W4A16 fallback)": 4.5,
}  # fmt: skip
# Builds before took longer to read a cache, and builds before the second to read a prompt; for AMD's matrix units
# kernels were chosen anew in January 2026 (llama.cpp's pull requests 18537, 18666 and 18749: 20 to 76 % faster).
_EARLY, _EARLY_PROMPTS = "2024-11", "2025-09"
_EARLY_ON_AMD = "2026-01"
_STARTED_FOR_EXPERTS = 2  # times as much as for a layer
_VLLM, _ASKED = re.compile(r"(?i)vllm v?(\d+)\.(\d+)"), "--async-scheduling"
# Of a model that is not in the catalogue only its size is known: 8B has 32 layers, and depth grows with the cube root.
_KNOWN_LAYERS, _KNOWN_PARAMETERS = 32, 8e9


@dataclass(frozen=True)
class Case:
    """A measurement as the fit sees it: `ms` a pass (decode) or a token (prefill) took, and what explains it.

    `chip` is what `chip_of` says, or the device's name where the catalogue lacks it, `generation` its architecture.
    `fixed` milliseconds of `ms` are explained already: what the devices take of a step that the host has a part in.
    """

    row: Measurement
    backend: Backend
    group: str
    chip: str
    model: str
    terms: Terms
    ms: float
    generation: str = ""
    fixed: float = 0.0

    @cached_property
    def keys(self) -> tuple[tuple[str, ...], ...]:
        """What its factors are kept by: generation and backend, chip and backend, the model on it, a level of that."""
        chip = (self.chip, self.backend)
        model = (*chip, self.model)
        return (
            (self.generation or self.group, self.backend),
            chip,
            model,
            (*model, self.row.measured_level or self.row.quant or "unknown"),
        )

    @property
    def early(self) -> bool:
        """Whether an old build read this prompt, which tells nothing of how well today's are met."""
        return _read_early(self.row)

    @property
    def catalogued(self) -> bool:
        return bool(self.row.machine)


def _read_early(row: Measurement) -> bool:
    before = _EARLY_ON_AMD if row.backend in ("rocm", "vulkan") else _EARLY_PROMPTS
    return row.kind == "prefill" and bool(row.date) and row.date < before


def cases(rows: Iterable[Measurement], kind: str) -> list[Case]:
    """The rows that constants may rest on: `kind` is "decode" (with batches) or "prefill"."""
    kinds = ("prefill",) if kind == "prefill" else ("decode", "batch")
    found = (_case(row) for row in _kept(rows, kinds) if kind == "prefill" or not row.offloads)
    return [case for case in found if case is not None]


def host_cases(rows: Iterable[Measurement], device_ms: Callable[[Case], float]) -> list[Case]:
    """The rows with a part on the host; `device_ms` says what the devices take of a step, by its terms."""
    found = (_case(row) for row in _kept(rows, ("decode",)) if row.offloads and row.host_gb_s)
    return [_on_host(case, device_ms(case)) for case in found if case is not None]


def _on_host(case: Case, device_ms: float) -> Case:
    load = load_of(case.row)
    assert load is not None  # noqa: S101
    assert case.row.host_gb_s  # noqa: S101
    terms = host_terms(load, case.row.host_gb_s * 1e9)
    return replace(case, group="host", terms=terms, fixed=device_ms)


def _kept(rows: Iterable[Measurement], kinds: tuple[str, ...]) -> Iterable[Measurement]:
    return (row for row in rows if row.kind in kinds and not row.left_out and row.backend in BACKENDS)


def _case(row: Measurement) -> Case | None:
    backend = check_backend(row.backend)
    machine = machines().get(row.machine)
    if machine is None and row.bandwidth_gb_s is None:
        return None
    load = load_of(row)
    if load is None:
        return None
    device = device_of(machine, backend, load.level) if machine else Device((row.bandwidth_gb_s or 0) * 1e9)
    sharing = row.devices if row.split == "tensor" else 1
    if sharing > 1:
        load = load.divided(sharing)
    # Layer by layer over equal devices takes as long as one device that holds everything.
    if row.kind == "prefill":
        if device.peak is None:
            return None
        depth = row.depth + (row.prompt_tokens or 0) / 2
        terms = prefill_terms(load, 0, device, first=True, depth=depth)
        if HOST in load.devices:
            terms = tuple(map(sum, zip(terms, bus_terms(load, bus_of(row.host_gb_s), device, depth), strict=True)))
        if _read_early(row):
            terms = (*terms[:-1], terms[0])
        # Several devices work on successive micro-batches at once.
        ms = 1000 / row.tokens_per_s * (pipeline_gain(row.devices) if row.split == "layer" else 1)
    else:
        step = serving_terms if backend == "vllm" else decode_terms
        terms = step(load, 0, device, first=True, sharing=sharing)
        hops = row.devices - 1.0 if row.split == "layer" else 0.0
        terms = (*terms[:-4], hops, terms[-3], *_early_terms(row, terms))
        ms = 1000 * load.users / row.tokens_per_s
    group = group_of(machine, backend) if machine else _group_of_name(row, backend)
    chip, generation = (chip_of(machine), machine.architecture or "") if machine else (row.device, "")
    return Case(row, backend, group, chip, load.shape.known_as or row.model, terms, ms, generation)


def _early_terms(row: Measurement, terms: Terms) -> tuple[float, float]:
    """What old builds took longer: llama.cpp for the cache and each layer; vLLM for each request and for all that it
    starts layer by layer, experts among it and exchanges.
    """
    named = dict(zip(DECODE_TERMS, terms, strict=True))
    if row.backend != "vllm":
        early = bool(row.date) and row.date < _EARLY
        return (named["cache"], named["layer"]) if early else (0.0, 0.0)
    if not _before_async_scheduling(row):
        return 0.0, 0.0
    return named["requests"], named["layer"] + _STARTED_FOR_EXPERTS * named["moe_layer"] + named["exchange"]


def _before_async_scheduling(row: Measurement) -> bool:
    """Whether the host prepared a step after the one before had ended; vLLM 0.14 (2026-01) does both at once, those
    before where asked to.
    """
    if _ASKED in row.version:
        return False
    if found := _VLLM.search(row.version):
        return (int(found[1]), int(found[2])) < (0, 14)
    return bool(row.date) and row.date < "2026"


def bus_of(host_gb_s: float | None) -> float:
    """Bytes/s at which weights cross from the host's memory to a device."""
    return min(host_gb_s * 1e9, LINK_BANDWIDTH) if host_gb_s else LINK_BANDWIDTH


def _group_of_name(row: Measurement, backend: Backend) -> str:
    """The group of a device that the catalogue lacks."""
    if backend == "cpu" and row.device.startswith("Apple"):
        return "cpu-apple"
    if backend == "cpu" and (row.bandwidth_gb_s or 0) * 1e9 >= SERVER_BANDWIDTH:
        return "cpu-server"
    if backend == "cuda" and "GTX 10" in row.device:
        return "cuda-old"
    if backend == "vulkan" and "w/" in row.device:
        return "vulkan-unified"
    return backend


def load_of(row: Measurement) -> SpeedLoad | None:
    """What a row's model has to read; None where the row does not tell how large it is."""
    load = _catalogued(row) if row.model_id else _described(row)
    if load is None:
        return None
    return replace(
        load,
        prompt_tokens=row.prompt_tokens or 0,
        users=row.users or 1,
        micro_batch=row.micro_batch or load.micro_batch,
        read_per_written=_read_per_written(row),
    )


def _read_per_written(row: Measurement) -> float:
    """Of many users of vLLM, who come and go; where that is not said, as of most."""
    if row.backend != "vllm":
        return 0.0
    if row.output_tokens:
        return (row.prompt_tokens or 0) / row.output_tokens
    return USUAL_READ_PER_WRITTEN if (row.users or 1) > 1 else 0.0


@lru_cache(maxsize=8192)
def _exact(model_id: str, level: str, depth: int, gpu_layers: int | None = None, cpu_moe_layers: int = 0) -> SpeedLoad:
    model = catalogue()[model_id].model
    placement = place(len(model.layers), (1.0,), gpu_layers, cpu_moe_layers)
    return gguf_load(model, LEVELS[level], placement, settings=Settings(max(1, depth)), context_used=depth)


def _catalogued(row: Measurement) -> SpeedLoad | None:
    if row.level:
        load = _exact(row.model_id, row.level, row.depth, row.gpu_layers, row.cpu_moe_layers or 0)
        if row.file_gib is None or (row.quant == row.level == row.measured_level):
            return load
        # Another variant, or a mix of somebody's own: between levels, as its file is.
        size = size_level(catalogue()[row.model_id].model, LEVELS[row.level]).file_bytes
        return load.scaled(row.file_gib * GIB / size, load.bits)
    bits = _BITS.get(row.quant)
    if bits is None and row.runtime == "ollama":
        bits = 8.3 if "mxfp8" in row.model else 4.5
    if bits is None:
        return None
    return replace(_exact(row.model_id, "BF16", row.depth).scaled(bits / 16, bits), level=row.quant)


def _described(row: Measurement) -> SpeedLoad | None:
    """From the sizes a source gives; the cache, which it does not tell, only where it is nearly empty."""
    total, active = row.parameters_b, row.active_parameters_b
    if not total or not active or row.depth > 1024 or (row.users or 1) > 1:
        return None
    bits = LEVELS[row.level].nominal_bits * 1.2 if row.level else _BITS.get(row.quant)
    if row.file_gib:
        bits = row.file_gib * GIB * 8 / total / 1e9
    if bits is None:
        return None
    layers = round(_KNOWN_LAYERS * (total * 1e9 / _KNOWN_PARAMETERS) ** (1 / 3))
    shape = Shape(layers, layers if active < 0.7 * total else 0, 1.0, active * 1e9)
    return SpeedLoad({0: active * 1e9 * bits / 8}, {}, {}, shape, LEVELS[row.level].nominal_bits if row.level else bits)
