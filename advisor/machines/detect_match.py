"""Which row of data/machines.csv a detected device is, by its name, its memory and its compute capability.

Drivers and catalogues name the same card differently ("NVIDIA H100 80GB HBM3" is the SXM5 card), so both names are
reduced to the words that tell models apart; memory then tells variants apart, and wrong matches from right ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from advisor.foundation.units import GIB
from advisor.machines.catalogue import machines
from advisor.machines.machine import Machine

# ECC takes 6.25 % of GDDR6 data-centre cards; sold sizes are sometimes decimal.
_CARD_SHARES = (0.92, 1.02)
# Firmware, video carve-outs and the kernel keep up to 12 % of shared memory from the total an OS reports.
_UNIFIED_SHARES = (0.88, 1.01)
_UNIFIED_PC = "unified-memory-pc"

# Words that do not tell models apart: brands, memory types, form factors that drivers leave out, filling.
_FILLING = frozenset(
    {
        "nvidia",
        "geforce",
        "amd",
        "ati",
        "intel",
        "corporation",
        "tesla",
        "instinct",
        "generation",
        "edition",
        "gpu",
        "graphics",
        "grace",
        "hopper",
        "oam",
        "ac",
        "series",
        "r",
        "tm",
        "w",
        "with",
    }
)
_SIZE = re.compile(r"\d+ ?gi?b?\b|\bhbm\d\w*|\bsxm\d?\b")
_BRACKETS = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_APPLE = re.compile(r"Apple (M\d+(?: (?:Pro|Max|Ultra))?)(?: \((\d+)-core GPU\))? (\d+)GB")


def words(name: str) -> frozenset[str]:
    """The words of a device's name that tell models apart."""
    text = _BRACKETS.sub(" ", name.lower().replace("(r)", " ").replace("(tm)", " "))
    text = text.replace("with max-q design", "laptop").replace("-", " ").replace("+", "+ ")
    text = _SIZE.sub(" ", text)
    return frozenset(re.findall(r"[a-z0-9.+]+", text)) - _FILLING


def match_card(name: str, memory_bytes: int | None, compute_capability: str | None = None) -> Machine | None:
    """The catalogue's discrete card of this name and memory (bytes of one device), or None.

    Without `memory_bytes`, only a name that fits one single card is trusted.
    """
    fits: list[tuple[float, float, float, Machine]] = []
    for card in {card.id: card for option in _alternatives(name) for card in _cards().get(words(option), ())}.values():
        if compute_capability and card.compute_capability not in (None, compute_capability):
            continue
        distance = 0.0 if memory_bytes is None else _distance(card, memory_bytes)
        if distance is not None:
            fits.append((distance, card.bandwidth_bytes_per_s or 0, card.fp16_tflops or 0, card))
    if memory_bytes is None and len(fits) != 1:
        return None
    # Of two that fit equally well the slower one promises less.
    return min(fits, key=lambda fit: fit[:3])[3] if fits else None


def match_begun(name: str, memory_bytes: int | None) -> Machine | None:
    """The card whose name begins like one that a table cut off ("GeForce RTX 2080 ..."), by its memory.

    A name is only cut where it goes on. Of several the slower one promises less.
    """
    begun = _plain(name.removesuffix("...").strip())
    fits = [
        card
        for card in machines().values()
        if not card.unified
        and _plain(card.name).startswith(begun)
        and len(_plain(card.name)) > len(begun)
        and (memory_bytes is None or _distance(card, memory_bytes) is not None)
    ]
    if not fits or (memory_bytes is None and len(fits) > 1):
        return None
    return min(fits, key=lambda card: (card.bandwidth_bytes_per_s or 0, card.id))


def _plain(name: str) -> str:
    """Words in their order without brands: what a name begins with can be compared."""
    text = name.lower().replace("(r)", " ").replace("(tm)", " ")
    return " ".join(word for word in text.split() if word not in _FILLING)


def match_unified(names: Iterable[str], memory_bytes: int) -> Machine | None:
    """The unified-memory PC whose words all occur in one of `names` (CPU, GPU, board); `memory_bytes` is all of it."""
    texts = [words(name) | _aliases(name) for name in names]
    fits = []
    for option in machines().values():
        share = memory_bytes / option.memory_bytes if option.memory_bytes else 0
        if option.kind != _UNIFIED_PC or not _UNIFIED_SHARES[0] <= share <= _UNIFIED_SHARES[1]:
            continue
        wanted = _unified_words(option.name)
        if any(wanted <= text for text in texts):
            fits.append((-len(wanted), abs(share - 1), option.id))
    return machines()[min(fits)[2]] if fits else None


def match_apple(chip: str, gpu_cores: int | None, memory_bytes: int) -> tuple[Machine | None, int | None]:
    """The Mac with this chip ("Apple M3 Max") and memory, and the GPU cores of the row; equal cores are preferred."""
    fits = []
    for option in machines().values():
        found = _APPLE.fullmatch(option.name)
        if found is None or f"Apple {found[1]}" != chip.strip() or int(found[3]) != round(memory_bytes / GIB):
            continue
        cores = int(found[2]) if found[2] else None
        fits.append((abs((cores or 0) - gpu_cores) if gpu_cores and cores else 0, option.id, cores))
    if not fits:
        return None, None
    _, chosen, cores = min(fits)
    return machines()[chosen], cores


# CPU models by the platforms of the catalogue. What is on sale as one name has one number of memory channels; the
# speed is the platform's highest, which not every board runs.
_PLATFORMS = tuple(
    (re.compile(pattern), platform)
    for pattern, platform in (
        (r"EPYC 9\w\d5", "epyc-turin-12ch-ddr5-6000"),
        (r"EPYC 9\w\d4", "epyc-genoa-12ch-ddr5-4800"),
        (r"EPYC 7\w\w[23]\b", "epyc-rome-milan-octa-ddr4-3200"),
        (r"Threadripper PRO 9\d\d5WX", "threadripper-pro-9000wx-octa-ddr5-6400"),
        (r"Threadripper PRO 7\d\d5WX", "threadripper-pro-7000wx-octa-ddr5-5200"),
        (r"Threadripper PRO [35]\d\d5WX", "threadripper-pro-5000wx-octa-ddr4-3200"),
        (r"Threadripper [79]\d\d0X", "threadripper-7000-quad-ddr5-5200"),
        (r"Threadripper 3\d\d0X", "threadripper-3000-quad-ddr4-3200"),
        (r"Xeon 6\d\d\dP", "xeon6-gnr-12ch-ddr5-6400"),
        (r"Xeon (Platinum|Gold|Silver) [3-8]5\d\d", "xeon-emr-octa-ddr5-5600"),
        (r"Xeon (Platinum|Gold|Silver) [3-8]4\d\d", "xeon-spr-octa-ddr5-4800"),
        (r"Xeon (Platinum|Gold|Silver) [3-8]3\d\d", "xeon-icelake-octa-ddr4-3200"),
        (r"Xeon (CPU )?E5-\d+\w? v4", "xeon-broadwell-quad-ddr4-2400"),
    )
)
ASSUMED_PLATFORM = "cpu-dual-ddr4-3200"


def match_platform(cpu: str) -> str | None:
    """The id of the server or workstation platform of a CPU model; None for desktops, laptops and unknown CPUs."""
    plain = " ".join(cpu.replace("(R)", "").replace("(TM)", "").split())
    return next((platform for pattern, platform in _PLATFORMS if pattern.search(plain)), None)


def _alternatives(name: str) -> list[str]:
    """One device id may stand for several cards: "AMD Radeon RX 7900 XT/7900 XTX" is two names."""
    first, *others = name.split("/")
    family = re.split(r"\S*\d", first, maxsplit=1)[0]
    return [first, *(other if family.strip().lower() in other.lower() else family + other for other in others)]


@cache
def _cards() -> dict[frozenset[str], tuple[Machine, ...]]:
    cards: dict[frozenset[str], tuple[Machine, ...]] = {}
    for option in machines().values():
        if not option.unified:
            key = words(option.name) - ({"laptop"} if option.vendor == "AMD" else set())
            cards[key] = (*cards.get(key, ()), option)
    return cards


def _distance(card: Machine, memory_bytes: int) -> float | None:
    """How far the memory is from what the card is sold with or reports; None where it cannot be that card."""
    if not _CARD_SHARES[0] <= memory_bytes / card.memory_bytes <= _CARD_SHARES[1]:
        return None
    return min(abs(memory_bytes / known - 1) for known in (card.memory_bytes, card.capacity_bytes))


def _unified_words(name: str) -> frozenset[str]:
    # A developer kit is named after the board, not the module; "PRO" chips are the same silicon.
    return words(name) - {"t4000", "t5000", "pro"}


def _aliases(name: str) -> frozenset[str]:
    if "8060s" in name.lower():  # the graphics of this one processor
        return frozenset({"ryzen", "ai", "max+", "395", "strix", "halo"})
    return frozenset({"dgx", "spark"}) if "gb10" in name.lower() else frozenset()
