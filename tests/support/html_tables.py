"""Tables of plain HTML on a page as data frames."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pandas as pd
from streamlit.testing.v1 import AppTest


def html_tables(page: AppTest) -> list[pd.DataFrame]:
    """All of them, in the page's order; a cell that is a number is one."""
    html = "".join(one.proto.body for one in page.get("html"))
    found = [ElementTree.fromstring(text) for text in re.findall(r"<table>.*?</table>", html, re.DOTALL)]
    return [
        pd.DataFrame(
            [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")][1:],
            columns=["".join(cell.itertext()) for cell in next(table.iter("tr"))],
        ).map(_number)
        for table in found
    ]


def _number(text: str) -> str | float:
    plain = text.replace(",", "")
    return float(plain) if re.fullmatch(r"[+-]?\d+(\.\d+)?", plain) else text
