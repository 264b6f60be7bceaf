"""What is to be run, where, on what work and how: four parts of the question, and the wish where things should lie.

Field names (where they have one, their aliases) are keys of the link, and defaults may never change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.levels import find_level, written
from advisor.foundation.errors import ImpossibleValue, InputError, one_line
from advisor.foundation.message import sentence
from advisor.foundation.parts import Part
from advisor.foundation.units import MIB
from advisor.machines.catalogue import machine_id
from advisor.machines.ram import USUAL_CHANNELS, USUAL_TYPE, Ram, ram_type
from advisor.models.tower import PROJECTOR_TYPES, ProjectorType
from advisor.question.requirements import Switch, known
from advisor.runtimes.registry import RUNTIMES as REGISTERED
from advisor.sizing.settings import CACHE_TYPES, NEWEST_RELEASE, RELEASES, Split

MAX_USERS = 65_536  # far beyond what one machine serves; runtimes have limits of their own
CUSTOM_MACHINE = "custom"
# Of a link for somebody else: the machine of whoever opens it, who is asked which one that is.
YOUR_MACHINE = "your-machine"
AUTO = "auto"
# Front ends have defaults of their own, which hold for these keys where a question is silent.
BY_FRONTEND = frozenset({"context", "users"})
# What is searched for where a question is silent: written, the default too is meant.
SEARCHED = frozenset({"kv_type_k", "kv_type_v", "kv_fp8", "gpu_layers", "cpu_moe_layers", "kv_offload", "use_gpus"})
# Where a question is silent, the runtime decides: written, the default too is meant.
BY_RUNTIME = frozenset({"vision", "ubatch"})
PINNED = SEARCHED | BY_RUNTIME  # what is written of these is kept, also where it is the default
VISIONS = ("off", "on", "video")
FRONTENDS = {str(one.id): one.frontend for one in REGISTERED if one.frontend is not None}
RUNTIMES = (AUTO, *(str(one.id) for one in REGISTERED))
NEWEST = "newest"
LLAMA_CPP_RELEASES = (NEWEST, *RELEASES)
ROPE_SCALINGS = (AUTO, "none", "linear", "yarn")
BACKENDS = (AUTO, "cuda", "rocm", "metal", "vulkan", "sycl", "cpu")
_MOST_SHARES = 64
MOST_LAYERS = 4096  # no model has so many: "all" of them


def _automatic(value: Any) -> Any:
    return None if value == AUTO else value


def _numbers(key: str, example: str) -> Callable[[Any], Any]:
    """ "3,1" as a pair of numbers."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        parts = value.split(",")
        if len(parts) > _MOST_SHARES:
            raise ImpossibleValue(
                "The list of {name} is too long: {count} numbers, at most {most}.",
                name=key,
                count=len(parts),
                most=_MOST_SHARES,
            )
        try:
            return tuple(float(part) for part in parts)
        except ValueError:
            raise ImpossibleValue(
                "'{value}' of {name} is not a list of numbers such as {example}.",
                value=one_line(value),
                name=key,
                example=example,
            ) from None

    return read


def _written_shares(shares: tuple[float, ...] | None) -> str | None:
    if shares is None:
        return None
    return ",".join(str(int(share) if share == int(share) else share) for share in shares)


def _known_level(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return written(find_level(value).id)
    except InputError as error:
        raise ImpossibleValue.because(error) from None


def _known_ram(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return ram_type(value)
    except InputError as error:
        raise ImpossibleValue.because(error) from None


def _known_machine(value: Any) -> Any:
    if value == YOUR_MACHINE:
        raise ImpossibleValue(
            "machine={your_machine} stands for the machine of whoever opens the link in a browser: name one here.",
            your_machine=YOUR_MACHINE,
        )
    return machine_id(value) if isinstance(value, str) else value


def _layers(value: Any) -> Any:
    return MOST_LAYERS if value == "all" else value


def _written_layers(layers: int) -> int | str:
    return "all" if layers == MOST_LAYERS else layers


GpuLayers = Annotated[Annotated[int, Field(ge=0, le=MOST_LAYERS)] | Literal["all"] | None, BeforeValidator(_automatic)]
Share = Annotated[float, Field(ge=0, le=1_000_000)]
Shares = Annotated[
    tuple[Share, ...] | None, BeforeValidator(_numbers("tensor_split", "3,1")), PlainSerializer(_written_shares)
]
Used = Annotated[float, Field(ge=0, le=10_000_000)]
UsedByCard = Annotated[
    tuple[Used, ...] | None, BeforeValidator(_numbers("used_mib", "1500,0")), PlainSerializer(_written_shares)
]
CacheType = Annotated[str, known(CACHE_TYPES, sentence("KV cache type"))]


class ModelChoice(Part):
    """What is to be run: a model (an id of the catalogue, or what names one elsewhere), and how it is stored.

    `publisher` is whose GGUF files are meant, "stock" for those that llama.cpp's own tools make.
    `draft` is a model of the catalogue that drafts tokens for this one, at `draft_level`; `draft_accepted_percent` is
    how many of its tokens are taken, where the user knows. `vision` says whether images and sound are read as well as
    text ("video": videos too), where the model can; with llama.cpp by a file of the type `projector`. So many LoRA
    adapters (`loras`) of `lora_rank` are loaded at once (0: none).
    """

    name: str = Field("llama-3.1-70b-instruct", alias="model", min_length=1, max_length=1000)
    level: Annotated[str | None, BeforeValidator(_known_level)] = None
    imatrix: Switch = False
    publisher: str = Field("stock", min_length=1, max_length=100, pattern=r"^[\w][\w.\-]*$")
    mtp: Switch = False
    draft: str | None = Field(None, min_length=1, max_length=200)
    draft_level: Annotated[str, known(LEVELS, sentence("draft level"))] = "Q8_0"
    draft_accepted_percent: float | None = Field(None, ge=0, le=100)
    vision: Annotated[str, known(VISIONS, sentence("value of vision"))] = "off"
    projector: Annotated[ProjectorType, known(PROJECTOR_TYPES, sentence("projector type"))] = "F16"
    lora_rank: int = Field(0, ge=0, le=512)
    loras: int = Field(1, ge=1, le=64)


class MachineChoice(Part):
    """Where it runs. Units are in the names.

    `memory_gib` and `bandwidth_gb_s` describe a custom machine; on a CPU `memory_gib` is its RAM.
    `other_gpus` devices of `other_machine` stand in the same host; of all cards there a plan uses the first
    `use_gpus` (None: all). `host_memory_gib` is the RAM beside graphics cards, `host_bandwidth_gb_s` how fast it is;
    who does not know that gives `ram_type` ("ddr5-6000"), `ram_channels` of a processor (None: two) and `ram_sockets`.
    `overhead_mib` replaces the catalogue's figure for what driver and runtime take per device, `margin_percent` of
    each device is kept free. `wired_limit_mb` is what a Mac's GPU may use where that was raised (in MiB, as
    `iogpu.wired_limit_mb` counts it).
    """

    name: Annotated[str, BeforeValidator(_known_machine)] = Field(
        "rtx-4090", alias="machine", min_length=1, max_length=200
    )
    gpus: int = Field(1, ge=1, le=64)
    memory_gib: float | None = Field(None, gt=0, le=100_000)
    bandwidth_gb_s: float | None = Field(None, ge=1, le=1_000_000)
    other_machine: Annotated[str | None, BeforeValidator(_known_machine)] = Field(None, min_length=1, max_length=200)
    other_gpus: int = Field(1, ge=1, le=64)
    use_gpus: int | None = Field(None, ge=1, le=64)
    host_memory_gib: float | None = Field(None, gt=0, le=100_000)
    host_bandwidth_gb_s: float | None = Field(None, ge=1, le=1_000_000)
    ram_type: Annotated[str | None, BeforeValidator(_known_ram)] = Field(None, min_length=1, max_length=40)
    ram_channels: int | None = Field(None, ge=1, le=16)
    ram_sockets: int = Field(1, ge=1, le=8)
    overhead_mib: float | None = Field(None, ge=0, le=1_000_000)
    wired_limit_mb: int | None = Field(None, ge=1, le=10_000_000)
    margin_percent: float = Field(4, ge=0, le=50)

    @model_validator(mode="after")
    def _described(self) -> MachineChoice:
        if self.name == CUSTOM_MACHINE and self.memory_gib is None:
            raise ImpossibleValue("A custom machine needs memory_gib, the memory of one device in GiB.")
        return self

    @property
    def ram(self) -> Ram | None:
        """The memory that is described, with what is usual for what is left out; None where nothing is."""
        if self.ram_type is None and self.ram_channels is None and self.ram_sockets == 1:
            return None
        return Ram(self.ram_type or USUAL_TYPE, self.ram_channels or USUAL_CHANNELS, self.ram_sockets)

    @property
    def margin(self) -> float:
        """The share of each device that is kept free, 0 to 1."""
        return self.margin_percent / 100


class OtherPrograms(Part):
    """What they hold already: `used_mib` of each device (a list: of one after the other, nothing of those it does not
    name), and `host_used_mib` of the host's memory.
    """

    used_mib: UsedByCard = None
    host_used_mib: float | None = Field(None, ge=0, le=100_000_000)

    def used_bytes(self, device: int) -> int:
        """What they hold of a device."""
        used = self.used_mib or (0.0,)
        mib = used[0] if len(used) == 1 else used[device] if device < len(used) else 0.0
        return int(mib * MIB)

    @property
    def host_used_bytes(self) -> int:
        """What they hold of the host's memory."""
        return int((self.host_used_mib or 0) * MIB)


NO_OTHERS = OtherPrograms.usual()


class Workload(Part):
    """What it has to do. `context` is tokens per user (of all users in LM Studio).

    `context_used` is how full the context is when speed is asked for (None: the prompt), in tokens. So many
    `cached_tokens` of the prompt are in the cache from an earlier request, and not read again. The KV cache is
    stored as `kv_type_k` and `kv_type_v`, in vLLM as 16 bit or with `kv_fp8` in 8. `rope_scaling` says how positions
    beyond those that the model was trained on are made.
    """

    context: int = Field(8192, ge=1, le=1 << 27)
    users: int = Field(1, ge=1, le=MAX_USERS)
    rope_scaling: Annotated[str, known(ROPE_SCALINGS, sentence("RoPE scaling"))] = AUTO
    context_used: int | None = Field(None, ge=0, le=1 << 27)
    prompt_tokens: int = Field(1024, ge=1, le=1 << 27)
    cached_tokens: int = Field(0, ge=0, le=1 << 27)
    kv_type_k: CacheType = "f16"
    kv_type_v: CacheType = "f16"
    kv_fp8: Switch = False

    @property
    def prompt(self) -> int:
        """The tokens of the prompt as far as they go into the context."""
        return min(self.prompt_tokens, self.context)

    @property
    def cached(self) -> int:
        """The tokens of the prompt that need not be read: the last one always is, for the first one written."""
        return min(self.cached_tokens, self.prompt - 1)


class RuntimeChoice(Part):
    """What runs it, and what that is told. `llama_cpp` is the month of the llama.cpp that is on the machine.

    Of vLLM and SGLang: `max_num_batched_tokens` and `max_num_seqs` (None: their own choice, and the users),
    `pipeline_parallel` stages of layers, `data_parallel` replicas of all but routed experts, which are whole on one GPU
    with `expert_parallel`. `mem_fraction_static` is SGLang's share of memory (None: its own choice).
    """

    name: Annotated[str, known(RUNTIMES, "runtime")] = Field("auto", alias="runtime")
    backend: Annotated[str, known(BACKENDS, "backend")] = AUTO
    ubatch: int = Field(512, ge=1, le=65536)
    flash_attention: Switch = True
    mmap: Switch = True
    gpu_memory_utilization: float = Field(0.92, gt=0, le=1)
    max_num_batched_tokens: int | None = Field(None, ge=1, le=1 << 20)
    max_num_seqs: int | None = Field(None, ge=1, le=MAX_USERS)
    enforce_eager: Switch = False
    pipeline_parallel: int = Field(1, ge=1, le=64)
    data_parallel: int = Field(1, ge=1, le=64)
    expert_parallel: Switch = False
    mem_fraction_static: float | None = Field(None, gt=0, le=0.99)
    llama_cpp: Annotated[str, known(LLAMA_CPP_RELEASES, "release of llama.cpp")] = NEWEST

    @property
    def release(self) -> str:
        """The release of llama.cpp that is meant."""
        return NEWEST_RELEASE if self.llama_cpp == NEWEST else self.llama_cpp


class PlacementWish(Part):
    """Where things should lie. `gpu_layers` None: that is searched for, everything on the devices where it fits.

    `op_offload` off keeps GPUs from reading prompts for layers on the host, `projector_offload` off leaves the vision
    part to it.
    """

    gpu_layers: GpuLayers = None
    cpu_moe_layers: Annotated[int, BeforeValidator(_layers), PlainSerializer(_written_layers)] = Field(
        0, ge=0, le=MOST_LAYERS
    )
    kv_offload: Switch = True
    op_offload: Switch = True
    projector_offload: Switch = True
    split: Annotated[Split, known(get_args(Split), "split")] = "layer"
    tensor_split: Shares = None

    @property
    def is_searched(self) -> bool:
        """Whether the placement is left to us."""
        told = self.gpu_layers is not None or self.cpu_moe_layers or self.tensor_split is not None
        return not told and self.split == "layer"
