"""What would be different today: a frozen report against a fresh one about the same question."""

from __future__ import annotations

from advisor.foundation.numbers import approx, money
from advisor.foundation.units import format_count
from advisor.report.document import Costs, ReportDocument
from advisor.report.drawing import number

_SPEED_STEP = 0.02  # of the old value; a smaller change is no news
_QUALITY_STEP = 0.1  # percentage points
_MONEY_STEP = 0.01  # of the old value


def changes(then: ReportDocument, now: ReportDocument) -> tuple[str, ...]:
    """One sentence for each difference, the gravest first; empty where nothing a reader would notice changed."""
    return (
        *_level(then, now),
        *_fit(then, now),
        *_quality(then, now),
        *_speed(then, now),
        *_costs(then.costs, now.costs),
        *_advice(then, now),
    )


def _level(then: ReportDocument, now: ReportDocument) -> list[str]:
    before, after = _recommended(then), _recommended(now)
    if before == after:
        return []
    if after is None:
        return [f"Today nothing is recommended; it was {before}. {now.verdict}"]
    return [f"Today {after} is recommended; {'nothing was' if before is None else f'it was {before}'}."]


def _recommended(document: ReportDocument) -> str | None:
    return None if document.memory is None else document.memory.recommended


def _fit(then: ReportDocument, now: ReportDocument) -> list[str]:
    """What changed about the levels that both show; memory by a tenth of a GiB."""
    if then.memory is None or now.memory is None:
        return []
    today = {bar.level: bar for bar in now.memory.bars}
    found = []
    for bar in then.memory.bars:
        new = today.get(bar.level)
        if new is None:
            continue
        if new.verdict != bar.verdict:
            found.append(f"{bar.level}: today the verdict is '{new.verdict}'; it was '{bar.verdict}'.")
        elif bar.level == then.memory.recommended and abs(new.total_gib - bar.total_gib) >= 0.1:
            needs = f"{number(new.total_gib, 1)} GiB"
            found.append(f"Memory: {bar.level} needs {needs} today; it was {number(bar.total_gib, 1)} GiB.")
    before, after = then.memory.capacity_gib, now.memory.capacity_gib
    if before is not None and after is not None and abs(before - after) >= 0.05:
        found.append(f"The machine counts with {number(after, 1)} GiB today; it was {number(before, 1)} GiB.")
    return found


def _quality(then: ReportDocument, now: ReportDocument) -> list[str]:
    today = {row.task: row.kept_percent.typical for row in now.quality}
    return [
        f"Quality, {row.task}: {number(today[row.task], 1)} % today; it was {number(row.kept_percent.typical, 1)} %."
        for row in then.quality
        if row.task in today and abs(today[row.task] - row.kept_percent.typical) >= _QUALITY_STEP
    ]


def _speed(then: ReportDocument, now: ReportDocument) -> list[str]:
    today = {row.what: row.speed.typical for row in now.speed}
    return [
        f"{row.what}: {approx(today[row.what])} {row.unit} today; it was {approx(row.speed.typical)}."
        for row in then.speed
        if row.what in today and _moved(row.speed.typical, today[row.what], _SPEED_STEP)
    ]


def _costs(then: Costs | None, now: Costs | None) -> list[str]:
    if then is None or now is None:
        if then is now:
            return []
        return ["Costs are known today; they were not." if then is None else "No costs are known today; they were."]
    before, after = _monthly(then), _monthly(now)
    found = [
        f"{way}: {money(after[way])} {now.currency} a month today; it was {money(paid)}."
        for way, paid in before.items()
        if way in after and _moved(paid, after[way], _MONEY_STEP)
    ]
    found += [f"{way}: no price is known today." for way in before if way not in after]
    found += [
        f"{way}: {money(after[way])} {now.currency} a month today; no price was known."
        for way in after
        if way not in before
    ]
    cheapest, was = min(after, key=after.__getitem__), min(before, key=before.__getitem__)
    if cheapest != was:
        found.insert(0, f"Prices changed: today '{cheapest.lower()}' is the cheapest way; it was '{was.lower()}'.")
    return [*found, *_break_even(then, now)]


def _monthly(costs: Costs) -> dict[str, float]:
    """Typical cost of a month by way of paying: "Own it"."""
    return {option.name.partition(":")[0]: option.monthly.typical for option in costs.options}


def _break_even(then: Costs, now: Costs) -> list[str]:
    before, after = then.own_beats_api_from, now.own_beats_api_from
    if before == after or (before and after and not _moved(before, after, _MONEY_STEP)):
        return []
    if after is None:
        return [
            f"Prices changed: owning no longer beats the API; it did above {format_count(before or 0)} tokens a month."
        ]
    was = "it never did" if before is None else f"it was {format_count(before)}"
    return [f"Prices changed: the API now wins below {format_count(after)} tokens a month, owning above; {was}."]


def _advice(then: ReportDocument, now: ReportDocument) -> list[str]:
    return [f"New risk: {risk}" for risk in now.risks if risk not in then.risks]


def _moved(before: float, after: float, share: float) -> bool:
    return abs(after - before) > share * max(abs(before), 1e-9)
