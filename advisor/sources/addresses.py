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
    address = ipaddress.ip_address(text.partition("%")[0])
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    return address.is_global and not address.is_multicast and (inner is None or inner.is_global)


def _private() -> InputError:
    return InputError(
        "This link leads to a private or local network, which is not reached from here; give a public https link."
    )
