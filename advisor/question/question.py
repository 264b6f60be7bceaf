"""The question: everything the user chose. It is the page's query string, and back.

It is composed of parts, and functions take the part that they need; the link is flat all the same. Keys are short
words in plain text; defaults are left out of the link, so they may never change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from advisor.costs.inputs import CostInputs
from advisor.foundation.errors import InputError, did_you_mean, one_line, resembling
from advisor.foundation.message import sentence
from advisor.foundation.numbers import bare, exact
from advisor.foundation.parts import Composed
from advisor.machines.catalogue import counted
from advisor.question.configuration import (
    BY_FRONTEND,
    FRONTENDS,
    PINNED,
    MachineChoice,
    ModelChoice,
    OtherPrograms,
    PlacementWish,
    RuntimeChoice,
    Workload,
)
from advisor.question.order import ORDER
from advisor.question.other_names import OTHER_NAMES
from advisor.question.requirements import Requirements
from advisor.runtimes.server import ServerOptions
from advisor.sizing.settings import CACHE_TYPES, Settings

MAX_QUERY_LENGTH = 4096
LANGUAGE_KEY = "lang"  # of a link, beside the question
# How an answer is told or shown, which changes nothing of it; a link copied from the page has them.
SHOWING_KEYS = frozenset({LANGUAGE_KEY, "tab", "embed", "embed_options"})
# Of everything that is counted or measured here, less than this is nothing; it keeps figures and sentences finite.
_LEAST = 1e-9
_COUNTED_BY = {"machine": "gpus", "other_machine": "other_gpus"}
_MAIN_KEYS = "model, machine, gpus, context, users, runtime, level"


@dataclass(frozen=True)
class Question(Composed):
    """One question: which model on which machine, for which work, run how, with what required, at what cost.

    `given` are the keys that somebody wrote: what is written is meant, also where it is the default. `pins` are those
    among them that would otherwise be decided by a search, or by the runtime. Questions that ask for the same are
    equal, however they were written.
    """

    model: ModelChoice = field(default_factory=ModelChoice.usual)
    machine: MachineChoice = field(default_factory=MachineChoice.usual)
    others: OtherPrograms = field(default_factory=OtherPrograms.usual)
    workload: Workload = field(default_factory=Workload.usual)
    runtime: RuntimeChoice = field(default_factory=RuntimeChoice.usual)
    placement: PlacementWish = field(default_factory=PlacementWish.usual)
    requirements: Requirements = field(default_factory=Requirements.usual)
    costs: CostInputs = field(default_factory=CostInputs)
    given: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def pins(self) -> frozenset[str]:
        """The keys of `PINNED` that are given: nobody else decides what they are."""
        return self.given & PINNED

    @property
    def settings(self) -> Settings:
        """What the runtime is told."""
        return Settings(
            context=self.workload.context,
            users=self.workload.users,
            unified=self.runtime.name in FRONTENDS and FRONTENDS[self.runtime.name].unified,
            micro_batch=self.runtime.ubatch,
            flash_attention=self.runtime.flash_attention,
            cache_type_k=self.workload.kv_type_k,
            cache_type_v=self.workload.kv_type_v,
            gpu_layers=None if self.placement.gpu_layers == "all" else self.placement.gpu_layers,
            cpu_moe_layers=self.placement.cpu_moe_layers,
            kv_on_host=not self.placement.kv_offload,
            mmap=self.runtime.mmap,
            op_offload=self.placement.op_offload,
            split=self.placement.split,
            tensor_split=self.placement.tensor_split,
            release=self.runtime.release,
            mtp=self.model.mtp,
        )

    @property
    def server(self) -> ServerOptions:
        """What a server is told that takes all of a GPU's memory."""
        told = self.runtime
        return ServerOptions(
            memory_share=told.gpu_memory_utilization,
            static_share=told.mem_fraction_static,
            kv_fp8=self.workload.kv_fp8,
            batch_tokens=told.max_num_batched_tokens,
            requests=told.max_num_seqs,
            eager=told.enforce_eager,
            pipeline=told.pipeline_parallel,
            data=told.data_parallel,
            expert_parallel=told.expert_parallel,
        )

    def with_values(self, **values: Any) -> Self:
        """The same question with other values by key, which are then given; None takes one back to its default.

        They are our own, and not checked.
        """
        back = {key: FIELDS[key].default for key, value in values.items() if value is None}
        return replace(super().with_values(**(values | back)), given=self.given.union(values).difference(back))

    def chosen(self) -> dict[str, Any]:
        """The least that restores this question: model, machine, and what is not a default."""
        return self._chosen(self.values())

    def _chosen(self, values: Mapping[str, Any]) -> dict[str, Any]:
        kept = {"model", "machine", *self.pins, *self.changed()}
        if self.runtime.name in FRONTENDS:  # whose own default is another
            kept |= BY_FRONTEND & self.given
        ordered = dict.fromkeys(("model", "machine", *values))
        return {key: values[key] for key in ordered if key in kept and values.get(key) is not None}

    def values(self) -> dict[str, Any]:
        """Every key with its value as it is written down, also where that is the default."""
        return _in_order(self.dump())

    def changed(self) -> dict[str, Any]:
        """The values that are not the default."""
        return _in_order(self.dump(exclude_defaults=True))

    def to_query(self, also: Collection[str] = ()) -> str:
        """The shortest query string that restores this question: defaults are left out, but of the keys in `also`."""
        values = self.values()
        pinned = {key: value for key, value in values.items() if key in also and value is not None}
        return urlencode({key: _plain(value) for key, value in (self._chosen(values) | pinned).items()})

    @classmethod
    def from_query(cls, query: str) -> Self:
        """The question of a query string, or of a whole link that holds one; raises InputError in one sentence."""
        if len(query) > MAX_QUERY_LENGTH:
            raise InputError(
                "The query is {count:,} characters long; at most {max_query_length:,} are read.",
                count=len(query),
                max_query_length=MAX_QUERY_LENGTH,
            )
        query = _query_of(query)
        try:
            pairs = parse_qsl(
                query.removeprefix("?"), keep_blank_values=True, strict_parsing=query not in ("", "?"), errors="strict"
            )
        except ValueError:
            raise InputError("The query is not of the form key=value&key=value.") from None
        values: dict[str, str] = {}
        for key, value in pairs:
            if key in SHOWING_KEYS:
                continue
            if key in values:
                raise InputError("'{name}' is given twice; give it once.", name=one_line(key))
            values[key] = value
        return cls.from_values(values)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """The question of already separated values; raises InputError in one sentence."""
        for key in values:
            if key not in FIELDS:
                close = OTHER_NAMES.get(key.lower()) or resembling(key, FIELDS)
                hint = (
                    did_you_mean(close)
                    if close
                    else sentence("among the {count} known are {main}.", count=len(FIELDS), main=_MAIN_KEYS)
                )
                raise InputError("Unknown key '{name}'; {hint}", close, name=one_line(key), hint=hint)
        values = with_machines_counted(values)
        found = super().from_values(values)
        found._check_least()
        if not found.runtime.flash_attention and CACHE_TYPES[found.workload.kv_type_v][0] > 1:
            raise InputError(
                "V cache type {kv_type_v} needs flash attention: set flash_attention=on or kv_type_v=f16.",
                kv_type_v=found.workload.kv_type_v,
            )
        return replace(found, given=frozenset(values))

    def _check_least(self) -> None:
        for key in self.changed():
            value = self.value(key)
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, float) and 0 < number < _LEAST:
                    raise InputError(
                        "{name}={number} is too small: give {least} or more.",
                        name=key,
                        number=one_line(exact(number)),
                        least=bare(_LEAST),
                    )

    @classmethod
    def of(cls, **values: Any) -> Self:
        """As `from_values`, with the values by name."""
        return cls.from_values(values)


def with_machines_counted(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values with a machine's number of its own where they say both as one ("2x RTX 3090") and no other number."""
    found = dict(values)
    for key, how_many in _COUNTED_BY.items():
        typed = values.get(key)
        if isinstance(typed, str) and how_many not in values and (both := counted(typed)):
            found[key], found[how_many] = both[0], str(both[1])
    return found


FIELDS = {key: place.field for key, place in Question.places().items()}  # each key's rules and default


def _in_order(values: Mapping[str, Any]) -> dict[str, Any]:
    """As they are written."""
    return {key: values[key] for key in (*ORDER, *values) if key in values}


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value == int(value) else value


def language_of(query: str) -> str:
    """The language that a query, or a whole link, asks to be answered in; "" where it names none."""
    return dict(parse_qsl(query.partition("#")[0].rpartition("?")[2])).get(LANGUAGE_KEY, "")


def _query_of(text: str) -> str:
    """What a whole link asks, as copied from a browser; a query alone stays as it is."""
    if not text.startswith(("http://", "https://")):
        return text
    query = text.partition("#")[0].partition("?")[2]
    if not query:
        raise InputError("This link holds no question: after the ? it names model and machine.")
    return query
