"""A second process that makes reports while this one makes something else, since Python computes on one core at a time.

Started once many reports are wanted at once, and not where there is one core; it ends by itself when it has had nothing
to do for a while, and when this process ends. Whatever goes wrong with it, the report is made here.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from threading import Lock

from advisor.foundation.environment import environment
from advisor.foundation.places import IMPORT_FOLDER

_MODULE = "advisor.ui.second_process_main"
_PATIENCE_S = 30.0
_NOT_AGAIN_S = 60.0  # after a start


class SecondProcess:
    """At most one process, which makes one thing at a time."""

    def __init__(self, module: str = _MODULE) -> None:
        self._module = module
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._is_ready = False
        self._started_at = float("-inf")
        self.made = 0
        self.starts = 0

    @property
    def runs(self) -> bool:
        """Whether it is there, or on its way."""
        return self._process is not None

    def start(self) -> None:
        """Have it soon; nothing happens where it runs, may not, or was started a moment ago."""
        if not self._lock.acquire(blocking=False):  # somebody starts or asks it
            return
        try:
            if self._process is None and time.monotonic() - self._started_at >= _NOT_AGAIN_S and _is_of_use():
                self._start()
        finally:
            self._lock.release()

    def _start(self) -> None:
        self._started_at = time.monotonic()
        self.starts += 1
        mine, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-m", self._module, str(its.fileno())],
                stdin=subprocess.DEVNULL,
                cwd=IMPORT_FOLDER,
                pass_fds=(its.fileno(),),
            )
        self._pipe, self._is_ready = Connection(mine.detach()), False

    def ask(self, *asked: object) -> object:
        """What it makes of this; None where it is not ready, is busy, failed, or does not answer such a thing."""
        if self._process is None or not self._lock.acquire(blocking=False):
            return None
        try:
            return self._answer(asked)
        except (EOFError, OSError):
            self._end()
            return None
        finally:
            self._lock.release()

    def _answer(self, asked: tuple[object, ...]) -> object:
        pipe = self._pipe
        if pipe is None or not (self._is_ready or pipe.poll()):
            return None
        if not self._is_ready:
            self._is_ready = bool(pipe.recv())
        pipe.send(asked)
        if not pipe.poll(_PATIENCE_S):
            raise EOFError
        found = pipe.recv()
        self.made += found is not None
        return found

    def stop(self) -> None:
        """End it, at the end of this process."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, pipe, self._process, self._pipe = self._process, self._pipe, None, None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.kill()
            process.wait()


def _is_of_use() -> bool:
    return sys.platform != "win32" and _cores() > 1 and environment().reports != "here"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


REPORTS = SecondProcess()
