"""From an answer to the report about it: everything a manager reads, and the appendix an engineer checks."""

from __future__ import annotations

from datetime import UTC, datetime, time
from itertools import pairwise

from advisor.advise import Answer
from advisor.candidate import Candidate, task_words
from advisor.commands import commands
from advisor.costs.money import Price, plain
from advisor.costs.options import Option
from advisor.costs.series import MonthPoint, cumulative
from advisor.errors import InputError
from advisor.estimate import Range
from advisor.flips import flips
from advisor.launching import launch_of
from advisor.models.licences import commercial_use
from advisor.planning import family_of
from advisor.quality import SCORED_TASKS
from advisor.report.document import (
    Appendix,
    BreakEven,
    Command,
    CostLine,
    CostOption,
    Costs,
    Cover,
    Fact,
    MemoryBar,
    MemoryChart,
    QualityRow,
    ReportDocument,
    SourceRow,
    SpeedRow,
    Table,
    Term,
    Tone,
    chart_bars,
)
from advisor.sizing.memory_lines import memory_lines
from advisor.sizing.plan import DeviceMemory, Plan
from advisor.store.release import data_release
from advisor.units import GIB, format_count, gb, gib
from advisor.version import VERSION

_TONES: dict[str, Tone] = {"fits": "good", "fits with offload": "good", "tight": "tight", "does not fit": "bad"}
_NAMES = {"own": "Own it", "rent": "Rent it", "api": "Pay per token"}
_MOST_PRICES = 60
_GLOSSARY = (
    Term("Quantization level", "How coarsely the model's weights are stored. Fewer bits: smaller, faster, less exact."),
    Term("Token", "A piece of text, about three quarters of an English word. Models read and write tokens."),
    Term("Context", "How many tokens a conversation may hold: what was asked, given along, and answered."),
    Term("KV cache", "What the model keeps of a conversation in memory. It grows with context and users."),
    Term("Offload", "Keeping part of a model in the computer's ordinary memory. It fits, and it runs more slowly."),
    Term("Quality kept", "The quantized model's benchmark score as a share of the score of the 16-bit original."),
)


def report_of(answer: Answer, cover: Cover | None = None, link: str = "") -> ReportDocument:
    """The report about an answer; `link` is the full address of the live scenario, where there is one."""
    shown = answer.chosen or _nearest(answer)
    return ReportDocument(
        cover=cover or Cover(),
        subject=f"{answer.entry.name} on {answer.machine_name}",
        verdict=verdict_sentence(answer),
        tone="bad" if answer.chosen is None else _TONES[answer.chosen.plan.verdict],
        generated_at=datetime.combine(answer.today, time(), UTC),
        key_figures=_key_figures(shown),
        model=_model_facts(answer),
        machine=_machine_facts(answer),
        memory=_memory_chart(answer),
        quality=_quality_rows(answer, shown),
        speed=_speed_rows(shown),
        costs=_costs(shown),
        risks=_risks(answer, shown),
        what_would_flip=flips(answer),
        next_steps=_next_steps(answer, shown),
        notes=answer.notes,
        glossary=_GLOSSARY,
        appendix=_appendix(answer, shown, link),
    )


def verdict_sentence(answer: Answer) -> str:
    """What to do, in one sentence."""
    chosen = answer.chosen
    if chosen is None:
        return answer.recommendation.reasons[0]
    parts = [f"Run {answer.entry.name} as {chosen.level} on {answer.machine_name}"]
    if chosen.kept is not None:
        parts.append(
            f"it keeps about {chosen.kept.typical:.0f} % of the original's quality at {task_words(chosen.task)}"
        )
    if chosen.tokens_per_s is not None:
        parts.append(f"writes about {chosen.tokens_per_s.typical:,.3g} tokens a second for each user")
    costs = chosen.costs
    if costs is not None and costs.own is not None:
        parts.append(f"costs about {costs.own.monthly.typical:,.0f} {costs.currency} a month to own")
    return f"{parts[0]}: {', '.join(parts[1:])}." if parts[1:] else f"{parts[0]}."


def _nearest(answer: Answer) -> Candidate:
    return min(answer.candidates, key=lambda candidate: (not candidate.plan.fits, candidate.plan.missing_bytes))


def _key_figures(shown: Candidate) -> tuple[Fact, ...]:
    plan = shown.plan
    found = [Fact("Memory needed", gib(plan.needed_bytes), "weights, cache and buffers")]
    if shown.kept is not None:
        note = f"{shown.kept.low:.0f} to {shown.kept.high:.0f} %, {shown.quality.basis}"
        found.append(Fact("Quality kept", f"{shown.kept.typical:.0f} %", note))
    if shown.tokens_per_s is not None:
        speed = shown.tokens_per_s
        found.append(Fact("Tokens/s per user", f"{speed.typical:,.3g}", f"{speed.low:,.3g} to {speed.high:,.3g}"))
    costs = shown.costs
    if costs is not None and costs.own is not None:
        monthly = costs.own.monthly
        between = f"{monthly.low:,.0f} to {monthly.high:,.0f} {costs.currency}, owned"
        found.append(Fact("Cost a month", f"{monthly.typical:,.0f} {costs.currency}", between))
    return tuple(found)


def _model_facts(answer: Answer) -> tuple[Fact, ...]:
    model, entry = answer.model, answer.entry
    active = "" if model.active_parameters == model.parameters else f"{format_count(model.active_parameters)} active"
    limit = "not published" if model.context_length is None else f"{model.context_length:,} tokens"
    return (
        Fact("Model", entry.name, entry.publisher),
        Fact("Parameters", format_count(model.parameters), active),
        Fact("Longest context", limit),
        Fact("Licence", entry.license or "not stated", commercial_use(entry.license).sentence),
    )


def _machine_facts(answer: Answer) -> tuple[Fact, ...]:
    scenario, machine = answer.scenario, answer.machine
    bandwidth = machine.bandwidth_bytes_per_s
    return (
        Fact("Machine", answer.machine_name, f"runtime {answer.runtime}"),
        Fact("Usable memory", gib(machine.capacity_bytes), machine.capacity_basis),
        Fact("Memory bandwidth", "not known" if bandwidth is None else f"{bandwidth / 1e9:,.0f} GB/s"),
        Fact("Asked for", f"{scenario.context:,} tokens, {scenario.users:,} user(s)", "of context for each user"),
    )


def _memory_chart(answer: Answer) -> MemoryChart:
    bars = tuple(_bar(plan) for plan in answer.plans)
    first = _fullest(answer.plans[0])
    capacity = first.capacity_bytes
    several = len(answer.plans[0].devices) > 1
    return MemoryChart(
        where=f"on the fullest of {len(answer.plans[0].devices)} devices" if several else f"on {first.name}",
        bars=chart_bars(bars, answer.recommendation.level),
        capacity_gib=None if capacity is None else capacity / GIB,
        margin_percent=answer.scenario.margin_percent,
        recommended=answer.recommendation.level,
    )


def _fullest(plan: Plan) -> DeviceMemory:
    return min(plan.devices, key=lambda device: device.free_bytes or 0, default=plan.host)


def _bar(plan: Plan) -> MemoryBar:
    held = _fullest(plan)
    return MemoryBar(
        level=plan.level,
        weights_gib=held.weights_bytes / GIB,
        kv_cache_gib=held.kv_cache_bytes / GIB,
        compute_gib=held.compute_bytes / GIB,
        overhead_gib=held.overhead_bytes / GIB,
        verdict=plan.verdict,
        tone=_TONES[plan.verdict],
    )


def _quality_rows(answer: Answer, shown: Candidate) -> tuple[QualityRow, ...]:
    rows = []
    for task in SCORED_TASKS:
        quality = shown.find_quality(task)
        if quality.kept is not None:
            least = answer.scenario.least_percent if task == answer.scenario.task else None
            rows.append(QualityRow(task_words(task), quality.kept, f"{quality.basis}, n = {quality.n}", least))
    return tuple(rows)


def _speed_rows(shown: Candidate) -> tuple[SpeedRow, ...]:
    speed = shown.speed
    if speed is None:
        return ()
    basis = f"{speed.basis}, n = {speed.n}"
    rows = [SpeedRow("Writing, for each user", speed.decode_tokens_per_s, "tokens/s", basis)]
    if speed.load.users > 1:
        rows.append(SpeedRow("Writing, all users", speed.total_decode_tokens_per_s, "tokens/s", basis))
    if speed.prefill_tokens_per_s is not None:
        rows.append(SpeedRow("Reading the prompt", speed.prefill_tokens_per_s, "tokens/s", "estimated"))
    if speed.time_to_first_token_s is not None:
        prompt = f"for {speed.load.prompt_tokens:,} tokens of prompt"
        rows.append(SpeedRow("Until the first token", speed.time_to_first_token_s, "s", prompt))
    return tuple(rows)


def _costs(shown: Candidate) -> Costs | None:
    costs = shown.costs
    if costs is None or not costs.options:
        return None
    cheapest = min(costs.options, key=lambda option: option.monthly.typical)
    points = cumulative(costs)
    lines = tuple(
        CostLine(_NAMES[option.name], tuple(float(_paid(point, option.name)) for point in points))
        for option in costs.options
    )
    return Costs(
        currency=costs.currency,
        options=tuple(_cost_option(option, option is cheapest) for option in costs.options),
        lines=lines,
        break_evens=_break_evens(lines),
        note=f"{costs.verdict} {' '.join(costs.notes)}".strip(),
    )


def _paid(point: MonthPoint, name: str) -> float:
    return float({"own": point.own, "rent": point.rent, "api": point.api}[name] or 0)


def _cost_option(option: Option, chosen: bool) -> CostOption:
    monthly, each = option.monthly, option.per_million_tokens
    return CostOption(
        name=f"{_NAMES[option.name]}: {option.title}",
        upfront=float(option.upfront),
        monthly=Range(float(monthly.low), float(monthly.typical), float(monthly.high)),
        per_million_tokens=Range(float(each.low), float(each.typical), float(each.high)),
        basis=" ".join(option.notes[:1]),
        chosen=chosen,
    )


def _break_evens(lines: tuple[CostLine, ...]) -> tuple[BreakEven, ...]:
    """Where owning has become cheaper than another option; the last month, which takes the resale off, is left out."""
    own = next((line for line in lines if line.name == _NAMES["own"]), None)
    if own is None:
        return ()
    found = []
    for other in lines:
        gaps = [mine - theirs for mine, theirs in zip(own.cumulative, other.cumulative, strict=True)][:-1]
        for month, (before, after) in enumerate(pairwise(gaps)):
            if before > 0 >= after:
                share = before / (before - after)
                cost = own.cumulative[month] + share * (own.cumulative[month + 1] - own.cumulative[month])
                label = f"Owning is cheaper than '{other.name.lower()}' from month {month + 1} on"
                found.append(BreakEven(month + share, cost, label))
                break
    return tuple(found)


def _risks(answer: Answer, shown: Candidate) -> tuple[str, ...]:
    found = []
    plan, kept = shown.plan, shown.kept
    free = plan.free_bytes
    if answer.chosen is not None and free is not None and free < 2 * GIB:
        found.append(f"Memory is nearly full: {gib(max(0, free))} are left on the fullest device.")
    if kept is not None and kept.low < 95:
        found.append(
            f"Quality may fall to {max(0, kept.low):.0f} % at {task_words(shown.task)}: test with your own questions."
        )
    if shown.quality.basis == "estimated":
        found.append("Quality is estimated from other models; this one has not been measured at this level.")
    if shown.speed is not None and shown.speed.basis == "estimated":
        found.append("Speed is estimated from similar devices; this model has not been measured on this one.")
    if plan.verdict == "fits with offload":
        found.append("Part of the model lies in ordinary memory, whose speed decides how fast it writes.")
    costs = shown.costs
    if costs is not None and costs.stale_prices:
        found.append(f"{len(costs.stale_prices)} of the prices used are old; ask for quotes before buying.")
    use = commercial_use(answer.entry.license)
    if use.use != "allowed":
        found.append(use.sentence)
    return tuple(found)


def _next_steps(answer: Answer, shown: Candidate) -> tuple[str, ...]:
    if answer.chosen is None:
        ways = shown.plan.ways_out
        return tuple(way.sentence for way in ways) or answer.recommendation.reasons[1:]
    return (
        f"Get or make the {shown.level} file ({gb(shown.plan.sized.file_bytes)}); the commands are in the appendix.",
        "Run it with the command given and compare its memory and speed with this report.",
        "Ask it twenty questions of your own work, and compare with the original or with an API.",
    )


def _appendix(answer: Answer, shown: Candidate, link: str) -> Appendix:
    query = answer.scenario.to_query()
    return Appendix(
        levels=_levels_table(answer),
        assumptions=_assumptions(answer, shown),
        sources=_sources(answer, shown),
        commands=_commands(answer, shown),
        reproduce=f'python -m advisor report "{query}" report.pdf',
        link=link,
        data_release=data_release(),
        app_version=VERSION,
    )


def _levels_table(answer: Answer) -> Table:
    rows = []
    for candidate in answer.candidates:
        plan, kept, speed = candidate.plan, candidate.kept, candidate.tokens_per_s
        rows.append(
            (
                plan.level,
                plan.verdict,
                f"{plan.sized.file_bytes / 1e9:,.2f}",
                f"{plan.sized.bits_per_weight:.2f}",
                f"{plan.needed_bytes / GIB:,.1f}",
                "–" if plan.free_bytes is None else f"{plan.free_bytes / GIB:,.1f}".replace("-", "−"),
                "–" if kept is None else f"{kept.typical:.1f}",
                "–" if speed is None else f"{speed.typical:,.1f}",
                f"{plan.max_context:,}" if plan.max_context else "–",
            )
        )
    levels = [candidate.level for candidate in answer.candidates]
    return Table(
        columns=(
            "Level", "Verdict", "File (GB)", "Bits per weight", "Memory (GiB)", "Free (GiB)", "Quality (%)", "Tokens/s",
            "Longest context",
        ),
        rows=tuple(rows),
        right_aligned=(2, 3, 4, 5, 6, 7, 8),
        highlighted=levels.index(answer.recommendation.level) if answer.recommendation.level in levels else None,
    )  # fmt: skip


def _assumptions(answer: Answer, shown: Candidate) -> tuple[Fact, ...]:
    scenario, plan = answer.scenario, shown.plan
    facts = [Fact(key, str(value)) for key, value in scenario.model_dump(exclude_defaults=True).items()]
    facts.append(Fact("Safety margin", f"{scenario.margin_percent:g} %", "kept free of each device"))
    if family_of(answer.runtime) == "llama.cpp":
        basis = answer.machine.overhead_basis
        for line in memory_lines(plan, answer.model, basis, basis if not plan.devices else ""):
            facts.append(Fact(f"{line.component}, {line.place}", f"{gib(line.bytes)}, {line.word}", line.formula))
    else:
        facts.append(Fact("Memory rules", plan.rules or answer.runtime))
    if shown.speed is not None:
        facts += [Fact("Speed", shown.speed.basis, sentence) for sentence in shown.speed.explanation]
    if shown.quality.note:
        facts.append(Fact("Quality", shown.quality.basis, shown.quality.note))
    if shown.costs is not None:
        for option in shown.costs.options:
            facts += [Fact(f"{_NAMES[option.name]}: {line.label}", str(line.amount), line.how) for line in option.bill]
    return tuple(facts)


def _sources(answer: Answer, shown: Candidate) -> tuple[SourceRow, ...]:
    entry, machine = answer.entry, answer.machine
    rows = [SourceRow(f"Model {entry.name}", source, entry.as_of) for source in entry.sources]
    rows += [
        SourceRow(f"Machine {machine.name}", source, machine.as_of or "")
        for source in (machine.source, machine.second_source)
        if source
    ]
    rows += [
        SourceRow(f"Quality: {row.model} at {row.level}", row.source_url, row.as_of)
        for row in shown.quality.evidence[:8]
    ]
    if shown.speed is not None:
        rows += [
            SourceRow(
                f"Speed: {row.model} {row.quant} on {row.device}, {row.tokens_per_s:,.1f} tokens/s",
                row.source,
                row.date,
            )
            for row in shown.speed.measurements[:8]
        ]
    if shown.costs is not None:
        rows += [
            SourceRow(_price_words(price), price.source, _day(price)) for price in shown.costs.prices[:_MOST_PRICES]
        ]
    return tuple(rows)


def _price_words(price: Price) -> str:
    own = ", given by you" if price.users_own else ""
    return f"{price.label}: {plain(price.value)} {price.currency} {price.unit}".strip() + own


def _day(price: Price) -> str:
    return "" if price.observed_on is None else price.observed_on.isoformat()


def _commands(answer: Answer, shown: Candidate) -> tuple[Command, ...]:
    try:
        found = commands(launch_of(answer, shown))
    except InputError:
        return ()
    return tuple(Command(command.title, command.text) for command in found if command.text)
