"""Questions side by side: the same rows for each, and which of them differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from advisor.answer.answer import Answer, answer
from advisor.answer.plans import runtime_name
from advisor.answer.reasons import reasons
from advisor.answer.verdict import leading
from advisor.foundation.errors import InputError
from advisor.foundation.message import fact
from advisor.foundation.numbers import approx, exact, span
from advisor.foundation.units import gb, gib
from advisor.quality.tasks import task_name
from advisor.question.question import Question
from advisor.question.requirements import Requirements
from advisor.words import say, to_tell, told

MOST_COMPARED = 4
_NONE = "–"
_FIGURES = (
    *(
        to_tell("File"),
        to_tell("Memory needed"),
        to_tell("Free"),
        to_tell("Longest context"),
        to_tell("Quality kept"),
        to_tell("Tokens/s for each user"),
    ),
    *(to_tell("First token after"), to_tell("Own, a month"), to_tell("Rent, a month"), to_tell("API, a month")),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One fact of all questions, in their order."""

    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


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


def compare(answers: Sequence[Answer]) -> tuple[Row, ...]:
    """The facts of up to `MOST_COMPARED` answers; raises InputError for more."""
    if len(answers) > MOST_COMPARED:
        raise InputError(
            "{count} scenarios are too many to compare: at most {most_compared}.",
            count=len(answers),
            most_compared=MOST_COMPARED,
        )
    columns = [_facts(one) for one in answers]
    return tuple(Row(told(name), tuple(column[name] for column in columns)) for name in (columns[0] if columns else ()))


def _facts(found: Answer) -> dict[str, str]:
    question, chosen, instead = found.question, found.chosen, leading(found)
    facts = {
        to_tell("Model"): found.entry.name,
        to_tell("Machine"): found.machine_name,
        to_tell("Goal"): question.requirements.goal.replace("-", " "),
        to_tell("Runtime"): runtime_name(found.runtime),
        to_tell("Context per user"): say(fact("tokens", n=question.workload.context)),
        to_tell("Users"): f"{question.workload.users:,}",
        to_tell("Requirements"): _requirements(question.requirements, question.costs.billing.currency),
        to_tell("Recommended level"): chosen.level if chosen is not None else told("nothing meets it"),
        to_tell("Status"): found.status,
        to_tell("What is in the way"): _NONE if chosen is not None else say(reasons(found)[0], "page"),
        to_tell("Run instead"): _NONE
        if instead is None
        else told("{model} as {level}", model=instead.entry.name, level=instead.found.shown.level),
    }
    facts |= dict.fromkeys(_FIGURES, _NONE)
    facts[to_tell("Licence")] = found.entry.license or told("unknown")
    if chosen is None:
        return facts
    plan, kept, speed, costs = chosen.plan, chosen.kept, chosen.speed, chosen.costs
    facts["File"], facts["Memory needed"] = gb(plan.sized.file_bytes), gib(plan.needed_bytes)
    facts["Free"] = _NONE if plan.free_bytes is None else gib(plan.free_bytes)
    facts["Longest context"] = say(fact("tokens", n=plan.max_context or 0))
    if kept is not None:
        task, high = say(task_name(question.requirements.task)), min(kept.high, 100)
        facts["Quality kept"] = told(
            "{typical:.1f} % at {task} ({low:.0f} to {high:.0f})",
            typical=kept.typical,
            task=task,
            low=kept.low,
            high=high,
        )
    if speed is not None:
        decode, first = speed.decode_tokens_per_s, speed.time_to_first_token_s
        if decode is not None:
            facts["Tokens/s for each user"] = f"{approx(decode.typical)} ({span(decode)})"
        if (inputs := speed.inputs_per_s) is not None:
            facts[to_tell("Inputs a second")] = f"{approx(inputs.typical)} ({span(inputs)})"
        if first is not None:
            facts["First token after"] = f"{approx(first.typical)} s ({span(first)})"
    if costs is not None:
        for name, option in (("Own", costs.own), ("Rent", costs.rent), ("API", costs.api)):
            if option is not None:
                facts[f"{name}, a month"] = f"{option.monthly.typical:,.0f} {costs.currency}"
    return facts


def _requirements(required: Requirements, currency: str) -> str:
    asked = []
    if required.least_percent is not None:
        quality, task = say(required.quality_asked), say(task_name(required.task))
        asked.append(told("{quality} at {task}", quality=quality, task=task))
    if required.min_tokens_per_s is not None:
        asked.append(f"{exact(required.min_tokens_per_s)} tokens/s")
    if required.max_first_token_s is not None:
        asked.append(told("first token within {seconds:exact} s", seconds=required.max_first_token_s))
    if required.max_cost_per_month is not None:
        asked.append(
            told("at most {most:,.0f} {currency} a month", most=required.max_cost_per_month, currency=currency)
        )
    asked += [told("commercial use")] * required.commercial + [told("own hardware")] * required.own_hardware
    return "; ".join(asked) or told("none")


def answer_link(text: str) -> Answer:
    """The answer to a link; raises InputError in one sentence."""
    return answer(question_of_link(text))
