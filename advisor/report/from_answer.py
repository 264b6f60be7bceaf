"""From an answer to the report about it: everything a manager reads, and the appendix an engineer checks."""

from __future__ import annotations

from datetime import UTC, datetime, time

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate, task_name
from advisor.answer.choices import choices
from advisor.answer.flips import flips
from advisor.answer.other_models import OtherModel
from advisor.answer.plans import runtime_name
from advisor.answer.reasons import reasons
from advisor.answer.status import Status
from advisor.answer.verdict import leading, verdict
from advisor.foundation.evidence_words import counted
from advisor.foundation.numbers import approx, exact, money, plural, span
from advisor.foundation.units import GIB, format_count, gb, gib
from advisor.models.licences import commercial_use
from advisor.quality import SCORED_TASKS
from advisor.report.appendix import appendix_of
from advisor.report.cost_section import cost_section
from advisor.report.document import (
    Cover,
    Fact,
    Gloss,
    MemoryBar,
    MemoryChart,
    QualityRow,
    ReportDocument,
    SpeedRow,
    Tone,
    chart_bars,
)
from advisor.sizing.plan import DeviceMemory, Plan
from advisor.words import say, say_all

STATUS_TONES: dict[Status, Tone] = {
    "good": "good",
    "limited": "tight",
    "slow": "tight",
    "last resort": "bad",
    "does not fit": "bad",
    "not as asked": "bad",
}
_TONES: dict[str, Tone] = {"fits": "good", "fits with offload": "good", "tight": "tight", "does not fit": "bad"}
_TASKS = {
    "chat": "All tasks together",
    "long_context": "Long context",
    "instruction": "Instructions",
    "multilingual": "Other languages",
}
_BASES = {
    "measured": "measured",
    "transferred": "carried over",
    "estimated": "estimated",
    "scaled": "scaled from similar devices",
}
_GLOSSARY = (
    Gloss(
        "Quantization level", "How coarsely the model's weights are stored. Fewer bits: smaller, faster, less exact."
    ),
    Gloss("Token", "A piece of text, about three quarters of an English word. Models read and write tokens."),
    Gloss("Context", "How many tokens a conversation may hold: what was asked, given along, and answered."),
    Gloss("KV cache", "What the model keeps of a conversation in memory. It grows with context and users."),
    Gloss("Offload", "Keeping part of a model in the computer's ordinary memory. It fits, and it runs more slowly."),
    Gloss("Quality kept", "The quantized model's benchmark score as a share of the score of the 16-bit original."),
)


def report_of(answer: Answer, cover: Cover | None = None, link: str = "") -> ReportDocument:
    """The report about an answer; `link` is the full address of the live question, where there is one.

    Where nothing fits, it says what is missing and what would help; speed and costs of what cannot run are left out.
    """
    shown = answer.shown
    runs = shown.plan.verdict != "does not fit"
    return ReportDocument(
        cover=cover or Cover(),
        subject=f"{answer.entry.name} on {answer.machine_name}",
        verdict=say(verdict(answer), "report"),
        tone=_tone(answer),
        generated_at=datetime.combine(answer.today, time(), UTC),
        key_figures=_key_figures(answer, shown) if runs else _missing_figures(answer, shown),
        model=_model_facts(answer),
        machine=_machine_facts(answer),
        memory=_memory_chart(answer),
        quality=_quality_rows(answer, shown) if runs else (),
        speed=_speed_rows(shown) if runs else (),
        costs=cost_section(shown, answer.question.requirements.own_hardware) if runs else None,
        why=say_all(reasons(answer), "report"),
        risks=_risks(answer, shown) if runs else (),
        choices=tuple(f"{one.role.capitalize()}: {say(one.gain, 'report')}" for one in choices(answer)),
        what_would_flip=tuple(say(flip.sentence, "report") for flip in flips(answer)),
        next_steps=_next_steps(answer, shown, link),
        notes=say_all(answer.notes, "report"),
        glossary=_GLOSSARY,
        appendix=appendix_of(answer, shown, link),
    )


def _tone(answer: Answer) -> Tone:
    """Where a rule is broken, or only a last resort fits, what fits is not good."""
    return STATUS_TONES[answer.status]


def _missing_figures(answer: Answer, shown: Candidate) -> tuple[Fact, ...]:
    plan = shown.plan
    held = _fullest(plan)
    several = len(plan.devices) > 1
    found = [Fact("Nearest level", plan.level, f"file of {gb(plan.sized.file_bytes)}")]
    if held.capacity_bytes is not None:
        found.append(
            Fact("It needs", gib(held.needed_bytes), "on the fullest device" if several else f"on {held.name}")
        )
        margin = f"less {exact(answer.question.machine.margin_percent)} % kept free"
        found.append(Fact("There are", gib(held.capacity_bytes), margin))
    found.append(Fact("Missing", gib(plan.missing_bytes), "on each device" if several else ""))
    return tuple(found)


def _key_figures(answer: Answer, shown: Candidate) -> tuple[Fact, ...]:
    plan = shown.plan
    # Where the sentence above them names another model, whose figures these are is said.
    whose = f"of {answer.entry.name} as {shown.level}" if leading(answer) is not None else "weights, cache and buffers"
    found = [Fact("Memory needed", gib(plan.needed_bytes), whose)]
    if shown.kept is not None:
        note = f"{shown.kept.low:.0f} to {min(shown.kept.high, 100):.0f} %, {_BASES.get(shown.quality.basis, '')}"
        found.append(Fact("Quality kept", f"{approx(shown.kept.typical)} %", note.rstrip(", ")))
    if shown.tokens_per_s is not None:
        speed = shown.tokens_per_s
        label = "Tokens/s per user" if answer.question.workload.users > 1 else "Tokens/s"
        found.append(Fact(label, approx(speed.typical), span(speed)))
    if (inputs := shown.inputs_per_s) is not None:
        found.append(Fact("Inputs a second", approx(inputs.typical), span(inputs)))
    costs = shown.costs
    if costs is not None and costs.own is not None:
        monthly = costs.own.monthly
        between = f"{span(monthly, money)} {costs.currency}"
        found.append(Fact("A month, owned", f"{money(monthly.typical)} {costs.currency}", between))
    return tuple(found)


def _model_facts(answer: Answer) -> tuple[Fact, ...]:
    model, entry = answer.model, answer.entry
    active = "" if model.active_parameters == model.parameters else f"{format_count(model.active_parameters)} active"
    limit = "not published" if model.context_length is None else f"{model.context_length:,} tokens"
    return (
        Fact("Model", entry.name, entry.publisher),
        Fact("Parameters", format_count(model.parameters), active),
        Fact("Longest context", limit),
        Fact("Licence", entry.license or "not stated", say(commercial_use(entry.license).message)),
    )


def _machine_facts(answer: Answer) -> tuple[Fact, ...]:
    question, machine = answer.question, answer.machine
    bandwidth = machine.bandwidth_bytes_per_s
    return (
        Fact("Machine", answer.machine_name, f"runtime {runtime_name(answer.runtime)}"),
        Fact("Usable memory", gib(machine.capacity_bytes), machine.capacity_basis),
        Fact("Memory bandwidth", "not known" if bandwidth is None else f"{bandwidth / 1e9:,.0f} GB/s"),
        Fact(
            "Asked for",
            f"{plural(question.workload.context, 'token')}, {plural(question.workload.users, 'user')}",
            "context of each user",
        ),
    )


def _level(answer: Answer) -> str | None:
    return None if answer.chosen is None else answer.chosen.level


def _memory_chart(answer: Answer) -> MemoryChart:
    bars = tuple(_bar(plan) for plan in answer.plans)
    first = _fullest(answer.plans[0])
    capacity = first.capacity_bytes
    several = len(answer.plans[0].devices) > 1
    return MemoryChart(
        where=f"on the fullest of {len(answer.plans[0].devices)} devices" if several else f"on {first.name}",
        bars=chart_bars(bars, _level(answer)),
        capacity_gib=None if capacity is None else capacity / GIB,
        margin_percent=answer.question.machine.margin_percent,
        recommended=_level(answer),
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
        overhead_gib=(held.overhead_bytes + held.other_bytes) / GIB,
        verdict=plan.verdict,
        tone=_TONES[plan.verdict],
    )


def _quality_rows(answer: Answer, shown: Candidate) -> tuple[QualityRow, ...]:
    rows = []
    for task in SCORED_TASKS:
        quality = shown.quality_at(task)
        if quality.kept is not None:
            least = answer.question.requirements.least_percent if task == answer.question.requirements.task else None
            name = _TASKS.get(task, f"{task[:1].upper()}{task[1:]}")
            rows.append(QualityRow(name, quality.kept, _basis(quality.basis, quality.n, quality.sources), least))
    return tuple(rows)


def _speed_rows(shown: Candidate) -> tuple[SpeedRow, ...]:
    speed = shown.speed
    if speed is None:
        return ()
    basis = _basis(speed.basis, speed.n, speed.sources)
    rows = []
    if speed.decode_tokens_per_s is not None:
        label = "Writing, for each user" if speed.load.users > 1 else "Writing"
        rows.append(SpeedRow(label, speed.decode_tokens_per_s, "tokens/s", basis))
    if speed.inputs_per_s is not None:
        rows.append(
            SpeedRow(f"Inputs of {plural(speed.load.prompt_tokens, 'token')}", speed.inputs_per_s, "inputs/s", basis)
        )
    if speed.load.users > 1 and speed.total_decode_tokens_per_s is not None:
        rows.append(SpeedRow("Writing, all users", speed.total_decode_tokens_per_s, "tokens/s", basis))
    if speed.prefill_tokens_per_s is not None:
        rows.append(SpeedRow("Reading the prompt", speed.prefill_tokens_per_s, "tokens/s", "estimated"))
    if speed.time_to_first_token_s is not None:
        prompt = f"for {plural(speed.load.prompt_tokens, 'token')} of prompt"
        rows.append(SpeedRow("Until the first token", speed.time_to_first_token_s, "s", prompt))
    return tuple(rows)


def _basis(basis: str, n: int, sources: int) -> str:
    """What a figure rests on: "measured, 5 measurements of 2 sources"."""
    return f"{_BASES.get(basis, basis)}, {say(counted(n, sources))}" if n else _BASES.get(basis, basis)


def _risks(answer: Answer, shown: Candidate) -> tuple[str, ...]:
    found = []
    plan, kept = shown.plan, shown.kept
    free = plan.free_bytes
    if answer.chosen is not None and free is not None and free < 2 * GIB:
        found.append(f"Memory is nearly full: {gib(max(0, free))} are left on the fullest device.")
    if kept is not None and kept.low < 95:
        found.append(
            f"Quality may fall to {max(0, kept.low):.0f} % at {say(task_name(shown.task))}: "
            "test with your own questions."
        )
    if shown.quality.basis == "estimated":
        found.append("Quality is estimated from other models; this one has not been measured at this level.")
    if shown.speed is not None and shown.speed.basis == "estimated":
        found.append("Speed is estimated from similar devices; this model has not been measured on this one.")
    if plan.verdict == "fits with offload":
        found.append("Part of the model lies in ordinary memory, whose speed decides how fast it writes.")
    costs = shown.costs
    if costs is not None and costs.stale_prices:
        found.append(_old_prices(len(costs.stale_prices)))
    use = commercial_use(answer.entry.license)
    if use.use != "allowed":
        found.append(say(use.message))
    return tuple(found)


def _old_prices(count: int) -> str:
    return f"{count} of the prices used {'is' if count == 1 else 'are'} old: ask for quotes before buying."


def _with_another_model(answer: Answer, instead: OtherModel, link: str) -> tuple[str, ...]:
    """Nobody is told to fetch what the first sentence advises against."""
    name, plan = instead.entry.name, instead.found.shown.plan
    address = link.partition("?")[0]
    where = f": {address}?{instead.found.question.to_query()}" if address else ""
    return (
        f"Read the report about {name} on {instead.found.machine_name}{where}.",
        f"Get or make its {plan.level} file ({gb(plan.sized.file_bytes)}) and run it.",
        f"Ask it twenty questions of your own work; it is another model than {answer.entry.name}.",
    )


def _next_steps(answer: Answer, shown: Candidate, link: str) -> tuple[str, ...]:
    if (instead := leading(answer)) is not None:
        return _with_another_model(answer, instead, link)
    if answer.chosen is None:
        ways = () if answer.decided.unmet else shown.plan.ways_out
        if ways:
            return say_all((way.message for way in ways), "report")
        said = reasons(answer)
        return say_all(said[1:] or said, "report")
    return (
        f"Get or make the {shown.level} file ({gb(shown.plan.sized.file_bytes)}); the commands are in the appendix.",
        "Run it with the command given and compare its memory and speed with this report.",
        "Ask it twenty questions of your own work, and compare with the original or with an API.",
    )
