"""Whole systems: in which computer devices stand, how many of it a plan takes, what it costs and how much RAM it has.

Cards stand in a desktop, a workstation or a server with enough slots; modules (SXM, OAM) are sold on boards of eight in
a server of their own, so that a plan on fewer buys the board, and its machine holds the plan more than once. Laptops,
Macs and mini PCs are sold whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from advisor.costs.price_rows import Host
from advisor.costs.price_tables import hosts
from advisor.foundation.units import GIB
from advisor.machines.capacity import CPU_KIND, UNIFIED_KINDS
from advisor.machines.catalogue import Machine

DATA_CENTRE = "datacenter-gpu"
# Sold as whole computers: there is no host to buy or to feed around them.
COMPLETE = UNIFIED_KINDS | {"laptop-gpu"}
_BOARD = 8
_RACK = 72  # NVL72 is sold by the rack
_USED_NOW = 2020  # older data-centre cards and modules are bought used, one by one, for desktops
_SERVER_CPUS = ("epyc", "xeon", "threadripper")


@dataclass(frozen=True, slots=True)
class System:
    """What is bought at least to run a plan: `hosts` computers of a class (None: sold whole) with `sets` devices in
    all, which hold the plan `copies` times. `ram_gb` is what each has, `ram_more_gb` how much of it is paid for extra.
    """

    host: Host | None
    hosts: int
    sets: int
    copies: int
    ram_gb: Decimal
    ram_more_gb: Decimal


def is_module(machine: Machine) -> bool:
    """Whether it is no card for a slot, but sold on a board with others."""
    if machine.kind != DATA_CENTRE or machine.interconnect is None or (machine.release_year or 0) < _USED_NOW:
        return False
    alone = machine.interconnect.startswith("PCIe") or "C2C" in machine.interconnect
    return not alone


@lru_cache(maxsize=1024)
def system_of(machine: Machine, sets: int) -> System:
    """What a plan on `sets` devices as the catalogue sells them takes; a CPU's RAM is the machine's own."""
    if machine.kind in COMPLETE:
        return System(None, sets, sets, 1, Decimal(0), Decimal(0))
    copies, count = 1, sets
    if is_module(machine):
        board = _RACK if "nvl72" in machine.id else _BOARD
        host, boards = hosts()["board-8"], -(-sets // board)
        copies, count, number = max(1, board // sets), boards * board, boards * board // _BOARD
    else:
        host = hosts()[_class_of(machine, sets)]
        number = -(-sets // max(1, host.slots))
    asked = machine.memory_bytes if machine.kind == CPU_KIND else machine.host_memory_bytes
    ram = max(host.ram_usual_gb, Decimal(asked or 0) / GIB) if machine.kind != CPU_KIND else Decimal(asked or 0) / GIB
    more = max(Decimal(0), ram - host.ram_gb).quantize(Decimal("0.1"))
    return System(host, 1 if machine.kind == CPU_KIND else number, count, copies, ram, more)


def _class_of(machine: Machine, sets: int) -> str:
    if machine.kind == CPU_KIND:
        return "rack-cpu" if any(name in machine.id for name in _SERVER_CPUS) else "desktop"
    in_a_server = machine.kind == DATA_CENTRE and (machine.release_year or 0) >= _USED_NOW
    if sets > 4:
        return "server-8"
    if sets > 2 or in_a_server:
        return "workstation-4"
    return "workstation-2" if sets > 1 else "desktop"
