"""What stands around a report on a page: where its links lead, what is said of it, and what previews show."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.report.headings import PRODUCT
from advisor.report.web.pieces import attribute

PICTURE_SIZE = (1200, 630)  # pixels, what chat programs ask for
_TITLE_CHARACTERS, _SENTENCE_CHARACTERS = 120, 300  # of a preview; more is cut by whoever shows it


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around the report. `live` and `pdf` lead from the page to the question and to the file; `address`
    and `picture` are the full addresses of the page and of its preview, "" where they are not known.

    `told` are sentences about the link itself. `changed` is what would be different today from what was kept, None
    for a report of today; `today` is then the sentence of today, where it is another one.
    """

    live: str
    pdf: str
    address: str = ""
    picture: str = ""
    told: tuple[str, ...] = ()
    changed: tuple[str, ...] | None = None
    today: str = ""


def preview_tags(title: str, decision: str, around: Around) -> str:
    """What chat and mail programs show of the link."""
    shown = decision if len(decision) <= _SENTENCE_CHARACTERS else f"{decision[: _SENTENCE_CHARACTERS - 1].rstrip()}…"
    wide, high = PICTURE_SIZE
    told_of = [
        ("og:type", "article"),
        ("og:site_name", PRODUCT),
        ("og:title", title[:_TITLE_CHARACTERS]),
        ("og:description", shown),
    ]
    if around.address:
        told_of.append(("og:url", around.address))
    if around.picture:
        told_of += [
            ("og:image", around.picture),
            ("og:image:type", "image/png"),
            ("og:image:width", str(wide)),
            ("og:image:height", str(high)),
            ("og:image:alt", shown),
        ]
    named = [
        ("description", shown),
        ("twitter:card", "summary_large_image" if around.picture else "summary"),
        ("twitter:title", title[:_TITLE_CHARACTERS]),
        ("twitter:description", shown),
        *([("twitter:image", around.picture)] if around.picture else []),
    ]
    return "".join(
        f'<meta {kind}="{key}" content="{attribute(value)}">'
        for kind, pairs in (("property", told_of), ("name", named))
        for key, value in pairs
    )
