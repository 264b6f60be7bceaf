"""A machine as the engine sees it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from advisor.foundation.message import Message
from advisor.machines.market import Market, MarketPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One catalogue row: one device with its own memory, or `count` equal devices that are only sold together.

    Units: `*_bytes` are bytes, `*_bytes_per_s` bytes a second, `*_tflops` and `*_tops` 10^12 operations a second on
    dense data, `*_w` watts, `*_usd` US dollars. Memory, bandwidth and rates are for one device; watts and prices are
    for what is bought, that is for all `count` devices together. None means unknown, never zero.
    """

    id: str
    name: str
    vendor: str
    kind: str
    architecture: str | None
    # As sold; 0 where the buyer chooses it (see `needs_memory`).
    memory_bytes: int
    # What the driver or the operating system lets a runtime use of it, before `overhead_bytes`.
    capacity_bytes: int
    # One sentence: where `capacity_bytes` comes from.
    capacity_basis: Message
    # The device's memory is the host's memory: Apple silicon, unified-memory PCs, plain CPUs.
    unified: bool
    bandwidth_bytes_per_s: float | None
    # What host and device may use together of a memory that they share; None for a card, whose host is not known.
    host_memory_bytes: int | None
    # Part of the capacity that is gone before the first tensor is loaded: driver reserve, context, screen, system.
    overhead_bytes: int
    overhead_basis: Message
    confidence: str
    source: str  # empty for what the user describes
    # Month of the research; None for what the user describes.
    as_of: str | None
    count: int = 1
    # The most that one buffer may take, where the operating system says so.
    largest_buffer_bytes: int | None = None
    second_source: str | None = None
    notes: str = ""
    release_year: int | None = None
    memory_type: str | None = None
    compute_capability: str | None = None
    fp32_tflops: float | None = None
    fp16_tflops: float | None = None
    # What kind of number `fp16_tflops` is: a tensor-core rate, a shader rate, a scaled estimate.
    fp16_basis: str | None = None
    fp8_tflops: float | None = None
    int8_tops: float | None = None
    fp4_tflops: float | None = None
    interconnect: str | None = None
    # Both directions together, in GB/s as vendors print it.
    interconnect_gb_s: float | None = None
    tdp_w: float | None = None
    idle_w: float | None = None
    launch_price_usd: float | None = None
    prices: tuple[MarketPrice, ...] = ()

    @property
    def needs_memory(self) -> bool:
        """Whether the user must say how much memory there is before anything can be placed (`with_memory`)."""
        return self.memory_bytes == 0

    def price_on(self, market: Market | None) -> MarketPrice | None:
        """What all `count` devices together are sold for; None as the market: new if there is a price, else used."""
        return next((price for price in self.prices if market in (None, price.market)), None)

    @property
    def price_usd(self) -> float | None:
        """The typical price on the market where it is bought if none is asked for."""
        price = self.price_on(None)
        return None if price is None else price.typical


def counted_names(cards: Sequence[Machine]) -> str:
    """Their names in words: "2 x GeForce RTX 3090 + GeForce RTX 4090"."""
    counts = Counter(card.name for card in cards)
    return " + ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items())
