"""Reading data/machines.csv: what a row must hold, and which row is broken why."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from advisor.errors import DataError
from advisor.machines.capacity import CPU_KIND, UNIFIED_KINDS

ROOT = Path(__file__).resolve().parents[2]

Vendor = Literal["NVIDIA", "AMD", "Intel", "Apple", "generic"]
Kind = Literal[
    "consumer-gpu",
    "laptop-gpu",
    "workstation-gpu",
    "datacenter-gpu",
    "apple-silicon",
    "unified-memory-pc",
    "cpu-platform",
]
Confidence = Literal["vendor", "techpowerup", "secondary", "derived", "mixed", "weak"]

_LONGEST_QUOTED = 60


def _blank_is_none(cell: object) -> object:
    return None if cell == "" else cell


_Blank = BeforeValidator(_blank_is_none)
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
_Count = Annotated[int, Field(gt=0)]
_Link = Annotated[str, Field(pattern=r"^https?://\S+$")]
_Filled = Annotated[str, Field(min_length=1)]


class Row(BaseModel):
    """One row as it stands in the file; memory, bandwidth, rates, watts and prices are for all `devices` together."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    name: _Filled
    vendor: Vendor
    kind: Kind
    architecture: Annotated[str | None, _Blank]
    compute_capability: Annotated[str | None, _Blank]
    release_year: Annotated[int, Field(ge=2000, le=2100)]
    devices: Annotated[int, Field(ge=1, le=16)]
    # As sold.
    memory_gib: Annotated[Annotated[float, Field(gt=0, le=100_000)] | None, _Blank]
    # The driver's total: nvidia-smi, sysfs, Level Zero.
    reported_mib: Annotated[_Count | None, _Blank]
    # What the operating system lets the GPU use by default of memory that it shares with the CPU.
    gpu_memory_fraction: Annotated[_Share | None, _Blank]
    gpu_memory_fraction_older_os: Annotated[_Share | None, _Blank]
    capacity_note: Annotated[str | None, _Blank]
    memory_type: _Filled
    memory_bus_bits: Annotated[_Count | None, _Blank]
    memory_bandwidth_gb_s: Annotated[float, Field(ge=1, le=1_000_000)]
    fp32_tflops: Annotated[_Positive | None, _Blank]
    fp16_tflops: Annotated[_Positive | None, _Blank]
    fp16_basis: Annotated[str | None, _Blank]
    fp8_tflops: Annotated[_Positive | None, _Blank]
    int8_tops: Annotated[_Positive | None, _Blank]
    fp4_tflops: Annotated[_Positive | None, _Blank]
    tdp_w: Annotated[_Positive | None, _Blank]
    idle_w: Annotated[_Positive | None, _Blank]
    interconnect: Annotated[str | None, _Blank]
    interconnect_gb_s: Annotated[_Positive | None, _Blank]
    launch_price_usd: Annotated[_Positive | None, _Blank]
    street_price_usd: Annotated[_Positive | None, _Blank]
    street_price_source: Annotated[_Link | None, _Blank]
    confidence: Confidence
    as_of: Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
    source_url: _Link
    second_source_url: Annotated[_Link | None, _Blank]
    notes: str

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if (self.memory_gib is None) != (self.kind == CPU_KIND):
            raise ValueError("memory_gib must be given, except for a cpu-platform, where it must be blank")
        if (self.gpu_memory_fraction is None) == (self.kind in UNIFIED_KINDS):
            raise ValueError("gpu_memory_fraction must be given where memory is shared with the CPU, and only there")
        if self.gpu_memory_fraction_older_os is not None and self.gpu_memory_fraction is None:
            raise ValueError("gpu_memory_fraction_older_os needs gpu_memory_fraction")
        if self.reported_mib is not None and self.reported_mib > (self.memory_gib or 0) * 1024:
            raise ValueError("reported_mib must not exceed memory_gib")
        if (self.street_price_usd is None) != (self.street_price_source is None):
            raise ValueError("street_price_usd and street_price_source must be given together")
        return self


def read_rows(path: Path) -> list[Row]:
    """Return every row of the file; raise DataError naming file, row (the header is row 1), column and reason."""
    rows: dict[str, Row] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, cells in _cells(path, file):
                row = _row(path, number, cells)
                if row.id in rows:
                    raise _broken(path, number, "id", f"an earlier row is already called {row.id!r}")
                rows[row.id] = row
    except OSError as error:
        raise DataError(f"{_shown(path)} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{_shown(path)} is not a CSV file in UTF-8: {error}.") from error
    if not rows:
        raise DataError(f"{_shown(path)} holds no machine.")
    return list(rows.values())


def _cells(path: Path, file: Iterator[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number and the cells by column of every row that is not an empty line."""
    reader = csv.reader(file, strict=True)
    header = next(reader, [])
    for column in Row.model_fields:
        if header.count(column) != 1:
            raise _broken(path, 1, column, "the column is there twice" if column in header else "the column is missing")
    for column in header:
        if column not in Row.model_fields:
            raise _broken(path, 1, column, "no such column is known")
    for number, cells in enumerate(reader, start=2):
        if cells and len(cells) != len(header):
            raise _broken(path, number, None, f"it has {len(cells)} cells, but the header has {len(header)}")
        if cells:
            yield number, dict(zip(header, cells, strict=True))


def _row(path: Path, number: int, cells: dict[str, str]) -> Row:
    try:
        return Row.model_validate(cells)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise _broken(path, number, None, reason) from error
        column = str(first["loc"][0])
        raise _broken(path, number, column, f"{reason} (it is {cells[column][:_LONGEST_QUOTED]!r})") from error


def _broken(path: Path, number: int, column: str | None, reason: str) -> DataError:
    where = f"{_shown(path)}, row {number}" + (f", column {column}" if column else "")
    return DataError(f"{where}: {reason}.")


def _shown(path: Path) -> str:
    """Return the path as people know it, without the folders above the project."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
