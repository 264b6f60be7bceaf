"""What a report advises: what may go wrong, and what to do next."""

from __future__ import annotations

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.other_models import OtherModel
from advisor.answer.reasons import reasons
from advisor.answer.recommendation import Recommendation
from advisor.answer.verdict import leading
from advisor.foundation.units import GIB
from advisor.models.licences import commercial_use
from advisor.quality.tasks import task_name
from advisor.words import say, say_all, told


def risks(answer: Answer, shown: Candidate) -> tuple[str, ...]:
    """What a reader should know before relying on the plan."""
    found = []
    plan, kept = shown.plan, shown.kept
    free = plan.free_bytes
    if answer.chosen is not None and free is not None and free < 2 * GIB:
        found.append(told("Memory is nearly full: {size:gib} are left on the fullest device.", size=max(0, free)))
    if kept is not None and kept.low < 95:
        found.append(
            told(
                "Quality may fall to {low:.0f} % at {task}: test with your own questions.",
                low=max(0, kept.low),
                task=say(task_name(shown.task)),
            )
        )
    if shown.quality.basis == "estimated":
        found.append(told("Quality is estimated from other models; this one has not been measured at this level."))
    if shown.speed is not None and shown.speed.basis == "estimated":
        found.append(told("Speed is estimated from similar devices; this model has not been measured on this one."))
    if plan.verdict == "fits with offload":
        found.append(told("Part of the model lies in ordinary memory, whose speed decides how fast it writes."))
    costs = shown.costs
    if costs is not None and costs.stale_prices:
        found.append(_old_prices(len(costs.stale_prices)))
    use = commercial_use(answer.entry.license)
    if use.use != "allowed":
        found.append(say(use.message))
    return tuple(found)


def _old_prices(count: int) -> str:
    if count == 1:
        return told("1 of the prices used is old: ask for quotes before buying.")
    return told("{count} of the prices used are old: ask for quotes before buying.", count=count)


def _report_about(instead: OtherModel, link: str) -> str:
    """Where the report about another model is."""
    address = link.partition("?")[0]
    where = f": {address}?{instead.found.question.to_query()}" if address else ""
    return told(
        "Read the report about {name} on {machine_name}{where}.",
        name=instead.entry.name,
        machine_name=instead.found.machine_name,
        where=where,
    )


def _with_another_model(answer: Answer, instead: OtherModel, link: str) -> tuple[str, ...]:
    """Nobody is told to fetch what the first sentence advises against."""
    plan = instead.found.shown.plan
    return (
        _report_about(instead, link),
        told(
            "Get or make its {level} file ({file_bytes:gb}) and run it.",
            level=plan.level,
            file_bytes=plan.sized.file_bytes,
        ),
        told("Ask it twenty questions of your own work; it is another model than {entry}.", entry=answer.entry.name),
    )


def _by_api(found: Recommendation) -> tuple[str, ...]:
    model = found.api_answer.entry.name
    return (
        told("Ask a host for {model} twenty questions of your own work, and note how fast it answers.", model=model),
        told("Read where the host keeps what it is sent and for how long, and whether its terms allow your data."),
        told("Set a limit for what may be spent in a month, and compare the first bill with this report."),
    )


def next_steps(found: Recommendation, link: str) -> tuple[str, ...]:
    """What to do with the answer; `link` is the full address of the live question, where there is one."""
    answer, shown = found.asked, found.asked.shown
    instead = leading(answer)
    if found.way == "api":
        if instead is None:
            return _by_api(found)
        return (*_by_api(found), _report_about(instead, link))
    if instead is not None:
        return _with_another_model(answer, instead, link)
    if answer.chosen is None:
        ways = () if answer.decided.unmet else shown.plan.ways_out
        if ways:
            return say_all((way.message for way in ways), "report")
        said = reasons(answer)
        return say_all(said[1:] or said, "report")
    first: tuple[str, ...] = ()
    if found.way == "rent":
        first = (told("Rent it for an hour and try it there before anything is agreed for longer."),)
    elif found.rent is not None and found.way == "own":
        first = (told("Rent the same machine for an hour and try it there before you buy."),)
    return (
        *first,
        told(
            "Get or make the {level} file ({file_bytes:gb}); the commands are in the appendix.",
            level=shown.level,
            file_bytes=shown.plan.sized.file_bytes,
        ),
        told("Run it with the command given and compare its memory and speed with this report."),
        told("Ask it twenty questions of your own work, and compare with the original or with an API."),
    )
