"""The proxy's configuration, filled from the template beside this file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from advisor.foundation.errors import InputError

MOST_PROCESSES = 64
_TEMPLATE = Path(__file__).with_name("nginx.conf")
_ADDRESS = re.compile(r"[A-Za-z0-9.:-]{1,253}")
_FOLDER = re.compile(r"(/[A-Za-z0-9_~-]+)*")
_PORTS = range(1, 65_536)
# A connection that is idle is closed by nginx before the process does it, after five seconds: an upload over one that
# is just being closed would fail, and nobody sends it again.
_KEPT_OPEN = ("keepalive 16;", "keepalive_timeout 3s;")
_SERVER = re.compile(r"([A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})")


def process_ports(port: int, processes: int) -> tuple[int, ...]:
    """The ports of the processes, the ones after that of the proxy; raises InputError for what cannot be served."""
    if not 1 <= processes <= MOST_PROCESSES:
        raise InputError(
            "--processes is from 1 to {most_processes}; one a core is enough.", most_processes=MOST_PROCESSES
        )
    ports = tuple(range(port + 1, port + 1 + processes))
    if port not in _PORTS or ports[-1] not in _PORTS:
        raise InputError(
            "--port {port} leaves no room for {processes} processes: their ports are the ones after it.",
            port=port,
            processes=processes,
        )
    return ports


def nginx_configuration(port: int, address: str, processes: int, folder: str = "", at: Sequence[str] = ()) -> str:
    """The whole configuration of an nginx that spreads visitors over that many processes.

    `folder` is the path that Streamlit serves under (`server.baseUrlPath`), "" or "/advisor"; `at` are the processes'
    hosts and ports where they run elsewhere, else the ports after `port` on this machine. With addresses instead of
    names a visit that another process took over stays there.
    Raises InputError for an address or a number that no server has.
    """
    if not _ADDRESS.fullmatch(address):
        raise InputError(
            "--address {address} is neither an address nor a name of this machine.", address=repr(address[:60])
        )
    if not _FOLDER.fullmatch(folder):
        raise InputError(
            "The folder {folder} must be plain letters, digits, -, _ and ~ between slashes.", folder=repr(folder[:60])
        )
    ports = process_ports(port, len(at) or processes)
    servers = _checked(at) or [f"127.0.0.1:{one}" for one in ports]
    # The last one takes what rounding leaves.
    shares = [f"{100 / len(servers):.2f}%"] * (len(servers) - 1) + ["*"]
    where = "".join(f" --at {one}" for one in at) or f" --processes {processes}"
    return _filled(
        processes=str(len(servers)),
        asked=f"--port {port} --address {address}{where}",
        listen=f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
        folder=folder,
        drawn=_lines(8, (f"{share} process_{index};" for index, share in enumerate(shares))),
        named=_lines(8, (f"process_{index} process_{index};" for index in range(len(servers)))),
        unchanged=_lines(8, (f'process_{index} "";' for index in range(len(servers)))),
        answered=_lines(8, (f'"~(^|\\s){re.escape(one)}$" process_{index};' for index, one in enumerate(servers))),
        upstreams="\n".join(_upstream(index, servers) for index in range(len(servers))),
    )


def _checked(at: Sequence[str]) -> list[str]:
    for one in at:
        found = _SERVER.fullmatch(one)
        if found is None or int(found[2]) not in _PORTS:
            raise InputError("--at {server} is no host and port, such as app-1:8501.", server=repr(one[:60]))
    return list(at)


def _upstream(index: int, servers: Sequence[str]) -> str:
    """One process; where it does not answer, another serves its visitors."""
    others = (f"server {one} backup;" for one in servers if one != servers[index])
    lines = _lines(8, (f"server {servers[index]} max_fails=1 fail_timeout=2s;", *others, *_KEPT_OPEN))
    return f"    upstream process_{index} {{\n{lines}\n    }}"


def _lines(indent: int, lines: Iterable[str]) -> str:
    return "\n".join(" " * indent + line for line in lines)


def _filled(**values: str) -> str:
    text = _TEMPLATE.read_text("utf-8")
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text
