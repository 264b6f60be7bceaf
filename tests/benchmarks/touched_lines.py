"""A plugin of pytest: which tests run which lines below a folder, and how long each takes, written as JSON.

    TOUCHED_UNDER=advisor/costs TOUCHED_TO=lines.json python -m pytest -n 0 -p tests.benchmarks.touched_lines tests/unit

What a test starts as a process is not seen, and what is kept for the process only in the first test that needs it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

_UNDER = str(Path(os.environ.get("TOUCHED_UNDER", "advisor")).resolve()) + os.sep
_touched: defaultdict[str, list[str]] = defaultdict(list)
_took: dict[str, float] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    lines: set[tuple[str, int]] = set()

    def line(frame: FrameType, _: str, __: Any) -> Any:
        lines.add((frame.f_code.co_filename, frame.f_lineno))
        return line

    def call(frame: FrameType, event: str, value: Any) -> Any:
        return line(frame, event, value) if frame.f_code.co_filename.startswith(_UNDER) else None

    began = time.process_time()
    sys.settrace(call)
    threading.settrace(call)
    try:
        return (yield)
    finally:
        sys.settrace(None)
        threading.settrace(None)
        _took[item.nodeid] = time.process_time() - began
        for name, number in lines:
            _touched[f"{os.path.relpath(name)}:{number}"].append(item.nodeid)


def pytest_sessionfinish() -> None:
    text = json.dumps({"took": _took, "touched": _touched})
    Path(os.environ["TOUCHED_TO"]).write_text(text, "utf-8")
