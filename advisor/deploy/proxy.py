"""The proxy's configuration, filled from the template beside this file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from advisor.foundation.errors import InputError

MOST_PROCESSES = 64
_TEMPLATE = Path(__file__).with_name("nginx.conf")
_ADDRESS = re.compile(r"[A-Za-z0-9.:-]{1,253}")
_FOLDER = re.compile(r"(/[A-Za-z0-9_~-]+)*")
_PORTS = range(1, 65_536)


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


def nginx_configuration(port: int, address: str, processes: int, folder: str = "") -> str:
    """The whole configuration of an nginx that spreads visitors over that many processes.

    `folder` is the path that Streamlit serves under (`server.baseUrlPath`), "" or "/advisor".
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
    ports = process_ports(port, processes)
    indices = range(processes)
    # The last one takes what rounding leaves.
    shares = [f"{100 / processes:.2f}%"] * (processes - 1) + ["*"]
    return _filled(
        processes=str(processes),
        port=str(port),
        address=address,
        listen=f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
        folder=folder,
        drawn=_lines(8, (f"{share} process_{index};" for index, share in zip(indices, shares, strict=True))),
        named=_lines(8, (f"process_{index} process_{index};" for index in indices)),
        unchanged=_lines(8, (f'process_{index} "";' for index in indices)),
        upstreams="\n".join(_upstream(index, ports) for index in indices),
    )


def _upstream(index: int, ports: tuple[int, ...]) -> str:
    """One process; where it does not answer, another serves its visitors."""
    others = (f"server 127.0.0.1:{port} backup;" for port in ports if port != ports[index])
    servers = _lines(8, (f"server 127.0.0.1:{ports[index]} max_fails=1 fail_timeout=2s;", *others, "keepalive 16;"))
    return f"    upstream process_{index} {{\n{servers}\n    }}"


def _lines(indent: int, lines: Iterable[str]) -> str:
    return "\n".join(" " * indent + line for line in lines)


def _filled(**values: str) -> str:
    text = _TEMPLATE.read_text("utf-8")
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text
