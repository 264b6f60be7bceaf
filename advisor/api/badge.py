"""A badge for a README: the model and how well it runs, as SVG without script or font."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from advisor.words import told

_COLOURS = {
    "good": "#1a7f37",
    "limited": "#9a6700",
    "slow": "#bc4c00",
    "last resort": "#a40e26",
    "does not fit": "#6e1423",
    "not as asked": "#6e1423",
}
_NOT_ANSWERED = "#57606a"
_LONGEST = 60  # characters of each half
_EM, _PADDING, _HEIGHT = 6.6, 12, 20  # pixels of a sign at 11 pixels, wide enough for capitals


def badge_of(document: Mapping[str, Any]) -> str:
    """The badge of a compact answer, or of a refusal."""
    decision = document["decision"]
    if decision is None:
        return badge("LLM Fit Advisor", told("no answer"), _NOT_ANSWERED)
    plan, name = decision["plan"], f"{document['model']['name']} · {document['machine']['name']}"
    speed = plan["tokens_per_s"] if plan is not None else None
    said = [decision["status"]]
    if plan is not None and decision["status"] not in ("does not fit", "not as asked"):
        said.append(plan["level"])
        said += [told("{speed:rough} tokens/s", speed=speed["typical"])] if speed is not None else []
    return badge(name, " · ".join(said), _COLOURS[decision["status"]])


def badge(left: str, right: str, colour: str) -> str:
    """Two words beside each other; both are escaped."""
    left, right = (text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…" for text in (left, right))
    widths = [round(len(text) * _EM) + _PADDING for text in (left, right)]
    whole, label = sum(widths), escape(f"{left}: {right}", quote=True)
    texts = "".join(
        f'<text x="{x:.1f}" y="14" text-anchor="middle" textLength="{width - _PADDING}">{escape(text)}</text>'
        for text, x, width in (
            (left, widths[0] / 2, widths[0]),
            (right, widths[0] + widths[1] / 2, widths[1]),
        )
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{_HEIGHT}" role="img" aria-label="{label}">'
        f"<title>{label}</title>"
        f'<rect width="{widths[0]}" height="{_HEIGHT}" fill="#24292f"/>'
        f'<rect x="{widths[0]}" width="{widths[1]}" height="{_HEIGHT}" fill="{colour}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{texts}</g></svg>'
    )
