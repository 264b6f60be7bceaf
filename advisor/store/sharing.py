"""Who may read a frozen recommendation: its maker, everybody who logs in, or whoever has its link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Visibility = Literal["private", "company", "link"]
VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)


@dataclass(frozen=True, slots=True)
class Sharing:
    """How something is frozen. `maker` is how its operator sees who did it, "" where nobody logs in."""

    visibility: Visibility = "link"
    maker: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who opens a link. `owner_hash` is of whom they logged in as, "" of nobody; `by_link`: a link alone is enough."""

    owner_hash: str = ""
    by_link: bool = True

    def may_read(self, visibility: str, owner_hash: str) -> bool:
        """What is private or for the company is nobody's who did not log in."""
        match visibility:
            case "link":
                return self.by_link or bool(self.owner_hash)
            case "company":
                return bool(self.owner_hash)
            case "private":
                return bool(self.owner_hash) and self.owner_hash == owner_hash
            case _:
                return False


BY_LINK = Sharing()
ANYBODY = Reader()
