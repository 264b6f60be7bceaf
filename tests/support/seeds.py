"""The seed of what is drawn at random: a new one for every change, the same for everybody who tries that change."""

from __future__ import annotations

import os
import random
import subprocess
from functools import cache
from pathlib import Path


@cache
def seed() -> str:
    """`SWEEP_SEED`; else from the committed tree, so that a change that passed here passes on another machine too.

    Outside a repository any number.
    """
    given = os.environ.get("SWEEP_SEED")
    if given:
        return given
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD^{tree}"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    tree = asked.stdout.strip()
    return str(int(tree, 16) % 10**6 if asked.returncode == 0 else random.SystemRandom().randrange(10**6))
