"""Three lines of Python: the package is imported at no cost, and answers as the command line does."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import advisor
from advisor import ask
from advisor.foundation.errors import InputError
from advisor.report.asking import answer_plan

QUERY = "model=qwen3-8b&machine=rtx-4090&context=8192"


def test_three_lines_say_what_the_command_line_says() -> None:
    found = ask(QUERY)
    document = json.loads(json.dumps(answer_plan(QUERY)))
    assert found.document == document
    decision = document["decision"]
    assert (found.status, found.sentence, list(found.reasons)) == (
        decision["status"], decision["sentence"], decision["reasons"],
    )  # fmt: skip
    plan = found.plan
    assert (plan.level, plan.runtime, plan.query) == tuple(
        decision["plan"][key] for key in ("level", "runtime", "query")
    )
    assert plan.tokens_per_s is not None
    assert plan.tokens_per_s.low < plan.tokens_per_s.typical < plan.tokens_per_s.high


def test_keys_are_asked_as_in_a_link() -> None:
    by_keys = ask(model="qwen3-8b", machine="rtx-4090", context=8192)
    assert by_keys.plan == ask(QUERY).plan == ask({"model": "qwen3-8b", "machine": "rtx-4090", "context": "8192"}).plan
    assert ask(QUERY, level="Q4_K_M").plan.level == "Q4_K_M"


def test_what_cannot_be_answered_says_why() -> None:
    with pytest.raises(InputError) as refused:
        ask(model="qwen3-8b", machine="rtx-409")
    assert "rtx-4090" in refused.value.suggestions
    with pytest.raises(AttributeError, match="no attribute 'tell'"):
        _ = advisor.tell


def test_importing_loads_no_engine() -> None:
    script = "import sys, advisor; print(*[name for name in sys.modules if name.startswith(('advisor.', 'numpy'))])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"advisor.foundation", "advisor.foundation.version"}
