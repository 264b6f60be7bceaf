"""Who asks: the browser's own secret and the address it comes from, for quotas."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

import streamlit as st
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from streamlit.runtime import exists, get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from advisor.foundation.environment import environment
from advisor.foundation.quotas import Visitor
from advisor.ui import login
from advisor.ui.ownership import OWNER_COOKIE

_LONGEST = 200


def visitor_of(request: HTTPConnection) -> Visitor:
    """Who sends a request."""
    peer = request.client.host if request.client is not None else ""
    if (person := login.sender(request)) is not None:
        return Visitor(person.key, address_of(peer, request.headers))
    return Visitor(request.cookies.get(OWNER_COOKIE, "")[:_LONGEST], address_of(peer, request.headers))


def visitor_of_session() -> Visitor:
    """Whose session this script runs for."""
    context = st.context
    # Streamlit hides this machine's own address.
    peer = context.ip_address or "127.0.0.1"
    headers = Headers({name: str(value) for name, value in context.headers.items()})
    if (person := login.here()) is not None:
        return Visitor(person.key, address_of(peer, headers))
    return Visitor(context.cookies.get(OWNER_COOKIE, "")[:_LONGEST], address_of(peer, headers))


def address_of(peer: str, headers: Headers) -> str:
    """Where a visitor connects from: the peer itself, or what the operator's own proxies say of theirs.

    Each proxy writes whom it was asked by behind what is there already, which anybody may have written.
    """
    proxies = environment().proxies
    if proxies is None:
        proxies = 1 if _of_this_machine(peer) else 0
    told = [part.strip() for part in headers.get("x-forwarded-for", "").split(",") if part.strip()]
    return told[-min(proxies, len(told))][:_LONGEST] if proxies and told else peer


def _of_this_machine(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Presence:
    """Tells, on any thread, whether the visitor of a session is still connected."""

    session: str

    def __call__(self) -> bool:
        return not exists() or get_instance().is_active_session(self.session)


def presence() -> Presence:
    """Of the visitor whose session this script runs for."""
    context = get_script_run_ctx(suppress_warning=True)
    return Presence("" if context is None else context.session_id)
