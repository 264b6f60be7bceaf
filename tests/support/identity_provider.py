"""A real identity provider (OpenID Connect) on this machine, and a dashboard that asks it who people are."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import dashboard, wait_for

DISCOVERY = "/.well-known/openid-configuration"
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
def identity_provider(log: Path) -> Iterator[str]:
    """Its address. It asks for no password: one says who one is."""
    if find_spec("oidc_provider_mock") is None:
        pytest.skip("not installed: oidc-provider-mock")
    port = free_port()
    people = [part for sub, claims in PEOPLE.items() for part in ("--user-claims", json.dumps({"sub": sub, **claims}))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *people]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}{DISCOVERY}", process, log)
            yield address
        finally:
            process.terminate()
            process.wait(10)


def secrets_file(folder: Path, address: str, provider: str) -> Path:
    """What an operator writes into `.streamlit/secrets.toml`."""
    path = folder / "secrets.toml"
    path.write_text(
        "[auth]\n"
        f'redirect_uri = "{address}/oauth2callback"\n'
        f'cookie_secret = "{COOKIE_SECRET}"\n'
        'client_id = "advisor"\n'
        f'client_secret = "{CLIENT_SECRET}"\n'
        f'server_metadata_url = "{provider}{DISCOVERY}"\n'
    )
    return path


@contextmanager
def company(folder: Path, **environment: str) -> Iterator[Company]:
    """A dashboard with people of its own, in a folder of its own."""
    port = free_port()
    roles, log = folder / "roles.toml", folder / "log.txt"
    roles.write_text(ROLES)
    database = f"sqlite:///{folder / 'advisor.sqlite3'}"
    with identity_provider(folder / "provider.txt") as provider:
        secrets = secrets_file(folder, f"http://127.0.0.1:{port}", provider)
        settings = {
            "LLM_FIT_ADVISOR_DATABASE": database,
            "LLM_FIT_ADVISOR_ROLES": str(roles),
            "LLM_FIT_ADVISOR_LOG": "json",
            "STREAMLIT_SECRETS_FILES": str(secrets),
        }
        with dashboard(log, port=port, **(settings | environment)) as address:
            yield Company(address, provider, roles, log, database)
