"""The question: everything the user chose. It is the page's query string, and back.

Keys are short words in plain text; defaults are left out of the link, so they may never change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, get_args
from urllib.parse import parse_qsl, urlencode

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from advisor.costs.inputs import CostInputs
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, find_safetensors_level
from advisor.foundation.errors import ImpossibleValue, InputError, nearest, one_line, resembling
from advisor.foundation.numbers import bare, exact
from advisor.question.requirements import Requirements, Switch, known
from advisor.sizing.settings import CACHE_TYPES, Settings, Split

MAX_QUERY_LENGTH = 4096
MAX_USERS = 65_536  # far beyond what one machine serves; runtimes have limits of their own
CUSTOM_MACHINE = "custom"
AUTO = "auto"
# Ollama and LM Studio are llama.cpp with their own defaults, which hold for these keys where a scenario is silent.
FRONTENDS_OF_LLAMA_CPP = ("ollama", "lm-studio")
UNIFIED_CACHE = ("lm-studio",)  # all requests share one KV cache
BY_FRONTEND = frozenset({"context", "users"})
RUNTIMES = (AUTO, "llama.cpp", *FRONTENDS_OF_LLAMA_CPP, "vllm", "mlx")
BACKENDS = (AUTO, "cuda", "rocm", "metal", "vulkan", "sycl", "cpu")
_MOST_SHARES = 64
# Of everything that is counted or measured here, less than this is nothing; it keeps figures and sentences finite.
_LEAST = 1e-9
_MAIN_KEYS = "model, machine, gpus, context, users, runtime and level"


def _automatic(value: Any) -> Any:
    return None if value == AUTO else value


def _shares(value: Any) -> Any:
    """ "3,1" as a pair of numbers."""
    if not isinstance(value, str):
        return value
    parts = value.split(",")
    if len(parts) > _MOST_SHARES:
        raise ValueError(f"the list of tensor_split is too long: {len(parts)} shares, at most {_MOST_SHARES}")
    try:
        return tuple(float(part) for part in parts)
    except ValueError:
        raise ValueError(f"'{one_line(value)}' of tensor_split is not a list of numbers such as 3,1") from None


def _known_level(value: Any) -> Any:
    if not isinstance(value, str) or value in LEVELS:
        return value
    try:
        return find_safetensors_level(value).name
    except InputError:
        close = resembling(value, (*LEVELS, *SAFETENSORS_LEVELS))
        hint = nearest(value, (*LEVELS, *SAFETENSORS_LEVELS)) or f"choose one of {', '.join(LEVELS)}."
        raise ImpossibleValue(f"unknown level '{one_line(value)}'; {hint}", close) from None


GpuLayers = Annotated[Annotated[int, Field(ge=0, le=4096)] | Literal["all"] | None, BeforeValidator(_automatic)]
Share = Annotated[float, Field(ge=0, le=1_000_000)]
Shares = Annotated[
    tuple[Share, ...] | None,
    BeforeValidator(_shares),
    PlainSerializer(lambda shares: shares and ",".join(str(_plain(share)) for share in shares)),
]
CacheType = Annotated[str, known(CACHE_TYPES, "KV cache type")]


class Scenario(Requirements, CostInputs):
    """One question. Units are in the names; `context` is tokens per user (of all users in LM Studio).

    What is required is in `Requirements`, load and prices are in `CostInputs`.
    `memory_gib` and `bandwidth_gb_s` describe a custom machine; on a CPU `memory_gib` is its RAM.
    `other_gpus` devices of `other_machine` stand in the same host. `host_memory_gib` is the RAM beside graphics
    cards, `host_bandwidth_gb_s` how fast it is. `overhead_mib` replaces the catalogue's figure for what driver and
    runtime take per device, `margin_percent` of each device is kept free. `gpu_layers` None means that the placement
    is searched for: everything on the devices where it fits. `context_used` is how full the context is when speed is
    asked for (None: the prompt), in tokens. `op_offload` off keeps GPUs from reading prompts for layers on the host.
    `draft` is a model of the catalogue that drafts tokens for this one, at
    `draft_level`; `draft_accepted_percent` is how many of its tokens are taken, where the user knows.
    """

    model: str = Field("llama-3.1-70b-instruct", min_length=1, max_length=1000)
    machine: str = Field("rtx-4090", min_length=1, max_length=200)
    gpus: int = Field(1, ge=1, le=64)
    memory_gib: float | None = Field(None, gt=0, le=100_000)
    bandwidth_gb_s: float | None = Field(None, ge=1, le=1_000_000)
    other_machine: str | None = Field(None, min_length=1, max_length=200)
    other_gpus: int = Field(1, ge=1, le=64)
    host_memory_gib: float | None = Field(None, gt=0, le=100_000)
    host_bandwidth_gb_s: float | None = Field(None, ge=1, le=1_000_000)
    context: int = Field(8192, ge=1, le=1 << 27)
    users: int = Field(1, ge=1, le=MAX_USERS)
    context_used: int | None = Field(None, ge=0, le=1 << 27)
    prompt_tokens: int = Field(1024, ge=1, le=1 << 27)
    runtime: Annotated[str, known(RUNTIMES, "runtime")] = AUTO
    backend: Annotated[str, known(BACKENDS, "backend")] = AUTO
    level: Annotated[str | None, BeforeValidator(_known_level)] = None
    kv_type_k: CacheType = "f16"
    kv_type_v: CacheType = "f16"
    ubatch: int = Field(512, ge=1, le=65536)
    flash_attention: Switch = True
    gpu_layers: GpuLayers = None
    cpu_moe_layers: int = Field(0, ge=0, le=4096)
    kv_offload: Switch = True
    mmap: Switch = True
    op_offload: Switch = True
    split: Annotated[Split, known(get_args(Split), "split")] = "layer"
    tensor_split: Shares = None
    gpu_memory_utilization: float = Field(0.92, gt=0, le=1)
    kv_fp8: Switch = False
    imatrix: Switch = False
    mtp: Switch = False
    draft: str | None = Field(None, min_length=1, max_length=200)
    draft_level: Annotated[str, known(LEVELS, "draft level")] = "Q8_0"
    draft_accepted_percent: float | None = Field(None, ge=0, le=100)
    overhead_mib: float | None = Field(None, ge=0, le=1_000_000)
    margin_percent: float = Field(4, ge=0, le=50)

    @model_validator(mode="after")
    def _consistent(self) -> Scenario:
        if not self.flash_attention and CACHE_TYPES[self.kv_type_v][0] > 1:
            raise ValueError(
                f"V cache type {self.kv_type_v} needs flash attention: set flash_attention=on or kv_type_v=f16"
            )
        if self.machine == CUSTOM_MACHINE and self.memory_gib is None:
            raise ValueError("a custom machine needs memory_gib, the memory of one device in GiB")
        for key, value in self:
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, float) and 0 < number < _LEAST:
                    raise ValueError(f"{key}={one_line(exact(number))} is too small: give {bare(_LEAST)} or more")
        return self

    @property
    def searches_placement(self) -> bool:
        """Whether the placement is left to us."""
        return self.gpu_layers is None and not self.cpu_moe_layers and self.split == "layer"

    @property
    def settings(self) -> Settings:
        """What the runtime is told."""
        return Settings(
            context=self.context,
            users=self.users,
            unified=self.runtime in UNIFIED_CACHE,
            micro_batch=self.ubatch,
            flash_attention=self.flash_attention,
            cache_type_k=self.kv_type_k,
            cache_type_v=self.kv_type_v,
            gpu_layers=None if self.gpu_layers == "all" else self.gpu_layers,
            cpu_moe_layers=self.cpu_moe_layers,
            kv_on_host=not self.kv_offload,
            mmap=self.mmap,
            op_offload=self.op_offload,
            split=self.split,
            tensor_split=self.tensor_split,
        )

    @property
    def given(self) -> frozenset[str]:
        """Which of the settings that Ollama and LM Studio have defaults of their own for were set."""
        return frozenset(BY_FRONTEND & self.model_fields_set)

    def chosen(self, mode: Literal["python", "json"] = "python") -> dict[str, Any]:
        """The least that restores this scenario: model, machine, and what is not a default."""
        values = self.model_dump(mode=mode, exclude_defaults=True) | {"model": self.model, "machine": self.machine}
        if self.runtime in FRONTENDS_OF_LLAMA_CPP:  # whose own default is another
            values |= {key: getattr(self, key) for key in self.given}
        order = ("model", "machine", *type(self).model_fields)
        return {key: values[key] for key in dict.fromkeys(order) if key in values}

    def to_query(self, also: Collection[str] = ()) -> str:
        """The shortest query string that restores this scenario: defaults are left out, but of the keys in `also`."""
        values = self.chosen() | self.model_dump(include=set(also), exclude_none=True)
        return urlencode({key: _plain(value) for key, value in values.items()})

    @classmethod
    def from_query(cls, query: str) -> Scenario:
        """The scenario of a query string; raises InputError in one sentence."""
        if len(query) > MAX_QUERY_LENGTH:
            raise InputError(f"The query is {len(query):,} characters long; at most {MAX_QUERY_LENGTH:,} are read.")
        try:
            pairs = parse_qsl(
                query.removeprefix("?"), keep_blank_values=True, strict_parsing=query not in ("", "?"), errors="strict"
            )
        except ValueError:
            raise InputError("The query is not of the form key=value&key=value.") from None
        values: dict[str, str] = {}
        for key, value in pairs:
            if key in values:
                raise InputError(f"'{one_line(key)}' is given twice; give it once.")
            values[key] = value
        return cls.from_values(values)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Scenario:
        """The scenario of already separated values; raises InputError in one sentence."""
        for key in values:
            if key not in cls.model_fields:
                close = resembling(key, cls.model_fields)
                hint = nearest(key, cls.model_fields) or f"among the {len(cls.model_fields)} known are {_MAIN_KEYS}."
                raise InputError(f"Unknown key '{one_line(key)}'; {hint}", close)
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            cause = error.errors()[0].get("ctx", {}).get("error")
            meant = cause.suggestions if isinstance(cause, ImpossibleValue) else ()
            raise InputError(_first_reason(error), meant) from None


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value == int(value) else value


def _first_reason(error: ValidationError) -> str:
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ").rstrip(".")
    if not first["loc"] or first["type"] == "value_error":
        starts_with_key = "=" in reason.partition(" ")[0]
        shown = reason if starts_with_key else f"{reason[:1].upper()}{reason[1:]}"
        return f"{shown}{'' if reason.endswith('?') else '.'}"
    shown = one_line(first["input"])
    wanted = reason.lower().replace("input should be", "it must be").split(", unable")[0]
    return f"{first['loc'][0]}={shown} is not possible: {wanted}."
