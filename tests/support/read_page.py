"""An HTML page as those read it who run no scripts: people without them, and programs that show previews of links."""

from __future__ import annotations

from html.parser import HTMLParser

_EMPTY = {"meta", "link", "br", "img", "rect", "circle", "line", "polyline", "input", "hr"}
_UNREAD = {"style", "title", "script"}


class PageRead(HTMLParser):
    """`meta` by name or property, `tags` in order, `links` and headings by their text, and all words.

    Wrongly nested tags raise.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.links: dict[str, str] = {}
        self.headings: list[str] = []  # of parts
        self.lang = ""
        self._open: list[str] = []
        self._said: list[str] = []
        self._href = ""
        self.feed(page)
        self.close()
        assert self._open == []

    @property
    def words(self) -> str:
        """What stands on the page, with single spaces."""
        return " ".join(" ".join(self._said).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        self.tags.append(tag)
        self.attributes += found.items()
        if tag == "html":
            self.lang = found["lang"]
        if tag == "meta" and "content" in found and (key := found.get("property") or found.get("name")):
            assert key not in self.meta
            self.meta[key] = found["content"]
        if tag == "a":
            self._href = found["href"]
        if tag not in _EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _EMPTY:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in _UNREAD:
            return
        self._said.append(data)
        if self._open and self._open[-1] == "h2":
            self.headings.append(data)
        if "a" in self._open:
            self.links[data] = self._href
