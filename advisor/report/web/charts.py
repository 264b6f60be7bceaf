"""Charts of the page as rows of tables and SVG, from the same payloads as those of the PDF.

Widths are shares of the room there is and letters keep their size, so that a phone shows them as large as paper does.
Colours are classes of style.css. A bar stands in the row of its figures, which are thus its table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from advisor.foundation.numbers import bare
from advisor.words import to_tell, told

COMPONENTS = (
    ("weights", to_tell("Weights")),
    ("kv_cache", to_tell("KV cache")),
    ("compute", to_tell("Compute buffers")),
    ("overhead", to_tell("Overhead")),
)
_PLOT = 170  # pixels, of the lines
_BAR, _ROOM = 12, 18  # pixels
_STYLES = 5  # of lines, in style.css

Payload = Mapping[str, Any]


def memory_chart(payload: Payload) -> str:
    """Stacked bars against the capacity, one row a level."""
    rows = "".join(_memory_row(bar, payload) for bar in payload["bars"])
    names = (*(_key(key, told(name)) for key, name in COMPONENTS), *_margin_key(payload))
    head = (
        f"<thead><tr><th>{_text(told('Level'))}</th><td>{_axis(payload['ticks'])}</td>"
        f"<th class=n>GiB</th><td></td></tr></thead>"
    )
    return (
        f'<figure class="chart memory"><table>{_caption(payload["alt"])}{head}<tbody>{rows}</tbody></table>'
        f"<p class=keys>{''.join(names)}</p><figcaption>{_text(payload['caption'])}</figcaption></figure>"
    )


def _memory_row(bar: Payload, payload: Payload) -> str:
    drawn, at = [], 0.0
    for key, _ in COMPONENTS:
        drawn.append(_rect(at, bar[key], (_ROOM - _BAR) / 2, _BAR, f"c-{key}"))
        at += bar[key]
    if payload["capacity"] is not None:
        margin = payload["margin"]
        drawn.append(_rect(payload["capacity"] - margin, margin, 0, _ROOM, "c-margin"))
        drawn.append(_line(payload["capacity"], "c-limit"))
    here = " class=chosen" if bar["recommended"] else ""
    return (
        f"<tr{here}><th scope=row>{_text(bar['level'])}</th><td>{_svg(drawn)}</td>"
        f'<td class=n>{_text(bar["total"])}</td><td class="t-{escape(bar["tone"])}">{_text(bar["verdict"])}</td></tr>'
    )


def _margin_key(payload: Payload) -> Iterable[str]:
    if payload["capacity"] is not None:
        yield _key("limit", payload["capacity_label"])
        if payload["margin"] > 0:
            yield _key("margin", payload["margin_label"])


def quality_chart(payload: Payload) -> str:
    """A range with its typical value in each row."""
    rows = []
    for row in payload["rows"]:
        low, high = row["low"], row["high"]
        drawn = [
            _rect(low, max(high - low, 0.004), (_ROOM - 6) / 2, 6, "c-range"),
            f'<circle cx="{_share(row["typical"])}" cy="{bare(_ROOM / 2)}" r="4" class="c-point"/>',
        ]
        if row["required"] is not None:
            drawn.append(_line(row["required"], "c-limit"))
        rows.append(
            f"<tr><th scope=row>{_text(row['name'])}</th><td>{_svg(drawn)}</td>"
            f"<td class=n>{_text(row['value'])}</td><td class=basis>{_text(row['basis'])}</td></tr>"
        )
    head = (
        f"<thead><tr><td></td><td>{_axis(_thinned(payload['ticks']))}</td><td></td><td class=basis></td></tr></thead>"
    )
    full = "".join(f"<br>{_text(line)}" for line in payload["in_full"])
    return (
        f'<figure class="chart quality"><table>{_caption(payload["alt"])}{head}<tbody>{"".join(rows)}</tbody></table>'
        f"<figcaption>{_text(payload['caption'])}{full}</figcaption></figure>"
    )


def cost_chart(payload: Payload) -> str:
    """Totals over the months as lines, and where they cross."""
    y_ticks = "".join(
        f'<text x="46" y="{bare(_down(tick["at"]) + 4)}" class=end>{_text(tick["label"])}</text>'
        for tick in payload["y_ticks"]
    )
    grid = "".join(
        f'<line x1="0" x2="100%" y1="{bare(_down(tick["at"]))}" y2="{bare(_down(tick["at"]))}" class="c-grid"/>'
        for tick in payload["y_ticks"]
    )
    x_ticks = "".join(_tick(tick, _PLOT + 24) for tick in payload["x_ticks"])
    lines = "".join(
        f'<polyline points="{_points(line["points"])}" class="line l-{i % _STYLES}"/>'
        for i, line in enumerate(payload["lines"])
    )
    marks = "".join(
        f'<circle cx="{_share(mark["x"])}" cy="{bare(_down(mark["y"]))}" r="7" class="c-mark"/>'
        f'<text x="{_share(mark["x"])}" y="{bare(_down(mark["y"]) + 3.5)}" class="mid strong">'
        f"{_text(mark['mark'])}</text>"
        for mark in payload["crossings"]
    )
    names = "".join(
        f'<span class=key><svg width="26" height="8" aria-hidden="true"><line x1="0" x2="26" y1="4" y2="4" '
        f'class="line l-{i % _STYLES}"/></svg>{_text(line["name"])}</span>'
        for i, line in enumerate(payload["lines"])
    )
    said = "".join(f"<li><b>{_text(mark['mark'])}</b> {_text(mark['label'])}</li>" for mark in payload["crossings"])
    height = _PLOT + 30
    return (
        f'<figure class="chart cost"><p class=axis>{_text(payload["y_name"])}</p><div class=plot role=img '
        f'aria-label="{escape(payload["alt"], quote=True)}"><svg width="50" height="{height}" '
        f'aria-hidden="true">{y_ticks}</svg><svg width="100%" height="{height}" aria-hidden="true">{grid}{x_ticks}'
        f'<svg x="0" y="10" width="100%" height="{_PLOT}" viewBox="0 0 1000 {_PLOT}" preserveAspectRatio="none" '
        f'overflow="visible">{lines}</svg>{marks}</svg></div><p class="axis mid">{_text(payload["x_name"])}</p>'
        f"<p class=keys>{names}</p>{f'<ol class=marks>{said}</ol>' if said else ''}</figure>"
    )


def _down(at: float) -> float:
    return round(10 + (1 - at) * _PLOT, 1)


def _points(points: Sequence[Sequence[float]]) -> str:
    return " ".join(f"{1000 * x:.0f},{(1 - y) * _PLOT:.1f}" for x, y in points)


def _thinned(ticks: Sequence[Payload]) -> list[Payload]:
    """Of more than three labels a phone has room for every second: of those that the one at the original is of."""
    whole = next((place for place, tick in enumerate(ticks) if tick["label"].startswith("100")), 0)
    return [{**tick, "spare": len(ticks) > 3 and (place - whole) % 2} for place, tick in enumerate(ticks)]


def _axis(ticks: Sequence[Payload]) -> str:
    return f'<svg width="100%" height="{_ROOM}" aria-hidden="true">{"".join(_tick(tick, 13) for tick in ticks)}</svg>'


def _tick(tick: Payload, y: float) -> str:
    """A label that stays inside at both ends."""
    side = "" if tick["at"] < 0.04 else "end" if tick["at"] > 0.96 else "mid"
    css = " ".join(filter(None, (side, "spare" if tick.get("spare") else "")))
    return f'<text x="{_share(tick["at"])}" y="{bare(y)}" class="{css}">{_text(tick["label"])}</text>'


def _svg(drawn: Iterable[str]) -> str:
    return f'<svg width="100%" height="{_ROOM}" aria-hidden="true">{"".join(drawn)}</svg>'


def _rect(at: float, width: float, y: float, height: float, css: str) -> str:
    if width <= 0:
        return ""
    return f'<rect x="{_share(at)}" width="{_share(width)}" y="{bare(y)}" height="{bare(height)}" class="{css}"/>'


def _line(at: float, css: str) -> str:
    return f'<line x1="{_share(at)}" x2="{_share(at)}" y1="0" y2="{_ROOM}" class="{css}"/>'


def _share(part: float) -> str:
    return f"{100 * part:.2f}%"


def _key(css: str, name: str) -> str:
    return (
        f'<span class=key><svg width="10" height="10" aria-hidden="true"><rect width="10" height="10" '
        f'class="c-{css}"/></svg>{_text(name)}</span>'
    )


def _caption(alt: str) -> str:
    return f'<caption class="unseen">{_text(alt)}</caption>'


def _text(text: str) -> str:
    return escape(text, quote=False)
