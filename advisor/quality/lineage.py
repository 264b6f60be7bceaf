"""Which models are kin: the same pretrained network before and after instruction tuning."""

from __future__ import annotations

import re
from functools import lru_cache

# Parts of a name that tell versions of one network apart, not networks.
_TUNING = re.compile(
    r"-(base|pt|instruct|chat|it|hf|thinking|reasoning|plus|zephyr|think|v0\.\d|preview|\d{4})(?=-|$)", re.IGNORECASE
)
_MAKER = re.compile(r"^(meta-|nvidia-)", re.IGNORECASE)


@lru_cache(4096)
def slug(name: str) -> str:
    """`meta-llama/Meta-Llama-3-8B-Instruct` becomes `llama-3-8b-instruct`, as catalogue ids are spelled."""
    last = name.rsplit("/", 1)[-1].strip().lower()
    return _MAKER.sub("", re.sub(r"[\s_]+", "-", last))


@lru_cache(4096)
def lineage(name: str) -> str:
    """The network behind a name, without words for tuning and dates: `llama-3-8b`."""
    return _TUNING.sub("", slug(name))
