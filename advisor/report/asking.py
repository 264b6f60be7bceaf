"""One question, asked and answered as the objects of the contract: what every program gets, however it asks."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def answer_plan(
    query: str,
    *,
    whole_plans: bool = False,
    with_flips: bool = False,
    full: bool = False,
    allow_local: bool = True,
) -> Document:
    """One question as the object that `plan --format json` prints; raises InputError in one sentence.

    `allow_local` lets its model be a path on this machine: never for what comes over a network.
    """
    from advisor.answer.answer import answer
    from advisor.question.question import Question, language_of
    from advisor.report.compact import answer_document
    from advisor.words import speaking

    with speaking(language_of(query)):
        found = answer(Question.from_query(query), allow_local=allow_local)
        if not full:
            return answer_document(found, query, whole_plans=whole_plans, with_flips=with_flips)
        from advisor.report.as_json import full_document

        return full_document(found, query, whole_plans=whole_plans, with_flips=with_flips)


def answer_sizes(text: str, *, mtp: bool = False, full: bool = False, allow_local: bool = True) -> Document:
    """The sizes of one model as the object that `sizes --format json` prints; raises InputError in one sentence."""
    from advisor.report.sizes import sizes_answer
    from advisor.sources.resolve import find_any_model

    found = find_any_model(text, allow_local=allow_local)
    model = found.model.with_mtp() if found.model is not None and mtp else found.model
    return sizes_answer(found, model, full=full)
