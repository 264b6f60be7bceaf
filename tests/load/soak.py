"""Half an hour of a hundred sessions, run by hand: `python -m tests.load.soak`.

Starts a PostgreSQL and the dashboard in two processes behind nginx, with real runs switched on. Sessions come, ask,
upload models, freeze, fetch PDFs, ask llama.cpp, start quantization runs, and go. Printed by the minute is what the
dashboard's processes hold of memory, each alone; at the end whether that stayed flat after the warm-up (5 %), what went
wrong, and whether everything that was confirmed is there. `--restart-database` kills PostgreSQL in the middle.

What is kept for the next who asks, such as 48 MB of PDFs a process, is bounded and takes some fifteen minutes to fill.
On 2026-12-01, with a database restart, on 2 cores that others used as much as it did (load 6 to 18), it printed:

    100 sessions, typesetter that forgets, before there were two arenas only (advisor/foundation/freed_memory.py):
    memory by minute, MB: 522, 1113, 1167, 1233, 1262, 1306, 1332, 1356, 1349, 1381, 1394, 1426, 1420, 1442, 1441, 1471,
    1475, 1458, 1491, 1484, 1510, 1506, 1493, 1495, 1490, 1500, 1490, 1489, 1510, 1508, 1503
    done: 2171 PDFs, 877 asked llama.cpp, 3022 freezes, 29 runs, 1373 uploads
    3013 links confirmed, 0 lost; 29 runs, 0 failed []; 0 errors []; 0 connections lost

That is 7.9 % after minute 10, 2.2 % after minute 15 and 0.8 % after minute 18.

    60 sessions, 240 questions, 21 minutes, with two arenas:
    memory by minute, MB: 531, 980, 1062, 1143, 1128, 1147, 1184, 1202, 1192, 1199, 1198, 1222, 1233, 1245, 1247, 1226,
    1241, 1240, 1239, 1252, 1243, 1261
    1724 links confirmed, 0 lost; 20 runs, 0 failed []; 0 errors []; 0 connections lost

That is 5.3 % after minute 10 and 2.9 % after minute 15, which is why the warm-up is counted as fifteen minutes.

With uploads let go at once, replicas that count together and larger caches, the database restarted in the middle, on a
machine that tests used as well:

    memory by minute, MB: 535, 1274, 1467, 1512, 1591, 1622, 1626, 1675, 1679, 1678, 1691, 1706, 1743, 1742, 1743, 1741,
    1742, 1761, 1782, 1766, 1784, 1785, 1790, 1780, 1777, 1784, 1802, 1779, 1780, 1828, 1795 (caches: 783 to 955)
    done: 3312 PDFs, 1350 asked llama.cpp, 4635 freezes, 30 runs, 2108 uploads
    after minute 15 it grew by 3.2 % (aim: under 5 %)
    4610 links confirmed, 0 lost; 30 runs, 0 failed []; 0 errors []; 0 connections lost
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from urllib.error import HTTPError
from urllib.request import urlopen

from advisor.quantize.runs import Run, Runs
from advisor.store import SnapshotNotFound, open_store
from tests.load.crowd import Crowd, lost_links, upload, with_uploaded
from tests.load.replicas import MANY
from tests.load.served import Served, served
from tests.load.visitor import Visitor
from tests.support.model_files import gguf_file
from tests.support.postgres import Postgres, binaries, running

_FLAT_PERCENT = 5.0
_AWAY_S = 5.0
_RUN_EVERY_S = 60.0  # a run of the tiny model takes some ten seconds of a core
_UPLOAD_BYTES = 2_000_000
_CACHES = "llm_fit_advisor_cache_bytes{"
_PAGES_READ = 20  # at the end, of frozen links; all of them are looked up


@dataclass
class Users(Crowd):
    """A crowd that uses everything: each in turn, some often and some seldom."""

    done: Counter[str] = field(default_factory=Counter)
    header: bytes = b""
    next_run: float = 0.0

    async def use(self, visitor: Visitor, query: str, turn: int) -> None:
        if turn % 5 == 0:
            await self.freeze(visitor, query)
            self.done["freezes"] += 1
        if turn % 7 == 3:
            await asyncio.to_thread(self._pdf, query)
        if turn % 11 == 5:
            await asyncio.to_thread(upload, self.address, self.header.ljust(_UPLOAD_BYTES, b"\0"), f"{turn}.gguf")
            self.done["uploads"] += 1
        if turn % 13 == 7:
            self._note(await visitor.ask(query, page="prove-it"))
            if visitor.shows("ask_llama_cpp"):
                self._note(await visitor.ask(query, page="prove-it", press="ask_llama_cpp"))
                self.done["asked llama.cpp"] += 1
            if visitor.shows("start_run") and time.monotonic() > self.next_run:
                self.next_run = time.monotonic() + _RUN_EVERY_S
                self._note(await visitor.ask(query, page="prove-it", press="start_run"))
                self.done["runs"] += 1

    def _pdf(self, query: str) -> None:
        try:
            with urlopen(f"{self.address}/r/report.pdf?{query}", timeout=120) as answer:
                if not answer.read().startswith(b"%PDF"):
                    self.errors.append(f"no PDF: {query}")
            self.done["PDFs"] += 1
        except HTTPError as refused:
            if refused.code != 503 or "Retry-After" not in refused.headers:
                raise
            self.done["PDFs put off, as too many wait"] += 1


def memory_mb(server: Served) -> float:
    """What the dashboard's own processes hold alone; workers and their runs are others."""
    return sum(one.memory_full_info().uss for one in server.replicas()) / 1e6


def caches_mb(server: Served) -> float:
    """What they keep of it to be asked again, as they weigh it themselves."""
    kept = 0.0
    for one in server.replicas():
        port = one.cmdline()[one.cmdline().index("--port") + 1]
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            figures = answer.read().decode().splitlines()
        kept += sum(float(line.rsplit(" ", 1)[1]) for line in figures if line.startswith(_CACHES))
    return kept / 1e6


async def measure(server: Served, database: Postgres, options: argparse.Namespace) -> tuple[Users, list[float]]:
    """The crowd at the end, and the memory at each minute."""
    header, _ = gguf_file("llama-3.1-8b-instruct")
    value = await asyncio.to_thread(upload, server.address, header, "mine.gguf")
    pool = list(islice(with_uploaded(value, options.seed), options.questions))
    users = Users(server.address, options.sessions, _again(pool), think_s=options.think, stay=20.0, header=header)
    levels = [memory_mb(server)]
    restarts = options.restart_database
    async with users.there():
        for minute in range(1, options.minutes + 1):
            began, seen, cpu = time.monotonic(), len(users.waits), server.cpu_s()
            if restarts and minute > options.minutes // 2:
                restarts = False
                await asyncio.to_thread(database.kill)
                await asyncio.sleep(_AWAY_S)
                await asyncio.to_thread(database.start)
                print("the database was killed and is back", flush=True)
            await asyncio.sleep(60 - (time.monotonic() - began))
            levels.append(memory_mb(server))
            waits = sorted(users.waits[seen:]) or [0.0]
            caches = await asyncio.to_thread(caches_mb, server)
            p95, took = waits[int(0.95 * len(waits))], server.cpu_s() - cpu
            print(
                f"minute {minute}: {levels[-1]:.0f} MB, {caches:.0f} of it in caches; "
                f"{len(waits)} answers, p95 {p95:.2f} s; {took:.0f} s CPU; "
                f"{len(users.errors)} errors, {users.lost} connections lost",
                flush=True,
            )
    return users, levels


def _again(pool: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    while True:
        yield from pool


def gone(url: str, confirmed: set[str]) -> list[str]:
    """Of the frozen links that were confirmed, those that the database does not hold."""
    store = open_store(url)
    missing = []
    for id in sorted(confirmed):
        try:
            store.load(id)
        except SnapshotNotFound:
            missing.append(id)
    store.close()
    return missing


def ended_runs(url: str) -> list[Run]:
    """All runs, once none is at work any more; raises SystemExit where one never ends."""
    rows = Runs.open(url)
    end = time.monotonic() + 300
    while not all(run.ended for run in rows.newest(10_000)):
        if time.monotonic() > end:
            raise SystemExit("A run never ended")
        time.sleep(1)
    found = list(rows.newest(10_000))
    rows.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--warm-up", type=int, default=15, help="minutes whose growth does not count: caches fill")
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--think", type=float, default=6.0, help="mean seconds between questions of a session")
    parser.add_argument("--questions", type=int, default=400, help="different ones that are asked again and again")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--restart-database", action="store_true")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    programs = binaries()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed")
    print(f"seed {options.seed}; load average {os.getloadavg()[0]:.1f} before the start", flush=True)
    with running(programs) as database, tempfile.TemporaryDirectory() as folder:
        url = database.new_database()
        settings = {"DATABASE": url, "QUOTAS": MANY, "QUANTIZE": "on"}
        environment = {f"LLM_FIT_ADVISOR_{name}": value for name, value in settings.items()}
        with served(options.processes, XDG_DATA_HOME=folder, **environment) as server:
            users, levels = asyncio.run(measure(server, database, options))
            lost = gone(url, users.confirmed) or lost_links(server.address, set(sorted(users.confirmed)[:_PAGES_READ]))
            runs = ended_runs(url)
    failed = [run.message for run in runs if run.state != "done"]
    missing = users.done["runs"] - len(runs)
    warm = levels[min(options.warm_up, len(levels) - 1)]
    growth = 100 * (levels[-1] / warm - 1)
    print("done:", ", ".join(f"{number} {what}" for what, number in sorted(users.done.items())))
    print(f"memory by minute, MB: {', '.join(f'{level:.0f}' for level in levels)}")
    print(f"after minute {options.warm_up} it grew by {growth:.1f} % (aim: under {_FLAT_PERCENT:.0f} %)")
    print(
        f"{len(users.confirmed)} links confirmed, {len(lost)} lost; {len(runs)} runs, {len(failed)} failed {failed[:1]}"
    )
    print(f"{len(users.errors)} errors {users.errors[:3]}; {users.lost} connections lost")
    if missing > 0:
        print(f"{missing} runs were refused or began while the database was away")
    return 1 if lost or failed or users.errors or growth > _FLAT_PERCENT else 0


if __name__ == "__main__":
    sys.exit(main())
