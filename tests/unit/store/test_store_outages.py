"""The store when its database is killed, full, read-only, gone, or used by many processes at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from advisor.quantize.runs import Runs
from advisor.store import Store, StoreUnavailable, open_store
from advisor.store.asked import Asked
from advisor.store.kept_measurements import Measurements
from tests.support.postgres import PASSWORD, Postgres, postgres

__all__ = ["postgres"]
ROOT = Path(__file__).resolve().parents[3]
OWNER = "an owner's secret, long enough"

# Freezes until its input ends, and says each id once it is confirmed. A failure is waited out.
_WRITER = """
import sys, threading, time
from advisor.store import StoreUnavailable, open_store
told_to_stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), told_to_stop.set()), daemon=True).start()
store, number = open_store(sys.argv[1]), 0
while not told_to_stop.is_set():
    try:
        frozen = store.freeze(f"users={number}", {"number": number}, f"{sys.argv[2]} {number}")
        print(frozen.id, number, flush=True)
    except StoreUnavailable as error:
        print("!", error, flush=True)
        time.sleep(0.05)
    number += 1
store.close()
"""
_PATIENCE_S = 120


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def finish(process: subprocess.Popen[str]) -> list[str]:
    said, complained = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 0, complained
    return said.splitlines()


class Writer:
    """A process that freezes one thing after the other; `lines` is what it said so far."""

    def __init__(self, url: str, owner: str):
        self.process = start(_WRITER, url, owner)
        self.lines: list[str] = []
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip() for line in self.process.stdout if line.endswith("\n"))

    def wait_for(self, count: int, failures: bool) -> None:
        """Until it has said `count` more confirmations, or failures."""
        begin, end = len(self.lines), time.monotonic() + _PATIENCE_S
        while sum(line.startswith("!") == failures for line in self.lines[begin:]) < count:
            assert time.monotonic() < end, self.lines
            assert self.process.poll() is None
            time.sleep(0.02)

    def stop(self, kill: bool = False) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        if kill:
            self.process.kill()
        self.process.stdin.close()
        self._listener.join(_PATIENCE_S)
        complained = self.process.stderr.read()
        assert kill or self.process.wait(_PATIENCE_S) == 0, complained
        self.process.wait(_PATIENCE_S)
        self.process.stdout.close()
        self.process.stderr.close()


def assert_all_there(store: Store, lines: list[str]) -> None:
    confirmed = [line.split() for line in lines if not line.startswith("!")]
    for id, number in confirmed:
        assert store.load(id).result == {"number": int(number)}


def test_a_killed_postgresql_loses_nothing_that_was_confirmed(postgres: Postgres) -> None:
    url = postgres.new_database()
    store = open_store(url)
    before = store.freeze("model=before", {}, OWNER)
    writers = [Writer(url, f"{OWNER} {number}") for number in range(2)]
    for writer in writers:
        writer.wait_for(5, failures=False)
    postgres.kill()
    for writer in writers:
        writer.wait_for(2, failures=True)
    with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
        store.load(before.id)
    assert PASSWORD not in str(caught.value)
    postgres.start()
    assert store.load(before.id) == before  # the same store, by itself
    for writer in writers:
        writer.wait_for(5, failures=False)
    for writer in writers:
        writer.stop()
        assert not any(PASSWORD in line for line in writer.lines)
        assert_all_there(store, writer.lines)
    store.close()


def test_killed_writers_leave_sqlite_whole(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'advisor.sqlite3'}"
    writers = [Writer(url, f"{OWNER} {number}") for number in range(2)]
    for writer in writers:
        writer.wait_for(5, failures=False)
    for writer in writers:
        writer.stop(kill=True)
    store = open_store(url)
    for writer in writers:
        assert not any(line.startswith("!") for line in writer.lines)
        assert_all_there(store, writer.lines)
    store.freeze("model=after", {}, OWNER)
    with store._engine.connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_that_start_together_migrate_once(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path / 'advisor.sqlite3'}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    code = "import sys; from advisor.store import open_store; open_store(sys.argv[1]).check(); print('ready')"
    processes = [start(code, url) for _ in range(4)]
    assert [finish(process) for process in processes] == [["ready"]] * 4
    store = open_store(url)
    with store._engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1
    store.close()


def test_a_postgresql_that_comes_later_is_used_then(postgres: Postgres) -> None:
    url = postgres.new_database()
    postgres.kill()
    store = open_store(url)
    with pytest.raises(StoreUnavailable, match="works without it"):
        store.freeze("model=a", {}, OWNER)
    postgres.start()
    assert store.load(store.freeze("model=a", {"x": 1}, OWNER).id).result == {"x": 1}
    store.close()


_FULL = """
import resource, sys
from advisor.store import StoreUnavailable, open_store
store = open_store(sys.argv[1])
kept = store.freeze("model=kept", {"x": 1}, sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
failed = 0
for number in range(20):
    try:
        print(store.freeze(f"users={number}", {"number": number, "fill": "x" * 20_000}, sys.argv[2]).id, number)
    except StoreUnavailable as error:
        failed += 1
        print("!", error)
assert failed and store.load(kept.id).result == {"x": 1}
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(store.freeze("users=99", {"number": 99}, sys.argv[2]).id, 99)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_full_disk_is_told_and_what_was_confirmed_stays(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'advisor.sqlite3'}"
    lines = finish(start(_FULL, url, OWNER))
    told = [line for line in lines if line.startswith("!")]
    assert told
    assert all("the disk is full or broken" in line and "works without it" in line for line in told)
    store = open_store(url)
    for line in lines:
        if not line.startswith("!"):
            id, number = line.split()
            assert store.load(id).result["number"] == int(number)
    store.close()


_READ_ONLY = """
import os, sys
from advisor.store import StoreUnavailable, open_store
store = open_store(sys.argv[1])
if os.geteuid() == 0:  # root may write anywhere
    os.setegid(65534)
    os.seteuid(65534)
for work in (store.check, lambda: store.freeze("model=a", {}, sys.argv[2]), lambda: store.list_own(sys.argv[2])):
    try:
        work()
    except StoreUnavailable as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
@pytest.mark.parametrize("existing", [True, False])
def test_a_read_only_folder_is_told(existing: bool) -> None:
    folder = Path(tempfile.mkdtemp(prefix="advisor-read-only-"))
    try:
        url = f"sqlite:///{folder / 'advisor.sqlite3'}"
        if existing:
            store = open_store(url)
            store.check()
            store.close()
            (folder / "advisor.sqlite3").chmod(0o444)
        folder.chmod(0o555)
        told = finish(start(_READ_ONLY, url, OWNER))
        assert told
        for line in told:
            assert "Frozen recommendations cannot be" in line
            assert "read-only" in line or "cannot be opened or written" in line
            assert str(folder) not in line
        assert any("kept now" in line for line in told)
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_path_that_cannot_be_a_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a database, but long enough to be looked at as if it were one " * 20)
    (tmp_path / "folder.sqlite3").mkdir()
    for path, reason in (
        (tmp_path / "file", "damaged"),
        (tmp_path / "file" / "below", "folder cannot be used"),
        (tmp_path / "folder.sqlite3", "cannot be opened"),
    ):
        store = open_store(f"sqlite:///{path}")
        with pytest.raises(StoreUnavailable, match=reason) as caught:
            store.freeze("model=a", {}, OWNER)
        assert str(tmp_path) not in str(caught.value)
        store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files from being deleted")
def test_nothing_is_confirmed_into_a_file_that_was_deleted(tmp_path: Path) -> None:
    path = tmp_path / "advisor.sqlite3"
    store = open_store(f"sqlite:///{path}")
    store.freeze("model=a", {}, OWNER)
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(StoreUnavailable):
        store.freeze("model=a", {}, OWNER)
    frozen = store.freeze("model=a", {}, OWNER)
    store.close()
    again = open_store(f"sqlite:///{path}")
    assert again.load(frozen.id) == frozen
    again.close()


def test_a_writer_that_never_ends_is_told_as_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advisor.store.database.BUSY_MS", 100)
    url = f"sqlite:///{tmp_path / 'advisor.sqlite3'}"
    store, other = open_store(url), open_store(url)
    frozen = store.freeze("model=a", {}, OWNER)
    with other._engine.execution_options(writes=True).begin():
        with pytest.raises(StoreUnavailable, match="busy"):
            store.freeze("model=a", {}, OWNER)
        assert store.load(frozen.id) == frozen  # readers do not wait
    store.freeze("model=a", {}, OWNER)
    store.close()
    other.close()


_USES: dict[str, tuple[Callable[[str], Any], Callable[[Any], Any]]] = {
    "links": (open_store, lambda opened: opened.list_own(OWNER)),
    "runs": (Runs.open, lambda opened: opened.own_ids(OWNER)),
    "measurements": (Measurements.open, lambda opened: opened.all()),
    "answers": (Asked.open, lambda opened: opened.newest(OWNER)),
}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files from being deleted")
@pytest.mark.parametrize("becomes", ["deleted", "empty", "damaged for a while"])
@pytest.mark.parametrize("rows", _USES)
def test_whatever_becomes_of_the_file_it_is_used_again(tmp_path: Path, rows: str, becomes: str) -> None:
    """Runs and measurements looked at the schema once, and after that no new file was ever given one."""
    path = tmp_path / "advisor.sqlite3"
    make, use = _USES[rows]
    opened = make(f"sqlite:///{path}")
    assert not use(opened)
    for file in tmp_path.iterdir():
        file.unlink()
    if becomes == "empty":
        path.touch()
    if becomes == "damaged for a while":
        path.write_text("this is no database " * 1000)
        with pytest.raises(StoreUnavailable, match="damaged"):
            use(opened)
        path.unlink()
    with suppress(StoreUnavailable):  # the first use may notice it; what follows must work
        use(opened)
    assert not use(opened)
    opened.close()
