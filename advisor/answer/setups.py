"""The ways in which a model could be run on a machine: runtime x KV cache x cards, each with the levels to look at.

What the question gives is fixed, the rest is searched: a key that somebody wrote is meant, also where it says what is
the default anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from advisor.answer.assess import facts_of_model, writes_text
from advisor.answer.plans import check_stack, published_request, request_of, with_frontend_defaults
from advisor.formats.gguf_levels import LEVELS, Level
from advisor.formats.gguf_sizes import size_level
from advisor.formats.level_id import GGUF, LevelId
from advisor.formats.levels import find_level
from advisor.formats.safetensors_levels import SafetensorsLevel
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message
from advisor.models.catalogue import Entry
from advisor.models.model import Model
from advisor.quality import ModelFacts
from advisor.quality.kv_cache_loss import damages
from advisor.quality.own_files import is_native
from advisor.question.configuration import AUTO
from advisor.question.hardware import Hardware, chip_for, fastest_first, hardware_of
from advisor.question.question import Question
from advisor.runtimes.architectures import loading_of
from advisor.runtimes.defaults import Taken
from advisor.runtimes.registry import ENGINES, find_runtime, runtime_by
from advisor.runtimes.runtime import Runtime
from advisor.runtimes.support import Format, format_of_level, loads_somewhere, machine_refusal, supports
from advisor.sizing.request import Levels, PlanRequest, RuntimeOptions
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.published_sizes import STOCK, published_sizes_of
from advisor.sources.resolve import ResolvedModel

_EXPERTS_AS_THEY_ARE = LevelId(GGUF, "MXFP4_MOE")  # of a model published so: bit for bit, and the rest in 8 bits
_SMALL_MODEL = 1_500_000_000  # parameters; smaller models lose more to quantization and cost little to keep whole


@dataclass(frozen=True, eq=False)
class Setup:
    """Everything of a configuration but the level.

    `asked` is the question, with what a front end chose by itself (`taken`), and `question` the same with runtime, KV
    cache and cards told. `levels` are those to look at, best first; empty for files that are planned as they are.
    """

    asked: Question
    question: Question
    runtime: Runtime
    hardware: Hardware
    request: PlanRequest
    levels: tuple[LevelId, ...]
    taken: tuple[Taken, ...]
    whole_cache: bool
    all_cards: bool

    @cached_property
    def without_margin(self) -> PlanRequest:
        """The request with every byte used."""
        return replace(self.request, margin=0.0)

    @property
    def speed_is_known(self) -> bool:
        """Whether the bandwidth of every device is."""
        return None not in self.request.rates.devices

    @property
    def as_it_is(self) -> bool:
        """Whether a file is planned as it is."""
        return not isinstance(self.request.stored, Levels)


@dataclass(frozen=True, eq=False)
class Subject:
    """What is asked about, the same for all setups. `model` is with or without its MTP layers, as asked.

    Where nobody asks for a context and the model knows less than is usual, `question` has its own, and `usual_context`
    is what was not taken. Experts of more layers than there are are those of all.
    """

    question: Question
    entry: ResolvedModel
    model: Model
    facts: ModelFacts
    writes: bool
    usual_context: int | None = None

    @classmethod
    def of(cls, question: Question, entry: ResolvedModel) -> Subject:
        model = entry.must_have_model()
        if question.model.mtp:
            model = model.with_mtp()
        usual, limit = question.workload.context, model.context_length
        beyond = limit is not None and usual > limit and "context" not in question.given
        if beyond:
            question = replace(question, workload=question.workload.with_values(context=limit))
        if question.placement.cpu_moe_layers > len(model.layers):  # people write "all" or 999
            placement = question.placement.with_values(cpu_moe_layers=len(model.layers))
            question = replace(question, placement=placement)
        facts, writes = facts_of_model(entry, model), writes_text(entry, model)
        return cls(question, entry, model, facts, writes, usual if beyond else None)


def setups_of(about: Subject) -> tuple[Setup, ...]:
    """Every way that is possible; raises InputError with the first reason where none is."""
    found: list[Setup] = []
    refusals: list[InputError] = []
    runtimes = runtimes_of(about.question, about.entry)
    # Nobody is sent to an engine that may not load the model, where another does and runs here.
    sure = tuple(one for one in runtimes if loading_of(runtime_by(one).engine, about.model).loads == "yes")
    for likely in (sure, tuple(one for one in runtimes if one not in sure)):
        for runtime in () if found else likely:
            try:
                found += _setups(about, runtime)
            except InputError as refusal:
                refusals.append(refusal)
    if not found:
        raise refusals[0]
    return tuple(found)


def setups_of_checkpoint(about: Subject, runtime: RuntimeId) -> tuple[Setup, ...]:
    """The ways to run a repository's own checkpoint as it is; raises InputError where the runtime does not load it."""
    found = []
    for setup in _setups(about, runtime):
        stored = published_request(setup.question, about.entry, about.model, setup.hardware, setup.request)
        found.append(replace(setup, request=stored, levels=()))
    return tuple(found)


def runtimes_of(question: Question, entry: ResolvedModel) -> tuple[RuntimeId, ...]:
    """The runtimes to look at: the one that is asked for, that of the level or the settings that are, or every engine.

    Raises InputError where a level and a runtime that does not load it are asked for.
    """
    asked = None if question.runtime.name == AUTO else find_runtime(question.runtime.name)
    loading = _loading(question)
    if asked is not None:
        if asked.engine not in loading:
            raise InputError(
                "Level {level} is not for {asked}: choose runtime={loading}.",
                level=str(question.model.level),
                asked=asked.id,
                loading=loading[0],
            )
        return (asked.id,)
    if entry.file is not None and question.model.level is None:
        return (RuntimeId.LLAMA_CPP,)
    told = [one for one in loading if runtime_by(one).own_keys & question.given]
    # Of several that read a key, the one that reads most of what is given is meant.
    meant = max(told, key=lambda one: len(runtime_by(one).own_keys & question.given), default=None)
    return tuple(one for one in loading if runtime_by(one).searched) if meant is None else (meant,)


def _loading(question: Question) -> tuple[RuntimeId, ...]:
    """The engines that load the level asked for somewhere."""
    engines = tuple(engine.id for engine in ENGINES)
    if question.model.level is None:
        return engines
    level = find_level(question.model.level)
    return tuple(one for one in engines if _loads(one, level)) or (RuntimeId.VLLM,)


def _setups(about: Subject, runtime_id: RuntimeId) -> Iterator[Setup]:
    runtime = runtime_by(runtime_id)
    asked = about.question
    check_stack(asked, about.entry, about.model, runtime)
    if asked.runtime.name == AUTO and asked.model.level is None and (refusal := refusal_here(asked, runtime)):
        raise InputError("{refusal}.", refusal=refusal)
    hardware = hardware_of(asked.machine, asked.runtime.backend, runtime_id, asked.others)
    asked, taken = with_frontend_defaults(asked, asked.given, about.model, hardware, runtime_id)
    runtime.check(request_of(asked, about.entry, about.model, hardware, runtime_id))
    for told, cards in _on_cards(about, asked.with_values(runtime=str(runtime_id)), runtime, hardware):
        request = request_of(told, about.entry, about.model, cards, runtime_id)
        for cache, whole in _caches(about, runtime, request):
            question = told.with_values(**cache)
            one = request if whole else request_of(question, about.entry, about.model, cards, runtime_id)
            every = len(cards.cards) == len(cards.installed)
            yield Setup(asked, question, runtime, cards, one, _levels(about, runtime, request), taken, whole, every)


def _on_cards(
    about: Subject, told: Question, runtime: Runtime, hardware: Hardware
) -> Iterator[tuple[Question, Hardware]]:
    """The question with as many cards used as is worth looking at; on all of them where it says so, or has one."""
    told_where = told.placement.tensor_split is not None or not told.placement.is_searched
    told_where = told_where or (runtime.speed.splits_tensors and told.server.ranks > 1)
    counts = _card_counts(about, runtime, hardware)
    if len(hardware.cards) < 2 or "use_gpus" in about.question.pins or told_where:
        _check_split(about.question, runtime, hardware, counts)
        yield told, hardware
        return
    if not counts:
        yield told, hardware  # whose plan says why not
    for count in counts:
        using = told.with_values(use_gpus=count)
        yield using, hardware_of(using.machine, told.runtime.backend, runtime.id, using.others)


def _card_counts(about: Subject, runtime: Runtime, hardware: Hardware) -> tuple[int, ...]:
    """How many cards are worth looking at.

    Of three and more that differ also all but the slowest, which may not be worth its step beside a host that computes.
    """
    cards, devices = hardware.cards, hardware.memory.devices
    memory = replace(hardware.memory, devices=tuple(devices[place] for place in fastest_first(cards)))
    counts = runtime.card_counts(memory, about.model)
    if runtime.engine is RuntimeId.LLAMA_CPP and len(cards) > 2 and len(set(cards)) > 1:
        counts = tuple(dict.fromkeys((*counts, len(cards) - 1)))
    return counts


def _check_split(asked: Question, runtime: Runtime, hardware: Hardware, counts: tuple[int, ...]) -> None:
    """Leave out a runtime that nobody asked for where it cannot use as many cards as are asked for."""
    used = len(hardware.cards)
    if used > 1 and used not in counts and asked.runtime.name == AUTO and "use_gpus" in asked.pins:
        raise InputError("{runtime} does not use {count} cards for this model.", runtime=runtime.id, count=used)


def refusal_here(asked: Question, runtime: Runtime) -> Message | None:
    """Why a runtime that nobody asked for is not looked at on this hardware, without a full stop; None: it is."""
    hardware = hardware_of(asked.machine, asked.runtime.backend, runtime.id, asked.others)
    return machine_refusal(runtime.id, chip_for(asked.runtime.backend, hardware, runtime.id))


def _caches(about: Subject, runtime: Runtime, request: PlanRequest) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """How the cache may be stored, as keys of the question, and whether that is as the model computes with it."""
    choices = runtime.caches(request)
    if any(key in about.question.pins for choice in choices for key in choice):
        yield {}, True
        return
    whole, *smaller = choices
    yield whole, True
    for choice in smaller:
        question = about.question.with_values(**choice)
        told = replace(request, settings=question.settings, options=_options(runtime, question))
        if not damages(about.facts.family, *runtime.cache_types(told)):
            yield choice, False


def _options(runtime: Runtime, question: Question) -> RuntimeOptions | None:
    return runtime.options(question.server)


def _levels(about: Subject, runtime: Runtime, request: PlanRequest) -> tuple[LevelId, ...]:
    if about.question.model.level is not None:
        return (find_level(about.question.model.level).id,)
    its = runtime.ladder
    if (publisher := about.question.model.publisher) != STOCK and runtime.engine is RuntimeId.LLAMA_CPP:
        return published_sizes_of(about.entry, publisher).levels()
    if not about.writes:
        # Nobody has measured what quantization costs vectors and scores, and these models are small.
        return tuple(dict.fromkeys((*its.reads, *its.usual)))
    whole = its.whole if about.model.parameters < _SMALL_MODEL else ()
    own = tuple(_published(about, runtime))
    usual = its.usual
    as_published = (level for level in own if is_as_published(about.entry.entry, level))
    loaded = (level for level in as_published if _loads_here(runtime, level, request))
    if (small := min(loaded, key=_bits, default=None)) is not None:
        usual = tuple(level for level in usual if level in own or _is_smaller(about.model, level, small))
    return tuple(dict.fromkeys((*own, *whole, *usual)))


def is_as_published(entry: Entry | None, level: LevelId) -> bool:
    """Whether a file of this level has the original's own weights, or those of its experts."""
    experts = level == _EXPERTS_AS_THEY_ARE and entry is not None and entry.published_in_fp4
    return experts or is_native(entry, level)


def _is_smaller(model: Model, level: LevelId, published: LevelId) -> bool:
    """Whether a file made from an original of few bits saves memory: rows that fit no small block may take more.

    What saves none can only lose: nobody makes it.
    """
    if level.format == published.format == GGUF:
        return _gguf_bytes(model, level) < _gguf_bytes(model, published)
    return _bits(level) < _bits(published)


def _gguf_bytes(model: Model, level: LevelId) -> int:
    return size_level(model, LEVELS[level.name]).tensor_bytes


def _bits(level: LevelId) -> float:
    return find_level(str(level)).nominal_bits


def _loads_here(runtime: Runtime, level_id: LevelId, request: PlanRequest) -> bool:
    level = find_level(str(level_id))
    if not isinstance(level, SafetensorsLevel):
        return True
    return request.chip is not None and not supports(runtime.engine, level, request.chip).refusal


def _published(about: Subject, runtime: Runtime) -> Iterator[LevelId]:
    """The levels that the publisher offers its model in, as far as the engine loads them anywhere, and the one that
    takes over experts which were published in 4 bits.
    """
    if (entry := about.entry.entry) is None:
        return
    own_gguf = any(file.format == GGUF for file in entry.own_files)
    if runtime.engine is RuntimeId.LLAMA_CPP and entry.published_in_fp4 and not own_gguf:
        yield _EXPERTS_AS_THEY_ARE
    for file in entry.own_files:
        level = LevelId(file.format, file.level)
        if file.kind != "qat" and _loads(runtime.engine, find_level(str(level))):
            yield level


def _loads(engine: RuntimeId, level: Level | SafetensorsLevel) -> bool:
    stored = format_of_level(level) if isinstance(level, SafetensorsLevel) else Format(level.id.format)
    return loads_somewhere(engine, stored)
