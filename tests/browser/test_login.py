"""Logging in with a real identity provider: there and back, private and company links, rights that are missing."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from advisor.ui.parts.prove_parts import missing_parts
from tests.browser.visits import DESK, PHONE, sync_api
from tests.conftest import settle
from tests.support.identity_provider import CLIENT_SECRET, COOKIE_SECRET, ROLES, Company, company

pytestmark = pytest.mark.browser

QUERY = "model=gpt-oss-20b&machine=rtx-4090"
TITLE = "What nobody else may know"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A dashboard on which people log in, with real runs switched on; its own worker does not start."""
    folder = tmp_path_factory.mktemp("company")
    runs = {} if missing_parts() else {"LLM_FIT_ADVISOR_QUANTIZE": "on", "LLM_FIT_ADVISOR_WORKERS": "elsewhere"}
    with company(folder, XDG_DATA_HOME=str(folder), **runs) as found:
        yield found


@dataclass
class Colleague:
    """Somebody with a browser of their own."""

    page: Any
    server: Company

    def log_in(self, name: str, path: str = "/") -> Colleague:
        """Open a path, be asked who one is, say so, and be there."""
        self.page.goto(f"{self.server.address}{path}")
        assert urlsplit(self.page.url).path == "/login"
        self.page.get_by_role("link", name="Log in").click()
        self.page.get_by_role("button", name=name, exact=True).click()
        self.page.wait_for_url(f"{self.server.address}{path}")
        return self

    def drawn(self) -> Colleague:
        self.page.locator("#root h1").first.wait_for()
        settle(self.page)
        return self

    def choose(self, label: str, option: str) -> None:
        """From the last list of this name, with the keyboard."""
        settle(self.page)
        box = self.page.get_by_role("combobox", name=label).last
        box.focus()
        for _ in range(5):  # the list may take its time to open
            self.page.keyboard.press("ArrowDown")
            self.page.wait_for_timeout(300)
            if self.page.get_by_role("option", name=option).count():
                break
        self.page.get_by_role("option", name=option).click()
        sync_api.expect(box).to_have_value(option)
        settle(self.page)

    def status(self, path: str) -> tuple[int, str]:
        answered = self.page.context.request.get(f"{self.server.address}{path}")
        return answered.status, answered.text() if "text" in answered.headers["content-type"] else ""


@pytest.fixture
def colleague(chromium: Any, server: Company) -> Iterator[Any]:
    contexts: list[Any] = []

    def comes(**options: Any) -> Colleague:
        contexts.append(chromium.new_context(**(DESK | options)))
        return Colleague(contexts[-1].new_page(), server)

    server.roles.write_text(ROLES)
    yield comes
    for context in contexts:
        context.close()


def test_freeze_for_oneself_then_for_the_company(colleague: Any, server: Company) -> None:
    ann = colleague().log_in("ann", f"/report?{QUERY}").drawn()  # back where she wanted to go
    sync_api.expect(ann.page.locator(".navigation .person")).to_contain_text("ann@example.com")
    ann.page.get_by_text("Title, names, note and logo", exact=True).click()
    title = ann.page.get_by_label("Title", exact=True)
    title.fill(TITLE)
    title.press("Enter")
    settle(ann.page)
    ann.page.get_by_role("button", name="Freeze").click()
    ann.page.get_by_text("Frozen. The link:").wait_for()
    shown = ann.page.locator("[data-testid=stCode]").filter(has_text="/s/").first.inner_text()
    path = urlsplit(shown.strip()).path
    assert re.fullmatch(r"/s/[A-Za-z0-9]{16}", path)
    assert TITLE in ann.status(path)[1]
    assert ann.status(f"{path}/report.pdf")[0] == 200

    bob = colleague().log_in("bob", path)
    sync_api.expect(bob.page.get_by_text("ask whoever sent it to share it")).to_be_visible()
    for file in ("", "/report.pdf", "/preview.png"):
        status, text = bob.status(f"{path}{file}")
        assert status == 404
        assert TITLE not in text
        assert "ann" not in text

    # Ann shares it from her list, and the same link opens.
    ann.page.get_by_text(re.compile(r"Your frozen links \(1\)")).click()
    ann.choose("Who may read it", "Everybody who logs in here")
    bob.page.reload()
    sync_api.expect(bob.page.locator("h1")).to_have_text(TITLE)
    assert bob.status(f"{path}/report.pdf")[0] == 200

    eve = colleague().log_in("eve", path)  # of another company
    sync_api.expect(eve.page.get_by_text("You are logged in as eve@example.org")).to_be_visible()
    assert [eve.status(place)[0] for place in (path, "/", f"/r?{QUERY}", "/api/v1/models")] == [403] * 4

    nobody = colleague()
    nobody.page.goto(f"{server.address}{path}")
    assert urlsplit(nobody.page.url).path == "/login"
    assert TITLE not in nobody.page.content()

    # The way out, and nothing is left of her.
    ann.page.get_by_role("link", name="Log out").click()
    ann.page.get_by_role("button", name="End session").click()  # the provider's own page
    ann.page.wait_for_url(re.compile(r"/login\?"))
    assert "_streamlit_user" not in {cookie["name"] for cookie in ann.page.context.cookies()}
    ann.page.goto(f"{server.address}{path}")
    assert urlsplit(ann.page.url).path == "/login"


def test_who_may_not_quantize_sees_no_button_and_gets_no_run(colleague: Any, server: Company) -> None:
    if missing := missing_parts():
        pytest.skip(f"not installed: {', '.join(missing)} (pip install -r advisor/quantize/requirements.txt)")
    from advisor.quantize.runs import Runs

    bob = colleague().log_in("bob", f"/prove-it?{QUERY}").drawn()
    sync_api.expect(bob.page.get_by_text("Your login does not allow asking llama.cpp or quantizing")).to_be_visible()
    assert bob.page.get_by_role("button", name="Start", exact=True).count() == 0
    ann = colleague().log_in("ann", f"/prove-it?{QUERY}").drawn()
    start = ann.page.get_by_role("button", name="Start", exact=True)
    sync_api.expect(start).to_be_enabled()
    # Her browser still has the button when the right is gone.
    server.roles.write_text(ROLES.replace('quantize = ["ann@example.com"]', "quantize = []"))
    start.click()
    sync_api.expect(ann.page.get_by_text("Your login does not allow asking llama.cpp or quantizing")).to_be_visible()
    runs = Runs.open(server.database)
    assert runs.newest() == ()
    runs.close()


def test_a_visit_ends_with_the_right_to_look(colleague: Any, server: Company) -> None:
    bob = colleague(**PHONE).log_in("bob", f"/?{QUERY}").drawn()
    assert bob.page.evaluate("document.documentElement.scrollWidth") <= 390
    server.roles.write_text(ROLES.replace('see = ["@example.com"]', 'see = ["ann@example.com"]'))
    bob.page.get_by_text("Change the question").click()
    bob.page.get_by_role("radio", name="32k").click()
    sync_api.expect(bob.page.get_by_text("Your login has no right to look at this")).to_be_visible()
    settle(bob.page)
    assert bob.page.locator(".navigation").count() == 0


def test_a_page_whose_login_is_over_leads_to_the_door_and_back(colleague: Any, server: Company) -> None:
    bob = colleague().log_in("bob", f"/?{QUERY}").drawn()
    bob.page.context.clear_cookies()
    bob.page.evaluate(
        # As when the machine slept: Streamlit connects anew, with the cookies of now.
        "document.querySelector('[data-testid=stApp]').dataset.testConnectionState = 'CONNECTING'"
    )
    bob.page.wait_for_url(re.compile(r"/login\?next="), timeout=60_000)
    bob.page.get_by_role("link", name="Log in").click()
    bob.page.get_by_role("button", name="bob", exact=True).click()
    bob.page.wait_for_url(f"{server.address}/?{QUERY}")


def test_everybodys_links_are_listed_and_deleted_by_those_who_may(colleague: Any, server: Company) -> None:
    bob = colleague().log_in("bob", f"/report?{QUERY}").drawn()
    bob.page.get_by_role("button", name="Freeze").click()
    shown = bob.page.locator("[data-testid=stCode]").filter(has_text="/s/").first
    shown.wait_for()
    path = urlsplit(shown.inner_text().strip()).path
    assert bob.page.get_by_text("Everybody's frozen links").count() == 0
    ann = colleague().log_in("ann", f"/report?{QUERY}").drawn()
    ann.page.get_by_text("Everybody's frozen links").click()
    row = ann.page.get_by_role("row").filter(has_text=path[3:])
    sync_api.expect(row).to_contain_text("bob@example.com")
    sync_api.expect(row).to_contain_text("private")
    assert ann.status(path)[0] == 404  # whose it is, not what it says
    ann.choose("Link to delete", path[3:])
    ann.page.get_by_role("button", name="Delete for everybody").click()
    sync_api.expect(row).to_have_count(0)
    assert bob.status(path)[0] == 404


def test_a_refusal_of_the_provider_leads_back_to_the_door(colleague: Any, server: Company) -> None:
    one = colleague()
    one.page.goto(f"{server.address}/report?{QUERY}")
    one.page.get_by_role("link", name="Log in").click()
    one.page.get_by_role("button", name="Deny").click()
    one.page.wait_for_url(re.compile(r"/login\?"))
    # Neither does a made-up answer of it open anything.
    for answer in ("code=x&state=y", "state=y", "error=x&error_description=%0d%0aSet-Cookie:%20a=b"):
        one.page.goto(f"{server.address}/oauth2callback?{answer}")
        assert urlsplit(one.page.url).path == "/login"
        assert "_streamlit_user" not in {cookie["name"] for cookie in one.page.context.cookies()}


def test_programs_are_asked_for_a_token(server: Company) -> None:
    from advisor.store.tokens import Tokens

    tokens = Tokens.open(server.database)
    secret, _ = tokens.make("bob@example.com", 1)
    tokens.close()
    address = f"{server.address}/api/v1/models?q=qwen3&limit=1"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(address, timeout=30)
    asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {secret}"})
    with urllib.request.urlopen(asked, timeout=30) as answered:
        assert answered.status == 200
    said = server.log.read_text()
    for kept in (secret, CLIENT_SECRET, COOKIE_SECRET, "code=", "id_token", "eyJ", TITLE, "gpt-oss", "@example"):
        assert kept not in said, kept
