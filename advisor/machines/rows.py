"""What a row of data/machines.csv must hold."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from advisor.foundation.csv_rows import BlankIsNone, Filled
from advisor.machines.capacity import CPU_KIND, UNIFIED_KINDS

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

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
_Count = Annotated[int, Field(gt=0)]
_Link = Annotated[str, Field(pattern=r"^https?://\S+$")]


class Row(BaseModel):
    """One row as it stands in the file; memory, bandwidth, rates, watts and prices are for all `devices` together."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, str_strip_whitespace=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    name: Filled
    vendor: Vendor
    kind: Kind
    architecture: Annotated[str | None, BlankIsNone]
    compute_capability: Annotated[str | None, BlankIsNone]
    release_year: Annotated[int, Field(ge=2000, le=2100)]
    devices: Annotated[int, Field(ge=1, le=16)]
    # As sold.
    memory_gib: Annotated[Annotated[float, Field(gt=0, le=100_000)] | None, BlankIsNone]
    # The driver's total: nvidia-smi, sysfs, Level Zero.
    reported_mib: Annotated[_Count | None, BlankIsNone]
    # What the operating system lets the GPU use by default of memory that it shares with the CPU.
    gpu_memory_fraction: Annotated[_Share | None, BlankIsNone]
    gpu_memory_fraction_older_os: Annotated[_Share | None, BlankIsNone]
    capacity_note: Annotated[str | None, BlankIsNone]
    memory_type: Filled
    memory_bus_bits: Annotated[_Count | None, BlankIsNone]
    memory_bandwidth_gb_s: Annotated[float, Field(ge=1, le=1_000_000)]
    fp32_tflops: Annotated[_Positive | None, BlankIsNone]
    fp16_tflops: Annotated[_Positive | None, BlankIsNone]
    fp16_basis: Annotated[str | None, BlankIsNone]
    fp8_tflops: Annotated[_Positive | None, BlankIsNone]
    int8_tops: Annotated[_Positive | None, BlankIsNone]
    fp4_tflops: Annotated[_Positive | None, BlankIsNone]
    tdp_w: Annotated[_Positive | None, BlankIsNone]
    idle_w: Annotated[_Positive | None, BlankIsNone]
    interconnect: Annotated[str | None, BlankIsNone]
    interconnect_gb_s: Annotated[_Positive | None, BlankIsNone]
    launch_price_usd: Annotated[_Positive | None, BlankIsNone]
    confidence: Confidence
    as_of: Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
    source_url: _Link
    second_source_url: Annotated[_Link | None, BlankIsNone]
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
        return self
