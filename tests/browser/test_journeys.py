"""What four people come for, each within six actions from the start page: an action is a click, a key or a text."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest
from pypdf import PdfReader

from advisor.answer.answer import answer
from advisor.answer.machines_for_model import cheapest_of, machines_for
from advisor.answer.run_it import ways_to_run
from advisor.foundation.numbers import money
from advisor.question.question import Question
from advisor.ui.parts.prove_parts import missing_parts
from tests.browser.visits import DESK, LOOKED_THROUGH, PHONE, Open, Visit, sync_api
from tests.conftest import dashboard

pytestmark = pytest.mark.browser

MOST_ACTIONS = 6


class Person:
    """Somebody at a page who does one thing after the other, and gives up after too many."""

    def __init__(self, one: Visit) -> None:
        self.one = one
        self.page = one.page
        self.done: list[str] = []

    def _count(self, action: str) -> None:
        self.done.append(action)
        assert len(self.done) <= MOST_ACTIONS, self.done

    def click(self, what: Any) -> None:
        self._count(f"click {what}")
        what.click()

    def click_on(self, role: str, name: str) -> None:
        self.click(self.page.get_by_role(role, name=name, exact=True).first)

    def pick(self, label: str, typed: str, name: str) -> None:
        """Type into a picker and press Enter: two actions."""
        self._count(f"type {typed}")
        self._count("press Enter")
        self.one.choose(label, typed, name)

    def write(self, label: str, number: str) -> None:
        """Into an input, and press Enter: two actions."""
        self._count(f"type {number}")
        self._count("press Enter")
        self.one.enter(label, number)

    def read_link(self, link: str) -> None:
        """Put a link to a report into the address line."""
        self._count("open a link")
        self.one.read(link.removeprefix(self.one.address))

    def open_link(self, link: str) -> None:
        """Follow a link that somebody sent."""
        self._count(f"open {link}")
        self.one.go(link.removeprefix(self.one.address))


def test_an_engineer_gets_to_the_copied_command(visit: Open) -> None:
    person = Person(visit("/"))
    person.pick("Model", "qwen3 32b", "Qwen3 32B")
    person.pick("Machine", "rtx 4090", "GeForce RTX 4090")
    asked = person.one.query()
    assert (asked["model"], asked["machine"]) == ("qwen3-32b", "rtx-4090")
    person.one.expect_answer(urlencode(asked))
    found = answer(Question.from_query(urlencode(asked)))
    (way,) = [way for way in ways_to_run(found, found.shown) if way.runtime is found.runtime]
    copy = person.page.locator("#root .run").get_by_role("button", name=re.compile("^Copy")).filter(visible=True)
    person.click(copy.first)
    sync_api.expect(person.page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    assert person.one.copied() == way.lines[0].text
    assert len(person.done) == 5


def test_a_manager_gets_a_link_and_the_pdf_comes_down(visit: Open) -> None:
    person = Person(visit("/"))
    person.click_on("link", "Report and share")
    for_managers = person.page.locator("[data-testid=stCode]").filter(has_text="/r?")
    for_managers.hover()
    person.click(for_managers.get_by_role("button", name="Copy to clipboard"))
    link = person.one.copied()
    assert link.startswith(f"{person.one.address}/r?")
    person.read_link(link)
    assert not person.page.locator("input, select, textarea").count(), "a report to read"
    with person.page.expect_download() as download:
        person.click(person.page.get_by_role("link", name="Download PDF"))
    first = PdfReader(BytesIO(Path(download.value.path()).read_bytes())).pages[0].extract_text()
    assert "Llama 3.3 70B Instruct on 2 x GeForce RTX 3090" in " ".join(first.split())
    assert len(person.done) == 4


def test_a_buyer_gets_to_a_machine_and_its_price(visit: Open) -> None:
    person = Person(visit("/"))
    person.pick("Model", "qwen3 14b", "Qwen3 14B")
    person.click_on("link", "Machines for a model")
    buy = person.page.get_by_role("region", name="Buy")
    machine = buy.locator("a[data-go]")  # beside the link to where its price is from
    machine.wait_for()
    person.one.settle()
    person.write("At most, to buy (USD)", "1500")
    found = machines_for(Question.from_query(LOOKED_THROUGH)).machines
    within = [row for row in found if row.chosen.costs and row.chosen.costs.own]
    within = [
        row for row in within if row.chosen.costs and row.chosen.costs.own and row.chosen.costs.own.upfront <= 1500
    ]
    best = cheapest_of(within, lambda row: row.chosen.own_monthly)
    assert best is not None
    sync_api.expect(machine).to_have_text(best.name)
    sync_api.expect(buy.locator(".price")).to_have_text(f"{money(best.chosen.own_monthly or 0)} USD")
    person.one.settle()
    person.click(machine)
    person.one.expect_answer(best.question.to_query())
    assert Question.from_values(person.one.query()) == best.question
    assert len(person.done) == 6


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own with real runs enabled, for the dashboards and workers that are started."""
    if missing := missing_parts():
        pytest.skip(f"not installed: {', '.join(missing)} (pip install -r advisor/quantize/requirements.txt)")
    for name in ("DATABASE", "QUANTIZE_FOLDERS", "QUANTIZE_REPOS", "QUANTIZE_OUTPUT", "QUEUE"):
        monkeypatch.delenv(f"LLM_FIT_ADVISOR_{name}", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("LLM_FIT_ADVISOR_QUANTIZE", "on")
    return tmp_path


def test_a_sceptic_gets_to_a_real_run(chromium: Any, home: Path) -> None:
    """The app's own worker does it and outlives the app; a reload shows the same."""
    from advisor.quantize.runs import Runs

    context = chromium.new_context(**DESK)
    with dashboard(home / "log.txt") as address:
        one = Visit(context.new_page(), address).go("/")
        _prove(Person(one))
        one.close()
    context.close()
    found = Runs.open()
    (run,) = found.newest()
    found.close()
    assert run.state == "done"
    at_work = psutil.Process(int(run.worker.split(":")[1]))
    assert "worker" in at_work.cmdline()
    at_work.terminate()
    psutil.wait_procs([at_work], timeout=60)


def _prove(person: Person) -> None:
    one = person.one
    person.click_on("link", "Prove it")
    one.page.get_by_role("button", name="Start", exact=True).wait_for()
    one.settle()
    assert one.accessibility_violations() == []
    person.click(one.page.get_by_text("Measure perplexity, KL divergence"))  # of sizes alone, to be done soon
    one.settle()
    person.click_on("button", "Start")
    proved = one.page.get_by_text("The sizes of 4 levels are the predicted ones to the byte.")
    proved.wait_for()
    assert len(person.done) == 3
    one.page.reload()
    proved.wait_for()
    assert one.page.get_by_role("button", name="Cancel").count() == 0
    one.settle()
    assert one.accessibility_violations() == []
    one.page.set_viewport_size(PHONE["viewport"])
    one.settle()
    assert one.too_wide() <= 0
