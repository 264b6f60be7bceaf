"""Sentences that name keys of the question where a page shows them: errors, and what data and repositories say.

Scripts and the command line need the keys: "give host_price". On a page a key becomes the label of its input.
"""

from __future__ import annotations

import re

from advisor.question.question import FIELDS
from advisor.words import label

_KEYS = tuple(sorted(FIELDS, key=len, reverse=True))
# "region=any", but not what stands in a link.
_SET = re.compile(rf"(?<![?&\w])({'|'.join(_KEYS)})=([^\s&=]+)(?![&=])")
_NAMED = re.compile(rf"\b(?:{'|'.join(key for key in _KEYS if '_' in key)})\b")


def labelled(sentence: str) -> str:
    """A sentence for the page: "give “The computer around it”", "“Where to rent” = any"."""
    said = _SET.sub(lambda found: f"“{label(found[1])}” = {found[2]}", sentence)
    return _NAMED.sub(lambda found: f"“{label(found[0])}”", said)
