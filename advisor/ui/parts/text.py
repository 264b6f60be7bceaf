"""Words and signs that the pages share."""

from __future__ import annotations

import re

from advisor.answer.status import Status
from advisor.foundation.message import fact
from advisor.sizing.plan import Verdict
from advisor.ui.legend import SIGNS, STATUS_COLOURS, STATUS_SIGNS
from advisor.words import say
from advisor.words.keys import labelled

# A word always stands beside the sign: colour and shape alone say nothing to many people.
COLOURS: dict[Verdict, str] = {"fits": "green", "fits with offload": "blue", "tight": "orange", "does not fit": "red"}


def verdict_words(verdict: Verdict) -> str:
    """The verdict with its sign: "✔ fits"."""
    return f"{SIGNS[verdict]} {verdict}"


def status_words(status: Status) -> str:
    """The status with its sign: "✔ good"."""
    return f"{STATUS_SIGNS[status]} {status}"


def status_mark(status: Status) -> str:
    """The same in its colour, as Markdown."""
    return f":{STATUS_COLOURS[status]}[{status_words(status)}]"


def plain(text: str) -> str:
    """`text` so that Streamlit's Markdown shows it letter by letter, on one line, whatever a link put into it.

    Keys of the question, which sentences of the engine name, become the labels of their inputs.
    """
    return refusal(labelled(text))


def refusal(text: str) -> str:
    """The same for what went wrong with a question, whose keys stand in the link or text that somebody has to mend."""
    one_line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    # Word joiners keep addresses from turning into links, which escaping alone does not.
    unlinked = re.sub(r"(?i)(www|https?|mailto|xmpp)(?=[.:])|@", "\\g<0>\u2060", one_line)
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", unlinked)


def small(text: str) -> str:
    """Markdown for a smaller line. Streamlit's own captions are too pale to read on white."""
    return f":small[{text}]"


def tokens(count: int) -> str:
    """A context length as people read it: "8,192 tokens"."""
    return say(fact("tokens", n=count))


def users(count: int) -> str:
    return say(fact("users", n=count))
