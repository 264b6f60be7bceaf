"""Several processes of the dashboard and the proxy before them, started and stopped together."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from advisor.deploy.proxy import nginx_configuration, process_ports
from advisor.foundation.errors import InputError
from advisor.foundation.places import top_folder

_START_S = 120.0
_LOOK_EVERY_S = 0.5
_STOP_S = 10.0
_TOO_SOON_S = 60.0  # what ends sooner than that so many times in a row would do so for ever
_MOST_TOO_SOON = 3
_REPORTS = "LLM_FIT_ADVISOR_REPORTS"
_SECRET = "STREAMLIT_SERVER_COOKIE_SECRET"  # noqa: S105  the variable's name


def serve(port: int, address: str, processes: int, say: Callable[[str], None]) -> None:
    """Serve until stopped; raises InputError in one sentence where that is not possible.

    One that ends is started again while the others go on; one that ends at once again and again stops them all.
    """
    nginx = _nginx()
    folder = served_folder()
    configuration = nginx_configuration(port, address, processes, folder)
    ports = process_ports(port, processes)
    for one in (port, *ports):
        _must_be_free(one, address if one == port else "127.0.0.1")
    # What one process signs, another must be able to read; and each core has its process already.
    environment = {_SECRET: secrets.token_hex(32), _REPORTS: "here"} | os.environ
    with tempfile.TemporaryDirectory(prefix="llm-fit-advisor-proxy-") as made, ExitStack() as stack:
        work = Path(made)
        work.chmod(0o755)  # nginx gives its rights up, and must still find its folders
        (work / "nginx.conf").write_text(configuration, "utf-8")
        stack.enter_context(_stopped_politely())
        commands = {f"process {index + 1}": _dashboard(one) for index, one in enumerate(ports)}
        running = {name: _start(stack, command, environment) for name, command in commands.items()}
        for name, one in zip(commands, ports, strict=True):
            _wait_for(f"http://127.0.0.1:{one}{folder}/_stcore/health", name, running[name])
        commands["nginx"] = [nginx, "-p", f"{work}/", "-c", str(work / "nginx.conf"), "-e", "stderr"]
        running["nginx"] = _start(stack, commands["nginx"], environment)
        say(f"The dashboard runs on http://{address}:{port}{folder} in {processes} processes. Ctrl+C stops them.")
        _keep(stack, commands, running, environment, say)


def _keep(
    stack: ExitStack,
    commands: dict[str, list[str]],
    running: dict[str, subprocess.Popen[bytes]],
    environment: dict[str, str],
    say: Callable[[str], None],
) -> None:
    started = dict.fromkeys(commands, time.monotonic())
    too_soon = dict.fromkeys(commands, 0)
    while True:
        time.sleep(_LOOK_EVERY_S)
        for name, process in list(running.items()):
            if (status := process.poll()) is None:
                continue
            too_soon[name] = too_soon[name] + 1 if time.monotonic() - started[name] < _TOO_SOON_S else 0
            if too_soon[name] >= _MOST_TOO_SOON:
                raise InputError(
                    "Of the dashboard, {name} ended with status {status}; all others were stopped.",
                    name=name,
                    status=status,
                )
            say(f"{name} ended with status {status} and is started again.")
            running[name] = _start(stack, commands[name], environment)
            started[name] = time.monotonic()


def _nginx() -> str:
    # Distributions put it where only root looks for programs.
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
    if found is None:
        raise InputError(
            "Several processes need nginx in front of them, which is not installed here: install it, or leave "
            "--processes out; --print-proxy prints a configuration for an nginx elsewhere."
        )
    return found


def served_folder() -> str:
    """The path that Streamlit serves under, as its own environment variable or its settings beside the app have it."""
    path = os.environ.get("STREAMLIT_SERVER_BASE_URL_PATH")
    if path is None:
        settings = tomllib.loads((top_folder() / ".streamlit" / "config.toml").read_text("utf-8"))
        path = str(settings.get("server", {}).get("baseUrlPath", ""))
    path = path.strip("/")
    return f"/{path}" if path else ""


def _dashboard(port: int) -> list[str]:
    return [sys.executable, "-m", "advisor", "serve", "--port", str(port), "--address", "127.0.0.1"]


def _start(stack: ExitStack, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    # What it prints at its start is an address that nobody should use.
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, stdin=quiet, stdout=quiet)  # noqa: S603  our own programs
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _must_be_free(port: int, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((address, port))
        except OSError as error:
            raise InputError(
                "Port {port} on {address} is not free ({reason}): choose another --port.",
                port=port,
                address=address,
                reason=error.strerror or "",
            ) from None


def _wait_for(url: str, name: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        if (status := process.poll()) is not None:
            raise InputError(
                "Of the dashboard, {name} did not start: it ended with status {status}.", name=name, status=status
            )
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  an address of this machine
                return
        except OSError:
            time.sleep(0.2)
    raise InputError(
        "Of the dashboard, {name} did not answer within {start_s:.0f} seconds.", name=name, start_s=_START_S
    )


@contextmanager
def _stopped_politely() -> Iterator[None]:
    """A request to end comes as the end of the program, so that nothing is left running."""

    def end(*_: object) -> None:
        raise SystemExit(0)

    before = {which: signal.signal(which, end) for which in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
