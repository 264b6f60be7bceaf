"""From an answer to the report about it: everything a manager reads, and the appendix an engineer checks."""

from __future__ import annotations

from datetime import UTC, datetime, time

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.choices import choices
from advisor.answer.flips import flips
from advisor.answer.plans import runtime_name
from advisor.answer.reasons import reasons
from advisor.answer.recommendation import recommendation
from advisor.answer.verdict import leading, verdict
from advisor.foundation.evidence_words import counted
from advisor.foundation.message import fact
from advisor.models.licences import commercial_use
from advisor.quality import SCORED_TASKS
from advisor.quality.tasks import task_name
from advisor.report.advice import next_steps, risks
from advisor.report.appendix import appendix_of
from advisor.report.cost_section import cost_section
from advisor.report.document import (
    Cover,
    Fact,
    Gloss,
    QualityRow,
    ReportDocument,
    SpeedRow,
    Tone,
)
from advisor.report.first_page import brief_of
from advisor.report.money_page import not_included, what_matters
from advisor.report.named import STATUS_TONES, basis_word, role_word
from advisor.report.plan_page import about_of, cards_of, fullest, memory_of, start_of
from advisor.words import in_use, say, say_all, to_tell, told
from advisor.words.written import amount, format_count, gib, money, number, rough, span

_A_MONTH = {
    "own": to_tell("A month, owned"),
    "rent": to_tell("A month, rented"),
    "api": to_tell("A month, by API"),
}
_TASKS = {
    "chat": to_tell("All tasks together"),
    "long_context": to_tell("Long context"),
    "instruction": to_tell("Instructions"),
    "multilingual": to_tell("Other languages"),
}
_GLOSSARY = (
    (
        to_tell("Quantization level"),
        to_tell("How coarsely the model's weights are stored. Fewer bits: smaller, faster, less exact."),
    ),
    (
        to_tell("Token"),
        to_tell("A piece of text, about three quarters of an English word. Models read and write tokens."),
    ),
    (
        to_tell("Context"),
        to_tell("How many tokens a conversation may hold: what was asked, given along, and answered."),
    ),
    (
        to_tell("KV cache"),
        to_tell("What the model keeps of a conversation in memory. It grows with context and users."),
    ),
    (
        to_tell("Offload"),
        to_tell("Keeping part of a model in the computer's ordinary memory. It fits, and it runs more slowly."),
    ),
    (
        to_tell("Quality kept"),
        to_tell("The quantized model's benchmark score as a share of the score of the 16-bit original."),
    ),
)


def report_of(answer: Answer, cover: Cover | None = None, link: str = "") -> ReportDocument:
    """The report about an answer; `link` is the full address of the live question, where there is one.

    Where nothing fits, it says what is missing and what would help; speed and costs of what cannot run are left out.
    """
    shown, advised = answer.shown, recommendation(answer)
    runs = shown.plan.verdict != "does not fit"
    return ReportDocument(
        cover=cover or Cover(),
        subject=told("{model} on {machine}", model=answer.entry.name, machine=answer.machine_name),
        verdict=say(verdict(answer), "report"),
        tone=_tone(answer),
        generated_at=datetime.combine(answer.today, time(), UTC),
        key_figures=_key_figures(answer, shown) if runs else _missing_figures(answer, shown),
        model=_model_facts(answer),
        machine=_machine_facts(answer),
        memory=memory_of(answer),
        quality=_quality_rows(answer, shown) if runs else (),
        speed=_speed_rows(shown) if runs else (),
        costs=cost_section(shown, answer.question.requirements.own_hardware) if runs else None,
        why=say_all(reasons(answer), "report"),
        risks=risks(answer, shown) if runs else (),
        choices=tuple(
            told("{role}: {gain}", role=role_word(one.role), gain=say(one.gain, "report")) for one in choices(answer)
        ),
        what_would_flip=tuple(say(flip.sentence, "report") for flip in flips(answer)),
        next_steps=next_steps(advised, link),
        notes=say_all(answer.notes, "report"),
        glossary=tuple(Gloss(told(word), told(meaning)) for word, meaning in _GLOSSARY),
        appendix=appendix_of(answer, shown, link),
        language=in_use(),
        brief=brief_of(advised),
        about=about_of(advised),
        cards=cards_of(answer),
        start=start_of(advised),
        what_matters=what_matters(answer, shown) if runs else None,
        not_included=not_included(shown) if runs else (),
    )


def _tone(answer: Answer) -> Tone:
    """Where a rule is broken, or only a last resort fits, what fits is not good."""
    return STATUS_TONES[answer.status]


def _missing_figures(answer: Answer, shown: Candidate) -> tuple[Fact, ...]:
    plan = shown.plan
    held = fullest(plan)
    several = len(plan.devices) > 1
    found = [Fact(told("Nearest level"), plan.level, told("file of {file_bytes:gb}", file_bytes=plan.sized.file_bytes))]
    if held.capacity_bytes is not None:
        found.append(
            Fact(
                told("It needs"),
                gib(held.needed_bytes),
                told("on the fullest device") if several else told("on {device}", device=held.name),
            )
        )
        margin = told("less {margin_percent:exact} % kept free", margin_percent=answer.question.machine.margin_percent)
        found.append(Fact(told("There are"), gib(held.capacity_bytes), margin))
    found.append(Fact(told("Missing"), gib(plan.missing_bytes), told("on each device") if several else ""))
    return tuple(found)


def _key_figures(answer: Answer, shown: Candidate) -> tuple[Fact, ...]:
    plan = shown.plan
    # Where the sentence above them names another model, whose figures these are is said.
    whose = (
        told("of {entry} as {level}", entry=answer.entry.name, level=shown.level)
        if leading(answer) is not None
        else told("weights, cache and buffers")
    )
    found = [Fact(told("Memory needed"), gib(plan.needed_bytes), whose)]
    if shown.kept is not None:
        basis = basis_word(shown.quality.basis)
        low, high = shown.kept.low, min(shown.kept.high, 100)
        note = basis if low == high else told("{low:.0f} to {high:.0f} %, {basis}", low=low, high=high, basis=basis)
        found.append(Fact(told("Quality kept"), f"{number(min(shown.kept.typical, 100), '.1f')} %", note.rstrip(", ")))
    if shown.tokens_per_s is not None:
        speed = shown.tokens_per_s
        label = told("Tokens/s per user") if answer.question.workload.users > 1 else told("Tokens/s")
        found.append(Fact(label, rough(speed.typical), span(speed, rough)))
    if (inputs := shown.inputs_per_s) is not None:
        found.append(Fact(told("Inputs a second"), rough(inputs.typical), span(inputs, rough)))
    costs = shown.costs
    way = None if costs is None else costs.best(answer.question.requirements.own_hardware) or costs.own
    if costs is not None and way is not None:
        between = amount(span(way.monthly, money), costs.currency)
        found.append(Fact(told(_A_MONTH[way.name]), amount(money(way.monthly.typical), costs.currency), between))
    return tuple(found)


def _model_facts(answer: Answer) -> tuple[Fact, ...]:
    model, entry = answer.model, answer.entry
    active = (
        ""
        if model.active_parameters == model.parameters
        else told("{active_parameters:count} active", active_parameters=model.active_parameters)
    )
    limit = (
        told("not published")
        if model.context_length is None
        else told("{context_length:,} tokens", context_length=model.context_length)
    )
    return (
        Fact(told("Model"), told("{model}", model=entry.name), entry.publisher),
        Fact(told("Parameters"), format_count(model.parameters), active),
        Fact(told("Longest context"), limit),
        Fact(told("Licence"), entry.license or told("not stated"), say(commercial_use(entry.license).message)),
    )


def _machine_facts(answer: Answer) -> tuple[Fact, ...]:
    question, machine = answer.question, answer.machine
    bandwidth = machine.bandwidth_bytes_per_s
    return (
        Fact(told("Machine"), answer.machine_name, told("runtime {runtime}", runtime=runtime_name(answer.runtime))),
        Fact(told("Usable memory"), gib(machine.capacity_bytes), say(machine.capacity_basis, "report")),
        Fact(
            told("Memory bandwidth"),
            told("not known") if bandwidth is None else told("{bandwidth:,.0f} GB/s", bandwidth=bandwidth / 1e9),
        ),
        Fact(
            told("Asked for"),
            ", ".join(say_all((fact("tokens", n=question.workload.context), fact("users", n=question.workload.users)))),
            told("context of each user"),
        ),
    )


def _quality_rows(answer: Answer, shown: Candidate) -> tuple[QualityRow, ...]:
    rows = []
    for task in SCORED_TASKS:
        quality = shown.quality_at(task)
        if quality.kept is not None:
            least = answer.question.requirements.least_percent if task == answer.question.requirements.task else None
            name = told(_TASKS[task]) if task in _TASKS else _capital(say(task_name(task)))
            rows.append(QualityRow(name, quality.kept, _basis(quality.basis, quality.n, quality.sources), least))
    return tuple(rows)


def _speed_rows(shown: Candidate) -> tuple[SpeedRow, ...]:
    speed = shown.speed
    if speed is None:
        return ()
    basis = _basis(speed.basis, speed.n, speed.sources)
    rows = []
    if speed.decode_tokens_per_s is not None:
        label = told("Writing, for each user") if speed.load.users > 1 else told("Writing")
        rows.append(SpeedRow(label, speed.decode_tokens_per_s, told("tokens/s"), basis))
    if speed.inputs_per_s is not None:
        rows.append(
            SpeedRow(
                told("Inputs of {tokens}", tokens=say(fact("tokens", n=speed.load.prompt_tokens))),
                speed.inputs_per_s,
                told("inputs/s"),
                basis,
            )
        )
    if speed.load.users > 1 and speed.total_decode_tokens_per_s is not None:
        rows.append(SpeedRow(told("Writing, all users"), speed.total_decode_tokens_per_s, told("tokens/s"), basis))
    if speed.prefill_tokens_per_s is not None:
        rows.append(
            SpeedRow(told("Reading the prompt"), speed.prefill_tokens_per_s, told("tokens/s"), told("estimated"))
        )
    if speed.time_to_first_token_s is not None:
        load = speed.load
        prompt = told("for {tokens} of prompt", tokens=say(fact("tokens", n=load.prompt_tokens + load.cached_tokens)))
        if load.cached_tokens:
            prompt = told("{prompt}, {cached:,} of them cached", prompt=prompt, cached=load.cached_tokens)
        rows.append(SpeedRow(told("Until the first token"), speed.time_to_first_token_s, "s", prompt))
    return tuple(rows)


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _basis(basis: str, n: int, sources: int) -> str:
    """What a figure rests on: "measured, 5 measurements of 2 sources"."""
    said = basis_word(basis)
    return f"{said}, {say(counted(n, sources))}" if n else said
