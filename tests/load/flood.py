"""What one address gets that asks for more than its share, run by hand: `python -m tests.load.flood`.

Starts the dashboard itself. 40 uploads of 19 MB in a row, then 300 visits that stay open, all from one address;
meanwhile another address asks for a page. On 2026-12-01, on 2 cores that many others used, it printed:

    uploads of 19 MB: 30 with status 200, 10 with status 429
    a page for somebody else meanwhile: status 200 after 0.04 s
    open visits: 250 with status 101, 50 with status 403
    a page for somebody else afterwards: status 200 after 0.00 s
    memory: 259 MB before, 310 MB after
"""

from __future__ import annotations

import asyncio
import sys
import time
import urllib.error
import urllib.request
from collections import Counter

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.load.served import served
from tests.support.model_files import gguf_file

_FLOOD, _SOMEBODY = "203.0.113.5", "203.0.113.77"
_UPLOAD_BYTES = 19_000_000


def asked(address: str, body: bytes | None, visitor: str, **headers: str) -> tuple[int, float]:
    """Status and seconds of one request, as a proxy on this machine passes it on."""
    own = {"X-Forwarded-For": visitor} | {name.replace("_", "-"): value for name, value in headers.items()}
    began = time.monotonic()
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, own), timeout=120) as answer:
            answer.read()
            return answer.status, time.monotonic() - began
    except urllib.error.HTTPError as error:
        return error.code, time.monotonic() - began


def counted(statuses: Counter[int]) -> str:
    return ", ".join(f"{number} with status {status}" for status, number in sorted(statuses.items()))


async def visits(address: str, number: int) -> Counter[int]:
    """Statuses of so many connections that are all kept open."""
    found: Counter[int] = Counter()
    held: list[ClientConnection] = []
    for _ in range(number):
        try:
            held.append(
                await connect(
                    f"{address.replace('http', 'ws', 1)}/_stcore/stream",
                    subprotocols=["streamlit"],  # type: ignore[list-item]
                    additional_headers={"X-Forwarded-For": _FLOOD},
                    open_timeout=60,
                )
            )
            found[101] += 1
        except InvalidStatus as refused:
            found[refused.response.status_code] += 1
    status, seconds = await asyncio.to_thread(asked, f"{address}/?model=qwen3-32b", None, _SOMEBODY)
    print(f"a page for somebody else meanwhile: status {status} after {seconds:.2f} s")
    for one in held:
        await one.close()
    return found


def main() -> int:
    header, _ = gguf_file("llama-3.1-8b-instruct")
    large = header.ljust(_UPLOAD_BYTES, b"\0")
    with served(HF_HUB_OFFLINE="1") as server:
        before = server.memory_mb()
        statuses = Counter(
            asked(
                f"{server.address}/find/file?key=model&name={number}.gguf",
                large,
                _FLOOD,
                Content_Type="application/octet-stream",
            )[0]
            for number in range(40)
        )
        print(f"uploads of 19 MB: {counted(statuses)}")
        print(f"open visits: {counted(asyncio.run(visits(server.address, 300)))}")
        status, seconds = asked(f"{server.address}/?model=qwen3-32b", None, _SOMEBODY)
        print(f"a page for somebody else afterwards: status {status} after {seconds:.2f} s")
        print(f"memory: {before:.0f} MB before, {server.memory_mb():.0f} MB after")
    return 0


if __name__ == "__main__":
    sys.exit(main())
