"""How many readers of reports one process serves, run by hand: `python -m tests.load.readers`.

Starts the dashboard itself, in one process, and asks it at a steady rate for one report, as people do who were all sent
the same link; for different reports, each of which is asked for again and again; and for reports that nobody has asked
for before, each of which has to be computed. Requests leave when it is their time, whether or not the ones before were
answered. The load generator shares the cores.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx2 as httpx

from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue
from tests.load.served import Served, served

ONE_PER_S, DIFFERENT_PER_S = 200.0, 20.0
NEW_PER_S = 5.0  # a tenth of a second of computing each, and more where a model is new to the process
_DIFFERENT = 60  # reports that a company's people read
_TIMEOUT_S = 60.0
_CONNECTIONS = 64


@dataclass
class Load:
    """What the readers saw."""

    waits: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    bytes: int = 0


def queries(seed: int) -> Iterator[str]:
    """Questions without end, none twice: models of the catalogue on its machines."""
    drawn = random.Random(seed)
    models = [entry.id for entry in catalogue().values()]
    owned = [found.id for found in machines().values() if not found.needs_memory]
    for number in itertools.count():
        asked = {
            "model": drawn.choice(models),
            "machine": drawn.choice(owned),
            "requests_per_day": 100 + number,
            "users": drawn.choice((1, 2, 5)),
        }
        yield urlencode(asked)


async def read(client: httpx.AsyncClient, path: str, load: Load) -> None:
    """One reader; a page that is whole, or an error."""
    began = time.perf_counter()
    try:
        answered = await client.get(path)
        if (
            answered.status_code != 200
            or 'class="decision' not in answered.text
            or "</html>" not in answered.text[-20:]
        ):
            load.errors.append(f"{answered.status_code}: {path}")
        load.bytes += int(answered.headers.get("content-length", 0))
    except httpx.HTTPError as error:
        load.errors.append(f"{type(error).__name__}: {path}")
    load.waits.append(time.perf_counter() - began)


async def steady(server: Served, paths: Iterator[str], per_s: float, seconds: float) -> str:
    """One line about requests at this rate."""
    load, readers = Load(), set()
    limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
    async with httpx.AsyncClient(base_url=server.address, limits=limits, timeout=_TIMEOUT_S) as client:
        cpu, own, began = server.cpu_s(), time.process_time(), time.perf_counter()
        for number in range(int(per_s * seconds)):
            await asyncio.sleep(max(0.0, began + number / per_s - time.perf_counter()))
            readers.add(asyncio.create_task(read(client, next(paths), load)))
        await asyncio.gather(*readers)
        took = time.perf_counter() - began
        cpu, own = server.cpu_s() - cpu, time.process_time() - own
    waits = sorted(load.waits)
    line = (
        f"{len(waits) / took:.0f} a second for {took:.0f} s: p50 {_share(waits, 0.5):.0f} ms, p95 "
        f"{_share(waits, 0.95):.0f} ms, worst {1000 * waits[-1]:.0f} ms; {load.bytes / len(waits) / 1000:.1f} kB and "
        f"{1000 * cpu / len(waits):.1f} ms CPU each; {server.memory_mb():.0f} MB; server {cpu / took:.0%}, generator "
        f"{own / took:.0%} of a core"
    )
    return f"{line}; {len(load.errors)} errors" + (f", such as {load.errors[0]}" if load.errors else "")


def _share(waits: list[float], share: float) -> float:
    return 1000 * waits[min(len(waits) - 1, int(share * len(waits)))]


async def measure(seconds: float, seed: int, new_per_s: float) -> None:
    """All of it, a line each."""
    asked = (f"/r?{query}" for query in queries(seed))
    with served() as server:
        one = "/r?model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2"
        print("one report, first time:", await steady(server, itertools.repeat(one), 1, 1), flush=True)
        print("one report:", await steady(server, itertools.repeat(one), ONE_PER_S, seconds), flush=True)
        different = list(itertools.islice(asked, _DIFFERENT))
        for name in ("different reports, first time", "different reports, again"):
            said = await steady(server, itertools.cycle(different), DIFFERENT_PER_S, _DIFFERENT / DIFFERENT_PER_S)
            print(f"{name}:", said, flush=True)
        both = await asyncio.gather(
            steady(server, itertools.repeat(one), ONE_PER_S, seconds),
            steady(server, itertools.cycle(different), DIFFERENT_PER_S, seconds),
        )
        for name, said in zip(("both at once, one report", "both at once, different reports"), both, strict=True):
            print(f"{name}:", said, flush=True)
        print("never asked before:", await steady(server, asked, new_per_s, seconds), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--new-per-s", type=float, default=NEW_PER_S)
    given = parser.parse_args()
    asyncio.run(measure(given.seconds, given.seed, given.new_per_s))


if __name__ == "__main__":
    main()
