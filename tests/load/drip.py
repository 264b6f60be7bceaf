"""How long servers that drip hold a reader, run by hand: `python -m tests.load.drip`.

Each sends a byte every second for ever, from the first one on, within the header, or within the body; 60 seconds is the
patience with one file. On 2026-11-30 it printed of each of the three:

    within the header: left after 60 s: The server of a.gguf does not answer; try again, or download the file [...]
"""

from __future__ import annotations

import socket
import sys
import threading
import time

from advisor.foundation.errors import InputError
from advisor.sources.remote import LinkedFile

_BEGINNINGS = {
    "from the first byte": b"",
    "within the header": b"HTTP/1.1 200 OK\r\nX-Long: ",
    "within the body": b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1000000\r\n\r\n",
}
_LONGEST_S = 300.0


def drip(beginning: bytes) -> int:
    """A server in a thread of its own; its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection, server:
            connection.recv(65536)
            connection.sendall(beginning)
            end = time.monotonic() + _LONGEST_S
            while time.monotonic() < end:
                try:
                    connection.sendall(b"x")
                except OSError:
                    return
                time.sleep(1)

    threading.Thread(target=serve, daemon=True).start()
    return int(server.getsockname()[1])


def main() -> int:
    def read(name: str, port: int) -> None:
        began = time.monotonic()
        try:
            LinkedFile(f"http://127.0.0.1:{port}/a.gguf", allow_local=True).read(0, 1 << 20)
        except InputError as error:
            print(f"{name}: left after {time.monotonic() - began:.0f} s: {error}", flush=True)

    readers = [threading.Thread(target=read, args=(name, drip(beginning))) for name, beginning in _BEGINNINGS.items()]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
