"""The first page of a report as plain data: strings ready to be shown, on paper, on the page and in a preview alike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the first page: "A month", "60 USD", "33 to 104 USD", what it means, how sure it is, and of when.

    `key` names it for whoever looks for one: upfront, month, total, running; quality, speed, first_token, users,
    inputs. What is not known, or makes no sense for it, is "".
    """

    key: str
    label: str
    value: str
    between: str = ""
    words: str = ""
    confidence: str = ""
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Ways:
    """Owning, renting and an API side by side: `columns` are their names, a row is its label and a cell for each."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    chosen: int | None = None  # column

    def __post_init__(self) -> None:
        if any(len(row) != 1 + len(self.columns) for row in self.rows):
            raise ValueError("every row needs its label and a cell for every column")


@dataclass(frozen=True, slots=True)
class Brief:
    """The first page, from which alone can be decided.

    `decision` is one sentence: what to do, and why own, rent or API; `beside` is the plan in a sentence, where the
    decision leaves that to be said. `sure` says how sure that is, `load` what use the money is for, `money` and `gets`
    are figures of the way it names.
    `changes` are what would change it, `look_again` when it should be asked anew.
    """

    decision: str
    beside: str = ""
    sure: tuple[str, ...] = ()
    load: str = ""
    money: tuple[Figure, ...] = ()
    gets: tuple[Figure, ...] = ()
    ways: Ways | None = None
    changes: tuple[str, ...] = ()
    look_again: str = ""

    def figure(self, key: str) -> Figure | None:
        """A figure by its key, where there is one."""
        return next((one for one in (*self.money, *self.gets) if one.key == key), None)
