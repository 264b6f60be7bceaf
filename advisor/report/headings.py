"""What the parts of a report are called, in the language that is spoken now: the same on paper and on the page."""

from __future__ import annotations

from datetime import UTC

from advisor.report.document import ReportDocument
from advisor.words import told, written_day

PRODUCT = "LLM Fit Advisor"


def headings() -> dict[str, str]:
    """By the names that templates and pages use for them."""
    return {
        "money": told("What it costs"),
        "sure": told("How sure?"),
        "gets": told("What people get"),
        "ways": told("Three ways to get it"),
        "changes": told("What would change the decision"),
        "look_again": told("When to look again"),
        "plan_page": told("For whoever sets it up"),
        "money_page": told("Risks, next steps and assumptions"),
        "start": told("Start it"),
        "cards": told("The plan and the choices beside it"),
        "choices": told("Other choices"),
        "why": told("Why"),
        "model": told("Model"),
        "machine": told("Machine"),
        "quality": told("Quality by task"),
        "speed": told("Speed"),
        "cost": told("Cost"),
        "what": told("What"),
        "typical": told("Typical"),
        "range": told("Range"),
        "based_on": told("Based on"),
        "option": told("Option"),
        "upfront": told("Up front"),
        "month": told("A month"),
        "per_million": told("Per 1 M tokens"),
        "risks": told("Risks"),
        "next_steps": told("Next steps"),
        "what_matters": told("Assumptions that matter most"),
        "not_included": told("Not included in any price"),
        "appendix": told("Technical appendix"),
        "notes": told("Please note"),
        "levels": told("All levels"),
        "glossary": told("Words used"),
        "assumptions": told("Inputs and assumptions"),
        "assumption": told("Assumption"),
        "value": told("Value"),
        "how_right": told("How right these figures are"),
        "commands": told("Command lines"),
        "reproduce": told("Make this report again"),
        "sources": told("Sources"),
        "source": told("Source"),
        "checked": told("Date"),
        "about": told("This report"),
        "weights": told("Weights"),
        "kv_cache": told("KV cache"),
        "compute": told("Compute buffers"),
        "overhead": told("Overhead"),
        "qr": told("QR code of the link to the live scenario"),
        "page": told("Page {page} of {pages}"),
    }


def day_of(document: ReportDocument) -> str:
    """The day that the report is of: "25 November 2026"."""
    return written_day(document.generated_at.astimezone(UTC).date())


def kicker(document: ReportDocument) -> str:
    """The line above the title: what it is, of when, and for whom."""
    day, given_to = day_of(document), document.cover.prepared_for.strip()
    if given_to:
        return told("Recommendation · {day} · prepared for {prepared_for}", day=day, prepared_for=given_to)
    return told("Recommendation · {day}", day=day)
