"""How long many visitors wait, run by hand: `python -m tests.load.sessions`.

Starts the dashboard itself: one process with 30 sessions, then two behind nginx with 100. Each session asks a new
question every three seconds; no question is asked twice, so that no cache answers. Then one session alone, for the
CPU time of a question that is new and of one that was asked before, and the memory of sessions that come and go. The
load generator shares the cores.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.load.served import Served, served
from tests.load.visitor import Drawn, Visitor, questions

# (processes, sessions, the most that the slowest 5 % may wait in seconds)
SETUPS = ((1, 30, 0.3), (2, 100, 0.5))
_ALONE = 60
_WARM = 60  # questions before anything is measured: the first ones load code and tables
_TOGETHER = 50  # sessions whose memory is measured
_KEPT_S = 3  # a session that left, there


@dataclass
class Load:
    """What a number of sessions saw."""

    drawn: list[Drawn] = field(default_factory=list)
    first: list[Drawn] = field(default_factory=list)
    measuring: bool = False


async def visit(address: str, asked: Iterator[tuple[str, str]], think_s: float, wait_s: float, load: Load) -> None:
    """One session until it is cancelled."""
    await asyncio.sleep(wait_s)
    query, name = next(asked)
    visitor = await Visitor.arrive(address, query)
    try:
        load.first.append(await visitor.ask(query, name))
        while True:
            await asyncio.sleep(random.uniform(0.5 * think_s, 1.5 * think_s))
            measured = load.measuring
            drawn = await visitor.ask(*next(asked))
            if measured:
                load.drawn.append(drawn)
    finally:
        await visitor.leave()


async def run_load(server: Served, sessions: int, think_s: float, seconds: float, seed: int) -> str:
    """One line about so many sessions."""
    asked, load = questions(seed), Load()
    await _warm(server, asked)
    # Everybody comes within as many seconds as two cores can draw first pages in.
    ramp_s = sessions / 5
    tasks = [
        asyncio.create_task(visit(server.address, asked, think_s, ramp_s * number / sessions, load))
        for number in range(sessions)
    ]
    await asyncio.sleep(ramp_s + 2 * think_s)
    load.measuring, cpu, own, began = True, server.cpu_s(), time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    load.measuring = False
    cpu, own, took = server.cpu_s() - cpu, time.process_time() - own, time.perf_counter() - began
    memory_mb = server.memory_mb()
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [error for error in ended if not isinstance(error, asyncio.CancelledError)]
    if not load.drawn:
        raise SystemExit(f"Nobody got an answer: {failed[:1]}")
    waits = sorted(drawn.seconds for drawn in load.drawn)
    firsts = sorted(drawn.seconds for drawn in load.first)
    errors = [drawn.error for drawn in (*load.drawn, *load.first) if drawn.error]
    line = (
        f"p50 {_share(waits, 0.5):.3f} s, p95 {_share(waits, 0.95):.3f} s, worst {waits[-1]:.2f} s; first page p50 "
        f"{_share(firsts, 0.5):.2f} s, p95 {_share(firsts, 0.95):.2f} s; {len(waits)} reruns, "
        f"{1000 * cpu / len(waits):.0f} ms CPU each; {statistics.median(drawn.messages for drawn in load.drawn):.0f} "
        f"messages, {statistics.median(drawn.bytes for drawn in load.drawn) / 1000:.0f} kB; {memory_mb:.0f} MB in "
        f"all; server {cpu / took:.0%}, generator {own / took:.0%} of a core"
    )
    return line + (f"; {len(errors)} ERRORS: {errors[0]}" if errors else "") + (f"; LOST: {failed}" if failed else "")


async def _warm(server: Served, asked: Iterator[tuple[str, str]]) -> None:
    # One visitor for each process, as the proxy draws them.
    for _ in range(4):
        visitor = await Visitor.arrive(server.address, "")
        for _ in range(_WARM // 4):
            await visitor.ask(*next(asked))
        await visitor.leave()


async def run_alone(server: Served, seed: int) -> str:
    """One line about the CPU time of a question, new and known."""
    asked = questions(seed)
    chosen = [next(asked) for _ in range(_ALONE)]
    visitor = await Visitor.arrive(server.address, "")
    await visitor.ask(*next(asked))
    new, known = [await _cpu_ms(server, visitor, one) for one in chosen], []
    known = [await _cpu_ms(server, visitor, one) for one in chosen]
    await visitor.leave()
    said = (
        f"{what} question {statistics.median(taken):.0f} ms (p95 {_share(sorted(taken), 0.95):.0f})"
        for what, taken in (("new", new), ("known", known))
    )
    return f"CPU of one rerun, median of {_ALONE}: {', '.join(said)}"


async def run_memory(server: Served, seed: int) -> str:
    """One line about the memory of sessions that all ask what was asked before, so that no cache grows; twice."""
    asked = questions(seed)
    chosen = [next(asked) for _ in range(_TOGETHER)]
    alone = await Visitor.arrive(server.address, "")
    for one in (*chosen, *chosen):
        await alone.ask(*one)
    await asyncio.sleep(5)
    levels = [server.memory_mb()]
    for _ in range(3):
        visitors = [await Visitor.arrive(server.address, "") for _ in chosen]
        for visitor, one in zip(visitors, chosen, strict=True):
            await visitor.ask(*one)
        levels.append(server.memory_mb())
        for visitor in visitors:
            await visitor.leave()
        await asyncio.sleep(_KEPT_S + 10)  # until they are forgotten and collected
        levels.append(server.memory_mb())
    await alone.leave()
    came = [(there - before) / _TOGETHER for before, there in zip(levels[::2], levels[1::2], strict=False)]
    return (
        f"memory of {_TOGETHER} sessions with known questions, three times: {', '.join(f'{one:.2f}' for one in came)} "
        f"MB each; in all {levels[0]:.0f} MB before, {', '.join(f'{one:.0f}' for one in levels[2::2])} after they left"
    )


async def _cpu_ms(server: Served, visitor: Visitor, asked: tuple[str, str]) -> float:
    # What is done after the last message counts for the next question; a pause would give the caches to other programs.
    before = server.cpu_s()
    await visitor.ask(*asked)
    return 1000 * (server.cpu_s() - before)


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, help="only this setup, with --sessions")
    parser.add_argument("--sessions", type=int, default=30)
    parser.add_argument("--think", type=float, default=3.0, help="mean seconds between questions of a session")
    parser.add_argument("--seconds", type=float, default=40.0, help="how long each is measured")
    parser.add_argument("--runs", type=int, default=1, help="of each setup; 0 for what one session takes only")
    parser.add_argument("--python", default=sys.executable, help="the Python that serves")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}; load average {os.getloadavg()[0]:.1f} before the start", flush=True)
    setups = SETUPS if options.processes is None else ((options.processes, options.sessions, None),)
    for number in range(options.runs):
        for processes, sessions, limit in setups:
            with served(processes, options.python) as server:
                seed = options.seed + 1000 * number + processes
                line = asyncio.run(run_load(server, sessions, options.think, options.seconds, seed))
            goal = "" if limit is None else f" (aim: p95 {limit} s)"
            print(f"{processes} process{'es' * (processes > 1)}, {sessions} sessions{goal}: {line}", flush=True)
    with served(1, options.python) as server:
        print(asyncio.run(run_alone(server, options.seed + 999)), flush=True)
    with served(1, options.python, STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL=str(_KEPT_S)) as server:
        print(asyncio.run(run_memory(server, options.seed + 998)), flush=True)


if __name__ == "__main__":
    main()
