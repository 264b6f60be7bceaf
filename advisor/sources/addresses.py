"""What a person pasted: a repository, a link into one, or to a file elsewhere; and which links may be followed."""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, quote, unquote, urlsplit

from huggingface_hub import constants
from huggingface_hub.errors import HfUriError
from huggingface_hub.utils import parse_hf_uri

from advisor.foundation.errors import InputError
from advisor.sources.other_hubs import OtherHub, other_hub
from advisor.sources.raw_parts import is_gguf_name

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.\-]{0,95}/[A-Za-z0-9][\w.\-]{0,95}")
_REVISION = re.compile(r"[\w.\-/]{1,120}")
_NOT_MODELS = ("datasets", "spaces", "collections", "docs", "blog", "papers", "api", "models", "organizations")
_TAGGED = re.compile(r"((?:https?://|hf://)?[^\s:]+/[^\s:/]+):([\w.\-]{1,60})")
_MIRRORS = ("hf-mirror.com",)
_LOCAL_NAMES = (".local", ".localhost", ".internal", ".lan", ".home.arpa")
_PORTS = (443, 8443)  # of https; others belong to services that no link to a file leads to
_UNICAST = ipaddress.ip_network("2000::/3")  # all that is given out of IPv6 for the internet
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Special all the same, and not known as such by every Python that this program runs with.
_SPECIAL = tuple(map(ipaddress.ip_network, ("192.88.99.0/24", "2001::/23", "3fff::/20")))
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # in the third quarter of an address that carries one of IPv4 (RFC 5214)


@dataclass(frozen=True, slots=True)
class HubAddress:
    """A repository on the Hub; `revision` None is its main branch, `path` a file or folder within it or "".

    `tag` says which of its GGUF files: `Q4_K_M` in `org/name:Q4_K_M`. `mirror` is the host that a link named instead.
    """

    repository: str
    revision: str | None = None
    path: str = ""
    tag: str = ""
    mirror: str = ""

    def __str__(self) -> str:
        name = f"{self.repository}@{self.revision}" if self.revision else self.repository
        return f"{name}:{self.tag}" if self.tag else name


def parse_address(text: str) -> HubAddress | OtherHub | str | None:
    """A HubAddress, a page of another hub, or the URL of a file on another host; None when `text` is neither."""
    text = text.strip().rstrip("/")
    for mirror in _MIRRORS:
        found = re.match(rf"(https?://)?(www\.)?{re.escape(mirror)}/", text, re.IGNORECASE)
        if found:
            return replace(_hub_link(f"https://huggingface.co/{text[found.end() :]}"), mirror=mirror)
    if (page := other_hub(text)) is not None:
        return page
    scheme = text.partition("://")[0].lower() if "://" in text[:12] else ""
    if scheme == "hf" or (
        scheme in ("http", "https") and _hostname(text) in {*constants.HF_URL_HOSTS, "www.huggingface.co"}
    ):
        return _hub_link(text)
    if scheme or text.lower().startswith("file:"):
        return text
    if text.lower().startswith(("huggingface.co/", "hf.co/", "www.huggingface.co/")):
        return _hub_link(f"https://{text}")
    text, tag = _split_tag(text)
    name, _, revision = text.partition("@")
    if not _REPOSITORY.fullmatch(name) or (revision and not _REVISION.fullmatch(revision)):
        return None
    return HubAddress(name, revision or None, tag=tag)


def _split_tag(text: str) -> tuple[str, str]:
    """`org/name:Q4_K_M` without its tag, and the tag; llama.cpp and Ollama take the same form."""
    found = _TAGGED.fullmatch(text)
    if found is None:
        return text, ""
    return found[1], "" if found[2].lower() == "latest" else found[2]


def _hostname(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _hub_link(url: str) -> HubAddress:
    url, tag = _split_tag(url)
    shown = parse_qs(urlsplit(url).query).get("show_file_info", [""])[0]
    try:
        found = parse_hf_uri(url.replace("://www.huggingface.co", "://huggingface.co", 1))
    except HfUriError:
        return _hub_page(url)
    if found.type != "model":
        raise InputError(
            "This link leads to a {type} on the Hub, not to a model; give a model's page.", type=found.type
        )
    if found.id.partition("/")[0] in _NOT_MODELS:
        raise InputError("This page of the Hub is not a model; give a link such as huggingface.co/org/name.")
    return HubAddress(found.id, found.revision, found.path_in_repo or shown, tag)


def _hub_page(url: str) -> HubAddress:
    """Other pages of a repository (its discussions, its commits), and the few old ones without an owner."""
    parts = [unquote(part) for part in urlsplit(url).path.split("/") if part]
    name = "/".join(parts[:2])
    if not parts or parts[0] in _NOT_MODELS or not re.fullmatch(r"[\w.\-]+(/[\w.\-]+)?", name):
        raise InputError("This page of the Hub is not a model; give a link such as huggingface.co/org/name.")
    return HubAddress(name)


def hub_file_link(address: HubAddress) -> str:
    """The link of a file or a folder in a repository."""
    path, kind = quote(address.path), "blob" if is_gguf_name(address.path) else "tree"
    return f"https://huggingface.co/{address.repository}/{kind}/{quote(address.revision or 'main', safe='')}/{path}"


def check_public(url: str) -> None:
    """Refuse what a server must not fetch for others: all but https to a host that the whole internet can reach."""
    host, port = check_link(url)
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise InputError(
            "The host {host} is not known; check the link, or the connection to the internet.", host=host[:80]
        ) from None
    for address in found:
        check_address(address)


def check_link(url: str) -> tuple[str, int]:
    """Host and port of a link that may be followed, as far as its text tells; raises InputError."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip(".").lower(), parts.port or 443
    except ValueError:
        raise InputError("This is not a valid link.") from None
    if parts.scheme.lower() != "https" or not host:
        raise InputError("Only https links are followed; give one that begins with https://.")
    if parts.username is not None or parts.password is not None:
        raise InputError("A link with a user name or password in it is not followed; give a public one.")
    if port not in _PORTS:
        raise InputError("Only links to the ports of https are followed, 443 and 8443; leave the port out.")
    if ("." not in host.strip("[]") and ":" not in host) or host.endswith(_LOCAL_NAMES):
        raise _private()
    with suppress(ValueError):  # most hosts are names
        if not _is_public(host.strip("[]")):
            raise _private()
    return host, port


def check_address(text: str) -> None:
    """Refuse an IP address that is not on the public internet."""
    if not _is_public(text):
        raise _private()


def _is_public(text: str) -> bool:
    """Whether an address is on the public internet, and so is the one of IPv4 that it carries, if any."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = _carried(address)
        if inner is not None and not _is_public(str(inner)):
            return False
        if address.ipv4_mapped is not None or address in _NAT64:
            return True
        if address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _SPECIAL)


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a gateway would make of it: mapped, 6to4, NAT64 or ISATAP."""
    number = int(address)
    if address in _NAT64 or number >> 32 & 0xFFFF_FFFF in _ISATAP:
        return ipaddress.IPv4Address(number & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _private() -> InputError:
    return InputError(
        "This link leads to a private or local network, which is not reached from here; give a public https link."
    )
