"""The pages as Streamlit draws them, without a browser, and their HTML as people read it."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from streamlit.testing.v1 import AppTest

# The script, not app.py: on an `st.App` file AppTest would pass without drawing anything.
SCRIPT = Path(__file__).resolve().parents[2] / "advisor" / "ui" / "main.py"


def opened(query: str = "", **state: Any) -> AppTest:
    """Answer at a link; `state` opens folds and tabs by their keys before the first run."""
    page = AppTest.from_file(str(SCRIPT), default_timeout=60)
    for key, value in parse_qsl(query, keep_blank_values=True):
        page.query_params[key] = value
    for key, value in state.items():
        page.session_state[key] = value
    page.run()
    assert not page.exception
    return page


def html(page: AppTest) -> str:
    """Everything drawn as HTML, as it was written."""
    return "\n".join(element.proto.body for element in page.get("html"))


def read(page: AppTest) -> str:
    """The same as people read it, and the Markdown: without tags and escapes."""
    return in_words(html(page)) + "\n" + "\n".join(plain_words(part.value) for part in page.markdown)


def in_words(text: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "\n", text)).replace("\xa0", " ")


def plain_words(text: str) -> str:
    """Markdown without its escapes."""
    return text.replace("\\", "").replace("\u2060", "")


def messages(page: AppTest) -> list[str]:
    """What was wrong with the link."""
    return [plain_words(warning.value) for warning in page.warning]


def links(text: str) -> dict[str, str]:
    """Where the links of some HTML lead (the query), by what they say."""
    found = re.findall(r'<a [^>]*href="\./[^"?]*\?([^"]*)"[^>]*>([^<]*)</a>', text)
    return {unescape(said): unescape(query) for query, said in found}


def sections(text: str, opening: str) -> list[str]:
    """The parts of some HTML that begin with a tag: "<article"."""
    return [opening + part for part in text.split(opening)[1:]]
