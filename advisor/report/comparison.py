"""Questions side by side: the same rows for each, what differs, and which has the best of each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.plans import runtime_name
from advisor.answer.policy import NOTICEABLE, VISIBLE_POINTS
from advisor.answer.reasons import reasons
from advisor.answer.recommendation import recommendation
from advisor.answer.status import STATUSES
from advisor.answer.verdict import leading
from advisor.costs.options import Option as Way
from advisor.foundation.errors import InputError
from advisor.foundation.ranges import Range
from advisor.quality.scale import compared
from advisor.quality.tasks import task_name
from advisor.question.question import Question
from advisor.question.requirements import Requirements
from advisor.report.named import status_inside
from advisor.words import say, to_tell, told
from advisor.words.written import amount, gb, gib, money, number, rough, span

MOST_COMPARED = 4
LETTERS = "ABCD"
GROUPS = (
    to_tell("Question"),
    to_tell("Decision"),
    to_tell("Quality"),
    to_tell("Speed"),
    to_tell("Memory"),
    to_tell("Money"),
)
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
        raise InputError(
            "{count} questions are too many to compare: at most {most_compared}.",
            count=len(answers),
            most_compared=MOST_COMPARED,
        )
    if not answers:
        return ()
    rows = (*_asked(answers), *_decided(answers), *_quality(answers, letters), *_figures(answers))
    return tuple(row for row in rows if any(cell.text != NONE for cell in row.cells))


def _row(group: str, name: str, values: Sequence[str]) -> Row:
    return Row(group, name, tuple(Cell(value) for value in values))


def _asked(answers: Sequence[Answer]) -> tuple[Row, ...]:
    questions = [one.question for one in answers]
    group = told(GROUPS[0])
    return (
        _row(group, told("Model"), [told("{model}", model=one.entry.name) for one in answers]),
        _row(group, told("Machine"), [one.machine_name for one in answers]),
        _row(
            group,
            told("Context per user"),
            [told("{context:,} tokens", context=one.workload.context) for one in questions],
        ),
        _row(group, told("Users"), [number(one.workload.users, ",") for one in questions]),
        _row(
            group,
            told("Goal"),
            [told("{goal:table}", goal=one.requirements.goal.replace("-", " ")) for one in questions],
        ),
        _row(
            group,
            told("Required"),
            [_requirements(one.requirements, one.costs.billing.currency) for one in questions],
        ),
        _row(group, told("Licence"), [one.entry.license or told("not stated") for one in answers]),
    )


def _decided(answers: Sequence[Answer]) -> tuple[Row, ...]:
    group, instead = told(GROUPS[1]), [leading(one) for one in answers]
    status = tuple(Cell(status_inside(one.status), float(-STATUSES.index(one.status))) for one in answers)
    return (
        _row(group, told("What to do"), [say(recommendation(one).decision, "page") for one in answers]),
        Row(group, told("Status"), status, told("best")),
        _row(
            group,
            told("Level"),
            [told("nothing meets it") if one.chosen is None else one.chosen.level for one in answers],
        ),
        _row(group, told("Engine"), [runtime_name(one.runtime) for one in answers]),
        _row(
            group,
            told("What is in the way"),
            [NONE if one.chosen is not None else say(reasons(one)[0], "page") for one in answers],
        ),
        _row(
            group,
            told("Run instead"),
            [
                NONE if one is None else told("{entry} as {level}", entry=one.entry.name, level=one.found.shown.level)
                for one in instead
            ],
        ),
    )


def _quality(answers: Sequence[Answer], letters: str) -> tuple[Row, ...]:
    task = answers[0].question.requirements.task
    kept = tuple(_kept(one.chosen, one.question.requirements.task) for one in answers)
    rows = [Row(told(GROUPS[2]), told("Quality kept"), kept, told("keeps most"), "points")]
    if len(answers) > 1 and all(one.question.requirements.task == task for one in answers):
        name = told("The model itself, at {task}", task=say(task_name(task)))
        able = tuple(_able(answers, place, letters, task) for place in range(len(answers)))
        rows.append(Row(told(GROUPS[2]), name, able, told("none more able")))
    return tuple(rows)


def _kept(chosen: Candidate | None, task: str) -> Cell:
    if chosen is None or chosen.kept is None:
        return Cell(NONE)
    kept = chosen.kept
    said = told(
        "{typical:.1f} % at {task} ({low:.0f} to {high:.0f})",
        typical=min(kept.typical, 100),
        task=say(task_name(task)),
        low=kept.low,
        high=min(kept.high, 100),
    )
    return Cell(said, kept.typical)


_STANDING = {
    "better": to_tell("better than"),
    "worse": to_tell("weaker than"),
    "comparable": to_tell("about as able as"),
}


def _able(answers: Sequence[Answer], place: int, letters: str, task: str) -> Cell:
    """How the original stands to the other models, where published scores make that likely enough to say."""
    own = answers[place].entry.id
    found: dict[str, list[str]] = {}
    for other, letter in zip(answers, letters, strict=False):
        if other.entry.id != own:
            found.setdefault(compared(own, other.entry.id, task), []).append(letter)
    said = (f"{told(words)} {_list(found[standing])}" for standing, words in _STANDING.items() if standing in found)
    return Cell("; ".join(said) or NONE, None if not found or "unknown" in found else -float("worse" in found))


def _list(letters: Sequence[str]) -> str:
    *first, last = letters
    return told("{first} and {last}", first=", ".join(first), last=last) if first else last


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
        _span_row(told("Tokens/s for each user"), decode, told("fastest")),
        _span_row(told("Inputs a second"), inputs, told("fastest")),
        _span_row(told("First token after"), first, told("soonest"), " s", -1),
        _sized(
            told("File"), [None if one is None else one.sized.file_bytes for one in plans], gb, told("smallest"), -1
        ),
        _sized(
            told("Memory needed"), [None if one is None else one.needed_bytes for one in plans], gib, told("least"), -1
        ),
        _sized(told("Free"), [None if one is None else one.free_bytes for one in plans], gib),
        _sized(
            told("Longest context"),
            [None if one is None else one.max_context for one in plans],
            _tokens,
            told("longest"),
            1,
        ),
        _paid(told("Own, a month"), own, answers),
        _upfront(told("Own, to buy"), own, answers),
        _paid(told("Rent, a month"), rent, answers),
        _paid(told("API, a month"), api, answers),
    )


def _tokens(count: float) -> str:
    return told("{count:,.0f} tokens", count=count)


def _span_row(name: str, ranges: Sequence[Range | None], mark: str, unit: str = "", sign: int = 1) -> Row:
    cells = (
        Cell(NONE) if one is None else Cell(f"{rough(one.typical)}{unit} ({span(one, rough)})", sign * one.typical)
        for one in ranges
    )
    return Row(told(GROUPS[3]), name, tuple(cells), mark, "tenth")


def _sized(
    name: str, sizes: Sequence[int | None], write: Callable[[float], str], mark: str = "", sign: int | None = None
) -> Row:
    cells = (Cell(NONE) if not one else Cell(write(one), None if sign is None else sign * float(one)) for one in sizes)
    return Row(told(GROUPS[4]), name, tuple(cells), mark)


def _paid(name: str, ways: Sequence[Way | None], answers: Sequence[Answer]) -> Row:
    """A month's bill; of questions in different currencies none is the cheapest."""
    currencies = [one.question.costs.billing.currency for one in answers]
    ranked = len(set(currencies)) == 1
    cells = []
    for way, currency in zip(ways, currencies, strict=True):
        if way is None:
            cells.append(Cell(NONE))
            continue
        low, high = money(way.monthly.low), money(way.monthly.high)
        said = amount(money(way.monthly.typical), currency)
        said += f" ({span(way.monthly, money)})" if low != high else ""
        cells.append(Cell(said, -float(way.monthly.typical) if ranked else None))
    return Row(told(GROUPS[5]), name, tuple(cells), told("cheapest"), "tenth")


def _upfront(name: str, ways: Sequence[Way | None], answers: Sequence[Answer]) -> Row:
    currencies = [one.question.costs.billing.currency for one in answers]
    ranked = len(set(currencies)) == 1
    cells = (
        Cell(NONE)
        if way is None
        else Cell(amount(money(way.upfront), currency), -float(way.upfront) if ranked else None)
        for way, currency in zip(ways, currencies, strict=True)
    )
    return Row(told(GROUPS[5]), name, tuple(cells), told("cheapest"), "tenth")


def _requirements(required: Requirements, currency: str) -> str:
    asked = []
    if required.least_percent is not None:
        quality, task = say(required.quality_asked), say(task_name(required.task))
        asked.append(told("{quality} at {task}", quality=quality, task=task))
    if required.min_tokens_per_s is not None:
        asked.append(told("{min_tokens_per_s:exact} tokens/s", min_tokens_per_s=required.min_tokens_per_s))
    if required.max_first_token_s is not None:
        asked.append(told("first token within {seconds:exact} s", seconds=required.max_first_token_s))
    if required.max_cost_per_month is not None:
        asked.append(
            told(
                "at most {max_cost_per_month:,.0f} {currency} a month",
                max_cost_per_month=required.max_cost_per_month,
                currency=currency,
            )
        )
    asked += [told("commercial use")] * required.commercial + [told("own hardware")] * required.own_hardware
    return "; ".join(asked) or told("nothing")
