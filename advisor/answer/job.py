"""A job of the search: one level of one setup, planned when it is worth it."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.answer.option import Option
from advisor.answer.setups import Setup
from advisor.answer.utility import Kept, Traits
from advisor.formats.level_id import LevelId


@dataclass(eq=False)
class Job:
    """One level of one setup, planned when it is worth it. `level` None: the setup's file as it is.

    `whole` is the same with its KV cache as the model computes with it, where this one's is smaller; `after` counts the
    setup's levels that are smaller for certain.
    """

    setup: Setup
    level: LevelId | None
    kept: Kept
    traits: Traits
    after: int = 0
    whole: Job | None = None
    option: Option | None = None
    planned: bool = False
    exact: bool = False
