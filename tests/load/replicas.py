"""What visitors see of a replica that is killed and of a database that restarts, run by hand:
`python -m tests.load.replicas`.

Starts a PostgreSQL and the dashboard in two processes behind nginx. While 50 sessions ask and freeze, one process is
killed, a page in a real browser with them; when it is back, the database is killed and started again. At the end every
frozen link that was confirmed is read. On 2026-11-30, on 2 cores that some ten other programs used, it printed:

    a page in a browser: back after 0.7 s in process 1, with the same answer
    a replica was killed: 336 answers, 33 connections lost, 33 back, median 8.8 s, worst 12.4 s; 80 links [...]
    without a database a frozen link says: 503
    and /readyz: (200, 'ready, without the database')
    the database was away for 27 s
    the database is back: 534 answers, 33 connections lost, 33 back, [...] 102 links confirmed; 0 errors

Connections were there again after 0.5 to 0.9 s; the rest is the one process that is left, drawing 33 pages anew.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.load.crowd import Crowd, get, lost_links, upload, with_uploaded
from tests.load.served import Served, served
from tests.support.model_files import gguf_file
from tests.support.postgres import Postgres, binaries, running

if TYPE_CHECKING:
    from playwright.async_api import Page

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
MANY = "uploads=100000,freezes=100000,reads=100000,runs=100000"  # one address is everybody here
_PATIENCE_S = 600.0  # a machine that others use too
_QUERY = "model=qwen3-32b&machine=rtx-4090"
_CONNECTED = """() => {
    const app = document.querySelector("[data-testid=stApp]");
    return app?.dataset.testConnectionState === "CONNECTED" && app.dataset.testScriptState === "notRunning"
        && !document.querySelector("#first-answer") && !document.querySelector("[data-testid=stSkeleton]")
        && document.querySelector("[data-testid=stMain] button");
}"""


def kill_one(server: Served, process: int) -> float:
    """Kill the process of that number, from 0, without a warning; when that was."""
    port = str(int(server.address.rpartition(":")[2]) + 1 + process)
    (one,) = (one for one in server.replicas() if port in one.cmdline())
    killed = time.monotonic()
    one.kill()
    one.wait(60)
    return killed


async def back(server: Served, number: int) -> None:
    """Until so many replicas run again and each answers."""
    first = int(server.address.rpartition(":")[2])
    async with asyncio.timeout(120):
        for port in range(first + 1, first + 1 + number):
            while True:
                try:
                    if await asyncio.to_thread(get, f"http://127.0.0.1:{port}", "/healthz") == (200, "ok"):
                        break
                except OSError:
                    pass
                await asyncio.sleep(0.2)


async def _process(page: Page) -> int:
    """Which one the proxy's cookie names."""
    cookies = {one.get("name"): one.get("value") for one in await page.context.cookies()}
    return int(str(cookies["llm_fit_advisor_process"]).rpartition("_")[2])


async def in_a_browser(server: Served) -> str:
    """One open page whose process is killed: it must come back by itself, with its question."""
    from playwright.async_api import async_playwright

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = await browser.new_page()
        await page.goto(f"{server.address}/?{_QUERY}")
        await page.wait_for_function(_CONNECTED, timeout=120_000)
        before = await page.inner_text("[data-testid=stMain]")
        killed = await asyncio.to_thread(kill_one, server, await _process(page))
        await page.wait_for_function(f"() => !({_CONNECTED})()", timeout=60_000)
        await page.wait_for_function(_CONNECTED, timeout=120_000)
        took = time.monotonic() - killed
        after, process = await page.inner_text("[data-testid=stMain]"), await _process(page)
        await browser.close()
    other = [
        f"{one} / {another}"
        for one, another in zip(before.split("\n"), after.split("\n"), strict=False)
        if one != another
    ]
    answer = f"ANOTHER answer: {other[0]}" if other else "the same answer"
    return f"a page in a browser: back after {took:.1f} s in process {process}, with {answer}"


def said(crowd: Crowd, what: str) -> str:
    """One line about the crowd so far."""
    back_s = sorted(crowd.back_s)
    spread = f", median {back_s[len(back_s) // 2]:.1f} s, worst {back_s[-1]:.1f} s" if back_s else ""
    first_error = f": {crowd.errors[0]}" if crowd.errors else ""
    return (
        f"{what}: {sum(crowd.answered)} answers, {crowd.lost} connections lost, {len(back_s)} back{spread}; "
        f"{len(crowd.confirmed)} links confirmed; {len(crowd.errors)} errors{first_error}"
    )


async def run(server: Served, database: Postgres, sessions: int, seed: int) -> int:
    """All of it; the exit status."""
    header, _ = gguf_file("llama-3.1-8b-instruct")
    asked = with_uploaded(upload(server.address, header, "mine.gguf"), seed)
    crowd = Crowd(server.address, sessions, asked, think_s=3.0, freeze_every=4)
    async with crowd.there():
        await crowd.all_answered(1, _PATIENCE_S)
        print(said(crowd, f"{sessions} sessions are there"), flush=True)
        if Path(CHROMIUM).exists():
            print(await in_a_browser(server), flush=True)
        else:
            await asyncio.to_thread(kill_one, server, crowd.visitors[0].process)
        await crowd.all_answered(1, _PATIENCE_S)
        print(said(crowd, "a replica was killed"), flush=True)
        await back(server, 2)
        began = time.monotonic()
        await asyncio.to_thread(database.kill)
        link = f"/s/{next(iter(crowd.confirmed), 'none')}"
        print("without a database a frozen link says:", (await asyncio.to_thread(get, server.address, link))[0])
        print("and /readyz:", await asyncio.to_thread(get, server.address, "/readyz"), flush=True)
        await crowd.all_answered(1, _PATIENCE_S)
        await asyncio.to_thread(database.start)
        print(f"the database was away for {time.monotonic() - began:.0f} s", flush=True)
        await crowd.all_answered(1, _PATIENCE_S)
        print(said(crowd, "the database is back"), flush=True)
    lost = await asyncio.to_thread(lost_links, server.address, crowd.confirmed)
    print(f"{len(crowd.confirmed)} confirmed links read, {len(lost)} lost; {server.memory_mb():.0f} MB in all")
    return 1 if lost or crowd.errors else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    programs = binaries()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed")
    print(f"seed {options.seed}; load average {os.getloadavg()[0]:.1f} before the start", flush=True)
    with (
        running(programs) as database,
        served(2, LLM_FIT_ADVISOR_DATABASE=database.new_database(), LLM_FIT_ADVISOR_QUOTAS=MANY) as server,
    ):
        return asyncio.run(run(server, database, options.sessions, options.seed))


if __name__ == "__main__":
    sys.exit(main())
