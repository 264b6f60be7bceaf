"""The dashboard as people start it, for a while, and what it takes of the machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_ROOT = Path(__file__).resolve().parents[2]
_START_S = 120


@dataclass(frozen=True)
class Served:
    """A running dashboard."""

    address: str
    process: psutil.Process

    def processes(self) -> list[psutil.Process]:
        """All of it, the proxy included."""
        found = [self.process, *self.process.children(recursive=True)]
        return [one for one in found if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    def cpu_s(self) -> float:
        """CPU seconds that it has taken so far, to the microsecond."""
        return sum(time.clock_gettime((~one.pid << 3) | 2) for one in self.processes())  # Linux: its CPU-time clock

    def replicas(self) -> list[psutil.Process]:
        """The processes of the dashboard itself, without what starts and joins them."""
        serving = [one for one in self.processes() if "serve" in one.cmdline()]
        return serving[1:] or serving

    def memory_mb(self) -> float:
        """Memory that no other process shares."""
        return sum(one.memory_full_info().uss for one in self.processes()) / 1e6


@contextmanager
def served(
    processes: int = 1, python: str = sys.executable, root: Path = _ROOT, /, **environment: str
) -> Iterator[Served]:
    """The dashboard in that many processes, started by the README's command with this Python in this checkout."""
    port = _free_ports(processes + 1)
    command = [python, "-m", "advisor", "serve", "--port", str(port), "--processes", str(processes)]
    with tempfile.TemporaryDirectory() as folder:
        own = environment | {
            "LLM_FIT_ADVISOR_DATABASE": f"sqlite:///{folder}/kept.sqlite3",
            "LLM_FIT_ADVISOR_CACHE": folder,
        }
        log = Path(folder) / "log.txt"
        with (
            log.open("w") as output,
            subprocess.Popen(
                command, cwd=root, stdout=output, stderr=output, env=os.environ | own | environment
            ) as process,
        ):
            try:
                address = f"http://127.0.0.1:{port}"
                _wait_for(f"{address}/healthz", process, log)
                yield Served(address, psutil.Process(process.pid))
            finally:
                _, *others = Served(address, psutil.Process(process.pid)).processes()
                process.terminate()
                process.wait(60)
                for one in others:  # a worker outlives its dashboard
                    with suppress(psutil.NoSuchProcess):
                        one.terminate()
        if "Traceback" in (said := log.read_text()):
            raise SystemExit(f"The server reported an error:\n{said[-4000:]}")


def _free_ports(count: int) -> int:
    """The first of that many free ports in a row."""
    for first in range(20_000 + os.getpid() % 5_000, 60_000, count):
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise SystemExit("No ports are free")


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) != 0


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"The server did not start:\n{log.read_text()}")
