"""Pieces of HTML: nothing from outside is markup, and nothing but https leaves the app."""

from __future__ import annotations

import pytest

from advisor.ui.parts.html import Tile, outside, tile_list, words

HOSTILE = '<img src=x onerror="alert(1)">'


def test_a_number_stays_with_its_unit_and_nothing_becomes_markup() -> None:
    assert words("leaves 11 % of memory free") == "leaves 11&nbsp;% of memory free"
    assert words("16 tokens/s, 8,192 tokens, 3.1 GiB") == "16&nbsp;tokens/s, 8,192&nbsp;tokens, 3.1&nbsp;GiB"
    assert "<" not in words(f"{HOSTILE} 9 %")
    assert "<img" not in tile_list([Tile(HOSTILE, HOSTILE, HOSTILE)])


@pytest.mark.parametrize("address", ["javascript:alert(1)", "http://a.example", "//a.example", "data:text/html,x", ""])
def test_only_https_becomes_a_link_that_leaves(address: str) -> None:
    assert outside(address, HOSTILE) == "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;"
    assert outside('https://a.example/"x', "there").startswith('<a href="https://a.example/&quot;x" target="_blank"')
