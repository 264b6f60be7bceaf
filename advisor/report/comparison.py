"""Questions side by side: the same rows for each, what differs, and which has the best of each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate, task_name
from advisor.answer.plans import runtime_name
from advisor.answer.policy import NOTICEABLE, VISIBLE_POINTS
from advisor.answer.reasons import reasons
from advisor.answer.status import STATUSES
from advisor.answer.verdict import leading
from advisor.costs.options import Option as Way
from advisor.foundation.errors import InputError
from advisor.foundation.numbers import exact, money, rough, span
from advisor.foundation.ranges import Range
from advisor.foundation.units import gb, gib
from advisor.quality.scale import compared
from advisor.question.question import Question
from advisor.question.requirements import Requirements
from advisor.words import say

MOST_COMPARED = 4
LETTERS = "ABCD"
GROUPS = ("Question", "Decision", "Quality", "Speed", "Memory", "Money")
NONE = "–"

# What is no better for a reader: figures that are the same, or differ by less than is noticed.
Alike = Literal["equal", "points", "tenth"]


@dataclass(frozen=True, slots=True)
class Cell:
    """What is shown of one question; `worth` ranks it within its row (more is better; None: not ranked)."""

    text: str
    worth: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One fact of all questions, in their order. `mark` is the word for the best of them: "fastest"."""

    group: str
    name: str
    cells: tuple[Cell, ...]
    mark: str = ""
    alike: Alike = "equal"

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(cell.text for cell in self.cells)

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1

    @property
    def best(self) -> frozenset[int]:
        """The places of the best; of none where all that are known are alike."""
        known = {place: cell.worth for place, cell in enumerate(self.cells) if cell.worth is not None}
        if len(known) < 2:
            return frozenset()
        least = self._least(max(known.values()))
        found = frozenset(place for place, worth in known.items() if worth >= least)
        return found if len(found) < len(known) else frozenset()

    def _least(self, best: float) -> float:
        if self.alike == "points":
            return best - VISIBLE_POINTS
        if self.alike == "tenth":  # costs and waits are negative here
            return best / NOTICEABLE if best > 0 else best * NOTICEABLE
        return best


def question_of_link(text: str) -> Question:
    """The question of a whole link or of its query alone; raises InputError in one sentence."""
    text = text.strip()
    query = text
    if "?" in text or "://" in text:
        try:
            query = urlsplit(text).query
        except ValueError:
            raise InputError("This is not a link of this page.") from None
        if not query:
            raise InputError("This link holds no question: after the ? it names model and machine.")
    return Question.from_query(query)


def compare(answers: Sequence[Answer], letters: str = LETTERS) -> tuple[Row, ...]:
    """The facts of up to `MOST_COMPARED` answers, called by `letters`; raises InputError for more."""
    if len(answers) > MOST_COMPARED:
        raise InputError(f"{len(answers)} questions are too many to compare: at most {MOST_COMPARED}.")
    if not answers:
        return ()
    rows = (*_asked(answers), *_decided(answers), *_quality(answers, letters), *_figures(answers))
    return tuple(row for row in rows if any(cell.text != NONE for cell in row.cells))


def _row(group: str, name: str, values: Sequence[str]) -> Row:
    return Row(group, name, tuple(Cell(value) for value in values))


def _asked(answers: Sequence[Answer]) -> tuple[Row, ...]:
    questions = [one.question for one in answers]
    group = GROUPS[0]
    return (
        _row(group, "Model", [one.entry.name for one in answers]),
        _row(group, "Machine", [one.machine_name for one in answers]),
        _row(group, "Context per user", [f"{one.workload.context:,} tokens" for one in questions]),
        _row(group, "Users", [f"{one.workload.users:,}" for one in questions]),
        _row(group, "Goal", [one.requirements.goal.replace("-", " ") for one in questions]),
        _row(
            group,
            "Required",
            [_requirements(one.requirements, one.costs.billing.currency) for one in questions],
        ),
        _row(group, "Licence", [one.entry.license or "not stated" for one in answers]),
    )


def _decided(answers: Sequence[Answer]) -> tuple[Row, ...]:
    group, instead = GROUPS[1], [leading(one) for one in answers]
    status = tuple(Cell(one.status, float(-STATUSES.index(one.status))) for one in answers)
    return (
        Row(group, "Status", status, "best"),
        _row(group, "Level", ["nothing meets it" if one.chosen is None else one.chosen.level for one in answers]),
        _row(group, "Engine", [runtime_name(one.runtime) for one in answers]),
        _row(
            group,
            "What is in the way",
            [NONE if one.chosen is not None else say(reasons(one)[0], "page") for one in answers],
        ),
        _row(
            group,
            "Run instead",
            [NONE if one is None else f"{one.entry.name} as {one.found.shown.level}" for one in instead],
        ),
    )


def _quality(answers: Sequence[Answer], letters: str) -> tuple[Row, ...]:
    task = answers[0].question.requirements.task
    kept = tuple(_kept(one.chosen, one.question.requirements.task) for one in answers)
    rows = [Row(GROUPS[2], "Quality kept", kept, "keeps most", "points")]
    if len(answers) > 1 and all(one.question.requirements.task == task for one in answers):
        name = f"The model itself, at {say(task_name(task))}"
        able = tuple(_able(answers, place, letters, task) for place in range(len(answers)))
        rows.append(Row(GROUPS[2], name, able, "none more able"))
    return tuple(rows)


def _kept(chosen: Candidate | None, task: str) -> Cell:
    if chosen is None or chosen.kept is None:
        return Cell(NONE)
    kept = chosen.kept
    said = f"{min(kept.typical, 100):.1f} % at {say(task_name(task))} ({kept.low:.0f} to {min(kept.high, 100):.0f})"
    return Cell(said, kept.typical)


_STANDING = {"better": "better than", "worse": "weaker than", "comparable": "about as able as"}


def _able(answers: Sequence[Answer], place: int, letters: str, task: str) -> Cell:
    """How the original stands to the other models, where published scores make that likely enough to say."""
    own = answers[place].entry.id
    found: dict[str, list[str]] = {}
    for other, letter in zip(answers, letters, strict=False):
        if other.entry.id != own:
            found.setdefault(compared(own, other.entry.id, task), []).append(letter)
    said = (f"{words} {_list(found[standing])}" for standing, words in _STANDING.items() if standing in found)
    return Cell("; ".join(said) or NONE, None if not found or "unknown" in found else -float("worse" in found))


def _list(letters: Sequence[str]) -> str:
    *first, last = letters
    return f"{', '.join(first)} and {last}" if first else last


def _figures(answers: Sequence[Answer]) -> tuple[Row, ...]:
    chosen = [one.chosen for one in answers]
    plans = [None if one is None else one.plan for one in chosen]
    costs = [None if one is None else one.costs for one in chosen]
    decode = [None if one is None else one.tokens_per_s for one in chosen]
    inputs = [None if one is None else one.inputs_per_s for one in chosen]
    first = [None if one is None or one.speed is None else one.speed.time_to_first_token_s for one in chosen]
    own = [None if one is None else one.own for one in costs]
    rent = [None if one is None else one.rent for one in costs]
    api = [None if one is None else one.api for one in costs]
    return (
        _span_row("Tokens/s for each user", decode, "fastest"),
        _span_row("Inputs a second", inputs, "fastest"),
        _span_row("First token after", first, "soonest", " s", -1),
        _sized("File", [None if one is None else one.sized.file_bytes for one in plans], gb, "smallest", -1),
        _sized("Memory needed", [None if one is None else one.needed_bytes for one in plans], gib, "least", -1),
        _sized("Free", [None if one is None else one.free_bytes for one in plans], gib),
        _sized("Longest context", [None if one is None else one.max_context for one in plans], _tokens, "longest", 1),
        _paid("Own, a month", own, answers),
        _upfront("Own, to buy", own, answers),
        _paid("Rent, a month", rent, answers),
        _paid("API, a month", api, answers),
    )


def _tokens(count: float) -> str:
    return f"{count:,.0f} tokens"


def _span_row(name: str, ranges: Sequence[Range | None], mark: str, unit: str = "", sign: int = 1) -> Row:
    cells = (
        Cell(NONE) if one is None else Cell(f"{rough(one.typical)}{unit} ({span(one, rough)})", sign * one.typical)
        for one in ranges
    )
    return Row(GROUPS[3], name, tuple(cells), mark, "tenth")


def _sized(
    name: str, sizes: Sequence[int | None], write: Callable[[float], str], mark: str = "", sign: int | None = None
) -> Row:
    cells = (Cell(NONE) if not one else Cell(write(one), None if sign is None else sign * float(one)) for one in sizes)
    return Row(GROUPS[4], name, tuple(cells), mark)


def _paid(name: str, ways: Sequence[Way | None], answers: Sequence[Answer]) -> Row:
    """A month's bill; of questions in different currencies none is the cheapest."""
    currencies = [one.question.costs.billing.currency for one in answers]
    ranked = len(set(currencies)) == 1
    cells = []
    for way, currency in zip(ways, currencies, strict=True):
        if way is None:
            cells.append(Cell(NONE))
            continue
        between = span(way.monthly, money)
        said = f"{money(way.monthly.typical)} {currency}"
        said += f" ({between})" if " to " in between else ""
        cells.append(Cell(said, -float(way.monthly.typical) if ranked else None))
    return Row(GROUPS[5], name, tuple(cells), "cheapest", "tenth")


def _upfront(name: str, ways: Sequence[Way | None], answers: Sequence[Answer]) -> Row:
    currencies = [one.question.costs.billing.currency for one in answers]
    ranked = len(set(currencies)) == 1
    cells = (
        Cell(NONE) if way is None else Cell(f"{money(way.upfront)} {currency}", -float(way.upfront) if ranked else None)
        for way, currency in zip(ways, currencies, strict=True)
    )
    return Row(GROUPS[5], name, tuple(cells), "cheapest", "tenth")


def _requirements(required: Requirements, currency: str) -> str:
    asked = []
    if required.least_percent is not None:
        asked.append(f"{say(required.quality_asked)} at {say(task_name(required.task))}")
    if required.min_tokens_per_s is not None:
        asked.append(f"{exact(required.min_tokens_per_s)} tokens/s")
    if required.max_first_token_s is not None:
        asked.append(f"first token within {exact(required.max_first_token_s)} s")
    if required.max_cost_per_month is not None:
        asked.append(f"at most {required.max_cost_per_month:,.0f} {currency} a month")
    asked += ["commercial use"] * required.commercial + ["own hardware"] * required.own_hardware
    return "; ".join(asked) or "nothing"
