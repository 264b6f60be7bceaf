"""A worker's part in a run: start the process that does it, keep the row alive, obey a cancel, clean up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.foundation.places import IMPORT_FOLDER
from advisor.quantize.allowed import QuantizeSettings
from advisor.quantize.run_child import REQUEST
from advisor.quantize.runs import Run, RunLost, Runs, State
from advisor.quantize.tools import ended, last_line, plain_environment, python_command
from advisor.store.errors import StoreUnavailable

BEAT_S = 0.5
_GRACE_S = 5.0
_LEAST_FREE_BYTES = 32 << 20
_LOG = "log.txt"
_PARTIAL = ("*.part", "*.part.json", "*.new", "*.head", "*.logits", "part-*")
_PASSED_ON = ("LLM_FIT_ADVISOR_", "LLAMA_CPP_", "XDG_", "HOME", "LOCALAPPDATA", "USERPROFILE")
_FOR_THE_HUB = ("HF_",)


@dataclass
class _Heard:
    """The last that the child said."""

    stage: str = "Starting"
    progress: float = 0.0
    results: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    done: bool = False


def work(id: str, runs: Runs, settings: QuantizeSettings, worker: str, stopping: Callable[[], bool]) -> None:
    """Claim a run and see it through; returns at once where somebody else has it."""
    run = runs.claim(id, worker)
    if run is None:
        return
    folder = settings.output / run.id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REQUEST).write_text(run.request.model_dump_json(), "utf-8")
    heard = _Heard()
    child = _start(run, folder)
    reader = threading.Thread(target=_listen, args=(child, heard), daemon=True)
    reader.start()
    try:
        outcome = _watch(run, runs, child, heard, folder, stopping)
    except RunLost:
        return
    finally:
        _end(child)
        _close(child, reader)
    if outcome is None and stopping():
        runs.give_back(run)
        return
    state, message = outcome or _outcome(child, heard, folder)
    if state != "done":
        remove_partial(folder)
    _say_until_heard(lambda: runs.keep_result(run, heard.results))
    _say_until_heard(lambda: runs.end(run, state, message))


def _start(run: Run, folder: Path) -> subprocess.Popen[bytes]:
    passed = _PASSED_ON + (_FOR_THE_HUB if run.request.source == "hub" else ())
    environment = {**plain_environment(), **{key: value for key, value in os.environ.items() if key.startswith(passed)}}
    if run.request.source == "hub":
        environment.pop("HF_HUB_OFFLINE", None)
    with (folder / _LOG).open("wb") as log:
        return subprocess.Popen(  # noqa: S603
            python_command("advisor.quantize.run_child", str(folder)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=IMPORT_FOLDER, env=environment,
            start_new_session=True,
        )  # fmt: skip


def _listen(child: subprocess.Popen[bytes], heard: _Heard) -> None:
    assert child.stdout is not None  # noqa: S101
    for line in child.stdout:
        with suppress(ValueError):
            said: Mapping[str, Any] = json.loads(line)
            for name in ("stage", "progress", "results", "error", "done"):
                if name in said:
                    setattr(heard, name, said[name])


def _watch(
    run: Run, runs: Runs, child: subprocess.Popen[bytes], heard: _Heard, folder: Path, stopping: Callable[[], bool]
) -> tuple[State, str] | None:
    """Until the child ends (None), or has to be ended for the reason that is returned. Raises RunLost."""
    kept = 0
    while child.poll() is None:
        try:
            if runs.beat(run, heard.stage, heard.progress):
                return "cancelled", "Cancelled."
            if len(heard.results) > kept:
                runs.keep_result(run, heard.results)
                kept = len(heard.results)
        except StoreUnavailable:
            pass  # the work goes on; if the row is taken meanwhile, the next beat says so
        if shutil.disk_usage(folder).free < _LEAST_FREE_BYTES:
            return "failed", "The disk is full; remove old runs."
        if stopping():
            return None
        with suppress(subprocess.TimeoutExpired):
            child.wait(BEAT_S)
    return None


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started: politely, then for good."""
    for number, patience in ((signal.SIGTERM, _GRACE_S), (getattr(signal, "SIGKILL", signal.SIGTERM), _GRACE_S)):
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, number)
        elif child.poll() is None:
            child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(patience)
    if child.stdin is not None:
        child.stdin.close()


def _close(child: subprocess.Popen[bytes], reader: threading.Thread) -> None:
    """Hear the child out, then let go of its output."""
    reader.join(_GRACE_S)
    if child.stdout is not None and not reader.is_alive():
        child.stdout.close()


def _outcome(child: subprocess.Popen[bytes], heard: _Heard, folder: Path) -> tuple[State, str]:
    if heard.error:
        return "failed", heard.error
    if child.returncode == 0 and heard.done:
        return "done", ""
    if child.returncode == -9:
        return "failed", "The run's process was killed (signal 9): most likely the machine ran out of memory."
    said = ""
    with suppress(OSError):
        said = last_line((folder / _LOG).read_bytes()[-4000:])
    return "failed", f"The run's process stopped ({ended(child.returncode or 0)}): {said}"


def remove_partial(folder: Path) -> None:
    """Files that no finished step stands behind."""
    for pattern in _PARTIAL:
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _say_until_heard(say: Callable[[], None], patience_s: float = 600.0) -> None:
    """A finished run is not lost because the database is away for a while."""
    end = time.monotonic() + patience_s
    while True:
        try:
            return say()
        except RunLost:
            return None
        except StoreUnavailable:
            if time.monotonic() > end:
                raise
            time.sleep(BEAT_S)
