"""Two processes behind nginx on one PostgreSQL, with sessions that go on: a process is killed, the database restarts.

`python -m tests.load.replicas` does the same with 50 sessions and a browser.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import Iterator

import pytest

from tests.load.crowd import Crowd, get, lost_links, upload, with_uploaded
from tests.load.replicas import MANY, back, kill_one
from tests.load.served import Served, served
from tests.support.model_files import gguf_file
from tests.support.own_loop import in_own_loop
from tests.support.postgres import Postgres, postgres

__all__ = ["postgres"]
_SESSIONS = 4


@pytest.fixture
def server(postgres: Postgres) -> Iterator[Served]:
    """The dashboard as the README starts it in two processes."""
    if shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") is None:
        pytest.skip("nginx is not installed: install it to test several processes")
    database = postgres.new_database()
    with served(2, LLM_FIT_ADVISOR_DATABASE=database, LLM_FIT_ADVISOR_QUOTAS=MANY) as found:
        yield found


def test_visitors_go_on_when_a_process_is_killed_and_when_the_database_restarts(
    server: Served, postgres: Postgres
) -> None:
    crowd = in_own_loop(_outages(server, postgres))
    assert crowd.errors == []
    assert crowd.confirmed
    assert lost_links(server.address, crowd.confirmed) == []


def _cpu_of_a_start(server: Served, process: int) -> tuple[float, float]:
    """CPU seconds that a process took which is started again: until its port is open, and until it answers."""
    port = int(server.address.rpartition(":")[2]) + 1 + process
    while not _is_open(port):
        time.sleep(0.02)
    (one,) = (one for one in server.replicas() if str(port) in one.cmdline())
    loaded = one.cpu_times()
    in_own_loop(back(server, 2))
    started = one.cpu_times()
    return loaded.user + loaded.system, started.user + started.system


def _is_open(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


async def _outages(server: Served, database: Postgres) -> Crowd:
    header, _ = gguf_file("llama-3.1-8b-instruct")
    asked = with_uploaded(upload(server.address, header, "mine.gguf"), seed=1)
    crowd = Crowd(server.address, _SESSIONS, asked, think_s=0.3, freeze_every=2)
    async with crowd.there():
        await crowd.all_answered()
        process = crowd.visitors[0].process
        await asyncio.to_thread(kill_one, server, process)
        loaded_s, started_s = await asyncio.to_thread(_cpu_of_a_start, server, process)
        assert loaded_s > started_s / 2, "until it has loaded its data others are asked"
        await crowd.all_answered()
        assert 0 < len(crowd.back_s) <= crowd.lost, "who was there is served by the other one"
        confirmed = len(crowd.confirmed)
        await asyncio.to_thread(database.kill)
        assert await asyncio.to_thread(get, server.address, "/readyz") == (200, "ready, without the database")
        status, page = await asyncio.to_thread(get, server.address, "/s/2222222222222222")
        assert status == 503
        assert "the database cannot be reached" in page
        await crowd.all_answered()  # everything but frozen links works without it
        await asyncio.to_thread(database.start)
        async with asyncio.timeout(120):
            while len(crowd.confirmed) == confirmed:
                await asyncio.sleep(0.1)
        assert await asyncio.to_thread(get, server.address, "/readyz") == (200, "ready")
    return crowd
