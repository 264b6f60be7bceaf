"""Who is logged in: read from the cookie that Streamlit signs after `st.login`, by Streamlit's own functions.

The same cookie is asked of plain requests and of sessions, so that both know the same person. Everything here says
"nobody" in case of doubt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.requests import HTTPConnection
from streamlit.auth_util import (
    get_cookie_with_chunks,
    get_origin_from_redirect_uri,
    get_secrets_auth_section,
    get_validated_redirect_uri,
    is_authlib_installed,
    validate_auth_credentials,
)
from streamlit.errors import StreamlitAuthError
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from advisor.access.roles import WITHOUT_LOGIN, Act, Person, Roles, login_required, roles
from advisor.foundation.environment import environment
from advisor.foundation.errors import InputError
from advisor.store.sessions import owner_hash
from advisor.store.sharing import ANYBODY, Reader

_PERSON = "llm_fit_advisor.person"  # of a request's scope
_ROLES = "llm_fit_advisor.roles"
_SHORTEST_SECRET = 32
_DAY_HOURS = 24
_WITHOUT_LOGIN: frozenset[Act] = frozenset(("see", "freeze", "quantize"))


class NotAllowed(InputError):
    """Whoever asks may not do this."""


def check() -> None:
    """Say what is wrong with the configuration before anybody is served; raises InputError."""
    auth = get_secrets_auth_section()
    if not login_required():
        if auth and environment().roles != WITHOUT_LOGIN:
            raise InputError(
                "[auth] is configured: LLM_FIT_ADVISOR_ROLES must name the file that says who may do what, or be "
                "anonymous where nobody is to log in."
            )
        return
    roles()
    if not is_authlib_installed():
        raise InputError("Logging in needs the package Authlib: pip install -r advisor/ui/requirements.txt.")
    for name in providers():
        try:
            validate_auth_credentials(name)
        except StreamlitAuthError as error:
            raise InputError("[auth] is not complete: {why}", why=" ".join(str(error).split())) from None
    if not providers() or get_validated_redirect_uri() is None or urlsplit(origin()).scheme not in ("http", "https"):
        raise InputError(
            "LLM_FIT_ADVISOR_ROLES is set, but [auth] in .streamlit/secrets.toml names no provider, or no redirect_uri "
            "that ends in /oauth2callback."
        )
    if len(str(auth.get("cookie_secret", ""))) < _SHORTEST_SECRET:
        raise InputError("cookie_secret in [auth] must have {least} random characters or more.", least=_SHORTEST_SECRET)


def providers() -> tuple[str, ...]:
    """The names of the configured identity providers; "default" is the one without a name."""
    auth = get_secrets_auth_section()
    named = tuple(name for name, value in auth.items() if isinstance(value, Mapping) and "client_id" in value)
    return (*(("default",) if "client_id" in auth else ()), *named)


def origin() -> str:
    """ "https://advisor.example.org", where people come back to from logging in; "" where that is not configured."""
    return get_origin_from_redirect_uri() or ""


def person_of(cookies: Mapping[str, str], found: Roles) -> Person | None:
    """Whom the signed cookie speaks of, if it is of this server and not too old."""
    claims = _claims(cookies, found.session_hours)
    if claims.get("is_logged_in") is not True or not origin() or claims.get("origin") != origin():
        return None
    return found.person(claims)


def _claims(cookies: Mapping[str, str], hours: float) -> Mapping[str, Any]:
    secret = get_cookie_secret()
    if len(secret) < _SHORTEST_SECRET:
        return {}

    def one(name: str) -> bytes | None:
        given = cookies.get(name)
        return decode_signed_value(secret, name, given, hours / _DAY_HOURS) if given else None

    try:
        whole = get_cookie_with_chunks(one, USER_COOKIE_NAME)
        claims = json.loads(whole) if whole else {}
    except (ValueError, UnicodeError):
        return {}
    return claims if isinstance(claims, dict) else {}


def remember(scope: Any, person: Person, found: Roles) -> None:
    """Say who sends a request, for what answers it."""
    scope[_PERSON], scope[_ROLES] = person, found


def sender(request: HTTPConnection) -> Person | None:
    """Who sends a request, None where nobody logs in."""
    found: Person | None = request.scope.get(_PERSON)
    return found


def reader_of(request: HTTPConnection) -> Reader:
    """What a request may read of what is frozen."""
    if not login_required():
        return ANYBODY
    person = sender(request)
    if person is not None:
        return Reader(owner_hash(person.key), by_link=True)
    found = roles()
    return Reader(by_link=found is not None and found.open_links)


def here() -> Person | None:
    """Who is logged in in this session, None where nobody is; raises InputError where the roles cannot be read."""
    found = roles()
    if found is None:
        return None
    person = person_of(st.context.cookies, found)
    # Streamlit looked at the session's own token, which other sites do not know, before it took the cookie.
    told = found.person(st.user.to_dict()) if st.user.get("is_logged_in") is True else None
    return person if person is not None and told is not None and told.key == person.key else None


def may(act: Act) -> bool:
    """Whether the visitor of this session may do something."""
    found = roles()
    if found is None:
        return act in _WITHOUT_LOGIN
    person = here()
    return person is not None and found.allow(person, "see") and found.allow(person, act)


def require(act: Act) -> None:
    """Before something is done in a session, whatever its page showed; raises NotAllowed."""
    if not may(act):
        raise _not_allowed()


def me() -> Person:
    """Who is logged in in this session; raises NotAllowed."""
    person = here()
    if person is None:
        raise _not_allowed()
    return person


def _not_allowed() -> NotAllowed:
    return NotAllowed("Your login does not allow this, or it has ended: load the page again, or ask for the right.")
