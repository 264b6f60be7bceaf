"""Coroutines in tests, wherever a test runs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

_T = TypeVar("_T")


def in_own_loop(work: Coroutine[Any, Any, _T]) -> _T:
    """What it returns, run in a thread of its own: where a browser test came before, this thread has a loop already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
