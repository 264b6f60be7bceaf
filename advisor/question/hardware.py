"""From the machine that is asked for to hardware: devices in order, the memory a runtime may use, how fast it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from advisor.foundation.errors import InputError
from advisor.foundation.message import sentence
from advisor.foundation.units import GIB, MIB
from advisor.machines.capacity import CPU_KIND
from advisor.machines.catalogue import Machine, custom_machine, machine, with_memory, with_wired_limit
from advisor.machines.chip import Chip, chip_of
from advisor.machines.machine import counted_names
from advisor.machines.market import Market, MarketPrice
from advisor.machines.ram import Ram
from advisor.question.configuration import AUTO, CUSTOM_MACHINE, NO_OTHERS, MachineChoice, OtherPrograms
from advisor.runtimes.llama_cpp.checks import check_vendors
from advisor.runtimes.registry import runtime_by
from advisor.runtimes.support import machine_refusal
from advisor.sizing.memory import BufferLimit, Device, Memory
from advisor.sizing.rates import USUAL_HOST_BANDWIDTH
from advisor.sizing.runtime_id import RuntimeId
from advisor.speed.backends import Backend, check_backend, default_backend

# maxMemoryAllocationSize as most drivers report it, and llama.cpp's compute buffers are one allocation each
# (ggml-org/llama.cpp issues 5441, 13024, 18160); Level Zero's limit, which UR_L0_ENABLE_RELAXED_ALLOCATION_LIMITS lifts
# (ggml-org/llama.cpp pull 17566).
_VULKAN_BUFFER_BYTES = 4 * GIB - 4
_SYCL_BUFFER_BYTES = 4 * GIB
_VENDORS = {"cuda": "NVIDIA", "rocm": "AMD"}


@dataclass(frozen=True)
class Hardware:
    """`machine` is what is named first, `cards` one machine for each device of `memory`, in its order.

    `installed` are all cards that stand there: `cards` come first, the others stay idle, and are paid for all the
    same. A machine without a GPU has no cards. `host_bandwidth` is what the host's memory is rated at in bytes a
    second, `ram` what that follows from where it was described; `host_bandwidth_assumed` says that nobody gave it.
    """

    machine: Machine
    installed: tuple[Machine, ...]
    cards: tuple[Machine, ...]
    memory: Memory
    host_bandwidth: float
    host_bandwidth_assumed: bool
    ram: Ram | None
    backend: Backend

    @cached_property
    def average_card(self) -> Machine:
        """The machine that prices and watts of one installed device are those of; of different cards, their mean."""
        card = self.machine
        if self.cards and not card.unified and self.memory.host_capacity_bytes is not None:
            card = replace(card, host_memory_bytes=self.memory.host_capacity_bytes)  # which is paid for
        if len(set(self.installed)) <= 1:
            return card
        return replace(
            card,
            id="mixed",
            name="mean card",
            count=1,
            launch_price_usd=_mean([_each(card.launch_price_usd, card) for card in self.installed]),
            prices=_mean_prices(self.installed),
            tdp_w=_mean([_each(card.tdp_w, card) for card in self.installed]),
            idle_w=_mean([_each(card.idle_w, card) for card in self.installed]),
        )

    @property
    def name(self) -> str:
        """What stands there, in words: "2 x RTX 3090 + RTX 3060"."""
        return counted_names(self.installed) or self.machine.name

    @property
    def name_of_used(self) -> str:
        """What of it is used, in words: "1 of 2 x RTX 3090"; of different cards, only those used are named."""
        if len(self.cards) == len(self.installed):
            return self.name
        return f"{len(self.cards)} of {self.name}" if len(set(self.installed)) == 1 else counted_names(self.cards)


def _each(of_all: float | None, card: Machine) -> float | None:
    return None if of_all is None else of_all / card.count


def _mean(values: list[float | None]) -> float | None:
    """The mean, None as soon as one is not known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(values) if len(known) == len(values) else None


def _mean_prices(cards: tuple[Machine, ...]) -> tuple[MarketPrice, ...]:
    """The mean of different cards on each market that has all of them; on none, that of what each can be had for."""
    markets: tuple[Market | None, ...] = ("new", "used")
    found = [mean for mean in (_mean_price(cards, market) for market in markets) if mean is not None]
    mean = _mean_price(cards, None) if not found else None
    return tuple(found) if mean is None else (mean,)


def _mean_price(cards: tuple[Machine, ...], market: Market | None) -> MarketPrice | None:
    prices = [(card.price_on(market), card.count) for card in cards]
    sold = [(price, count) for price, count in prices if price is not None]
    if len(sold) < len(cards):
        return None
    # Old is what has an old price among them: the mean speaks of the oldest day.
    oldest = min((price for price, _ in sold), key=lambda price: price.seen.as_of or date.min)
    low, typical, high = (
        sum(getattr(price, name) / count for price, count in sold) / len(sold) for name in ("low", "typical", "high")
    )
    return MarketPrice(oldest.market, low, typical, high, oldest.seen)


def hardware_of(asked: MachineChoice, backend: str, runtime: RuntimeId, others: OtherPrograms = NO_OTHERS) -> Hardware:
    """The hardware that is asked for, under a backend or `auto`, beside other programs.

    Raises InputError where it cannot be built so.
    """
    first = first_machine(asked)
    installed = _installed(asked, first)
    cards = _used(asked, first, installed)
    given = first.bandwidth_bytes_per_s if first.unified else None
    if asked.ram is not None:
        if first.unified and first.kind != CPU_KIND:
            raise InputError(
                "ram_type: {first} shares one memory between host and GPU; leave it out.", first=first.name
            )
        given = asked.ram.bandwidth
    if asked.host_bandwidth_gb_s is not None:
        given = asked.host_bandwidth_gb_s * 1e9
    runs_on = _backend(backend, first, cards, runtime)
    _check_used(others, first, installed)
    memory = _memory(asked, others, first, cards, _buffer_api(backend, first, runs_on, runtime))
    return Hardware(
        machine=first,
        installed=installed,
        cards=cards,
        memory=memory,
        host_bandwidth=given or USUAL_HOST_BANDWIDTH,
        host_bandwidth_assumed=given is None,
        ram=asked.ram if asked.host_bandwidth_gb_s is None else None,
        backend=runs_on,
    )


def first_machine(asked: MachineChoice) -> Machine:
    """The machine that is named, with the memory that is given where the catalogue leaves it open."""
    if asked.name == CUSTOM_MACHINE and asked.memory_gib is not None:
        return custom_machine(asked.memory_gib, asked.bandwidth_gb_s)
    chosen = machine(asked.name)
    if asked.wired_limit_mb is not None:
        chosen = with_wired_limit(chosen, asked.wired_limit_mb)
    if not chosen.needs_memory:
        if asked.memory_gib is not None:
            raise InputError("memory_gib is for machine=custom; {chosen} has its own memory.", chosen=chosen.name)
        return chosen
    if asked.memory_gib is None:
        raise InputError("{chosen} has no memory of its own: give its RAM in GiB as memory_gib.", chosen=chosen.name)
    found = with_memory(chosen, asked.memory_gib)
    if asked.ram is not None and found.kind == CPU_KIND:
        found = replace(found, bandwidth_bytes_per_s=asked.ram.bandwidth)
    return found


def installed_cards(asked: MachineChoice) -> tuple[Machine, ...]:
    """Every card that stands there, in the order in which they are used; raises InputError as `hardware_of` does."""
    return _installed(asked, first_machine(asked))


def fastest_first(cards: Sequence[Machine]) -> list[int]:
    """Their places, the fastest first: the order in which CUDA counts them."""
    return sorted(range(len(cards)), key=lambda place: -(cards[place].bandwidth_bytes_per_s or 0))


def _used(asked: MachineChoice, first: Machine, installed: tuple[Machine, ...]) -> tuple[Machine, ...]:
    """Of cards that differ the fastest."""
    if asked.use_gpus is None:
        return installed
    if not installed:
        raise InputError(
            "use_gpus={use_gpus}: {first} has no graphics cards; leave use_gpus out.",
            use_gpus=asked.use_gpus,
            first=first.name,
        )
    if asked.use_gpus > len(installed):
        who = first.name if asked.other_machine is None else sentence("this machine")
        there = sentence("{machine} is one device", machine=who)
        if len(installed) > 1:
            there = sentence("{machine} has {count} cards", machine=who, count=len(installed))
        raise InputError(
            "use_gpus={use_gpus}: {there}; use at most {count}.",
            use_gpus=asked.use_gpus,
            there=there,
            count=len(installed),
        )
    return tuple(installed[place] for place in sorted(fastest_first(installed)[: asked.use_gpus]))


def _installed(asked: MachineChoice, first: Machine) -> tuple[Machine, ...]:
    if first.unified and asked.gpus > 1:
        raise InputError(
            "gpus={gpus}: {first} is one device; several of them do not share memory.",
            gpus=asked.gpus,
            first=first.name,
        )
    if asked.other_machine is None:
        return () if first.kind == CPU_KIND else (first,) * (asked.gpus * first.count)
    other = machine(asked.other_machine)
    for one in (first, other):
        if one.unified:
            raise InputError(
                "other_machine: {one} is no graphics card that stands beside others in one host.", one=one.name
            )
    return (first,) * (asked.gpus * first.count) + (other,) * (asked.other_gpus * other.count)


def _check_used(others: OtherPrograms, first: Machine, installed: tuple[Machine, ...]) -> None:
    """Raise InputError where memory is said to be used of cards that are not there."""
    if others.used_mib is None:
        return
    if not installed:
        raise InputError("used_mib: {first} has no graphics cards; say host_used_mib of its RAM.", first=first.name)
    if len(others.used_mib) > len(installed):
        raise InputError(
            "used_mib names {named} cards, and the machine has {count}.",
            named=len(others.used_mib),
            count=len(installed),
        )


def _memory(
    asked: MachineChoice, others: OtherPrograms, first: Machine, cards: tuple[Machine, ...], api: str | None
) -> Memory:
    def overhead(one: Machine) -> int:
        return one.overhead_bytes if asked.overhead_mib is None else int(asked.overhead_mib * MIB)

    on_host = others.host_used_bytes
    if first.kind == CPU_KIND:
        return Memory((), first.capacity_bytes, overhead(first) + on_host, host_used_bytes=on_host)
    host = first.host_memory_bytes
    if asked.host_memory_gib is not None:
        if first.unified:
            raise InputError("host_memory_gib: {first} shares one memory between host and GPU.", first=first.name)
        host = int(asked.host_memory_gib * GIB)
    devices = tuple(
        Device(
            card.name,
            card.capacity_bytes,
            overhead(card) + others.used_bytes(number),
            buffer_limit=_buffer_limit(card, api),
            used_bytes=others.used_bytes(number),
        )
        for number, card in enumerate(cards)
    )
    return Memory(devices, host, on_host, pooled=first.unified, host_used_bytes=on_host)


def _buffer_api(asked: str, first: Machine, backend: Backend, runtime: RuntimeId) -> str | None:
    """Through which interface memory is allocated, as far as one is known to limit a single allocation."""
    if first.vendor == "Apple" and runtime_by(runtime).engine not in (RuntimeId.VLLM, RuntimeId.SGLANG):
        return "Vulkan" if asked == "vulkan" else "Metal"
    return {"vulkan": "Vulkan", "sycl": "SYCL"}.get(backend)


def _buffer_limit(card: Machine, api: str | None) -> BufferLimit | None:
    match api:
        case "Metal":
            return None if card.largest_buffer_bytes is None else BufferLimit("Metal", card.largest_buffer_bytes)
        case "Vulkan":
            return BufferLimit("Vulkan", _VULKAN_BUFFER_BYTES)
        case "SYCL":
            return BufferLimit("SYCL", _SYCL_BUFFER_BYTES)
        case _:
            return None


def _backend(asked: str, first: Machine, cards: tuple[Machine, ...], runtime: RuntimeId) -> Backend:
    usual = asked == AUTO
    backend = default_backend(first, runtime) if usual else check_backend(asked)
    # Their speed follows constants of their own; what they run on is named by the backend all the same.
    if (its_own := runtime_by(runtime).backends) is not None:
        if not usual and backend not in its_own:
            raise InputError(
                "backend={backend} is none of {runtime}'s: leave it out, or use runtime=llama.cpp.",
                backend=backend,
                runtime=runtime,
            )
        backend = default_backend(first, runtime)
    elif why := next(filter(None, (machine_refusal(RuntimeId.LLAMA_CPP, card) for card in cards)), None):
        raise InputError("{why}.", why=why)
    check_vendors({card.vendor for card in cards if card.vendor != "generic"}, backend)
    return backend


def chip_for(backend: str, hardware: Hardware, runtime: RuntimeId) -> Chip:
    """What a runtime is to run on: the first card, or the machine without one.

    A custom device is of unknown generation, and where the runtime needs a vendor, of the one whose backend is asked
    for. Raises InputError for another vendor's backend.
    """
    one, counts_as = hardware.cards[0] if hardware.cards else hardware.machine, runtime_by(runtime).custom_vendor
    if counts_as is None or not hardware.cards:
        return chip_of(one)
    asked = _VENDORS.get(backend)
    if one.kind == CUSTOM_MACHINE:
        return Chip(asked or counts_as)
    if asked not in (None, one.vendor):
        raise InputError("backend={backend} does not run on {one}: leave it out.", backend=backend, one=one.name)
    return chip_of(one)
