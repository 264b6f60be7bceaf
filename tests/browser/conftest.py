"""Visits to the session's server, in one browser profile or in one of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.visits import DESK, Open, Visit

READERS = ("/r?", "/s/")  # reports, which are no pages of the dashboard


@pytest.fixture(scope="session")
def desk(chromium: Any) -> Iterator[Any]:
    """A profile that most visits share: what it has loaded it neither fetches nor compiles again."""
    context = chromium.new_context(**DESK)
    yield context
    context.close()


@pytest.fixture
def visit(chromium: Any, desk: Any, server: str) -> Iterator[Open]:
    """Opens a path, in a profile of its own where `alone` or other options of the browser ask for one."""
    visits: list[Visit] = []
    own: list[Any] = []

    def open_page(path: str, *, alone: bool = False, **options: Any) -> Visit:
        context = desk
        if alone or options:
            context = chromium.new_context(**(DESK | options))
            own.append(context)
        visits.append(Visit(context.new_page(), server))
        return visits[-1].read(path) if path.startswith(READERS) else visits[-1].go(path)

    yield open_page
    for one in visits:
        one.close()
    for context in own:
        context.close()
