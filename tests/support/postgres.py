"""A real PostgreSQL for the tests: its own folder, its own port, its own user, killed and started at will."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

PASSWORD = "pass-word-never-shown"
_START_SECONDS = 60


def binaries() -> Path | None:
    """The folder of initdb and postgres, newest version first."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name.zfill(4), reverse=True
    )
    found = shutil.which("initdb")
    folders += [Path(found).resolve().parent] if found else []
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


class Postgres:
    """One server. It refuses to run as root, so that a root test run starts it as the user nobody."""

    def __init__(self, folder: Path, programs: Path):
        self._folder, self._programs = folder, programs
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            import pwd  # not on Windows

            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        options = ["-U", "advisor", "--auth=scram-sha-256", f"--pwfile={password}", "-E", "UTF8", "--no-sync"]
        self._run("initdb", "-D", str(self._folder / "data"), *options)

    def start(self) -> None:
        """Start it; after a kill its last children may take a moment to let go of their memory."""
        end = time.monotonic() + _START_SECONDS
        while True:
            self._process = subprocess.Popen(
                [
                    str(self._programs / "postgres"),
                    *("-D", str(self._folder / "data"), "-p", str(self.port), "-k", str(self._folder)),
                    # A killed process loses nothing that it gave to the system; a power cut is not what is tested.
                    *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=60", "-c", "fsync=off"),
                ],
                cwd="/",
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                **self._as,
            )
            while self._process.poll() is None:
                if time.monotonic() > end:
                    pytest.fail("PostgreSQL did not start")
                try:
                    psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                except psycopg.OperationalError:
                    time.sleep(0.1)
                else:
                    return
            if time.monotonic() > end:
                pytest.fail("PostgreSQL did not start")
            time.sleep(0.2)

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)

    def url(self, database: str) -> str:
        return f"postgresql://advisor:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def emptied_database(self) -> str:
        """The address of the one database that tests share, one after the other; quicker than a new one."""
        name = "shared"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if known is None:
                connection.execute(f'CREATE DATABASE "{name}"')
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute("SET lock_timeout = '20s'")
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return self.url(name)

    def _run(self, program: str, *options: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *options], cwd="/", capture_output=True, text=True, **self._as
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def running(programs: Path) -> Iterator[Postgres]:
    """One of its own, until this ends."""
    # Not below pytest's folder, which only root may enter where root runs the tests.
    folder = Path(tempfile.mkdtemp(prefix="advisor-postgres-"))
    server = Postgres(folder, programs)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL; skipped where none is installed."""
    programs = binaries()
    if programs is None:
        pytest.skip("There is no PostgreSQL: install it to test the store on it")
    with running(programs) as server:
        yield server
