"""The machines in data/machines.csv, and machines that the user describes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, get_args

from advisor.foundation.compiled import of_the_program
from advisor.foundation.csv_rows import read_rows
from advisor.foundation.errors import InputError, did_you_mean, one_line
from advisor.foundation.kept_rows import Lazily, kept_rows
from advisor.foundation.message import fact
from advisor.foundation.numbers import exact
from advisor.foundation.places import data_folder
from advisor.foundation.units import GIB, MIB
from advisor.machines import capacity
from advisor.machines.capacity import Amount, ReportedShare
from advisor.machines.machine import Machine
from advisor.machines.market import MarketPrice, kept_market_prices, market_prices
from advisor.machines.rows import Kind, Row, Vendor

if TYPE_CHECKING:
    from advisor.machines.find import FoundMachine, MachineFinder

__all__ = [
    "CATALOGUE",
    "Machine",
    "counted",
    "custom_machine",
    "find_machines",
    "load",
    "machine",
    "machine_id",
    "machines",
    "with_memory",
]

CATALOGUE = data_folder() / "machines.csv"
PRICES = data_folder() / "prices" / "hardware.csv"

MAX_MEMORY_GIB = 100_000
MAX_BANDWIDTH_GB_S = 1_000_000
_LONGEST_QUOTED = 60
_COUNTED = r"(?i)([1-9]\d?) ?[x×] ?(\D.*)|(.*\S) ?[x×] ?([1-9]\d?)"


@cache
def machines() -> Mapping[str, Machine]:
    """Return the catalogue by id: by vendor, then kind, then the newest first."""
    rows = kept_rows(CATALOGUE, Row, ("id",))

    def made() -> tuple[dict[str, int], list[tuple[str, str, str, float]]]:
        place_of = {row.id: place for place, row in enumerate(rows)}
        shares = [(share.vendor, share.kind, share.memory_type, share.share) for share in _reported(rows)]
        return {row.id: place_of[row.id] for row in _in_order(rows)}, shares

    places, shares = of_the_program("machines", made)
    reported, sold = [ReportedShare(*share) for share in shares], kept_market_prices(PRICES)
    return Lazily(places, lambda place: _machine(rows[place], reported, sold.get(rows[place].id, ())))


def machine(machine_id: str) -> Machine:
    """Return one machine of the catalogue; raise InputError naming similar ids when there is none."""
    found = machines().get(machine_id)
    if found is None:
        shown = one_line(machine_id, _LONGEST_QUOTED)
        close = tuple(one.id for one in find_machines(machine_id, 3))
        if close:
            raise InputError(
                "There is no machine {shown} in the catalogue: {hint}",
                close,
                shown=repr(shown),
                hint=did_you_mean(close),
            )
        raise InputError(
            "There is no machine {shown} in the catalogue; describe it: machine=custom with memory_gib and "
            "bandwidth_gb_s, and backend=cpu where it has no GPU.",
            shown=repr(shown),
        )
    return found


def machine_id(typed: str) -> str:
    """The id of a machine written as people write it ("RTX 4090", "GeForce RTX 4090", "RTX 4090 24 GB"); anything else
    as it is."""
    slug = "-".join(typed.replace("_", " ").lower().split())
    if slug == typed and not slug.endswith("b"):
        return typed  # without a look at the catalogue
    named = slug if slug in machines() else _by_name().get(slug)
    return named or _with_its_memory(slug) or typed


def _with_its_memory(slug: str) -> str | None:
    """Of a name that ends with how much memory the machine has anyway."""
    match = re.fullmatch(r"(.{1,60}?)-(\d{1,4})-?gi?b", slug)
    if match is None:
        return None
    named = match[1] if match[1] in machines() else _by_name().get(match[1])
    memory = None if named is None else machines()[named].memory_bytes
    return named if memory is not None and round(memory / GIB) == int(match[2]) else None


def counted(typed: str) -> tuple[str, int] | None:
    """The id of a machine and how many of it, of words that say both ("2x RTX 3090", "rtx-3090 x2") and are no name
    themselves; None for others."""
    match = re.fullmatch(_COUNTED, typed.strip())
    if match is None or machine_id(typed) in machines():
        return None
    named = machine_id((match[2] or match[3]).strip())
    return (named, int(match[1] or match[4])) if named in machines() else None


@cache
def _by_name() -> Mapping[str, str]:
    return {"-".join(found.name.lower().split()): id for id, found in machines().items()}


def find_machines(typed: str, limit: int = 8) -> tuple[FoundMachine, ...]:
    """At most `limit` machines that typed words may mean, the best match first."""
    return _finder().find(typed, limit)


@cache
def _finder() -> MachineFinder:
    from advisor.machines.find import MachineFinder  # late: most questions name a machine that there is

    return MachineFinder(machines())


def custom_machine(memory_gib: float, bandwidth_gb_s: float | None = None) -> Machine:
    """Return a card that is in no catalogue: the memory its driver reports in GiB, and for speed its GB/s."""
    size = _memory_bytes(memory_gib)
    if bandwidth_gb_s is not None and not (_is_number(bandwidth_gb_s) and 1 <= bandwidth_gb_s <= MAX_BANDWIDTH_GB_S):
        raise InputError(
            "The memory bandwidth must be a number of GB/s from 1 to {max_bandwidth_gb_s:,}.",
            max_bandwidth_gb_s=MAX_BANDWIDTH_GB_S,
        )
    overhead = capacity.card_overhead("NVIDIA", "custom", size)
    return Machine(
        id="custom",
        name=f"Custom device, {exact(memory_gib)} GiB",
        vendor="generic",
        kind="custom",
        architecture=None,
        memory_bytes=size,
        capacity_bytes=size,
        capacity_basis=fact("memory_as_given"),
        unified=False,
        bandwidth_bytes_per_s=None if bandwidth_gb_s is None else bandwidth_gb_s * 1e9,
        host_memory_bytes=None,
        overhead_bytes=overhead.bytes,
        overhead_basis=overhead.basis,
        confidence="user",
        source="",
        as_of=None,
    )


def with_memory(chosen: Machine, memory_gib: float) -> Machine:
    """Return a machine that needs memory (`Machine.needs_memory`) with `memory_gib` GiB of host memory."""
    if not chosen.needs_memory:
        raise InputError("{chosen} comes with its memory, so no other size can be given.", chosen=chosen.name)
    size = _memory_bytes(memory_gib)
    return replace(
        chosen,
        memory_bytes=size,
        capacity_bytes=size,
        capacity_basis=fact("host_memory_as_given"),
        host_memory_bytes=size,
    )


def with_wired_limit(chosen: Machine, limit_mib: int) -> Machine:
    """Return a Mac whose GPU may use so much of its memory (`iogpu.wired_limit_mb`); raise InputError for others."""
    if chosen.kind != "apple-silicon":
        raise InputError("wired_limit_mb is for Macs with Apple silicon; {chosen} is none.", chosen=chosen.name)
    if limit_mib * MIB > chosen.memory_bytes:
        raise InputError(
            "wired_limit_mb={limit} is more than the memory of {chosen}: at most {most}.",
            limit=limit_mib,
            chosen=chosen.name,
            most=chosen.memory_bytes // MIB,
        )
    return replace(chosen, capacity_bytes=limit_mib * MIB, capacity_basis=fact("wired_limit_as_given", mib=limit_mib))


def load(path: Path, prices: Path = PRICES) -> Mapping[str, Machine]:
    """Read a catalogue file and what its machines are sold for; raise DataError naming file, row, column and reason
    when one is broken.
    """
    rows = read_rows(path, Row, ("id",))
    reported, sold = _reported(rows), market_prices(prices)
    return MappingProxyType({row.id: _machine(row, reported, sold.get(row.id, ())) for row in _in_order(rows)})


def _reported(rows: Sequence[Row]) -> list[ReportedShare]:
    return [
        ReportedShare(row.vendor, row.kind, row.memory_type, row.reported_mib * MIB / (row.memory_gib * GIB))
        for row in rows
        if row.reported_mib is not None and row.memory_gib is not None and row.kind not in capacity.UNIFIED_KINDS
    ]


def _in_order(rows: Sequence[Row]) -> list[Row]:
    vendors, kinds = get_args(Vendor), get_args(Kind)
    return sorted(rows, key=lambda row: (vendors.index(row.vendor), kinds.index(row.kind), -row.release_year))


def _machine(row: Row, reported: list[ReportedShare], prices: tuple[MarketPrice, ...]) -> Machine:
    memory_bytes = int((row.memory_gib or 0) * GIB) // row.devices
    room, overhead = _capacity_and_overhead(row, memory_bytes, reported)
    unified = row.kind in capacity.UNIFIED_KINDS

    def each(total: float | None) -> float | None:
        return None if total is None else total / row.devices

    return Machine(
        id=row.id,
        name=row.name,
        vendor=row.vendor,
        kind=row.kind,
        architecture=row.architecture,
        memory_bytes=memory_bytes,
        capacity_bytes=room.bytes,
        capacity_basis=room.basis,
        unified=unified or row.kind == capacity.CPU_KIND,
        bandwidth_bytes_per_s=row.memory_bandwidth_gb_s * 1e9 / row.devices,
        host_memory_bytes=capacity.shared_memory(memory_bytes, overhead.bytes) if unified else None,
        overhead_bytes=overhead.bytes,
        overhead_basis=overhead.basis,
        confidence=row.confidence,
        source=row.source_url,
        as_of=row.as_of,
        count=row.devices,
        largest_buffer_bytes=capacity.largest_buffer(memory_bytes, row.vendor, row.gpu_memory_fraction),
        second_source=row.second_source_url,
        notes=row.notes,
        release_year=row.release_year,
        memory_type=row.memory_type,
        compute_capability=row.compute_capability,
        fp32_tflops=each(row.fp32_tflops),
        fp16_tflops=each(row.fp16_tflops),
        fp16_basis=row.fp16_basis,
        fp8_tflops=each(row.fp8_tflops),
        int8_tops=each(row.int8_tops),
        fp4_tflops=each(row.fp4_tflops),
        interconnect=row.interconnect,
        interconnect_gb_s=row.interconnect_gb_s,
        tdp_w=row.tdp_w,
        idle_w=row.idle_w,
        launch_price_usd=row.launch_price_usd,
        prices=prices,
    )


def _capacity_and_overhead(row: Row, memory_bytes: int, reported: list[ReportedShare]) -> tuple[Amount, Amount]:
    if row.kind == capacity.CPU_KIND:
        return Amount(0, fact("host_memory_not_given")), capacity.host_overhead()
    if row.gpu_memory_fraction is not None:
        shares = (row.gpu_memory_fraction, row.gpu_memory_fraction_older_os)
        return (
            capacity.unified_capacity(memory_bytes, *shares, note=row.capacity_note),
            capacity.unified_overhead(row.kind, row.gpu_memory_fraction),
        )
    overhead = capacity.card_overhead(row.vendor, row.kind, memory_bytes)
    if row.reported_mib is not None:
        return capacity.reported_capacity(row.reported_mib // row.devices, row.capacity_note), overhead
    return capacity.assumed_capacity(memory_bytes, row.vendor, row.kind, row.memory_type, reported), overhead


def _memory_bytes(memory_gib: float) -> int:
    if not (_is_number(memory_gib) and 0 < memory_gib <= MAX_MEMORY_GIB):
        raise InputError(
            "The memory must be a number of GiB above 0 and at most {max_memory_gib:,}.", max_memory_gib=MAX_MEMORY_GIB
        )
    return max(1, int(memory_gib * GIB))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
