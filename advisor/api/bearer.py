"""Programs that ask where people log in: by a token, as `Authorization: Bearer ...`.

A token stands for the address that its operator made it for; what that may see is asked of the roles each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from advisor.access.roles import Person, Roles, login_required, roles
from advisor.api.problems import problem
from advisor.foundation.errors import AdvisorError
from advisor.store.database import default_url
from advisor.store.tokens import Tokens

_SCHEME = "bearer "
HOW = "Send a token as Authorization: Bearer ..."


def program_of(headers: Mapping[str, str], found: Roles) -> Person | None:
    """For whom a request's token was made, None without one that works; raises StoreUnavailable."""
    given = headers.get("authorization", "")
    if not given.lower().startswith(_SCHEME):
        return None
    token = _tokens(default_url()).whose(given[len(_SCHEME) :].strip())
    if token is None:
        return None
    person = Person(key=f"token:{token.id}", email=token.email, name=token.email)
    return person if found.allow(person, "see") else None


@lru_cache(maxsize=4)
def _tokens(url: str) -> Tokens:
    return Tokens.open(url)


def refusal(status: int, why: str) -> Response:
    """A problem that says how to ask instead."""
    found = problem(status, why)
    if status == 401:
        found.headers["WWW-Authenticate"] = "Bearer"
    return found


class TokensOnly:
    """Before a server of programs alone: lets nothing by without a token where people log in."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = await _refused(scope) if scope["type"] != "lifespan" and login_required() else None
        await (refused or self.app)(scope, receive, send)


async def _refused(scope: Scope) -> Response | None:
    try:
        found = roles()
        program = None if found is None else await run_in_threadpool(program_of, Headers(scope=scope), found)
    except AdvisorError as error:
        return refusal(503, str(error))
    return refusal(401, HOW) if program is None else None
