"""The answer as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from advisor.advise import Answer
from advisor.candidate import Candidate
from advisor.formats.gguf_sizes import SizedLevel
from advisor.formats.safetensors_sizes import SizedSafetensors
from advisor.report.as_json import published_document
from advisor.sources.resolve import ResolvedModel
from advisor.units import format_count, gb, gib


def sizes_table(levels: Sequence[SizedLevel], found: ResolvedModel, others: Sequence[SizedSafetensors] = ()) -> str:
    """GGUF levels, then the safetensors formats with what stands behind their figures, then what is published."""
    model = found.model
    about = f"{found.name}: "
    about += (
        f"{format_count(model.parameters)} parameters, architecture {model.architecture}" if model else "weights only"
    )
    header = "\n".join([about, found.source, *(f"Note: {note}" for note in found.notes if note != found.source)])
    every: list[SizedLevel | SizedSafetensors] = [*levels, *others]
    rows = [
        (sized.level.name, gb(sized.file_bytes), f"{sized.bits_per_weight:.2f}", f"{sized.tensor_bytes:,}")
        for sized in every
    ]
    rows += [
        (row["level"], _gb(row["file_bytes"]), row["file"], _count(row["tensor_bytes"]))
        for row in published_document(found)
    ]
    lines = [header, "", _table(("level", "file", "bits/weight", "tensor bytes"), rows)]
    if kept := [sized for sized in others if sized.kept]:
        lines += ["", "Some layers stay in 16 bit:"]
        lines += [f"  {sized.level.name}: {_kept(sized)}" for sized in kept]
    writers = dict.fromkeys(f"{sized.format}: {sized.level.writer}" for sized in others)
    if writers:
        lines += ["", "Sizes besides GGUF are those of files written by", *(f"  {writer}" for writer in writers)]
    return "\n".join(lines)


def _kept(sized: SizedSafetensors) -> str:
    reasons = "; ".join(dict.fromkeys(entry.partition(": ")[2] for entry in sized.kept))
    return f"{reasons}{' (the writer stops unless told to ignore them)' if sized.refuses else ''}"


def _gb(size: int | None) -> str:
    return "?" if size is None else gb(size)


def _count(size: int | None) -> str:
    return "-" if size is None else f"{size:,}"


def plan_table(answer: Answer) -> str:
    choice = answer.recommendation
    lines = [
        f"{answer.entry.name} on {answer.machine_name}",
        f"Context: {answer.scenario.context:,} tokens x {answer.scenario.users} user(s)",
        f"Recommended: {choice.level or ('nothing meets the requirements' if choice.in_the_way else 'nothing fits')}",
        *(f"  - {reason}" for reason in choice.reasons),
        *(f"  or {other.level}: {other.reason}" for other in choice.alternatives),
        *(f"Note: {note}" for note in answer.notes),
        "",
        _table(
            (
                "level",
                "file",
                "bits/weight",
                "memory",
                "free",
                "context",
                "quality",
                "tokens/s",
                "verdict",
                "rule of thumb",
            ),
            [_row(candidate) for candidate in answer.candidates],
        ),
    ]
    return "\n".join(lines)


def _row(candidate: Candidate) -> tuple[str, ...]:
    plan, kept, speed = candidate.plan, candidate.kept, candidate.tokens_per_s
    return (
        plan.level,
        gb(plan.sized.file_bytes),
        f"{plan.sized.bits_per_weight:.2f}",
        gib(plan.needed_bytes),
        "?" if plan.free_bytes is None else gib(plan.free_bytes),
        f"{plan.max_context:,}" if plan.max_context else "-",
        "?" if kept is None else f"{kept.typical:.1f} %",
        "?" if speed is None else f"{speed.typical:.1f}",
        plan.verdict,
        f"{gb(plan.rule_of_thumb_bytes)} ({plan.rule_of_thumb_error:+.0%})",
    )


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """First column left-aligned, the others right-aligned."""
    cells = [list(names), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    lines = []
    for first, *others in cells:
        numbers = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join((first.ljust(widths[0]), *numbers)))
    return "\n".join(lines)
