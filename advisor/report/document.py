"""What a report says, as plain data: filled from an answer, drawn by advisor.report.pdf or kept in a snapshot.

Whatever is only read is a string, ready to be shown with its unit; whatever a chart draws is a number in the unit its
name says. An empty tuple or None leaves a section out: the report never shows a figure that nobody computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from advisor.foundation.errors import InputError
from advisor.foundation.ranges import Range
from advisor.report.brief import Brief

TITLE_CHARACTERS = 200
NAME_CHARACTERS = 120
NOTE_CHARACTERS = 2000
CHART_BARS = 9  # of the memory chart: with more, the first two pages become three
FEWEST_BARS = 5  # of it where notes, names or lists are long

Tone = Literal["good", "tight", "bad"]


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture that `advisor.report.logo.checked_logo` has let through."""

    data: bytes
    kind: Literal["png", "svg"]


@dataclass(frozen=True, slots=True)
class Cover:
    """What the user puts on a report, as text and never as markup; InputError where it is too long."""

    title: str = ""
    company: str = ""
    prepared_for: str = ""
    note: str = ""
    logo: Logo | None = None

    def __post_init__(self) -> None:
        for what, text, most in (
            ("title", self.title, TITLE_CHARACTERS),
            ("company", self.company, NAME_CHARACTERS),
            ("'prepared for'", self.prepared_for, NAME_CHARACTERS),
            ("note", self.note, NOTE_CHARACTERS),
        ):
            if len(text) > most:
                raise InputError(
                    "{what}: {count:,} characters, of which at most {most:,} are kept.",
                    what=what,
                    count=len(text),
                    most=most,
                )


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and its value: "File size", "42.5 GB (39.6 GiB)", and where the value comes from or what it means."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class MemoryBar:
    """What a level takes of the fullest device, in GiB."""

    level: str
    weights_gib: float
    kv_cache_gib: float
    compute_gib: float
    overhead_gib: float
    verdict: str  # in words: "fits"
    tone: Tone
    note: str = ""  # why it is shown: "chosen"

    @property
    def total_gib(self) -> float:
        return self.weights_gib + self.kv_cache_gib + self.compute_gib + self.overhead_gib


@dataclass(frozen=True, slots=True)
class MemoryChart:
    """Memory by level, largest first. `where` is the device the bars belong to: "on one RTX 4090"."""

    where: str
    bars: tuple[MemoryBar, ...]
    capacity_gib: float | None
    margin_percent: float
    recommended: str | None


@dataclass(frozen=True, slots=True)
class QualityRow:
    """What is kept of the unquantized model's quality at a task, in per cent of its score, and what that rests on."""

    task: str
    kept_percent: Range
    basis: str
    required_percent: float | None = None


@dataclass(frozen=True, slots=True)
class SpeedRow:
    """A speed with its range, in `unit`, and what it rests on."""

    what: str
    speed: Range
    unit: str
    basis: str


@dataclass(frozen=True, slots=True)
class CostOption:
    """One way to pay: "Buy one RTX 4090". Money in the chart's currency."""

    name: str
    upfront: float
    monthly: Range
    per_million_tokens: Range | None
    basis: str
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class CostLine:
    """What an option has cost in total after 0, 1, 2 ... months."""

    name: str
    cumulative: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The month after which one option has cost less than another; `label` says it in words."""

    month: float
    cost: float
    label: str


@dataclass(frozen=True, slots=True)
class Costs:
    """Options, their totals over time, and where they cross. `note` says which prices and which use they assume."""

    currency: str
    options: tuple[CostOption, ...]
    lines: tuple[CostLine, ...] = ()
    break_evens: tuple[BreakEven, ...] = ()
    note: str = ""
    tokens_per_month: float | None = None  # planned
    own_beats_api_from: float | None = None  # tokens a month; None: never, or not known


@dataclass(frozen=True, slots=True)
class ChoiceCard:
    """A way to run it: the plan that is decided for, or what stands beside it, with what it gains over that."""

    role: str  # "Chosen", "Better quality"
    name: str  # a level, of another model with its name
    status: str
    tone: Tone
    figures: tuple[Fact, ...] = ()
    gain: str = ""


@dataclass(frozen=True, slots=True)
class Gloss:
    word: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text, one tuple a row; columns in `right_aligned` hold figures."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right_aligned: tuple[int, ...] = ()
    highlighted: int | None = None  # row

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("every row needs a cell for every column")


@dataclass(frozen=True, slots=True)
class Command:
    """A command line and what it is for."""

    purpose: str
    line: str


@dataclass(frozen=True, slots=True)
class SourceRow:
    """Where a figure comes from: what it is, the source (often an address), and from when it is."""

    what: str
    source: str
    as_of: str


@dataclass(frozen=True, slots=True)
class Appendix:
    """What a reader needs to check and to repeat the answer."""

    levels: Table | None = None
    assumptions: tuple[Fact, ...] = ()
    sources: tuple[SourceRow, ...] = ()
    commands: tuple[Command, ...] = ()
    reproduce: str = ""  # the command that makes this report again
    link: str = ""  # the live question; drawn as a QR code too
    data_release: str = ""
    app_version: str = ""
    how_right: tuple[str, ...] = ()  # how the engine's figures compare with what others printed or measured


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """A whole report. `subject` names model and machine, and is the title where the cover has none.

    `generated_at` is aware; it is the document's only clock, so equal documents give equal bytes.

    `brief` is the first page; reports that were kept before there was one have None. What follows is about the plan of
    the model that was asked for, which `about` says where the first page names another. `cards` are that plan and what
    stands beside it, `what_matters` the assumptions that the comparison of money hangs on, `not_included` what no price
    has in it.
    """

    cover: Cover
    subject: str
    verdict: str  # one sentence
    tone: Tone
    generated_at: datetime
    key_figures: tuple[Fact, ...] = ()  # up to four stand in one row
    model: tuple[Fact, ...] = ()
    machine: tuple[Fact, ...] = ()
    memory: MemoryChart | None = None
    quality: tuple[QualityRow, ...] = ()
    speed: tuple[SpeedRow, ...] = ()
    costs: Costs | None = None
    why: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    what_would_flip: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    glossary: tuple[Gloss, ...] = ()
    appendix: Appendix = Appendix()
    language: str = "en"  # that all of it is written in, as links name it
    brief: Brief | None = None
    about: str = ""
    cards: tuple[ChoiceCard, ...] = ()
    start: tuple[Command, ...] = ()
    what_matters: Table | None = None
    not_included: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.generated_at.tzinfo is None:
            raise ValueError("generated_at needs a time zone")

    @property
    def title(self) -> str:
        return self.cover.title.strip() or self.subject


def chart_bars(bars: tuple[MemoryBar, ...], recommended: str | None, most: int = CHART_BARS) -> tuple[MemoryBar, ...]:
    """The bars around the recommended one (or the last ones, the smallest, where nothing fits), at most `most`."""
    if len(bars) <= most:
        return bars
    place = next((i for i, bar in enumerate(bars) if bar.level == recommended), len(bars) - 1)
    first = min(max(0, place - most // 2), len(bars) - most)
    return bars[first : first + most]
