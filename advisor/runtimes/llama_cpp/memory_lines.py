"""Every line of a llama.cpp memory bill: is it exact, modelled or assumed, and how does it come about."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import assert_never

from advisor.formats.gguf_levels import LLAMA_CPP_RULES
from advisor.formats.gguf_sizes import SizedLevel
from advisor.foundation.numbers import plural
from advisor.foundation.units import gib
from advisor.models.checked import checked
from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.cache_terms import layer_terms
from advisor.runtimes.llama_cpp.compute.frame import reserved_tokens
from advisor.runtimes.llama_cpp.growth import layer_caches
from advisor.runtimes.llama_cpp.kv_cache import window_cells
from advisor.runtimes.llama_cpp.mtp import DRAFTED
from advisor.runtimes.llama_cpp.split_growth import reduce_bytes
from advisor.sizing.memory_line import Component, MemoryLine, Term
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.plan import DeviceMemory, Plan
from advisor.sizing.settings import Settings

_DRAFT_SOURCE = f"{LLAMA_CPP_RULES}: the same rules as for the main model; not checked against a run with two models"


_PROJECTOR_SOURCE = "shapes of the config against published files (data/projectors.csv), compute from llama.cpp's logs"
_ADAPTER_SOURCE = "llama.cpp's rule (llama-adapter.cpp): each adapter lies where the weight does that it changes"
_MTP_SOURCE = f"{LLAMA_CPP_RULES}: rules of common/speculative.cpp; logs of Qwen3.8 27B agree within 3 %"


def memory_lines(plan: Plan, model: Model, overhead_basis: str = "", host_basis: str = "") -> tuple[MemoryLine, ...]:
    """The lines of a plan for llama.cpp, device after device, the host last; lines of nothing are left out.

    The lines of a place add up to its `needed_bytes`. `overhead_basis` and `host_basis` say where the overhead of
    devices and host comes from, as the machine knows it.
    """
    holders = [*enumerate(plan.devices), (HOST, plan.host)]
    lines = [
        line
        for number, holder in holders
        for line in _lines(plan, model, number, holder, host_basis if number == HOST else overhead_basis)
    ]
    lines += [line for number, holder in holders for line in _beside_lines(plan, model, number, holder)]
    if plan.draft is not None:
        drafting = [*enumerate(plan.draft.devices), (HOST, plan.draft.host)]
        lines += [line for number, holder in drafting for line in _draft_lines(plan.draft, holder)]
    return tuple(line for line in lines if line.bytes)


def _beside_lines(plan: Plan, model: Model, number: int, holder: DeviceMemory) -> Iterator[MemoryLine]:
    """The projector, adapters, and what drafting with the model's own layers takes."""
    beside, request = holder.beside, plan.request
    if beside.projector and model.tower is not None and request.vision is not None:
        kind, size = request.vision.projector, model.tower.file_bytes(request.vision.projector)
        yield MemoryLine(
            "projector",
            holder.name,
            beside.projector,
            "modelled",
            f"The vision part, a file of its own (mmproj) with {gib(size)} in {kind}, and {gib(beside.projector - size)} "
            f"to encode an image with flash attention {'on' if plan.settings.flash_attention else 'off'}.",
            _PROJECTOR_SOURCE,
        )
    if beside.adapters and request.adapters is not None:
        count, rank = request.adapters.count, request.adapters.rank
        yield MemoryLine(
            "adapters",
            holder.name,
            beside.adapters,
            "modelled",
            f"{plural(count, 'LoRA adapter')} of rank {rank:,} beside every linear weight that lies here, experts left "
            "out, in 32 bit as llama.cpp's converter writes them.",
            _ADAPTER_SOURCE,
        )
    if beside.mtp:
        yield MemoryLine(
            "MTP drafting",
            holder.name,
            beside.mtp,
            "modelled",
            f"To draft {DRAFTED} tokens at a time with the model's own layers: their KV cache in f16 for "
            f"{plan.settings.context:,} tokens, their compute buffer, and each recurrent state {DRAFTED} times more.",
            _MTP_SOURCE,
        )


def _draft_lines(draft: Plan, holder: DeviceMemory) -> Iterator[MemoryLine]:
    about = f"the draft model at {draft.level}"
    settings = draft.settings
    parts: tuple[tuple[Component, int, str], ...] = (
        ("draft weights", holder.weights_bytes, f"The weights of {about} that lie here."),
        (
            "draft KV cache",
            holder.kv_cache_bytes,
            f"Of {about}, in f16, for as many tokens ({settings.context:,}) and {plural(settings.users, 'user')}.",
        ),
        ("draft compute", holder.compute_bytes, f"Of {about}, for as many tokens at once as the main model; at most."),
    )
    for component, size, formula in parts:
        yield MemoryLine(component, holder.name, size, "modelled", formula, _DRAFT_SOURCE)


def _lines(plan: Plan, model: Model, number: int, holder: DeviceMemory, basis: str) -> Iterator[MemoryLine]:
    placement, settings = plan.placement, plan.settings
    if number != HOST and placement.devices < len(plan.devices):
        yield from _split_lines(plan, model, holder, basis)
        return
    compared = checked(model)
    source = _source(model, compared.memory if compared else 0)
    yield MemoryLine(
        "weights", holder.name, holder.weights_bytes, "exact", _weights_sentence(plan, model, number), source
    )
    terms = cache_terms(model, settings, placement, number)
    yield MemoryLine(
        "KV cache",
        holder.name,
        holder.kv_cache_bytes,
        "exact",
        f"{' + '.join(map(str, terms))} = {gib(holder.kv_cache_bytes)}.",
        source,
        tuple(terms),
    )
    laid_out = holder.compute_bytes - holder.passing_bytes
    yield MemoryLine(
        "compute",
        holder.name,
        laid_out,
        "modelled",
        _compute_sentence(model, settings, placement, number, laid_out),
        f"the steps of the network laid out as its allocator does: {source}",
    )
    yield MemoryLine(
        "passing weights",
        holder.name,
        holder.passing_bytes,
        "modelled",
        "For prompts this GPU computes layers that lie on the host: each of their weights is copied over in turn, and "
        f"the largest needs {gib(holder.passing_bytes)} more than was set aside for other steps.",
        f"the scheduler's rule (op_offload), {_source(model, compared.placed if compared else 0)}",
    )
    yield _overhead(holder, basis)


def _split_lines(plan: Plan, model: Model, holder: DeviceMemory, basis: str) -> Iterator[MemoryLine]:
    """The lines of a device that shares every tensor with the others."""
    devices, settings = plan.devices, plan.settings
    split = sum(device.weights_bytes - device.mirrored_bytes for device in devices)
    own = holder.weights_bytes - holder.mirrored_bytes
    compared = checked(model)
    source = _source(model, compared.tensor_split if compared else 0, "-sm tensor", "allocates")
    yield MemoryLine(
        "weights",
        holder.name,
        holder.weights_bytes,
        "exact",
        f"{gib(own)} of the {gib(split)} that are split by heads, inner width and words, and "
        f"{gib(holder.mirrored_bytes)} that lie on each of the {len(devices)} devices: norms, routers, shared experts, "
        "a tied output head.",
        source,
    )
    cached = sum(device.kv_cache_bytes for device in devices)
    yield MemoryLine(
        "KV cache",
        holder.name,
        holder.kv_cache_bytes,
        "exact",
        f"The heads of this device, {gib(holder.kv_cache_bytes)} of {gib(cached)} on all of them.",
        source,
    )
    tokens = reserved_tokens(settings)
    adding = reduce_bytes(model, tokens, len(devices))
    yield MemoryLine(
        "compute",
        holder.name,
        holder.compute_bytes,
        "modelled",
        f"{gib(holder.compute_bytes - adding)} as on one device that holds everything, as tensors are laid out whole, "
        f"and {gib(adding)} to receive the partial sums of {tokens:,} tokens from the other devices.",
        source,
    )
    yield _overhead(holder, basis)


def _source(model: Model, rows: int, option: str = "", says: str = "reports itself") -> str:
    """Whose rules these are, and whether so many `rows` of what llama.cpp said of such models bear them out."""
    rules = f"{LLAMA_CPP_RULES} for {option}" if option else LLAMA_CPP_RULES
    if rows:
        return f"{rules}, checked against what it {says} (tests/truth)"
    return f"{rules}; not compared with what it {says} for {model.architecture} models"


def _overhead(holder: DeviceMemory, basis: str) -> MemoryLine:
    return MemoryLine(
        "overhead",
        holder.name,
        holder.overhead_bytes,
        "assumed",
        basis or f"{gib(holder.overhead_bytes)} taken before the first tensor is loaded.",
        "the machine's entry in the catalogue, or what was given for it",
    )


def cache_terms(model: Model, settings: Settings, placement: Placement, device: int) -> list[Term]:
    """What a device keeps of the past: one term for each kind of layer and part, equal layers counted together."""
    trunk = model.trunk or model
    plain = settings.without_placement
    sizes = zip(trunk.layers, layer_caches(model, plain), placement.caches, strict=False)
    alike = Counter((layer, size) for layer, size, home in sizes if home == device and size)
    counted: Counter[Term] = Counter()
    for (layer, size), count in alike.items():
        for term in layer_terms(layer, trunk, plain, size):
            counted[term] += count
    return [term.times(count) for term, count in counted.items()]


def _weights_sentence(plan: Plan, model: Model, device: int) -> str:
    parts = _held(plan.placement, model, device)
    sized = plan.sized
    if not isinstance(sized, SizedLevel):
        return f"{_listed(parts)}."
    types = ", ".join(f"{count:,} {kind}" for kind, count in sorted(sized.types.items(), key=lambda item: -item[1]))
    total = sum(sized.types.values())
    return (
        f"{_listed(parts)}: the bytes of their tensors added up; the whole file has {total:,} tensors ({types}) "
        f"with {gib(sized.tensor_bytes)}."
    )


def _held(placement: Placement, model: Model, device: int) -> list[str]:
    parts = []
    layers = [number for number, home in enumerate(placement.layers) if home == device]
    if device == HOST:
        parts.append("input embeddings")
        away = placement.cpu_moe_layers - placement.host_layers
        if away > 0:
            parts.append(f"the experts of the first {placement.cpu_moe_layers} layers")
    if layers:
        without = device != HOST and layers[0] < placement.cpu_moe_layers
        run = f"layers {layers[0]} to {layers[-1]}" if len(layers) > 1 else f"layer {layers[0]}"
        parts.append(f"{run} of {len(placement.layers)}" + (", some without their experts" if without else ""))
    if placement.output == device and model.has_output_head:
        parts.append("the output head")
    return parts or ["nothing"]


def _listed(parts: Sequence[str]) -> str:
    text = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
    return text[:1].upper() + text[1:]


def _compute_sentence(model: Model, settings: Settings, placement: Placement, device: int, size: int) -> str:
    tokens = reserved_tokens(settings)
    # A result may take the place of what it is made from, but never more than the whole buffer.
    steps = [step for step in _steps(model, settings, placement, device, tokens) if step[1] <= size]
    laid_out = f"Room for the steps of one micro-batch of {tokens:,} tokens, laid out in turn"
    if not steps:
        return f"{laid_out}: {gib(size)}."
    name, amount, shown = max(steps, key=lambda step: step[1])
    return f"{laid_out}: {gib(size)}; the largest single result is {name}, {shown} = {gib(amount)}."


def _steps(
    model: Model, settings: Settings, placement: Placement, device: int, tokens: int
) -> Iterator[tuple[str, int, str]]:
    """Large results of a device: what they are, their bytes, and the multiplication."""

    def step(name: str, *factors: tuple[int, str]) -> tuple[str, int, str]:
        shown = " x ".join(f"{number:,} {label}".rstrip() for number, label in factors)
        return name, math.prod(number for number, _ in factors), shown

    batch, single = (tokens, "tokens"), (4, "bytes")
    if placement.output == device and model.has_output_head:
        yield step("the scores of all words of the vocabulary", batch, (model.vocabulary, "words"), single)
    here = [number for number, home in enumerate(placement.layers) if home == device]
    if not here:
        yield step("the input of the first layer", batch, (model.width, "wide"), single)
        return
    layers = {model.layers[number] for number in here}
    for layer in layers:
        block = layer.feed_forward
        match block:
            case Dense():
                yield step("inside the feed-forward block", batch, (block.inner, "wide"), single)
            case MixtureOfExperts():
                used = (block.used, "experts used")
                yield step("inside the experts", batch, used, (block.inner, "wide"), single)
                yield step("what the experts return", batch, used, (block.latent or model.width, "wide"), single)
            case None:
                pass
            case _:
                assert_never(block)
        for mixer in layer.mixers:
            if not mixer.cached_heads.count:
                continue
            heads, window = (mixer.split_heads, "heads"), mixer.kept(model.width).window
            yield step("the queries", batch, heads, (mixer.cached_heads.key_size, "wide"), single)
            if not settings.flash_attention and model.causal:
                cells = window_cells(window, settings) if window else settings.cells
                yield step("the attention scores", batch, heads, (cells, "past tokens"), single)
