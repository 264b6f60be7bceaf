"""The two environment variables that any part asks for again and again, and a process of one answer at all.

Both may hold anything, so they are read as they are; `advisor/foundation/environment.py` has all others, what each must
be, and what these two do.
"""

from __future__ import annotations

import os

CACHE = "LLM_FIT_ADVISOR_CACHE"
LANGUAGE = "LLM_FIT_ADVISOR_LANGUAGE"


def cache_setting() -> str | None:
    """The folder for what can be read again: "" where nothing is to be kept on disk, None where nobody says."""
    given = os.environ.get(CACHE)
    return None if given is None else given.strip()


def language_setting() -> str:
    """The language that the variables ask for, "" where they ask for none."""
    return os.environ.get(LANGUAGE, "").strip()
