"""A visitor who leaves while an answer is worked out: it ends at once, and leaves nothing half done behind."""

from __future__ import annotations

import json
import time
from datetime import date
from itertools import pairwise

import pytest

from advisor.answer.answer import answer
from advisor.foundation.turns import PAGES
from advisor.question.question import Question
from advisor.report.as_json import full_document

QUERY = "model=qwen3-235b-a22b&machine=rtx-4090&gpus=8&host_memory_gib=512&context=7777&users=3"


class Left(BaseException):
    """As Streamlit ends a run."""


def document(query: str) -> str:
    """The largest thing that a page makes."""
    found = answer(Question.from_query(query), today=date(2026, 11, 30))
    return json.dumps(full_document(found, query))


def test_the_largest_download_looks_often_whether_it_is_wanted() -> None:
    """In CPU time, so that a busy machine judges nothing."""
    looks = [time.thread_time()]
    with PAGES.turn(lambda: looks.append(time.thread_time())):
        document(QUERY)
    looks.append(time.thread_time())
    longest = max(later - one for one, later in pairwise(looks))
    assert len(looks) > 100
    assert longest < 1.0, f"{longest:.2f} s of {looks[-1] - looks[0]:.2f}"


@pytest.mark.parametrize("after", [1, 3, 10, 30, 60])
def test_it_ends_there_and_is_the_same_when_it_is_asked_again(after: int) -> None:
    query, calls = QUERY.replace("7777", str(7000 + after)), []

    def look() -> None:
        calls.append(1)
        if len(calls) == after:
            raise Left

    with pytest.raises(Left), PAGES.turn(look):
        document(query)
    assert len(calls) == after
    assert PAGES.idle
    if after == 60:
        again = json.loads(document(query))["decision"]["plan"]
        never_left = json.loads(document(f"{query}&currency=EUR"))["decision"]["plan"]
        for key in ("level", "runtime", "memory"):
            assert again[key] == never_left[key]
