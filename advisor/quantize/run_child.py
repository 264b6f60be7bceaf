"""The process that does a run's work, in a group of its own: started by a worker, it ends when the worker does.

It prints one JSON object a line: {"stage", "progress"}, {"results"}, and last either {"done"} or {"error"}.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from advisor.foundation.errors import AdvisorError
from advisor.quantize.allowed import read_settings
from advisor.quantize.run_request import parse_request
from advisor.quantize.steps import Steps

REQUEST = "request.json"
_NICE = 10
_TELL_EVERY_S = 0.2
_LOCK_S = 30.0  # an earlier attempt's process is told to end when its worker does


def main(folder: Path) -> int:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(_NICE)
    try:
        with FileLock(folder / "lock", timeout=_LOCK_S):
            request = parse_request((folder / REQUEST).read_text("utf-8"))
            results = Steps(request, read_settings(), folder, _Told(), _keep).run()
    except AdvisorError as error:
        _say({"error": str(error)})
        return 1
    except Timeout:
        _say({"error": "An earlier attempt at this run is still at work."})
        return 1
    except MemoryError:
        _say({"error": "The machine has too little free memory for this model."})
        return 1
    _say({"results": results})
    _say({"done": True})
    return 0


def _end_with_parent() -> None:
    """The worker holds the other end of our input and never writes: its end is ours, and our tools'."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    if hasattr(os, "killpg"):
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


class _Told:
    """Prints progress, but not more often than anybody looks."""

    def __init__(self) -> None:
        self._stage, self._at = "", 0.0

    def __call__(self, stage: str, progress: float) -> None:
        now = time.monotonic()
        if stage != self._stage or now - self._at >= _TELL_EVERY_S:
            self._stage, self._at = stage, now
            _say({"stage": stage, "progress": progress})


def _keep(results: Mapping[str, Any]) -> None:
    _say({"results": dict(results)})


def _say(what: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
