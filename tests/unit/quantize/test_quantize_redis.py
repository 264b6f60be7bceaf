"""Runs delivered by a real Redis, which may go away and come back empty."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from advisor.quantize import native
from advisor.quantize.run_request import RunRequest
from advisor.quantize.runs import Run, Runs
from advisor.quantize.worker import make_huey, start_run

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 120
TINY = RunRequest(source="tinylm", levels=("Q8_0",), measure=False)


class Redis:
    """One server on a port of its own that keeps nothing on disk."""

    def __init__(self, program: str, folder: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._command = [program, "--port", str(self.port), "--save", "", "--dir", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"redis://127.0.0.1:{self.port}/3"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        wait_for(self._answers)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


def wait_for(what: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    pytest.importorskip("redis", reason="not installed: pip install redis")
    if not native.is_installed():
        pytest.skip("xllamacpp is not installed: pip install -r advisor/quantize/requirements.txt")
    server = Redis(program, tmp_path)
    for name, value in (("DATABASE", None), ("QUANTIZE", "on"), ("QUEUE", server.address)):
        if value is None:
            monkeypatch.delenv(f"LLM_FIT_ADVISOR_{name}", raising=False)
        else:
            monkeypatch.setenv(f"LLM_FIT_ADVISOR_{name}", value)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("advisor.quantize.worker.ensure_worker", lambda _queue="cpu": False)
    server.start()
    yield server
    server.kill()


def test_redis_delivers_and_loses_no_run(redis: Redis) -> None:
    rows = Runs.open()
    queue = make_huey("cpu", redis.address)
    first = start_run(TINY, "an owner")
    assert queue.pending_count() == 1
    worker = subprocess.Popen([sys.executable, "-m", "advisor", "worker"], cwd=ROOT, stderr=subprocess.DEVNULL)

    def done(id: str) -> bool:
        run = rows.get(id)
        assert isinstance(run, Run)
        assert run.state not in ("failed", "cancelled"), run.message
        return run.state == "done"

    try:
        wait_for(lambda: done(first))
        assert queue.pending_count() == 0
        redis.kill()
        second = start_run(TINY, "an owner")  # the row stands, the message is lost
        redis.start()
        wait_for(lambda: done(second))
        assert worker.poll() is None
    finally:
        worker.terminate()
        worker.wait()
        rows.close()
