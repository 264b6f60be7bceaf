"""Frozen links where people log in: page, PDF and picture are for those whom their maker chose, and nothing leaks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Router

from advisor.access.roles import Roles
from advisor.answer.answer import answer
from advisor.question.question import Question
from advisor.report.document import Cover
from advisor.report.from_answer import report_of
from advisor.report.frozen import report_to_result
from advisor.store import Sharing, Store, Visibility
from advisor.store.sharing import VISIBILITIES
from advisor.ui.gate import Gate
from advisor.ui.parts import frozen_links
from advisor.ui.report_routes import ROUTES
from tests.support.asgi import Answered, ask
from tests.support.identity_provider import ROLES
from tests.support.logged_in import claims_of, cookie_of, login_configured
from tests.support.read_page import PageRead

QUERY = "model=gpt-oss-20b&machine=rtx-4090"
TITLE = "What nobody else may know"
FILES = ("", "/report.pdf", "/preview.png")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'advisor.sqlite3'}"
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", url)
    yield frozen_links.store()
    frozen_links._store(url).close()


@pytest.fixture
def roles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with login_configured(tmp_path, monkeypatch) as path:
        yield path


def asked(path: str, person: str = "", **headers: str) -> Answered:
    cookie = {"cookie": cookie_of(person)} if person else {}
    return ask(Gate(Router(ROUTES)), path, host="advisor.example.com", **cookie, **headers)


def frozen(store: Store, person: str, visibility: Visibility) -> str:
    maker = Roles().person(claims_of(person))
    assert maker is not None
    document = report_of(answer(Question.from_query(QUERY)), Cover(title=TITLE, note=TITLE))
    cover = Cover(title=TITLE, note=TITLE)
    made = store.freeze(QUERY, report_to_result(document), maker.key, cover, sharing=Sharing(visibility, maker.email))
    return f"/s/{made.id}"


def statuses(path: str, person: str) -> set[int]:
    return {asked(f"{path}{file}", person).status for file in FILES}


def without_ids(answered: Answered) -> tuple[int, Mapping[str, Any], str]:
    return answered.status, dict(answered.headers), re.sub(r"[2-9A-Za-z]{16}", "ID", answered.body.decode())


def test_a_private_one_is_its_makers(store: Store, roles: Path) -> None:
    path = frozen(store, "ann", "private")
    assert statuses(path, "ann") == {200}
    assert TITLE in PageRead(asked(path, "ann").body.decode()).words
    assert "public" not in asked(path, "ann").headers["cache-control"]
    etag = asked(path, "ann").headers["etag"]
    for file in FILES:
        theirs = asked(f"{path}{file}", "bob", if_none_match=etag)
        assert theirs.status == 404
        # To the letter what is said of a link that never was.
        assert without_ids(theirs) == without_ids(asked(f"/s/BBBBBBBBBBBBBBBB{file}", "bob"))
        assert TITLE.encode() not in theirs.body
        assert "ann@example.com" not in theirs.body.decode()
        assert "ask whoever sent it" in PageRead(theirs.body.decode()).words
        nobodys = asked(f"{path}{file}")
        assert nobodys.status == 303
        assert nobodys.headers["location"] == asked(f"/s/BBBBBBBBBBBBBBBB{file}").headers["location"].replace(
            "BBBBBBBBBBBBBBBB", path[3:]
        )
    assert statuses(path, "eve") == {403}


def test_one_for_the_company_is_for_whoever_may_look(store: Store, roles: Path) -> None:
    path = frozen(store, "ann", "company")
    assert statuses(path, "ann") == statuses(path, "bob") == {200}
    assert statuses(path, "") == {303}
    assert statuses(path, "eve") == {403}


def test_a_link_alone_opens_what_is_shared_by_link_where_the_operator_allows_it(store: Store, roles: Path) -> None:
    by_link, company, private = (frozen(store, "ann", kind) for kind in ("link", "company", "private"))
    assert statuses(by_link, "") == {303}
    assert statuses(by_link, "bob") == {200}
    roles.write_text(f"open_links = true\n{ROLES}")
    assert statuses(by_link, "") == statuses(by_link, "eve") == {200}
    for path in (company, private, "/s/BBBBBBBBBBBBBBBB"):
        assert statuses(path, "") == {303}
        assert statuses(path, "eve") <= {303, 404}
    assert statuses(private, "bob") == {404}


def test_it_holds_behind_a_gate_that_would_let_by(store: Store, roles: Path) -> None:
    for kind in VISIBILITIES:
        answered = ask(Router(ROUTES), frozen(store, "ann", kind), host="advisor.example.com")
        assert (answered.status, answered.body) == (303, b"")


def test_nothing_private_is_left_open_when_nobody_logs_in_any_more(
    store: Store, roles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_link, company, private = (frozen(store, "ann", kind) for kind in ("link", "company", "private"))
    monkeypatch.setenv("LLM_FIT_ADVISOR_ROLES", "")
    assert statuses(by_link, "") == {200}
    assert statuses(company, "ann") == statuses(private, "ann") == {404}


def test_a_report_of_today_is_for_those_who_logged_in(roles: Path) -> None:
    answered = ask(Gate(Router(ROUTES)), "/r", QUERY, cookie=cookie_of("bob"), host="advisor.example.com")
    assert answered.status == 200
    assert answered.headers["cache-control"].startswith("private")
    assert ask(Gate(Router(ROUTES)), "/r", QUERY, host="advisor.example.com").status == 303
