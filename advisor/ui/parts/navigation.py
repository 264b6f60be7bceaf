"""The row of places on top of every page: one piece of HTML with links that keep the question."""

from __future__ import annotations

from html import escape

from advisor.ui.parts.html import question_href

ANSWER = ""
MODELS = "models-for-a-machine"
MACHINES = "machines-for-a-model"
COMPARE = "compare"
REPORT = "report"
PROVE = "prove-it"
KNOW = "how-we-know"

TITLES = {
    ANSWER: "Answer",
    MODELS: "Models for a machine",
    MACHINES: "Machines for a model",
    COMPARE: "Compare",
    REPORT: "Report and share",
    PROVE: "Prove it",
    KNOW: "How we know",
}
_GROUPS = ((ANSWER,), (MODELS, MACHINES, COMPARE), (REPORT,), (PROVE, KNOW))
# Where people who kept an old address are led to: the page and, on Answer, the tab.
MOVED = {
    "answer": (ANSWER, None),
    "fit": (ANSWER, None),
    "quality": (ANSWER, "Quality"),
    "cost": (ANSWER, "Cost"),
    "what-runs-here": (MODELS, None),
    "what-to-buy": (MACHINES, None),
    "share": (REPORT, None),
    "rules-of-thumb": (KNOW, None),
    "article": (KNOW, "The article's claims, tested"),
}


def row(current: str, query: str, person: str = "") -> str:
    """The links as HTML; `current` is the page that is open, `person` the HTML of who is logged in."""
    groups = (
        "<span class='places'>" + "".join(_link(page, page == current, query) for page in group) + "</span>"
        for group in _GROUPS
    )
    return f'<nav class="navigation" aria-label="Pages"><b>LLM Fit Advisor</b>{"".join(groups)}{person}</nav>'


def _link(page: str, is_open: bool, query: str) -> str:
    here = ' aria-current="page"' if is_open else ""
    href = escape(question_href(query, page), quote=True)
    return f'<a data-go="1" target="_self"{here} href="{href}">{escape(TITLES[page])}</a>'
