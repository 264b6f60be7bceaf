"""Workers: huey brings them the numbers of runs, the database says what there is to do.

`python -m advisor worker` is one; the app starts one of its own, which outlives it. A machine has one worker for each
queue of a database, and all of them together do one run at a time for each queue, so no GPU is shared. Whatever huey
loses, the worker finds in the database.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from advisor.foundation.environment import real_run_environment
from advisor.foundation.errors import InputError
from advisor.foundation.places import IMPORT_FOLDER, user_data_folder
from advisor.quantize.allowed import QuantizeSettings, read_settings
from advisor.quantize.errors import ToolMissing
from advisor.quantize.native import INSTALL
from advisor.quantize.run_request import RunRequest, check_request
from advisor.quantize.runs import Runs
from advisor.quantize.supervise import remove_partial, work
from advisor.quantize.tools import python_command
from advisor.store.database import default_url
from advisor.store.errors import StoreUnavailable

QUEUES = ("cpu", "gpu")
LOOK_EVERY_S = 2.0
_CLEAN_EVERY_S = 300.0
_MOST_IDLE_S = 1.0  # huey looks every 10 seconds otherwise
_STOP_S = 15.0
_log = logging.getLogger(__name__)


def make_huey(queue: str, address: str = "") -> Any:
    """The queue: in the address that is set, else in the runs' own PostgreSQL, else in an SQLite file."""
    try:
        import huey
        import huey.exceptions
    except ImportError:
        raise ToolMissing("Real runs need the package huey: {install}", install=INSTALL) from None
    chosen = address or default_url()
    name = f"advisor-{queue}"
    if chosen.startswith(("postgresql", "postgres:")):
        scheme, _, rest = chosen.partition("://")
        return huey.PostgresHuey(name, dsn=f"{scheme.partition('+')[0]}://{rest}", results=False)
    if chosen.startswith(("redis://", "rediss://", "unix://")):
        try:
            return huey.RedisHuey(name, url=chosen, results=False)
        except huey.exceptions.ConfigurationError:
            raise ToolMissing("A queue on Redis needs the package redis: pip install redis.") from None
    if address:
        raise InputError("The queue's address must begin with postgresql:// or redis://.")
    file = _data_file(f"queue-{_served(address)}.sqlite3")
    return huey.SqliteHuey(name, filename=str(file), fsync=True, timeout=15, results=False)


def _served(address: str) -> str:
    """Tells apart what workers of this machine serve: one outlives a change of settings, with the old ones."""
    return hashlib.sha256(f"{default_url()} {address}".encode()).hexdigest()[:12]


def _data_file(name: str) -> Path:
    folder = user_data_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / name


def _task(huey: Any, runs: Runs | None = None, settings: QuantizeSettings | None = None, state: Any = None) -> Any:
    """The one task there is; only workers give it something to run with."""

    def deliver(id: str) -> None:
        if runs is None or settings is None or state is None:
            raise RuntimeError("not a worker")
        with state.busy, _turn(state):
            work(id, runs, settings, state.name, state.stopping.is_set)

    return huey.task(name="advisor_run")(deliver)


def start_run(request: RunRequest, owner: str, queue: str = "cpu", settings: QuantizeSettings | None = None) -> str:
    """Check a request, queue it and make sure that this machine has a worker; the run's id.

    Raises InputError, ToolMissing or StoreUnavailable in one sentence.
    """
    chosen = settings or read_settings()
    check_request(request, chosen)
    if queue not in QUEUES:
        raise InputError("The queue must be one of: {queues}.", queues=", ".join(QUEUES))
    huey = make_huey(queue, chosen.queue)
    runs = Runs.open()
    id = runs.submit(request, owner, queue, chosen.most_waiting)
    runs.close()
    with suppress(Exception):  # the row stands; a worker finds it without the message
        _task(huey)(id)
    ensure_worker(queue)
    return id


def _worker_lock(queue: str, settings: QuantizeSettings) -> FileLock:
    return FileLock(_data_file(f"worker-{queue}-{_served(settings.queue)}.lock"), timeout=0)


@contextmanager
def _turn(state: _State) -> Iterator[None]:
    """Wait until no other worker of this machine does a run of the same queue, or until told to stop."""
    lock = FileLock(_data_file(f"run-{state.queue}.lock"))
    while not state.stopping.is_set():
        with suppress(Timeout):
            lock.acquire(timeout=LOOK_EVERY_S)
            break
    try:
        yield
    finally:
        lock.release()


def ensure_worker(queue: str = "cpu") -> bool:
    """Start a worker that outlives this process, unless one is at work or all are elsewhere; whether it was started."""
    if real_run_environment().workers == "elsewhere":
        return False
    lock = _worker_lock(queue, read_settings())
    try:
        lock.acquire()
    except Timeout:
        return False
    lock.release()
    with (user_data_folder() / f"worker-{queue}.log").open("ab") as log:
        subprocess.Popen(  # noqa: S603
            python_command("advisor", "worker", "--queue", queue),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=IMPORT_FOLDER, start_new_session=True,
        )  # fmt: skip
    return True


class _State:
    """What the worker's threads share."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        self.stopping = threading.Event()
        self.busy = threading.Lock()


def run_worker(queue: str = "cpu") -> str:
    """Work until told to stop (SIGTERM; a run at work goes back to the queue). Returns how it ended."""
    settings = read_settings()
    settings.check_enabled()
    lock = _worker_lock(queue, settings)
    try:
        lock.acquire()
    except Timeout:
        return f"This machine already has a worker for the queue '{queue}' of this database."
    runs, state = Runs.open(), _State(queue)
    huey = make_huey(queue, settings.queue)
    task = _task(huey, runs, settings, state)
    finder = threading.Thread(target=_find_forgotten, args=(queue, huey, task, runs, state), daemon=True)
    finder.start()
    threading.Thread(target=_clean_regularly, args=(runs, settings, state), daemon=True).start()
    consumer = huey.create_consumer(workers=1, periodic=False, max_delay=_MOST_IDLE_S, graceful_signal="INT")
    try:
        consumer.run()
    finally:
        state.stopping.set()
        if state.busy.acquire(timeout=_STOP_S):
            state.busy.release()
        lock.release()
    return "Stopped."


def _find_forgotten(queue: str, huey: Any, task: Any, runs: Runs, state: _State) -> None:
    """Deliver again what waits without a message: its worker was lost, or the message was."""
    while not state.stopping.wait(LOOK_EVERY_S):
        try:
            waiting = runs.waiting(queue)
            if not waiting or state.busy.locked():
                continue
            under_way = {str(message.args[0]) for message in huey.pending() if message.args}
            for id in waiting:
                if id not in under_way:
                    task(id)
        except StoreUnavailable as error:
            _log.warning("%s", error)
        except Exception:  # the queue's own database may be away
            _log.exception("The queue cannot be looked at")
            time.sleep(LOOK_EVERY_S)


def _clean_regularly(runs: Runs, settings: QuantizeSettings, state: _State) -> None:
    while True:
        with suppress(StoreUnavailable, OSError):
            clean_up(runs, settings)
        if state.stopping.wait(_CLEAN_EVERY_S):
            return


def clean_up(runs: Runs, settings: QuantizeSettings) -> None:
    """Remove the halves of files that lie on this machine of runs that have ended.

    A worker that is lost leaves them, and where another machine ends its run nobody else would look here.
    """
    if settings.output.is_dir():
        ended = runs.ended(folder.name for folder in settings.output.iterdir() if folder.is_dir())
        for id in ended:
            remove_partial(settings.output / id)


def remove_files(id: str, settings: QuantizeSettings | None = None) -> None:
    """Remove what a run left on this machine's disk. Only for ended runs."""
    if id.isalnum():
        shutil.rmtree((settings or read_settings()).output / id, ignore_errors=True)
