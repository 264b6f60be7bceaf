"""Published speed measurements: the evidence in data/speed_measurements.csv.

Collected from benchmark tables, run logs and submissions up to September 2026. Dropped on the way in: repeated rows,
prompts answered from a cache (above 10,000 tokens/s on a laptop), and rates that more than
1.4 times the nominal bandwidth would be needed for (models whose active size the source got wrong, or speculation).
Kept but left out of every fit, with the reason in `left_out`: speculative decoding, kernels of 2023, runs that may not
have fitted the device, part of the cores, cards in single-board computers, other runtimes, unknown numbers of users.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.csv_rows import BlankIsNone, read_rows
from advisor.foundation.places import data_folder
from advisor.foundation.units import GIB
from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue
from advisor.speed.backends import chip_of
from advisor.speed.shape import shape_of

MEASUREMENTS = data_folder() / "speed_measurements.csv"


_Number = Annotated[Annotated[float, Field(gt=0, lt=1e7)] | None, BlankIsNone]
_Whole = Annotated[Annotated[int, Field(gt=0, lt=10**7)] | None, BlankIsNone]
_Layers = Annotated[Annotated[int, Field(ge=0, lt=10**4)] | None, BlankIsNone]


_SAME_SIZE = 0.02  # of a level's file
_LAST_DIGIT = 0.005  # GiB; sources round to two digits
_VARIANT = re.compile(r"_(XXS|XS|S|M|L|XL|MOE)$")


class Measurement(BaseModel):
    """One measured rate in tokens/s; for `batch` it is the sum over `users`.

    `machine` and `model_id` name catalogue entries: the one measured, or one of the same chip and the same tensor
    shapes. `level` is the GGUF level or, for mixes of others' making, the nearest one; `quant` is what the source
    says. `depth` is the number of tokens already in the cache. `left_out` says why no constant rests on the row.

    `micro_batch` is llama.cpp's -ub. `gpu_layers` (blank: all) and `cpu_moe_layers` are -ngl and -ncmoe of a model that
    lies partly on the host, whose memory is rated at `host_gb_s`. `output_tokens` are what a request had written whose
    prompt of `prompt_tokens` was read among the others' writing: the rate is then of written tokens, reading included.
    Where all requests were sent at once, `users` are those that wrote at once in the mean, by Little's law: the rate
    times the mean time between tokens. The mean over answers of the time per token counts short answers too often.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    kind: Literal["decode", "prefill", "batch"]
    machine: str
    model_id: str
    level: str
    device: str = Field(min_length=1)
    devices: int = Field(ge=1, le=1000)
    split: Literal["", "layer", "tensor"]
    bandwidth_gb_s: _Number
    backend: str = Field(min_length=1)
    runtime: str = Field(min_length=1)
    model: str = Field(min_length=1)
    parameters_b: _Number
    active_parameters_b: _Number
    quant: str
    file_gib: _Number
    test: str
    prompt_tokens: _Whole
    depth: int = Field(ge=0, lt=10**7)
    users: _Whole
    micro_batch: _Whole = None
    gpu_layers: _Layers = None
    cpu_moe_layers: _Layers = None
    host_gb_s: _Number = None
    output_tokens: _Whole = None
    tokens_per_s: float = Field(gt=0, lt=1e7)
    version: str
    date: str = Field(pattern=r"^(\d{4}(-\d{2}(-\d{2})?|-\d{4})?)?$")
    left_out: str
    source: str = Field(pattern=r"^https://\S+$")
    notes: str

    @property
    def offloads(self) -> bool:
        """Whether a part of the model lay on the host."""
        return self.gpu_layers is not None or bool(self.cpu_moe_layers)

    @property
    def measured_level(self) -> str:
        """The level whose file is as large as the one measured; empty for a mix of somebody's own."""
        if not self.level or self.file_gib is None or not self.model_id:
            return self.level
        return _level_of_size(self.model_id, self.level, self.file_gib)


@lru_cache(maxsize=4096)
def _level_of_size(model_id: str, level: str, file_gib: float) -> str:
    """`level` or a variant of it (MXFP4 and MXFP4_MOE, Q4_K_S and Q4_K_M) whose file has this size within 2 %.

    Names say less than bytes: publishers call mixes of their own by llama.cpp's names.
    """
    model, kind = catalogue()[model_id].model, _VARIANT.sub("", level)
    alike = [name for name, one in LEVELS.items() if _VARIANT.sub("", name) == kind and one.offered_for(model)]
    tolerance = _SAME_SIZE + _LAST_DIGIT / file_gib
    off = {name: _off(model_id, name, file_gib) for name in {level, *alike}}
    if off[level] <= tolerance:
        return level
    nearest = min(off, key=off.__getitem__)
    return nearest if off[nearest] <= tolerance else ""


def _off(model_id: str, level: str, file_gib: float) -> float:
    """How far a file is from a level's, with or without an importance matrix, as a fraction."""
    model = catalogue()[model_id].model
    sizes = [size_level(model, LEVELS[level], imatrix).file_bytes for imatrix in (False, True)]
    return min(abs(file_gib * GIB / size - 1) for size in sizes)


def read_measurements(path: Path) -> tuple[Measurement, ...]:
    """Every row of a file; raises DataError naming file, row, column and reason."""
    return read_rows(path, Measurement)


@cache
def measurements() -> tuple[Measurement, ...]:
    """The bundled measurements, read once."""
    return read_measurements(MEASUREMENTS)


@cache
def _by_chip_and_model() -> Mapping[tuple[str, str], tuple[Measurement, ...]]:
    found: dict[tuple[str, str], list[Measurement]] = defaultdict(list)
    for row in measurements():
        if row.machine and row.model_id:
            shape = shape_of(catalogue()[row.model_id].model).known_as or row.model_id
            found[chip_of(machines()[row.machine]), shape].append(row)
    return MappingProxyType({key: tuple(rows) for key, rows in found.items()})


def measured_on(chip: str, known_as: str | None) -> tuple[Measurement, ...]:
    """All measurements of models of one shape (`Shape.known_as`) on a chip (`chip_of`)."""
    return _by_chip_and_model().get((chip, known_as), ()) if known_as else ()
