"""Runs as jobs: rows, workers and their processes, killed at every point."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import update

from advisor.foundation.errors import InputError
from advisor.quantize import native, runs, supervise
from advisor.quantize.allowed import read_settings
from advisor.quantize.measure import measured_of
from advisor.quantize.run_request import RunRequest, check_request
from advisor.quantize.runs import Run, RunLost, Runs
from advisor.quantize.supervise import remove_partial
from advisor.quantize.worker import clean_up, ensure_worker, make_huey, remove_files, start_run
from advisor.store.database import make_engine, writing
from advisor.store.errors import StoreUnavailable
from advisor.store.tables import runs as table
from tests.support.postgres import Postgres, postgres

__all__ = ["postgres"]
ROOT = Path(__file__).resolve().parents[3]
OWNER = "an owner's secret, long enough"
needs_library = pytest.mark.skipif(
    not native.is_installed(), reason="xllamacpp is not installed: pip install -r advisor/quantize/requirements.txt"
)
TINY = RunRequest(source="tinylm", levels=("Q8_0",), measure=False)
# The second level takes long enough to be met at work.
SLOW = RunRequest(source="tinylm", levels=("Q8_0", "IQ2_XXS"), matrix="tinylm", measure=False)
PATIENCE_S = 240


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runs]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'advisor.sqlite3'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    found = Runs.open(url)
    yield found
    found.close()


def age(store: Runs, run: Run, seconds: float) -> None:
    """As if the worker had been silent for so long."""
    assert run.heartbeat_at is not None
    with writing(store._rows.engine) as connection:
        old = run.heartbeat_at - timedelta(seconds=seconds)
        connection.execute(update(table).where(table.c.id == run.id).values(heartbeat_at=old))


def claimed(store: Runs, id: str, worker: str = "one") -> Run:
    run = store.claim(id, worker)
    assert run is not None
    return run


def test_how_long_a_run_has_taken_and_about_how_long_it_goes_on(store: Runs) -> None:
    run = claimed(store, store.submit(TINY, OWNER))
    assert run.elapsed_s == 0
    assert run.remaining_s is None  # nobody can know yet
    assert run.started_at is not None
    later = replace(run, heartbeat_at=run.started_at + timedelta(seconds=30), progress=0.25)
    assert later.elapsed_s == 30
    assert later.remaining_s == pytest.approx(90)
    assert replace(later, attempt=2).remaining_s is None  # it skips what is finished
    assert replace(later, started_at=None).remaining_s is None  # an older version began it
    store.end(run, "done")
    ended = store.get(run.id)
    assert ended is not None
    assert ended.remaining_s is None
    assert ended.elapsed_s is not None
    assert 0 <= ended.elapsed_s < 60


def test_a_run_is_taken_by_exactly_one_worker(store: Runs) -> None:
    id = store.submit(TINY, OWNER)
    with ThreadPoolExecutor(8) as pool:
        taken = [run for run in pool.map(lambda number: store.claim(id, f"worker {number}"), range(8)) if run]
    assert len(taken) == 1
    assert taken[0].state == "running"
    assert taken[0].request == TINY
    assert store.waiting("cpu") == ()


def test_a_lost_workers_run_is_taken_again_and_the_lost_one_has_no_say(store: Runs) -> None:
    id = store.submit(TINY, OWNER)
    first = claimed(store, id, "one")
    age(store, first, runs.STALE_S - 5)
    assert store.waiting("cpu") == ()
    age(store, first, runs.STALE_S + 5)
    assert store.waiting("cpu") == (id,)
    second = claimed(store, id, "two")
    assert second.attempt == 2
    for say in (
        lambda: store.beat(first, "x", 0.5),
        lambda: store.end(first, "done"),
        lambda: store.keep_result(first, {}),
    ):
        with pytest.raises(RunLost):
            say()
    assert store.beat(second, "Quantizing", 0.5) is False
    store.keep_result(second, {"Q8_0": {"file_bytes": 1}})
    store.end(second, "done")
    ended = store.get(id)
    assert ended is not None
    assert (ended.state, ended.progress, ended.stage) == ("done", 1.0, "Quantizing")
    assert ended.result == {"Q8_0": {"file_bytes": 1}}
    assert store.claim(id, "three") is None


def test_cancelling_reaches_queued_running_and_lost_runs(store: Runs) -> None:
    queued, running, lost = (store.submit(TINY, OWNER) for _ in range(3))
    at_work, silent = claimed(store, running), claimed(store, lost)
    assert not store.cancel(queued, "another secret, long enough")
    assert all(store.cancel(id, OWNER) for id in (queued, running, lost))
    assert store.beat(at_work, "", 0.1) is True
    age(store, silent, runs.STALE_S + 5)
    assert store.claim(lost, "two") is None
    states = {run.id: run.state for run in store.newest()}  # runs of one instant have no order
    assert states == {queued: "cancelled", running: "running", lost: "cancelled"}
    assert not store.cancel(queued, OWNER)


def test_a_run_that_loses_every_worker_is_given_up(store: Runs) -> None:
    id = store.submit(TINY, OWNER)
    for _ in range(runs.MOST_ATTEMPTS):
        age(store, claimed(store, id), runs.STALE_S + 5)
    assert store.claim(id, "last") is None
    found = store.get(id)
    assert found is not None
    assert found.state == "failed"
    assert "its worker was lost each time" in found.message


def test_a_run_given_back_counts_no_attempt(store: Runs) -> None:
    id = store.submit(TINY, OWNER)
    store.give_back(claimed(store, id))
    assert store.waiting("cpu") == (id,)
    assert claimed(store, id).attempt == 1


def test_a_worker_is_lost_after_many_missed_beats_and_within_half_a_minute() -> None:
    """A machine that swaps misses some; whoever waits must not wait for minutes."""
    assert 20 * supervise.BEAT_S <= runs.STALE_S <= 30


def test_one_owner_cannot_fill_the_queue(store: Runs) -> None:
    for _ in range(runs.MOST_OWN):
        last = store.submit(TINY, OWNER)
    with pytest.raises(InputError, match="5 runs of yours are waiting already"):
        store.submit(TINY, OWNER)
    store.submit(TINY, "another secret, long enough")
    assert store.cancel(last, OWNER)
    store.submit(TINY, OWNER)


def test_too_many_waiting_runs_and_other_peoples_runs_are_refused(store: Runs) -> None:
    id = store.submit(TINY, OWNER, most_waiting=1)
    with pytest.raises(InputError, match="1 runs are waiting already"):
        store.submit(TINY, OWNER, most_waiting=1)
    store.end(claimed(store, id), "failed", "because")
    assert not store.remove(id, "another secret, long enough")
    assert store.remove(id, OWNER)
    assert store.get(id) is None


def test_a_database_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="Runs cannot be kept now"):
        Runs(make_engine(f"sqlite:///{tmp_path}/file/advisor.sqlite3")).submit(TINY, OWNER)


def test_everything_is_off_until_the_operator_allows_it(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    on = {
        "LLM_FIT_ADVISOR_QUANTIZE": "on", "LLM_FIT_ADVISOR_QUANTIZE_FOLDERS": str(inside),
        "LLM_FIT_ADVISOR_QUANTIZE_REPOS": "HuggingFaceTB/*, owner/model",
    }  # fmt: skip

    def refused(environment: dict[str, str], **fields: Any) -> str:
        request = RunRequest(**{"source": "tinylm", "levels": ("Q8_0",), **fields})
        with pytest.raises(InputError) as caught:
            check_request(request, read_settings(environment))
        return str(caught.value)

    assert "switched off" in refused({})
    assert "switched off" in refused({"LLM_FIT_ADVISOR_QUANTIZE": "off"})
    for location in (outside, inside / "link", inside / ".." / "outside", inside / "missing", "/etc/passwd", "~", "\0"):
        assert "not in a folder that is allowed" in refused(on, source="folder", location=str(location))
    assert "not in a folder that is allowed" in refused(on, text="/etc/passwd")
    assert "not in a folder that is allowed" in refused(on, matrix="/etc/passwd")
    for repository in ("other/model", "owner/model2", "../owner/model", "HuggingFaceTB/../x", "HuggingFaceTB/a/b"):
        assert "not among those allowed" in refused(on, source="hub", location=repository)
    assert "no level that can be made" in refused(on, levels=("Q4_K",))
    assert "each once" in refused(on, levels=("Q8_0", "Q8_0"))
    assert "must be a number" in refused({**on, "LLM_FIT_ADVISOR_QUANTIZE_MAX_GB": "many"})
    check_request(RunRequest(source="folder", location=str(inside), levels=("Q8_0",)), read_settings(on))
    check_request(RunRequest(source="hub", location="HuggingFaceTB/SmolLM2", levels=("Q8_0",)), read_settings(on))


def test_the_queue_lies_where_its_address_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(make_huey("cpu")).__name__ == "SqliteHuey"
    assert list(home.glob("queue-*.sqlite3"))
    monkeypatch.setattr("huey.storage.Redis", None)
    with pytest.raises(InputError, match="needs the package redis"):
        make_huey("gpu", "redis://localhost/0")
    with pytest.raises(InputError, match="must begin with postgresql:// or redis://"):
        make_huey("cpu", "amqp://localhost")


def test_where_workers_are_elsewhere_none_is_started(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_WORKERS", "elsewhere")
    assert not ensure_worker()
    assert not list(home.glob("worker-*"))


# From here on with real processes.

WORKER = """
import sys
from advisor.quantize import runs, worker
runs.STALE_S = 3.0
worker.LOOK_EVERY_S = 0.3
print(worker.run_worker())
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own, for this process and those it starts."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("LLM_FIT_ADVISOR_QUANTIZE", "on")
    monkeypatch.delenv("LLM_FIT_ADVISOR_DATABASE", raising=False)
    return tmp_path / "llm-fit-advisor"


@pytest.fixture
def rows(home: Path) -> Iterator[Runs]:
    found = Runs.open()
    yield found
    found.close()


@pytest.fixture
def worker(home: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(limit: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, preexec_fn=limit))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def until(rows: Runs, id: str, wanted: Callable[[Run], bool]) -> Run:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        run = rows.get(id)
        assert run is not None
        if wanted(run):
            return run
        assert not run.ended, run.message
        time.sleep(0.05)
    raise AssertionError(f"still {run}")


def must_get(rows: Runs, id: str) -> Run:
    run = rows.get(id)
    assert run is not None
    return run


def ended(run: Run) -> bool:
    return run.ended


def first_level_done(run: Run) -> bool:
    return "Q8_0" in run.result


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=20)
    return not alive


def files(home: Path, id: str) -> set[str]:
    return {path.name for path in (home / "runs" / id).iterdir()}


@needs_library
def test_a_worker_killed_is_replaced_and_finished_levels_stay(
    home: Path, rows: Runs, worker: Callable[..., subprocess.Popen[bytes]]
) -> None:
    id = rows.submit(SLOW, OWNER)
    first = worker()
    until(rows, id, first_level_done)
    at_work = children(first)
    assert at_work
    first.kill()
    assert gone(at_work), "what the worker started ends with it"
    kept = home / "runs" / id / "tinylm-Q8_0.gguf"
    made_at = kept.stat().st_mtime_ns
    assert not (home / "runs" / id / "tinylm-IQ2_XXS.gguf").exists()
    worker()
    run = until(rows, id, ended)
    assert (run.state, run.attempt) == ("done", 2)
    assert kept.stat().st_mtime_ns == made_at
    for level in SLOW.levels:
        found = run.result[level]
        assert found["file_bytes"] == found["predicted_file_bytes"]
        assert (home / "runs" / id / f"tinylm-{level}.gguf").stat().st_size == found["file_bytes"]
    assert not [name for name in files(home, id) if "part" in name or name.endswith(".logits")]
    remove_files(id)
    assert not (home / "runs" / id).exists()


# A worker that is killed at the moment in which its run's process says these words.
_KILLED_AT = """
import os, signal, sys
from advisor.quantize import runs, supervise
from advisor.quantize.allowed import read_settings
runs.MOST_ATTEMPTS = 9
listen = supervise._listen
def until_the_words(child, heard):
    for line in child.stdout:
        if sys.argv[2] in line.decode():
            os.kill(os.getpid(), signal.SIGKILL)
supervise._listen = until_the_words if sys.argv[2] else listen
supervise.work(sys.argv[1], runs.Runs.open(), read_settings(), f"killed at {sys.argv[2]}", lambda: False)
"""
_STEPS = (
    "Preparing the source", "Running the unquantized model", "Quantizing Q8_0", "Measuring Q8_0", '"results"',
)  # fmt: skip


@needs_library
def test_a_worker_killed_in_each_step_leaves_nothing_half(home: Path, rows: Runs) -> None:
    """Every step of one run loses its worker once: the next one goes on with what was finished, and ends it."""
    id = rows.submit(RunRequest(source="tinylm", levels=("Q8_0",), matrix="tinylm", chunks=2), OWNER)
    folder = home / "runs" / id
    made_at = set()
    for number, step in enumerate((*_STEPS, "")):
        done = subprocess.run([sys.executable, "-c", _KILLED_AT, id, step], cwd=ROOT, check=False)
        assert done.returncode == (-signal.SIGKILL if step else 0)
        run = must_get(rows, id)
        assert run.attempt == number + 1
        if step:
            assert (run.state, run.worker) == ("running", f"killed at {step}")
            assert rows.waiting("cpu") == ()
            age(rows, run, runs.STALE_S + 5)
            assert rows.waiting("cpu") == (id,)
        if number > 1:
            made_at.add((folder / "tinylm-16bit.gguf").stat().st_mtime_ns)
    assert (run.state, run.message) == ("done", "")
    assert len(made_at) == 1, "what was finished is not made again"
    found = run.result["Q8_0"]
    assert found["file_bytes"] == found["predicted_file_bytes"] == (folder / "tinylm-Q8_0.gguf").stat().st_size
    assert measured_of(found).quality.kl_divergence > 0
    assert not [path for pattern in supervise._PARTIAL for path in folder.glob(pattern)]


def test_a_worker_removes_the_halves_that_another_machine_never_sees(rows: Runs, home: Path) -> None:
    ended_run, at_work = (claimed(rows, rows.submit(TINY, OWNER)).id for _ in range(2))
    rows.end(must_get(rows, ended_run), "done")
    settings = read_settings()
    for id in (ended_run, at_work, "somebody else's"):
        (settings.output / id).mkdir(parents=True)
        for name in ("tinylm-Q8_0.gguf", "tinylm-Q4_K_M.gguf.part"):
            (settings.output / id / name).touch()
    clean_up(rows, settings)
    assert files(home, ended_run) == {"tinylm-Q8_0.gguf"}
    assert len(files(home, at_work)) == len(files(home, "somebody else's")) == 2


@needs_library
def test_cancelling_and_killing_end_every_process_and_remove_half_files(
    home: Path, rows: Runs, worker: Callable[..., subprocess.Popen[bytes]]
) -> None:
    cancelled, killed = rows.submit(SLOW, OWNER), rows.submit(SLOW, OWNER)
    process = worker()
    until(rows, cancelled, first_level_done)
    at_work = children(process)
    assert rows.cancel(cancelled, OWNER)
    assert until(rows, cancelled, ended).state == "cancelled"
    assert gone(at_work)
    until(rows, killed, first_level_done)
    for child in children(process):
        child.send_signal(signal.SIGKILL)
    run = until(rows, killed, ended)
    assert run.state == "failed"
    assert "was killed (signal 9)" in run.message
    for id in (cancelled, killed):
        assert "tinylm-Q8_0.gguf" in files(home, id)
        assert not [name for name in files(home, id) if "part" in name or "IQ2_XXS" in name]


@needs_library
def test_a_full_disk_fails_the_run_in_one_sentence(
    home: Path, rows: Runs, worker: Callable[..., subprocess.Popen[bytes]]
) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))

    id = rows.submit(TINY, OWNER)
    worker(limit)
    run = until(rows, id, ended)
    assert run.state == "failed"
    assert run.message == "tinylm-16bit.gguf cannot be written: File too large."
    assert not [name for name in files(home, id) if name.endswith((".gguf", ".part"))]


@needs_library
def test_the_app_can_die_once_it_has_started_a_run(home: Path, rows: Runs) -> None:
    """The worker that the app starts outlives it, measures, and gives a run back when it is told to stop."""
    script = (
        "import os, signal; from advisor.quantize.worker import start_run; from advisor.quantize.run_request import *;"
        "start_run(RunRequest(source='tinylm', levels=('Q8_0',), chunks=2), 'a' * 20);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    (id,) = (run.id for run in rows.newest())
    run = until(rows, id, ended)
    assert (run.state, run.message) == ("done", "")
    measured = measured_of(run.result["Q8_0"])
    assert measured.quality.kl_divergence > 0
    assert measured.speed.decode_per_s.low > 0
    assert "llama.cpp" in measured.engine
    assert not ensure_worker("cpu"), "one worker a machine and queue"
    (started,) = (process for process in psutil.process_iter() if int(run.worker.split(":")[1]) == process.pid)
    again = start_run(SLOW, OWNER)
    until(rows, again, first_level_done)
    started.terminate()
    assert gone([started])
    waiting = rows.get(again)
    assert waiting is not None
    assert (waiting.state, waiting.attempt) == ("queued", 0)


@needs_library
def test_workers_of_two_databases_take_turns(
    home: Path, rows: Runs, worker: Callable[..., subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker outlives a change of settings; the one for the new database starts beside it and waits for its turn."""
    first = rows.submit(SLOW, OWNER)
    old = worker()
    until(rows, first, first_level_done)
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", f"sqlite:///{home / 'other.sqlite3'}")
    other = Runs.open()
    second = other.submit(TINY, OWNER)
    script = "from advisor.quantize.worker import ensure_worker; print(ensure_worker())"
    said = subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert said.stdout.startswith("True")
    while not ended(run := must_get(other, second)):
        before = rows.get(first)
        assert before is not None
        assert run.state == "queued" or before.ended
        time.sleep(0.05)
    assert run.state == "done"
    other.close()
    (started,) = (process for process in psutil.process_iter() if int(run.worker.split(":")[1]) == process.pid)
    started.terminate()
    assert gone([started])
    assert old.poll() is None


@needs_library
def test_a_database_killed_meanwhile_loses_nothing(
    home: Path, postgres: Postgres, worker: Callable[..., subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows and queue both lie in PostgreSQL here; the work goes on without it and is told afterwards."""
    url = postgres.new_database()
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", url)
    store = Runs.open(url)
    assert type(make_huey("cpu")).__name__ == "PostgresHuey"
    id = store.submit(SLOW, OWNER)
    worker()
    until(store, id, first_level_done)
    postgres.kill()
    with pytest.raises(StoreUnavailable, match="Runs cannot be read now"):
        store.get(id)
    time.sleep(1)
    postgres.start()
    run = until(store, id, ended)
    assert (run.state, run.attempt) == ("done", 1)
    assert set(run.result) == set(SLOW.levels)
    again = store.submit(TINY, OWNER)
    assert until(store, again, ended).state == "done", "the queue is served again"
    store.close()


def test_only_partial_files_are_removed(tmp_path: Path) -> None:
    for name in ("a.gguf", "a.gguf.part", "b.part.json", "level-Q8_0.json", "reference.logits", "x.new", "log.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "made.part").mkdir()
    remove_partial(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gguf", "level-Q8_0.json", "log.txt"]
