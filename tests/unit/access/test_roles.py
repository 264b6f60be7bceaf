"""Who may do what by the operator's file: rules of each kind, addresses nobody vouches for, files that are wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from advisor.access.roles import ACTS, Roles, login_required, roles
from advisor.foundation.errors import InputError

ANN: dict[str, Any] = {"iss": "https://login.example.com", "sub": "1", "email": "Ann@Example.com", "name": "Ann"}
VERIFIED = ANN | {"email_verified": True}


def allowed(claims: dict[str, Any], *rules: str, **settings: Any) -> bool:
    found = Roles(may={"see": list(rules)}, **settings)
    person = found.person(claims)
    assert person is not None
    return found.allow(person, "see")


@pytest.mark.parametrize("rule", ["*", "@example.com", "@EXAMPLE.com", "ann@example.com", "group:staff"])
def test_each_kind_of_rule_gives_a_right(rule: str) -> None:
    assert allowed(VERIFIED | {"groups": ["staff"]}, rule)


@pytest.mark.parametrize(
    "rule", ["@example.org", "@ple.com", "@sub.example.com", "bob@example.com", "group:staff", "group:Ann@Example.com"]
)
def test_no_rule_gives_it_to_others(rule: str) -> None:
    assert not allowed(VERIFIED | {"groups": ["Staff", 1, None]}, rule)
    assert not allowed(VERIFIED | {"groups": "staff"}, rule)


def test_an_address_counts_only_where_somebody_vouches_for_it() -> None:
    for email_verified in (False, None, "true", 1):
        assert not allowed(ANN | {"email_verified": email_verified}, "ann@example.com", "@example.com")
    assert not allowed(ANN, "@example.com")
    assert allowed(ANN, "@example.com", trust_email=True)  # a provider that does not say it
    assert not allowed(ANN | {"email_verified": False}, "@example.com", trust_email=True)
    assert allowed(ANN, "*")  # whoever logs in


def test_an_address_can_neither_be_a_group_nor_two() -> None:
    found = Roles(may={"see": ["group:staff@example.com", "@example.com"]})
    for email in ("group:staff@example.com", "x@example.com@evil.org", "@", "x", "", None, ["@example.com"]):
        person = found.person(VERIFIED | {"email": email})
        assert person is not None
        assert not found.allow(person, "see"), email


def test_no_right_follows_from_another() -> None:
    for act in ACTS:
        found = Roles(may={act: ["*"]})
        person = found.person(VERIFIED)
        assert person is not None
        assert [one for one in ACTS if found.allow(person, one)] == [act]


def test_a_person_is_an_issuer_and_a_subject() -> None:
    found = Roles()
    for missing in ("iss", "sub"):
        assert found.person({key: value for key, value in VERIFIED.items() if key != missing}) is None
        assert found.person(VERIFIED | {missing: ""}) is None
        assert found.person(VERIFIED | {missing: 1}) is None
    keys = {
        getattr(found.person(VERIFIED | changed), "key", "")
        for changed in ({}, {"sub": "2"}, {"iss": "https://other.example.com"}, {"iss": "https://login.example.com1"})
    }
    assert len(keys) == 4
    assert getattr(found.person(VERIFIED | {"email": "new@example.com"}), "key", "") in keys  # a name may change


def test_the_file_is_read_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "roles.toml"
    path.write_text('[may]\nsee = ["*"]\n')
    monkeypatch.setenv("LLM_FIT_ADVISOR_ROLES", str(path))
    assert roles() == Roles(may={"see": ["*"]})
    path.write_text("[may]\nsee = []\n")
    os.utime(path, ns=(1, 1))
    assert roles() == Roles(may={"see": []})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[may", r"is no TOML"),
        ('[may]\nlook = ["*"]', r"wrong at may\.look"),
        ('[may]\nsee = "*"', r"wrong at may\.see"),
        ('[may]\nsee = ["example.com"]', r"wrong at may\.see\.0"),
        ('[may]\nsee = ["group:"]', r"wrong at may\.see\.0"),
        ('[may]\nsee = [" @example.com"]', r"wrong at may\.see\.0"),
        ("session_hours = 0", r"wrong at session_hours"),
        ('open_links = "yes"', r"wrong at open_links"),
        ('sees = ["*"]', r"wrong at sees"),
    ],
)
def test_a_wrong_file_lets_nobody_in(text: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "roles.toml"
    path.write_text(text)
    monkeypatch.setenv("LLM_FIT_ADVISOR_ROLES", str(path))
    with pytest.raises(InputError, match=f"{why}.*nobody is let in"):
        roles()
    path.unlink()
    with pytest.raises(InputError, match="cannot be read: nobody is let in"):
        roles()
    assert login_required()  # it is no reason to stop asking


def test_nobody_logs_in_where_no_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", "anonymous"):
        monkeypatch.setenv("LLM_FIT_ADVISOR_ROLES", value)
        assert not login_required()
        assert roles() is None
