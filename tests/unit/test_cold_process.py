"""A process of one answer loads what that takes, says the same, and ends as any other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.report.asking import answer_plan

ROOT = Path(__file__).resolve().parents[2]
QUERY = "model=qwen3-8b&machine=rtx-4090"
# What takes longer to load than a question to answer.
HEAVY = (
    *("pandas", "streamlit", "gguf", "gguf.constants", "yaml", "genai_prices", "huggingface_hub"),
    *("babel.messages", "babel.dates", "importlib.metadata"),
    *("advisor.foundation.environment", "advisor.models.blueprints.gemma"),
)
ASKED = """
import atexit, sys
atexit.register(lambda: print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr))
sys.argv = ["advisor", "plan", {query!r}, "--format", "json"]
from advisor.__main__ import main
sys.exit(main())
"""


def asked(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LLM_FIT_ADVISOR_CACHE": str(tmp_path)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_second_question_loads_little_and_is_answered_alike(tmp_path: Path) -> None:
    found = []
    for query in (f"{QUERY}&context=9000", QUERY):
        done = asked(tmp_path, "-c", ASKED.format(heavy=HEAVY, query=query))
        assert done.returncode == 0, done.stderr
        found.append(done)
    assert found[1].stderr.strip() == "[]", "what is registered for the end runs, and says what was loaded"
    assert json.loads(found[1].stdout) == answer_plan(QUERY)


@pytest.mark.parametrize(
    ("arguments", "status", "out", "err"),
    [
        (("machines", "3090"), 0, "rtx-3090", ""),
        (("plan", "model=nonsense-model&machine=rtx-4090", "--format", "json"), 2, '"error"', ""),
        (("plan", "model=nonsense-model&machine=rtx-4090"), 2, "", "error: "),
        (("plan", "--bogus"), 2, "", "{sizes,plan,report,"),
        (("nonsense",), 2, "", "invalid choice: 'nonsense'"),
    ],
)
def test_it_ends_with_its_status_and_all_it_said(
    tmp_path: Path, arguments: tuple[str, ...], status: int, out: str, err: str
) -> None:
    done = asked(tmp_path, "-m", "advisor", *arguments)
    assert done.returncode == status
    assert out in done.stdout
    assert err in done.stderr


def test_gguf_itself_has_the_same_constants(tmp_path: Path) -> None:
    text = """
import sys
from advisor.formats.gguf_constants import GGUFValueType
assert "gguf" not in sys.modules
import gguf
from gguf import constants
assert gguf.GGUFValueType is constants.GGUFValueType is GGUFValueType
"""
    assert asked(tmp_path, "-c", text).stderr == ""
