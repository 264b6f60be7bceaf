"""Which runtime loads which format on which hardware: data/runtime_support.csv, the one table that everything asks.

Hardware is a vendor, or "CPU", with its generations: compute capabilities on NVIDIA ("7.5+", "8.0-8.8"), beginnings of
architecture names on AMD ("gfx94" covers gfx942). What no row lets a runtime load is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from advisor.formats.safetensors_levels import SafetensorsLevel, Scheme
from advisor.foundation.csv_rows import Filled
from advisor.foundation.kept_rows import Rows, kept_rows
from advisor.foundation.message import Message, as_it_is, sentence
from advisor.foundation.places import data_folder
from advisor.machines.chip import CPU, GAUDI, Chip, chip_of
from advisor.machines.machine import Machine
from advisor.sizing.runtime_id import RuntimeId

TABLE = data_folder() / "runtime_support.csv"
KEY = ("runtime", "format", "bits", "hardware")
ANY = "any"
_GFX_LENGTHS = (len("gfx942"), len("gfx1201"))  # before AMD's tenth generation, and since
_RANGE = re.compile(r"(\d+\.\d)(?:\+|-(\d+\.\d))")
_FORMATS_BY_SCHEME = {
    Scheme.GPTQ: "GPTQ",
    Scheme.AWQ: "AWQ",
    Scheme.PACKED: "INT weight-only",
    Scheme.NVFP4: "NVFP4",
    Scheme.MXFP4: "MXFP4",
    Scheme.NATIVE_MXFP4: "MXFP4",
    Scheme.NATIVE_FP4: "MXFP4",
    Scheme.MXFP8: "MXFP8",
    Scheme.NF4: "bitsandbytes",
    Scheme.LLM_INT8: "bitsandbytes",
    Scheme.MLX: "MLX",
}
# How a checkpoint's own configuration calls its method, where that is not the format's name.
_METHODS = {
    "gptq_marlin": "GPTQ",
    "auto-round": "AutoRound",
    "intel/auto-round": "AutoRound",
    "fbgemm_fp8": "FP8",
    "bnb": "bitsandbytes",
    "compressed-tensors": "INT weight-only",
    "gpt_oss_mxfp4": "MXFP4",
}
# What a scheme's name begins with, or has after its method's, says more than the method that wrote it.
_BY_SCHEME_NAME = (
    (re.compile(r"(^|-)NVFP4"), "NVFP4"),
    (re.compile(r"(^|-)MXFP4"), "MXFP4"),
    (re.compile(r"(^|-)MXFP8"), "MXFP8"),
    (re.compile(r"(^|-)FP8"), "FP8"),
    (re.compile(r"^W8A8(-INT8)?$"), "INT8 W8A8"),
)


@dataclass(frozen=True, slots=True)
class Support:
    """`refusal` says why a runtime cannot load something, without a full stop, None when it can; `notes` how it
    computes it where that is not what the name promises.
    """

    refusal: Message | None = None
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """How weights are stored: a name of the table, and the bits of one weight (0: the name says it)."""

    name: str
    bits: int = 0


class Row(BaseModel):
    """One row as it stands in the file; `note` is a refusal's reason, or a sentence on how something is computed."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, str_strip_whitespace=True)

    runtime: RuntimeId
    format: Filled
    bits: Annotated[str, Field(pattern=r"^(\d+( \d+)*)?$")]
    hardware: Filled
    loads: Literal["yes", "no"]
    note: str
    source_url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    as_of: Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]

    @field_validator("hardware")
    @classmethod
    def _known_hardware(cls, value: str) -> str:
        vendor, *generations = value.split()
        wanted = _RANGE.fullmatch if vendor == "NVIDIA" else re.compile(r"gfx[0-9a-f]+").fullmatch
        if vendor not in (ANY, CPU, "NVIDIA", "AMD", "Intel", GAUDI, "Apple") or (
            generations and (vendor not in ("NVIDIA", "AMD") or not all(wanted(one) for one in generations))
        ):
            raise ValueError("hardware must be any, or a vendor with its generations such as 'NVIDIA 7.5+'")
        return value

    @property
    def vendor(self) -> str:
        return self.hardware.split()[0]

    @cached_property
    def generations(self) -> tuple[str, ...]:
        """Empty where the row is about every generation."""
        return tuple(self.hardware.split()[1:])

    def is_for(self, stored: Format) -> bool:
        """Whether the row is about weights stored like this."""
        return self.format == stored.name and (not (self.bits and stored.bits) or str(stored.bits) in self.bits.split())

    def covers(self, chip: Chip) -> bool:
        """Whether the row is about this hardware; one of unknown generation is covered by any of its vendor's rows."""
        if self.vendor != chip.vendor or not self.generations or chip.generation is None:
            return self.vendor in (ANY, chip.vendor)
        if chip.vendor == "NVIDIA":
            return any(_in_range(chip.generation, each) for each in self.generations)
        return chip.generation.startswith(self.generations)

    @property
    def generations_words(self) -> Message | None:
        """ "compute capability 8.0 to 9.9", "gfx94x, gfx95x"; None where the row is about every generation."""
        if self.vendor == "NVIDIA" and self.generations:
            low, high = _bounds(self.generations[0])
            if high:
                return sentence("compute capability {low} to {high}", low=low, high=high)
            return sentence("compute capability {low} or later", low=low)
        named = ", ".join(one.ljust(_GFX_LENGTHS[one.startswith("gfx1")], "x") for one in self.generations)
        return as_it_is(named) if named else None


def _bounds(text: str) -> tuple[str, str | None]:
    found = _RANGE.fullmatch(text)
    return (found[1], found[2]) if found else ("0.0", None)


def _in_range(generation: str, text: str) -> bool:
    low, high = _bounds(text)
    return _number(low) <= _number(generation) and (high is None or _number(generation) <= _number(high))


def _number(capability: str) -> tuple[int, ...]:
    """8.9 comes before 10.0."""
    return tuple(int(part) for part in capability.split("."))


@cache
def table() -> Rows[Row]:
    """The whole table; raises DataError naming file, row, column and reason when it is broken."""
    return kept_rows(TABLE, Row, KEY)


def format_of_level(level: SafetensorsLevel) -> Format:
    """The format of a computed safetensors level."""
    if level.scheme is Scheme.PLAIN:
        return Format("32-bit" if level.bits == 32 else "16-bit")
    if level.scheme in _FORMATS_BY_SCHEME:
        return Format(_FORMATS_BY_SCHEME[level.scheme], level.bits)
    return Format("FP8" if level.dtype.startswith("F8") else "INT8 W8A8")


def formats_of_published(method: str | None, scheme: str = "", bits: int = 0) -> tuple[Format, ...]:
    """The formats in a published checkpoint: its quantization method (None: not quantized), its scheme's name such as
    "FP8-dynamic" or "NVFP4+FP8", and the bits of one weight.
    """
    if method is None:
        return (Format("16-bit"),)
    known = {row.format.lower(): row.format for row in table()}
    found = []
    for part in scheme.split("+"):
        by_name = next((name for pattern, name in _BY_SCHEME_NAME if pattern.search(part.upper())), None)
        wanted = by_name or _METHODS.get(method.lower(), method)
        found.append(Format(known.get(wanted.lower(), wanted), 0 if by_name else bits))
    return tuple(found)


def supports(
    runtime: RuntimeId, stored: Format | SafetensorsLevel | Sequence[Format], machine: Machine | Chip
) -> Support:
    """Whether `runtime` loads weights stored like this on this machine, and what is to be said about it.

    A generation that is not known refuses nothing that some chip of its vendor can do.
    """
    chip = chip_of(machine) if isinstance(machine, Machine) else machine
    if isinstance(stored, Sequence):
        each = [supports(runtime, one, chip) for one in stored]
        refused = next((one for one in each if one.refusal), None)
        return refused or Support(notes=tuple(dict.fromkeys(note for one in each for note in one.notes)))
    return _support(runtime, format_of_level(stored) if isinstance(stored, SafetensorsLevel) else stored, chip)


def loads_somewhere(runtime: RuntimeId, stored: Format) -> bool:
    """Whether `runtime` loads weights stored like this on any hardware."""
    return any(row.runtime == runtime and row.is_for(stored) and row.loads == "yes" for row in table())


def never_loads(runtime: RuntimeId, format_name: str) -> Message | None:
    """Why `runtime` loads no file of this format on any hardware, without a full stop; None where no row says so."""
    rows = (row for row in table() if (row.runtime, row.format) == (runtime, format_name))
    return next((as_it_is(row.note) for row in rows if row.hardware == ANY and row.loads == "no"), None)


def machine_refusal(runtime: RuntimeId, machine: Machine | Chip) -> Message | None:
    """Why `runtime` runs nothing at all on this machine, without a full stop; None where it does."""
    chip = chip_of(machine) if isinstance(machine, Machine) else machine
    rows = [row for row in table() if row.runtime == runtime and row.format == ANY]
    found = _best([row for row in rows if row.covers(chip)])
    if found is None:
        return sentence(
            "{loader} does not support {chip}, only {hardware:and}",
            loader=runtime.loader,
            chip=chip.message,
            hardware=_hardware(rows, chip),
        )
    return as_it_is(found.note) if found.loads == "no" else None


@lru_cache(maxsize=4096)
def _support(runtime: RuntimeId, stored: Format, chip: Chip) -> Support:
    of_format = [row for row in table() if row.runtime == runtime and row.format == stored.name]
    if not of_format:
        what = sentence("{loader} is not known to load {format} files", loader=runtime.loader, format=stored.name)
        return Support(what)
    if refusal := never_loads(runtime, stored.name):
        return Support(refusal)
    rows = [row for row in of_format if row.is_for(stored)]
    if not any(row.loads == "yes" for row in rows):
        known = {bits for row in of_format if row.loads == "yes" for bits in row.bits.split()}
        what = sentence(
            "{loader} loads {format} with {known:or} bits only, not {bits}",
            loader=runtime.loader,
            format=stored.name,
            known=tuple(str(bits) for bits in sorted(map(int, known))),
            bits=stored.bits,
        )
        return Support(what)
    if refusal := machine_refusal(runtime, chip):
        return Support(refusal)
    found = _best([row for row in rows if row.covers(chip)])
    if found is None:
        what = sentence(
            "{loader} loads {format} files only on {hardware:and}; this is {chip}",
            loader=runtime.loader,
            format=stored.name,
            hardware=_hardware(rows, chip),
            chip=chip.message,
        )
        return Support(what)
    if found.loads == "no":
        return Support(as_it_is(found.note))
    return Support(notes=(as_it_is(found.note),) if found.note else ())


def _best(rows: Sequence[Row]) -> Row | None:
    """The first row that loads something, else the first, as a generation may not be known; a row about this very
    vendor goes before one about any."""
    rows = [row for row in rows if row.vendor != ANY] or rows
    return next((row for row in rows if row.loads == "yes"), rows[0] if rows else None)


def _hardware(rows: Sequence[Row], chip: Chip) -> tuple[Message, ...]:
    """What loads something: the generations of this vendor, or the vendors where it is none of them."""
    loading = [row for row in rows if row.loads == "yes"]
    same = [row.generations_words for row in loading if row.vendor == chip.vendor]
    generations = tuple(dict.fromkeys(one for one in same if one is not None))
    return generations or tuple(dict.fromkeys(as_it_is(row.vendor) for row in loading))
