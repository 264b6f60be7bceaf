"""A server on which people log in, without a server: its configuration, and the cookies that Streamlit would sign."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from streamlit import config
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from tests.support.identity_provider import COOKIE_SECRET, PEOPLE, ROLES, secrets_file

ADDRESS, PROVIDER = "https://advisor.example.com", "https://login.example.com"


@contextmanager
def login_configured(
    folder: Path, monkeypatch: pytest.MonkeyPatch, roles: str = ROLES, address: str = ADDRESS
) -> Iterator[Path]:
    """People log in, by this file of roles, which is returned."""
    path = folder / "roles.toml"
    path.write_text(roles)
    with secrets_of(secrets_file(folder, address, PROVIDER)):
        monkeypatch.setenv("LLM_FIT_ADVISOR_ROLES", str(path))
        yield path


@contextmanager
def secrets_of(path: Path) -> Iterator[None]:
    """Streamlit reads its secrets there, and not what the machine has."""
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(path)])
    secrets_singleton._reset()
    try:
        yield
    finally:
        config.set_option("secrets.files", before)
        secrets_singleton._reset()


def claims_of(name: str, /, **changed: Any) -> dict[str, Any]:
    """What Streamlit keeps of somebody who logged in."""
    told = {"iss": PROVIDER, "sub": name, "is_logged_in": True, "origin": ADDRESS, "provider": "default"}
    return {**told, **PEOPLE[name], **changed}


def cookie_of(name: str, /, secret: str = COOKIE_SECRET, called: str = USER_COOKIE_NAME, **changed: Any) -> str:
    """The header's value with which their browser comes back."""
    signed = create_signed_value(secret, called, json.dumps(claims_of(name, **changed)))
    return f"{USER_COOKIE_NAME}={signed.decode()}"
