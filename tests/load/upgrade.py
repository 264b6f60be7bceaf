"""Two versions that serve at the same time, run by hand: `python -m tests.load.upgrade OLD NEW`.

Both are folders with a checkout, `.` is this one. The old version serves on a PostgreSQL; then the new one starts,
which migrates it, and both go on; then the database is killed and started again under both. At the end each version
reads every frozen link that either confirmed. On 2026-11-30, schema 0004 beside 0005, it printed:

    old version, schema 0005: 42 answers, 0 connections lost, 0 back; 20 links confirmed; 0 errors
    new version: 10 answers, 0 connections lost, 0 back; 4 links confirmed; 0 errors
    after the database was restarted, old and new confirmed [13, 16] more links
    53 links; lost by the old version 0, by the new one 0; ready: [(200, 'ready'), (200, 'ready')]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

import psycopg

from tests.load.crowd import Crowd, get, lost_links
from tests.load.replicas import MANY, said
from tests.load.served import served
from tests.load.visitor import questions
from tests.support.postgres import Postgres, binaries, running


def schema(url: str) -> str:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found and found[0])


async def run(database: Postgres, old: Path, new: Path, sessions: int, seed: int) -> int:
    """All of it; the exit status."""
    url = database.new_database()
    settings = {"LLM_FIT_ADVISOR_DATABASE": url, "LLM_FIT_ADVISOR_QUOTAS": MANY}
    with served(1, sys.executable, old.resolve(), **settings) as before:
        asked = questions(seed)
        visitors = Crowd(before.address, sessions, asked, freeze_every=2)
        async with visitors.there():
            await visitors.all_answered()
            print(said(visitors, f"old version alone, schema {schema(url)}"), flush=True)
            started = served(1, sys.executable, new.resolve(), **settings)
            after = await asyncio.to_thread(started.__enter__)
            try:
                newcomers = Crowd(after.address, sessions, asked, freeze_every=2)
                async with newcomers.there():
                    await newcomers.all_answered(2)
                    await visitors.all_answered(2)
                    print(said(visitors, f"old version, schema {schema(url)}"), flush=True)
                    print(said(newcomers, "new version"), flush=True)
                    await asyncio.to_thread(database.kill)
                    await asyncio.to_thread(database.start)
                    kept = [len(crowd.confirmed) for crowd in (visitors, newcomers)]
                    await visitors.all_answered(4)
                    await newcomers.all_answered(4)
                    again = [
                        len(crowd.confirmed) - count for crowd, count in zip((visitors, newcomers), kept, strict=True)
                    ]
                    print(f"after the database was restarted, old and new confirmed {again} more links", flush=True)
                confirmed = visitors.confirmed | newcomers.confirmed
                lost = [await asyncio.to_thread(lost_links, one.address, confirmed) for one in (before, after)]
                ready = [await asyncio.to_thread(get, one.address, "/readyz") for one in (before, after)]
            finally:
                await asyncio.to_thread(started.__exit__, None, None, None)
    errors = visitors.errors + newcomers.errors
    print(
        f"{len(confirmed)} links; lost by the old version {len(lost[0])}, by the new one {len(lost[1])}; ready: {ready}"
    )
    print(f"{len(errors)} errors {errors[:2]}")
    return 1 if errors or any(lost) or not all(again) else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path, nargs="?", default=Path())
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    programs = binaries()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed")
    print(f"seed {options.seed}; load average {os.getloadavg()[0]:.1f} before the start", flush=True)
    with running(programs) as database:
        return asyncio.run(run(database, options.old, options.new, options.sessions, options.seed))


if __name__ == "__main__":
    sys.exit(main())
