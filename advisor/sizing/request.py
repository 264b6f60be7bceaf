"""What is to be planned: one model, as it is or will be stored, on one machine under one workload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from advisor.formats.gguf_levels import Level
from advisor.formats.gguf_sizes import SizedLevel
from advisor.formats.level_id import LevelId
from advisor.formats.safetensors_levels import SafetensorsLevel
from advisor.formats.safetensors_sizes import SizedSafetensors
from advisor.formats.stored_tensor import Stored
from advisor.foundation.message import Message
from advisor.machines.chip import Chip
from advisor.models.model import Model
from advisor.models.tower import ProjectorType
from advisor.sizing.memory import Memory
from advisor.sizing.rates import Rates
from advisor.sizing.settings import Settings


class PublishedFile(Protocol):
    """A file whose bytes are known, None where they are not."""

    @property
    def bytes(self) -> int | None: ...


class PublishedFiles(Protocol):
    """What is published of a model, as far as plans look at it."""

    def file_of(self, level: Level) -> PublishedFile | None:
        """The published file that a plan of the level is of, None: of what stock tools make. Raises InputError."""

    def has(self, level: Level) -> bool:
        """Whether there is a file of the level."""

    def levels(self) -> tuple[LevelId, ...]:
        """The GGUF levels of which the publisher that is asked for has files, largest first."""

    def most_bytes(self, model: Model, level: Level, imatrix: bool) -> int:
        """What the file may measure that whoever follows a plan of stock bytes downloads."""

    def form(self, model: Model, level: SafetensorsLevel) -> SafetensorsLevel:
        """The level as publishers of such models make it."""

    def kept_bytes(self, model: Model, level: SafetensorsLevel) -> int:
        """How much more than that a checkpoint may take whose publisher left more layers in 16 bit."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Files that can be made: at every level the runtime loads, or at `only` one.

    Of GGUF levels, of which there are many, only those `among` some, where these are given. `imatrix` says that they
    are made with an importance matrix. `published` is what people download instead, None where nobody does.
    """

    only: LevelId | None = None
    among: frozenset[str] | None = None
    imatrix: bool = False
    published: PublishedFiles | None = None


@dataclass(frozen=True)
class GgufFile:
    """One GGUF file as it is."""

    sized: SizedLevel
    tensors: tuple[Stored, ...]


@dataclass(frozen=True)
class Checkpoint:
    """A repository's safetensors as they are: (name, bytes) of the tensors that a runtime loads.

    `notes` are what is to be said of how the runtime computes them.
    """

    sized: SizedSafetensors
    tensors: tuple[tuple[str, int], ...]
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftModel:
    """A model that drafts for the one that is planned, at a GGUF level."""

    model: Model
    name: str
    level: str


@dataclass(frozen=True, slots=True)
class Vision:
    """That the model's tower is loaded as well: its file's type where it is a file of its own, and where it lies.

    `video` says that the runtime makes room for a video too.
    """

    projector: ProjectorType = "F16"
    on_host: bool = False
    video: bool = False


@dataclass(frozen=True, slots=True)
class Adapters:
    """So many LoRA adapters of one rank that are loaded at once."""

    rank: int
    count: int = 1


class RuntimeOptions:
    """What only one runtime is told; each that is told anything has a class of its own."""

    __slots__ = ()


OptionsT = TypeVar("OptionsT", bound=RuntimeOptions)


@dataclass(frozen=True, eq=False)  # compared by identity, so that what follows from it can be kept beside it
class PlanRequest:
    """What a runtime plans from.

    The fraction `margin` of each memory is kept free. With `search` the fastest placement that fits replaces what
    `settings` say about it; `rates` make one placement faster than another. `chip` is what the devices compute with,
    or the CPU where there are none (None: not known). `draft`, `vision` and `adapters` are the other parts of
    the stack, None where they are not loaded. `name` and `machine_name` are for sentences.
    """

    model: Model
    memory: Memory
    settings: Settings
    margin: float = 0.0
    stored: Levels | GgufFile | Checkpoint = Levels()
    search: bool = False
    rates: Rates = Rates()  # noqa: RUF009  frozen
    chip: Chip | None = None
    draft: DraftModel | None = None
    vision: Vision | None = None
    adapters: Adapters | None = None
    options: RuntimeOptions | None = None
    name: str = "this model"
    machine_name: str = "this machine"

    def options_or(self, usual: OptionsT) -> OptionsT:
        """The options, which must be of the kind of `usual`; these where nothing is told."""
        if self.options is None:
            return usual
        if not isinstance(self.options, type(usual)):
            raise TypeError(f"{type(self.options).__name__} for a runtime that is told {type(usual).__name__}")
        return self.options
