"""Every line of a llama.cpp memory bill: is it exact, modelled or assumed, and how does it come about."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import assert_never

from advisor.formats.gguf_levels import LLAMA_CPP_RULES
from advisor.formats.gguf_sizes import SizedLevel
from advisor.foundation.message import NOTHING, Message, fact
from advisor.models.checked import checked
from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.cache_terms import BYTES, PAST_TOKENS, TOKENS, WIDE, layer_terms
from advisor.runtimes.llama_cpp.compute.frame import reserved_tokens
from advisor.runtimes.llama_cpp.growth import layer_caches
from advisor.runtimes.llama_cpp.kv_cache import window_cells
from advisor.runtimes.llama_cpp.lending import is_at_most
from advisor.runtimes.llama_cpp.mtp import DRAFTED
from advisor.runtimes.llama_cpp.split_growth import reduce_bytes
from advisor.sizing.memory_line import Component, MemoryLine, Term, factor, product
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.plan import DeviceMemory, Plan
from advisor.sizing.settings import Settings

_DRAFT_SOURCE = fact("rules_of_main_model", rules=LLAMA_CPP_RULES)


def memory_lines(
    plan: Plan, model: Model, overhead_basis: Message = NOTHING, host_basis: Message = NOTHING
) -> tuple[MemoryLine, ...]:
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
    lines += [line for _, holder in holders for line in _beside_lines(plan, model, holder)]
    if plan.draft is not None:
        drafting = [*enumerate(plan.draft.devices), (HOST, plan.draft.host)]
        lines += [line for number, holder in drafting for line in _draft_lines(plan.draft, holder)]
    return tuple(line for line in lines if line.bytes)


def _beside_lines(plan: Plan, model: Model, holder: DeviceMemory) -> Iterator[MemoryLine]:
    """The projector, adapters, and what drafting with the model's own layers takes."""
    beside, request, settings = holder.beside, plan.request, plan.settings
    if beside.projector and model.tower is not None and request.vision is not None:
        kind = request.vision.projector
        size = model.tower.file_bytes(kind)
        encoding = fact("with_flash_attention") if settings.flash_attention else fact("without_flash_attention")
        formula = fact("projector_here", file=size, type=kind, compute=beside.projector - size, how=encoding)
        yield MemoryLine("projector", holder.name, beside.projector, "modelled", formula, fact("projector_source"))
    if beside.adapters and request.adapters is not None:
        formula = fact("adapters_here", n=request.adapters.count, rank=request.adapters.rank)
        yield MemoryLine("adapters", holder.name, beside.adapters, "modelled", formula, fact("adapters_source"))
    if beside.mtp:
        formula = fact("mtp_here", drafted=DRAFTED, context=settings.context)
        source = fact("mtp_source", rules=LLAMA_CPP_RULES)
        yield MemoryLine("MTP drafting", holder.name, beside.mtp, "modelled", formula, source)


def _draft_lines(draft: Plan, holder: DeviceMemory) -> Iterator[MemoryLine]:
    level = str(draft.level)
    settings = draft.settings
    parts: tuple[tuple[Component, int, Message], ...] = (
        ("draft weights", holder.weights_bytes, fact("draft_weights_here", level=level)),
        (
            "draft KV cache",
            holder.kv_cache_bytes,
            fact("draft_cache", level=level, tokens=settings.context, users=fact("users", n=settings.users)),
        ),
        ("draft compute", holder.compute_bytes, fact("draft_compute", level=level)),
    )
    for component, size, formula in parts:
        yield MemoryLine(component, holder.name, size, "modelled", formula, _DRAFT_SOURCE)


def _lines(plan: Plan, model: Model, number: int, holder: DeviceMemory, basis: Message) -> Iterator[MemoryLine]:
    placement, settings = plan.placement, plan.settings
    if number != HOST and placement.devices < len(plan.devices):
        yield from _split_lines(plan, model, holder, basis)
        return
    compared, bounded = checked(model), is_at_most(plan)
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
        fact("cache_terms", terms=tuple(term.message for term in terms), size=holder.kv_cache_bytes),
        source,
        tuple(terms),
    )
    laid_out = holder.compute_bytes - holder.passing_bytes
    yield MemoryLine(
        "compute",
        holder.name,
        laid_out,
        "assumed" if model.wiring.assumed else "modelled",
        _compute_sentence(model, settings, placement, number, laid_out),
        fact("laid_out_at_most", release=settings.release, rules=source)
        if bounded
        else _compute_source(model, settings, source),
    )
    yield MemoryLine(
        "passing weights",
        holder.name,
        holder.passing_bytes,
        "modelled",
        fact("passing_weights_at_most", size=holder.passing_bytes)
        if bounded
        else fact("passing_weights", size=holder.passing_bytes),
        fact("scheduler_rule", rules=_source(model, compared.placed if compared else 0)),
    )
    yield from _overhead(holder, basis)


def _split_lines(plan: Plan, model: Model, holder: DeviceMemory, basis: Message) -> Iterator[MemoryLine]:
    """The lines of a device that shares every tensor with the others."""
    devices, settings = plan.devices, plan.settings
    split = sum(device.weights_bytes - device.mirrored_bytes for device in devices)
    own = holder.weights_bytes - holder.mirrored_bytes
    compared = checked(model)
    source = _source(model, compared.tensor_split if compared else 0, split=True)
    yield MemoryLine(
        "weights",
        holder.name,
        holder.weights_bytes,
        "exact",
        fact("split_weights", own=own, all=split, mirrored=holder.mirrored_bytes, devices=len(devices)),
        source,
    )
    cached = sum(device.kv_cache_bytes for device in devices)
    yield MemoryLine(
        "KV cache",
        holder.name,
        holder.kv_cache_bytes,
        "exact",
        fact("split_cache", own=holder.kv_cache_bytes, all=cached),
        source,
    )
    tokens = reserved_tokens(settings)
    adding = reduce_bytes(model, tokens, len(devices))
    yield MemoryLine(
        "compute",
        holder.name,
        holder.compute_bytes,
        "modelled",
        fact("split_compute", whole=holder.compute_bytes - adding, sums=adding, tokens=tokens),
        source,
    )
    yield from _overhead(holder, basis)


def _source(model: Model, rows: int, split: bool = False) -> Message:
    """Whose rules these are, and whether so many `rows` of what llama.cpp said of such models bear them out."""
    if split:
        rules = fact("rules_of_split", rules=LLAMA_CPP_RULES)
        if rows:
            return fact("checked_against_allocation", rules=rules)
        return fact("not_compared_with_allocation", rules=rules, architecture=model.architecture)
    if rows:
        return fact("checked_against_report", rules=LLAMA_CPP_RULES)
    return fact("not_compared_with_report", rules=LLAMA_CPP_RULES, architecture=model.architecture)


def _overhead(holder: DeviceMemory, basis: Message) -> Iterator[MemoryLine]:
    own = holder.overhead_bytes - holder.used_bytes
    yield MemoryLine(
        "overhead",
        holder.name,
        own,
        "assumed",
        basis if basis != NOTHING else fact("taken_before_loading", size=own),
        fact("machine_entry"),
    )
    used = holder.used_bytes
    yield MemoryLine("other programs", holder.name, used, "exact", fact("used_by_others", size=used), fact("as_asked"))


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


def _weights_sentence(plan: Plan, model: Model, device: int) -> Message:
    parts = _held(plan.placement, model, device)
    sized = plan.sized
    if not isinstance(sized, SizedLevel):
        return fact("weights_here", parts=parts)
    counted = sorted(sized.types.items(), key=lambda item: -item[1])
    types = tuple(fact("tensors_of_type", number=count, kind=str(kind)) for kind, count in counted)
    total = sum(sized.types.values())
    return fact("weights_added_up", parts=parts, tensors=total, types=types, size=sized.tensor_bytes)


def _held(placement: Placement, model: Model, device: int) -> tuple[Message, ...]:
    parts = []
    layers = [number for number, home in enumerate(placement.layers) if home == device]
    if device == HOST:
        parts.append(fact("held_embeddings"))
        away = placement.cpu_moe_layers - placement.host_layers
        if away > 0:
            parts.append(fact("held_experts", layers=placement.cpu_moe_layers))
    if layers:
        without = device != HOST and layers[0] < placement.cpu_moe_layers
        run = fact("held_layer", number=layers[0])
        if len(layers) > 1:
            run = fact("held_layers", first=layers[0], last=layers[-1])
        count = len(placement.layers)
        if without:
            parts.append(fact("held_run_without_experts", run=run, count=count))
        else:
            parts.append(fact("held_run", run=run, count=count))
    if placement.output == device and model.has_output_head:
        parts.append(fact("held_output"))
    return tuple(parts) or (fact("held_nothing"),)


def _compute_source(model: Model, settings: Settings, rules: Message) -> Message:
    """On what the size of a compute buffer rests."""
    if model.wiring.assumed:
        return fact("most_that_shapes_allow", architecture=model.architecture)
    return fact("laid_out_as_allocator", release=settings.release, rules=rules)


def _compute_sentence(model: Model, settings: Settings, placement: Placement, device: int, size: int) -> Message:
    tokens = reserved_tokens(settings)
    # A result may take the place of what it is made from, but never more than the whole buffer.
    steps = [step for step in _steps(model, settings, placement, device, tokens) if step[1] <= size]
    if not steps:
        return fact("compute_room", tokens=tokens, size=size)
    name, amount, shown = max(steps, key=lambda step: step[1])
    return fact("compute_room_and_largest", tokens=tokens, size=size, name=name, product=shown, amount=amount)


def _steps(
    model: Model, settings: Settings, placement: Placement, device: int, tokens: int
) -> Iterator[tuple[Message, int, Message]]:
    """Large results of a device: what they are, their bytes, and the multiplication."""

    def step(name: Message, *factors: tuple[int, Message]) -> tuple[Message, int, Message]:
        return name, math.prod(number for number, _ in factors), product(factor(*each) for each in factors)

    batch, single = (tokens, TOKENS), (4, BYTES)
    if placement.output == device and model.has_output_head:
        yield step(fact("step_scores"), batch, (model.vocabulary, fact("of_words")), single)
    here = [number for number, home in enumerate(placement.layers) if home == device]
    if not here:
        yield step(fact("step_input"), batch, (model.width, WIDE), single)
        return
    layers = {model.layers[number] for number in here}
    for layer in layers:
        block = layer.feed_forward
        match block:
            case Dense():
                yield step(fact("step_feed_forward"), batch, (block.inner, WIDE), single)
            case MixtureOfExperts():
                used = (block.used, fact("experts_used"))
                yield step(fact("step_experts"), batch, used, (block.inner, WIDE), single)
                yield step(fact("step_experts_return"), batch, used, (block.latent or model.width, WIDE), single)
            case None:
                pass
            case _:
                assert_never(block)
        for mixer in layer.mixers:
            if not mixer.cached_heads.count:
                continue
            heads, window = (mixer.split_heads, fact("of_heads")), mixer.kept(model.width).window
            yield step(fact("step_queries"), batch, heads, (mixer.cached_heads.key_size, WIDE), single)
            if not settings.flash_attention and model.causal:
                cells = window_cells(window, settings) if window else settings.cells
                yield step(fact("step_attention"), batch, heads, (cells, PAST_TOKENS), single)
