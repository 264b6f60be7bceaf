"""Memory as stacked bars in plain HTML: light enough for the first screen, with its figures in words beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from advisor.foundation.units import gib
from advisor.sizing.plan import DeviceMemory, Plan
from advisor.ui.legend import BESIDE, COMPONENTS

_OTHERS = "Other programs"
_PARTS = {**COMPONENTS, "Overhead": "own_overhead_bytes", _OTHERS: "used_bytes", BESIDE: "other_bytes"}
_CSS = {"Weights": "w", "KV cache": "k", "Compute buffers": "c", "Overhead": "o", _OTHERS: "u", BESIDE: "d"}


@dataclass(frozen=True)
class Bar:
    """What one place holds. `note` stands at the end of the bar; `href` leads to the plan that it is of."""

    name: str
    place: DeviceMemory
    note: str
    is_chosen: bool = False
    href: str = ""


def fullest_device(plan: Plan) -> DeviceMemory:
    """The device with the least left, or the host where there is no device."""
    return min(plan.devices, key=lambda device: device.free_bytes or 0, default=plan.host)


def bars(rows: Sequence[Bar], margin: float, what: str) -> str:
    """The bars with a legend; `margin` is the share of the capacity that is kept free, `what` the whole is called."""
    longest = max((max(row.place.needed_bytes, row.place.capacity_bytes or 0) for row in rows), default=0)
    if not longest:
        return ""
    drawn = "".join(_row(row, longest, margin) for row in rows)
    return (
        f'<figure class="bars" role="group" aria-label="{escape(what, quote=True)}">{_legend(rows)}'
        f'<div role="list">{drawn}</div></figure>'
    )


def _row(row: Bar, longest: int, margin: float) -> str:
    place = row.place
    parts = "".join(
        f'<i class="{_CSS[name]}" style="width:{100 * count / longest:.3f}%" title="{escape(name)}: {gib(count)}"></i>'
        for name, count in _counts(place)
        if count
    )
    name = escape(row.name)
    if row.href:
        name = f'<a data-go="1" target="_self" href="{escape(row.href, quote=True)}">{name}</a>'
    words = f"{row.name}: {gib(place.needed_bytes)}{_of(place)}: " + ", ".join(
        f"{part} {gib(count)}" for part, count in _counts(place) if count
    )
    return (
        f'<div role="listitem" class="bar{" chosen" if row.is_chosen else ""}"><span>{name}</span>'
        f'<span class="track" role="img" aria-label="{escape(words, quote=True)}">{parts}'
        f"{_limit(place, longest, margin)}</span>"
        f"<span>{escape(gib(place.needed_bytes))}{escape(_of(place))} {row.note}</span></div>"
    )


def _counts(place: DeviceMemory) -> Iterable[tuple[str, int]]:
    return ((name, getattr(place, attribute)) for name, attribute in _PARTS.items())


def _of(place: DeviceMemory) -> str:
    return "" if place.capacity_bytes is None else f" of {gib(place.capacity_bytes)}"


def _limit(place: DeviceMemory, longest: int, margin: float) -> str:
    if place.capacity_bytes is None:
        return ""
    end = 100 * place.capacity_bytes / longest
    return (
        f'<b class="margin" style="left:{end * (1 - margin):.3f}%;width:{end * margin:.3f}%"></b>'
        f'<b class="limit" style="left:{end:.3f}%"></b>'
    )


def _legend(rows: Sequence[Bar]) -> str:
    used = {name for row in rows for name, count in _counts(row.place) if count}
    named = "".join(f'<span><i class="{_CSS[name]}"></i> {escape(name)}</span>' for name in _PARTS if name in used)
    limit = '<span><b class="limit"></b> capacity, with the margin before it</span>'
    return f"<figcaption>{named}{limit if any(row.place.capacity_bytes for row in rows) else ''}</figcaption>"
