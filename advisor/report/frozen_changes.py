"""What would be different today: a frozen report against a fresh one about the same question."""

from __future__ import annotations

from advisor.report.document import Costs, ReportDocument
from advisor.report.drawing import number
from advisor.words import in_use, told

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
    if before is None:
        return [told("Today {after} is recommended; nothing was.", after=after or "")]
    if after is None:
        return [told("Today nothing is recommended; it was {before}. {verdict}", before=before, verdict=now.verdict)]
    return [told("Today {after} is recommended; it was {before}.", after=after, before=before)]


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
            found.append(
                told(
                    "{level}: today the verdict is '{verdict}'; it was '{was}'.",
                    level=bar.level,
                    verdict=told(new.verdict),
                    was=told(bar.verdict),
                )
            )
        elif bar.level == then.memory.recommended and abs(new.total_gib - bar.total_gib) >= 0.1:
            needs = told("{total_gib} GiB", total_gib=number(new.total_gib, 1))
            found.append(
                told(
                    "Memory: {level} needs {needs} today; it was {was} GiB.",
                    level=bar.level,
                    needs=needs,
                    was=number(bar.total_gib, 1),
                )
            )
    before, after = then.memory.capacity_gib, now.memory.capacity_gib
    if before is not None and after is not None and abs(before - after) >= 0.05:
        found.append(
            told(
                "The machine counts with {after} GiB today; it was {before} GiB.",
                after=number(after, 1),
                before=number(before, 1),
            )
        )
    return found


def _quality(then: ReportDocument, now: ReportDocument) -> list[str]:
    today = {row.task: row.kept_percent.typical for row in now.quality}
    return [
        told(
            "Quality, {task}: {today} % today; it was {typical} %.",
            task=row.task,
            today=number(today[row.task], 1),
            typical=number(row.kept_percent.typical, 1),
        )
        for row in then.quality
        if row.task in today and abs(today[row.task] - row.kept_percent.typical) >= _QUALITY_STEP
    ]


def _speed(then: ReportDocument, now: ReportDocument) -> list[str]:
    today = {row.what: row.speed.typical for row in now.speed}
    return [
        told(
            "{what}: {today:approx} {unit} today; it was {typical:approx}.",
            what=row.what,
            today=today[row.what],
            unit=row.unit,
            typical=row.speed.typical,
        )
        for row in then.speed
        if row.what in today and _moved(row.speed.typical, today[row.what], _SPEED_STEP)
    ]


def _costs(then: Costs | None, now: Costs | None) -> list[str]:
    if then is None or now is None:
        if then is now:
            return []
        return [
            told("Costs are known today; they were not.")
            if then is None
            else told("No costs are known today; they were.")
        ]
    before, after = _monthly(then), _monthly(now)
    found = [
        told(
            "{way}: {after:money} {currency} a month today; it was {paid:money}.",
            way=way,
            after=after[way],
            currency=now.currency,
            paid=paid,
        )
        for way, paid in before.items()
        if way in after and _moved(paid, after[way], _MONEY_STEP)
    ]
    found += [told("{way}: no price is known today.", way=way) for way in before if way not in after]
    found += [
        told(
            "{way}: {after:money} {currency} a month today; no price was known.",
            way=way,
            after=after[way],
            currency=now.currency,
        )
        for way in after
        if way not in before
    ]
    cheapest, was = min(after, key=after.__getitem__), min(before, key=before.__getitem__)
    if cheapest != was:
        found.insert(
            0,
            told(
                "Prices changed: today '{cheapest}' is the cheapest way; it was '{was}'.",
                cheapest=_inside(cheapest),
                was=_inside(was),
            ),
        )
    return [*found, *_break_even(then, now)]


def _inside(name: str) -> str:
    """The name of a way inside a sentence: German nouns stay as they are."""
    return name if in_use().startswith("de") else name.lower()


def _monthly(costs: Costs) -> dict[str, float]:
    """Typical cost of a month by way of paying: "Own it"."""
    return {option.name.partition(":")[0].strip(): option.monthly.typical for option in costs.options}


def _break_even(then: Costs, now: Costs) -> list[str]:
    before, after = then.own_beats_api_from, now.own_beats_api_from
    if before == after or (before and after and not _moved(before, after, _MONEY_STEP)):
        return []
    if after is None:
        return [
            told(
                "Prices changed: owning no longer beats the API; it did above {before:count} tokens a month.",
                before=before or 0,
            )
        ]
    was = told("it never did") if before is None else told("it was {before:count}", before=before)
    return [
        told(
            "Prices changed: the API now wins below {after:count} tokens a month, owning above; {was}.",
            after=after,
            was=was,
        )
    ]


def _advice(then: ReportDocument, now: ReportDocument) -> list[str]:
    return [told("New risk: {risk}", risk=risk) for risk in now.risks if risk not in then.risks]


def _moved(before: float, after: float, share: float) -> bool:
    return abs(after - before) > share * max(abs(before), 1e-9)
