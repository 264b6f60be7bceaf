"""A real server and a real browser for the tests that need them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is slow, not wrong: nothing in the suite is judged by wall time. The same commit gets the same verdict
# each time; `--hypothesis-profile search` looks further, with other examples every time.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", _PATIENT, derandomize=True, database=None)
settings.register_profile("search", _PATIENT, max_examples=1000)
settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
_START_SECONDS = 60
# It runs as root and without a graphics card on a build machine, and asks nobody but the page for anything.
_CHROMIUM_SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard, started with the README's command, with a database of its own; its address."""
    folder = tmp_path_factory.mktemp("server")
    database = f"sqlite:///{folder / 'advisor.sqlite3'}"
    with dashboard(folder / "log.txt", LLM_FIT_ADVISOR_DATABASE=database) as address:
        yield address


@contextmanager
def dashboard(log: Path, app: str = "app.py", port: int = 0, **environment: str) -> Iterator[str]:
    """The dashboard, or another app, in a process of its own, with more environment variables; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", port))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", app, "--server.port", str(port)]
    with (
        log.open("w") as output,
        subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env=os.environ | environment) as process,
    ):
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/_stcore/health", process, log)
            yield address
        finally:
            process.terminate()
            process.wait(10)
    said = log.read_text()
    assert "Traceback" not in said, said
    assert "Warning" not in said, said


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"The server did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The installed Chromium."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"There is no Chromium at {CHROMIUM}; set CHROMIUM to its path")
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_CHROMIUM_SWITCHES))
        yield browser
        browser.close()


def settle(page: Any) -> None:
    """Wait until the code of all elements is loaded and the last change has gone to the server and back."""
    page.wait_for_timeout(250)  # inputs hold changes back for a moment
    page.wait_for_selector("[data-testid=stApp][data-test-connection-state=CONNECTED]")
    page.wait_for_selector("[data-testid=stSkeleton]", state="detached")
    page.wait_for_selector("[data-test-script-state=notRunning]")


def wait_until_still(page: Any, element: Any) -> None:
    """Wait until an element no longer moves, as in an expander that is opening: a click would miss it."""
    before = None
    while (now := element.bounding_box()) is None or now != before:
        before = now
        page.wait_for_timeout(500)
