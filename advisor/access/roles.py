"""Who may do what, by the operator's own file; nobody logs in where LLM_FIT_ADVISOR_ROLES names none.

The file is read again when it changes: whoever is taken out of it may do nothing from the next request on.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from advisor.foundation.environment import environment
from advisor.foundation.errors import InputError

Act = Literal["see", "freeze", "delete", "quantize", "administer"]
ACTS: tuple[Act, ...] = get_args(Act)
WITHOUT_LOGIN = "anonymous"  # instead of a file: that login is configured for something else, and not wanted here
_OF_A_PERSON = "person:"  # no browser's own secret has a colon
_LONGEST_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who logged in. `key` is who they are to the database; `email` is "" where nobody vouches for it."""

    key: str
    email: str
    name: str
    groups: frozenset[str] = frozenset()


def _rule(rule: str) -> str:
    """ "*", "@example.com", "group:NAME" or an address."""
    known = rule == "*" or (rule.startswith("group:") and len(rule) > len("group:")) or "@" in rule[:-1]
    if not known or rule != rule.strip():
        raise ValueError("is no address, no @domain, no group:NAME and not *")
    return rule if rule.startswith("group:") else rule.lower()


class Roles(BaseModel):
    """The file. `may` lists for each act whom it is given to: an address, "@domain", "group:NAME", or "*" for whoever
    the identity provider lets in. `session_hours` after logging in, everybody does so again.

    `open_links` lets reports that are shared by link be read without logging in, `trust_email` takes addresses of
    which the provider does not say whether they were verified.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    may: Mapping[Act, list[Annotated[str, AfterValidator(_rule)]]] = {}
    groups_claim: str = "groups"
    session_hours: float = Field(12.0, gt=0, le=720)
    open_links: bool = False
    trust_email: bool = False

    def allow(self, person: Person, act: Act) -> bool:
        """Whether somebody may; nothing follows from anything else, and without `see` there is nothing to do."""
        domain = person.email.lower().rpartition("@")[2] if "@" in person.email else ""
        names = {"*", *(f"group:{name}" for name in person.groups)}
        if domain and ":" not in person.email:  # which would look like a group
            names |= {person.email.lower(), f"@{domain}"}
        return not names.isdisjoint(self.may.get(act, ()))

    def person(self, claims: Mapping[str, Any]) -> Person | None:
        """Whom the claims of an identity provider speak of; None where they name nobody."""
        issuer, subject = claims.get("iss"), claims.get("sub")
        if not (isinstance(issuer, str) and issuer and isinstance(subject, str) and subject):
            return None
        email, verified, groups = claims.get("email"), claims.get("email_verified"), claims.get(self.groups_claim)
        vouched = isinstance(email, str) and (verified is True or (self.trust_email and verified is None))
        name, listed = claims.get("name"), groups if isinstance(groups, list) else []
        return Person(
            key=_OF_A_PERSON + hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest(),
            email=str(email).strip()[:320] if vouched else "",
            name=name.strip()[:200] if isinstance(name, str) else "",
            groups=frozenset(one for one in listed if isinstance(one, str)),
        )


def login_required() -> bool:
    """Whether people log in here. Reads no file, so that a broken one opens nothing."""
    return environment().roles not in ("", WITHOUT_LOGIN)


def roles() -> Roles | None:
    """The operator's file, None where nobody logs in; raises InputError, after which nobody may do anything."""
    if not login_required():
        return None
    path = Path(environment().roles).expanduser()
    try:
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size)
    except OSError:
        raise InputError("The file of LLM_FIT_ADVISOR_ROLES cannot be read: nobody is let in.") from None


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, size: int) -> Roles:
    if size > _LONGEST_FILE:
        raise InputError("The file of LLM_FIT_ADVISOR_ROLES is larger than 1 MiB: nobody is let in.")
    try:
        return Roles.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            "The file of LLM_FIT_ADVISOR_ROLES is no TOML ({why}): nobody is let in.", why=str(error)
        ) from None
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, wrong["loc"]))
        raise InputError(
            "The file of LLM_FIT_ADVISOR_ROLES is wrong at {where}: nobody is let in.", where=where
        ) from None
