"""What a server must not be made to do by a link: reach into its own network, or wait without end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import pytest
from huggingface_hub import close_session

from advisor.foundation.errors import InputError
from advisor.sources import remote
from advisor.sources.addresses import HubAddress, check_address, check_link, check_public
from advisor.sources.remote import HubFile, LinkedFile
from advisor.sources.resolve import find_any_model
from tests.support.hub_server import FakeHub

PRIVATE = "private or local network"
PUBLIC = "151.101.1.1"


def names_lead_to(monkeypatch: pytest.MonkeyPatch, *answers: tuple[str, int]) -> list[str]:
    """What the name service says, one answer after the other, the last one for ever; the names that are asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[object]:
        address = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", address)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("192.0.2.1", "198.18.0.1", "192.88.99.1", "240.0.0.1", "255.255.255.255"),
        *("224.0.0.1", "233.252.0.1", "239.1.1.1", "ff02::1", "ff0e::1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00::1", "fec0::1", "100::1", "5f00::1", "4000::1"),
        *("2001:db8::1", "3fff::1", "2001:2::1", "2001:10::1", "2001:20::1"),
        # An address of IPv4 within: mapped, compatible, 6to4, NAT64, NAT64 of one's own network, Teredo, ISATAP.
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:224.0.0.1", "::127.0.0.1", "::10.0.0.1", "::1.1.1.1"),
        *("2002:7f00:1::", "2002:a00:1::1", "2002:e000:1::1"),
        *("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::224.0.0.1"),
        *("64:ff9b:1::1.1.1.1", "64:ff9b:1::10.0.0.1", "64:ff9b:1:ffff::808:808"),
        *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001::7f00:1"),
        *("2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:127.0.0.1"),
    ],
)
def test_special_addresses_are_refused_in_every_notation(address: str) -> None:
    with pytest.raises(InputError, match=PRIVATE):
        check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        *(PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "2a04:4e42::644"),
        *("::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"),  # what carries a public one leads to it
    ],
)
def test_the_internet_is_reached(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "intranet", "printer.local", "a.localhost", "metadata.google.internal", "nas.lan"),
        *("box.home.arpa", "127.0.0.1", "127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::10.0.0.1]"),
    ],
)
def test_names_and_numbers_of_one_s_own_network_are_refused_unasked(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = names_lead_to(monkeypatch, (PUBLIC, 443))
    with pytest.raises(InputError, match=PRIVATE):
        check_link(f"https://{host}/a.gguf")
    with pytest.raises(InputError, match=PRIVATE):
        check_public(f"https://{host}/a.gguf")
    assert asked == []


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.nip.example"])
def test_a_host_is_judged_by_where_it_leads(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names_lead_to(monkeypatch, ("127.0.0.1", 443))
    with pytest.raises(InputError, match=PRIVATE):
        check_public(f"https://{host}/a.gguf")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        *((f"https://{user}@example.com/a.gguf", "user name or password") for user in ("user", "user:pass", ":pass")),
        *((f"https://{user}@example.com/a.gguf", "user name or password") for user in ("", ":")),
        *((f"https://example.com:{port}/a.gguf", "ports of https") for port in (22, 80, 444, 6379, 8080, 65535)),
        ("https://example.com:99999/a.gguf", "not a valid link"),
        ("http://example.com/a.gguf", "Only https"),
        ("ftp://example.com/a.gguf", "Only https"),
    ],
)
def test_users_and_ports_are_refused_unasked(url: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = names_lead_to(monkeypatch, (PUBLIC, 443))
    with pytest.raises(InputError, match=said):
        check_link(url)
    with pytest.raises(InputError, match=said):
        find_any_model(url)
    assert asked == []


def test_the_ports_of_https_are_open() -> None:
    for port, url in ((443, "https://example.com/a"), (443, "https://example.com:443/a"), (8443, "https://a.org:8443")):
        assert check_link(url)[1] == port


@contextmanager
def listener(answer: Callable[[socket.socket], object] = lambda _: None) -> Iterator[tuple[int, list[bytes]]]:
    """A port of this machine and what was first sent to it; each connection is given to `answer` and then closed."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(20)
                    try:
                        heard.append(connection.recv(65536))
                        answer(connection)
                    except OSError:
                        pass

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


def test_a_name_that_leads_elsewhere_when_it_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    with listener() as (port, heard):
        asked = names_lead_to(monkeypatch, (PUBLIC, 443), ("127.0.0.1", port))
        with pytest.raises(InputError, match=PRIVATE):
            LinkedFile("https://models.example.org/a.gguf", allow_local=False).read(0, 100)
        assert [str(host) for host in asked] == ["models.example.org"] * 2
        assert not any(heard)  # not even a handshake


def test_a_proxy_for_other_links_does_not_let_it_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "models.example.org")
    with listener() as (port, heard):
        names_lead_to(monkeypatch, (PUBLIC, 443), ("127.0.0.1", port))
        with pytest.raises(InputError, match=PRIVATE):
            LinkedFile("https://models.example.org/a.gguf", allow_local=False).read(0, 100)
        assert not any(heard)


def test_the_proxy_of_this_network_may_be_private(monkeypatch: pytest.MonkeyPatch) -> None:
    with listener() as (port, heard):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        real = socket.getaddrinfo

        def getaddrinfo(host: str, *more: object, **named: object) -> object:
            return real(PUBLIC if "models" in host else host, *more, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        close_session()  # one that was made before knows no proxy
        try:
            with pytest.raises(InputError, match="cannot be reached"):
                LinkedFile("https://models.example.org/a.gguf", allow_local=False).read(0, 100)
        finally:
            close_session()
        assert heard[0].startswith(b"CONNECT models.example.org:443")


def test_every_hop_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first link and each redirection, by name and by number."""
    fetched: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        fetched.append(str(request.url))
        to = request.url.params.get("to")
        return httpx2.Response(302, headers={"Location": to}) if to else httpx2.Response(206, content=iter([b"GGUF"]))

    monkeypatch.setattr(remote, "get_session", lambda: httpx2.Client(transport=httpx2.MockTransport(answer)))
    inside = {"inside.example.org": "10.0.0.7"}
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, port, **_: [(socket.AF_INET, 1, 6, "", (inside.get(host, PUBLIC), port))]
    )

    def read(url: str) -> bytes:
        fetched.clear()
        return LinkedFile(url, allow_local=False).read(0, 4)

    assert read("https://a.example.org/?to=https://b.example.org/") == b"GGUF"
    assert len(fetched) == 2
    assert read("https://a.example.org/x?to=/y") == b"GGUF"
    for secret in ("https://10.0.0.7/", "https://inside.example.org/", "https://[64:ff9b::a00:7]/", "//10.0.0.7/"):
        with pytest.raises(InputError, match=PRIVATE):
            read(f"https://a.example.org/?to={secret}")
        assert len(fetched) == 1
    for to, said in (
        ("http://b.example.org/", "Only https"),
        ("file:///etc/passwd", "Only https"),
        ("https://b.example.org:22/", "ports of https"),
        ("https://me@b.example.org/", "user name"),
    ):
        with pytest.raises(InputError, match=said):
            read(f"https://a.example.org/?to={to}")
        assert len(fetched) == 1
    with pytest.raises(InputError, match=PRIVATE):
        read("https://inside.example.org/")
    assert fetched == []


def test_a_chain_of_redirections_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        fetched.append(str(request.url))
        left = int(request.url.path.strip("/"))
        to = {"Location": f"/{left - 1}"}
        return httpx2.Response(302, headers=to) if left else httpx2.Response(206, content=iter([b"GGUF"]))

    monkeypatch.setattr(remote, "get_session", lambda: httpx2.Client(transport=httpx2.MockTransport(answer)))
    names_lead_to(monkeypatch, *[(PUBLIC, 443)] * 20)
    assert LinkedFile("https://a.example.org/4", allow_local=False).read(0, 4) == b"GGUF"
    fetched.clear()
    with pytest.raises(InputError):
        LinkedFile("https://a.example.org/99", allow_local=False).read(0, 4)
    assert len(fetched) == 5


def drip(pieces: bytes, pause_s: float = 0.05) -> Callable[[socket.socket], None]:
    """Sends so much at once and then a sign at a time, for longer than anybody should listen."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(pieces)
        end = time.monotonic() + 1.5 * remote.TIMEOUT_S
        while time.monotonic() < end:
            connection.sendall(b"x")
            time.sleep(pause_s)

    return answer


BODY = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1000000\r\n\r\n"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFF\r\n"
ENDLESS_HEADER = b"HTTP/1.1 200 OK\r\nX-Long: "


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 2", ENDLESS_HEADER, CHUNKS, BODY])
def test_a_server_that_drips_is_left(beginning: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, all of them together would take days."""
    monkeypatch.setattr(remote, "_PATIENCE_S", 0.4)
    with listener(drip(beginning)) as (port, _):
        began = time.monotonic()
        with pytest.raises(InputError):
            LinkedFile(f"http://127.0.0.1:{port}/a.gguf", allow_local=True).read(0, 1_000_000)
        assert time.monotonic() - began < remote.TIMEOUT_S  # which each byte begins anew


def test_the_patience_is_one_for_all_ranges_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_PATIENCE_S", 0.3)
    with FakeHub() as hub:
        hub.add("o/n", {"a.gguf": b"x" * 4000})
        file = LinkedFile(f"{hub.url}/o/n/resolve/main/a.gguf", allow_local=True)
        assert len(file.read(0, 1000)) == 1000
        file._until = time.monotonic() - 1
        with pytest.raises(InputError, match="does not answer"):
            file.read(1000, 2000)


def test_a_hub_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_PATIENCE_S", 0.4)
    with listener(drip(BODY)) as (port, _):
        began = time.monotonic()
        with pytest.raises(InputError, match="does not answer"):
            HubFile(HubAddress("o/n", "main", "a.gguf"), f"http://127.0.0.1:{port}").read(0, 1_000_000)
        assert time.monotonic() - began < remote.TIMEOUT_S
