"""A real identity provider (OpenID Connect) on this machine, and a dashboard that asks it who people are."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import dashboard

COOKIE_SECRET = "a secret of this test, forty characters long"
CLIENT_SECRET = "what the provider knows this program by"
PEOPLE: Mapping[str, Mapping[str, object]] = {
    "ann": {"email": "ann@example.com", "email_verified": True, "name": "Ann", "groups": ["advisors"]},
    "bob": {"email": "bob@example.com", "email_verified": True, "name": "Bob", "groups": []},
    "eve": {"email": "eve@example.org", "email_verified": True, "name": "Eve", "groups": []},
    "max": {"email": "ann@example.com", "email_verified": False, "name": "Not Ann", "groups": []},
}
ROLES = """
[may]
see = ["@example.com"]
freeze = ["@example.com"]
delete = ["group:advisors"]
quantize = ["ann@example.com"]
administer = ["group:advisors"]
"""


@dataclass(frozen=True)
class Company:
    """A dashboard on which people log in. `roles` is the file that says who may what, `log` what the server wrote."""

    address: str
    provider: str
    roles: Path
    log: Path
    database: str


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def identity_provider() -> Iterator[str]:
    """Its address. It asks for no password: one says who one is."""
    mock = pytest.importorskip("oidc_provider_mock")
    serving = pytest.importorskip("werkzeug.serving")
    people = [mock.User(sub=name, claims=dict(claims)) for name, claims in PEOPLE.items()]
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # of the provider's own library: it serves plain http here
    server = serving.make_server("127.0.0.1", 0, mock.app(user_claims=people), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def secrets_file(folder: Path, address: str, provider: str) -> Path:
    """What an operator writes into `.streamlit/secrets.toml`."""
    path = folder / "secrets.toml"
    path.write_text(
        "[auth]\n"
        f'redirect_uri = "{address}/oauth2callback"\n'
        f'cookie_secret = "{COOKIE_SECRET}"\n'
        'client_id = "advisor"\n'
        f'client_secret = "{CLIENT_SECRET}"\n'
        f'server_metadata_url = "{provider}/.well-known/openid-configuration"\n'
    )
    return path


@contextmanager
def company(folder: Path, **environment: str) -> Iterator[Company]:
    """A dashboard with people of its own, in a folder of its own."""
    port = free_port()
    roles, log = folder / "roles.toml", folder / "log.txt"
    roles.write_text(ROLES)
    database = f"sqlite:///{folder / 'advisor.sqlite3'}"
    with identity_provider() as provider:
        secrets = secrets_file(folder, f"http://127.0.0.1:{port}", provider)
        settings = {
            "LLM_FIT_ADVISOR_DATABASE": database,
            "LLM_FIT_ADVISOR_ROLES": str(roles),
            "LLM_FIT_ADVISOR_LOG": "json",
            "STREAMLIT_SECRETS_FILES": str(secrets),
        }
        with dashboard(log, port=port, **(settings | environment)) as address:
            yield Company(address, provider, roles, log, database)
