"""Parts of the PDF: axes, labels, fonts, logos."""

from __future__ import annotations

import json
import struct
import zlib
from datetime import UTC, datetime
from io import BytesIO
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from advisor.foundation.errors import DataError, InputError
from advisor.foundation.ranges import Range
from advisor.report.document import CostLine, Costs, Cover, Logo, MemoryBar, MemoryChart, QualityRow, Table, chart_bars
from advisor.report.drawing import (
    costs_payload,
    memory_payload,
    number,
    quality_payload,
    ticks,
)
from advisor.report.frozen import report_from_result, report_to_result
from advisor.report.glyphs import BOX, COVERAGE, FONTS, TEXT_FONT, drawable
from advisor.report.logo import LOGO_BYTES, checked_logo
from advisor.report.pdf import render_pdf
from tests.benchmarks.font_coverage import rows as coverage_rows
from tests.support.sample_report import bars, costs, report

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">{}</svg>'


@given(st.floats(0.001, 1e12), st.integers(2, 10))
def test_ticks_are_few_round_and_inside(end: float, count: int) -> None:
    found = ticks(end, count)
    assert 2 <= len(found) <= count + 2
    assert found == sorted(set(found))
    assert found[0] == 0
    assert found[-1] <= end * (1 + 1e-9)


def test_ticks_of_an_empty_axis() -> None:
    assert ticks(0) == [0.0]
    assert ticks(float("inf")) == [0.0]


def test_figures_of_a_table_have_a_real_minus() -> None:
    assert number(-1234.5, 1) == "−1,234.5"
    assert number(-0.001, 1) == "0.0"


def bar(level: str, size: float) -> MemoryBar:
    return MemoryBar(level, size, 0, 0, 0, "fits", "good")


@given(st.integers(1, 60), st.integers(0, 59), st.integers(1, 12))
def test_the_chart_shows_the_bars_around_the_recommended_one(count: int, place: int, most: int) -> None:
    made = tuple(bar(f"L{i}", i + 1) for i in range(count))
    shown = chart_bars(made, f"L{place}", most)
    assert len(shown) == min(count, most)
    assert set(shown) <= set(made)
    if place < count:
        assert made[place] in shown


def test_a_memory_chart_fits_its_axis_and_has_no_line_without_a_capacity() -> None:
    chart = MemoryChart("here", bars(), 79.2, 4, "Q5_K_M")
    drawn = memory_payload(chart)
    assert drawn is not None
    for one in drawn["bars"]:
        assert 0 < one["weights"] + one["kv_cache"] + one["compute"] + one["overhead"] <= 1
    assert 0 < drawn["capacity"] <= 1
    assert drawn["margin"] == pytest.approx(drawn["capacity"] * 0.04)
    assert "9 of 34 levels" in drawn["caption"]
    free = memory_payload(MemoryChart("here", bars()[-3:], None, 4, None))
    assert free is not None
    assert free["capacity"] is None
    assert "capacity" not in free["alt"]
    assert memory_payload(MemoryChart("here", (), 79.2, 4, None)) is None


def test_quality_above_the_original_and_a_requirement_stay_on_the_axis() -> None:
    drawn = quality_payload(
        (QualityRow("Code", Range(60, 70, 130), "a", 20), QualityRow("Chat", Range(99, 99, 99), "b"))
    )
    assert drawn is not None
    for row in drawn["rows"]:
        assert 0 <= row["low"] <= row["typical"] <= row["high"] <= 1
    assert 0 <= drawn["rows"][0]["required"] <= 1
    assert "axis starts" in drawn["caption"]
    assert quality_payload(()) is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8), st.integers(1, 120))
def test_cost_lines_stay_on_the_chart_and_their_names_apart(monthly: list[float], months: int) -> None:
    lines = tuple(CostLine(str(i), tuple(cost * m for m in range(months + 1))) for i, cost in enumerate(monthly))
    drawn = costs_payload(Costs("USD", (), lines))["chart"]
    places = sorted(line["label_at"] for line in drawn["lines"])
    assert all(b - a >= 0.0999 for a, b in pairwise(places))
    assert places[-1] <= 1.0501
    for line in drawn["lines"]:
        assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in line["points"])


def test_costs_say_which_option_is_chosen_and_keep_unknown_prices_open() -> None:
    drawn = costs_payload(costs())
    assert drawn["chosen"] == 0
    assert [mark["mark"] for mark in drawn["chart"]["crossings"]] == ["1", "2"]
    assert drawn["note"].startswith("Money in USD.")


def test_a_table_needs_equal_rows() -> None:
    with pytest.raises(ValueError, match="every row"):
        Table(("a", "b"), (("1",),))


def test_the_coverage_file_is_what_the_fonts_draw() -> None:
    assert [tuple(line.split(",")) for line in COVERAGE.read_text().splitlines()[1:]] == coverage_rows()
    assert sum(path.stat().st_size for path in FONTS.iterdir()) < 8_000_000
    assert {"OFL.txt", "APACHE-2.0.txt", "README.md"} <= {path.name for path in FONTS.iterdir()}


def test_what_no_font_draws_becomes_a_box() -> None:
    assert drawable("Größe 保険 한국어 − ≤ → ✓ €") == "Größe 保険 한국어 − ≤ → ✓ €"
    assert drawable("a\u0308") == "ä"  # composed
    assert drawable("日\u0301x") == f"{BOX}x"  # a letter of one font, its accent of another
    assert drawable("a😀b\u200bc\u202ed\ufe0f\ue000") == f"a{BOX}bcd{BOX}"
    assert drawable("a\nb\tc\u2028d") == "a b c d"
    assert drawable("10\u00a0GB") == "10\u00a0GB"
    assert drawable("日本", (TEXT_FONT,)) == BOX * 2


def png(width: int = 40, height: int = 20, mode: str = "RGBA", **options: object) -> bytes:
    made = BytesIO()
    Image.new(mode, (width, height)).save(made, "PNG", **options)
    return made.getvalue()


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "L", "LA", "P", "1", "I;16"])
def test_png_logos_are_accepted(mode: str) -> None:
    data = png(mode=mode)
    assert checked_logo(data) == Logo(data, "png")
    assert checked_logo(png(7, 5, mode)).kind == "png"


def test_png_logos_that_are_huge_or_damaged_are_refused() -> None:
    with pytest.raises(InputError, match="at most 4,000,000"):
        checked_logo(png(5000, 5000, "1"))
    good = png()
    for broken in (good[:-20], good[:40] + b"x" + good[41:], good[:8], good + b"x"):
        with pytest.raises(InputError, match="damaged PNG"):
            checked_logo(broken)
    with pytest.raises(InputError, match="at most 262,144"):
        checked_logo(good + b"x" * LOGO_BYTES)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def test_a_png_that_unpacks_to_more_than_its_size_is_refused() -> None:
    header = struct.pack(">IIBBBBB", 10, 10, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 50_000_000, 9))
    with pytest.raises(InputError, match="damaged PNG"):
        checked_logo(bomb + chunk(b"IEND", b""))


@pytest.mark.parametrize(
    "inside",
    [
        '<path d="M0 0L9 9" fill="#00629B"/>',
        '<defs><linearGradient id="g"><stop offset="0"/></linearGradient></defs><rect fill="url(#g)"/>',
        '<defs><circle id="c" r="2"/></defs><use xlink:href="#c"/>',
        "<style>.a{fill:#123}</style><g class='a'/><title>Logo</title>",
        '<metadata><x:y xmlns:x="http://www.inkscape.org/"/></metadata>',
    ],
)
def test_svg_logos_are_accepted(inside: str) -> None:
    data = SVG.format(inside).encode()
    assert checked_logo(data) == Logo(data, "svg")


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ("<script>alert(1)</script>", "not allowed (script)"),
        ('<rect onclick="x()"/>', "scripts"),
        ('<image href="http://example.org/x.png"/>', "not allowed (image)"),
        ('<use xlink:href="http://example.org/x.svg#a"/>', "outside itself"),
        ('<use href="file:///etc/passwd"/>', "outside itself"),
        ('<rect fill="url(http://example.org/x)"/>', "outside itself"),
        ("<rect style=\"fill:url( '//example.org')\"/>", "outside itself"),
        ("<style>@import 'x.css';</style>", "outside itself"),
        ("<style>rect{fill:url(data:image/png;base64,x)}</style>", "outside itself"),
        ("<foreignObject/>", "not allowed (foreignObject)"),
        ("<animate/>", "not allowed (animate)"),
        ("<text>x</text>", "turn text into paths"),
        ('<h:b xmlns:h="http://www.w3.org/1999/xhtml"/>', "not allowed"),
        ('<a xlink:href="javascript:x"/>', "not allowed (a)"),
        ("<g>" * 6000 + "</g>" * 6000, "5,000 elements"),
        ('<use href="#a"/>' * 21, "more than 20"),
        ("<g>", "damaged SVG"),
    ],
)
def test_svg_logos_that_run_or_fetch_something_are_refused(inside: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        checked_logo(SVG.format(inside).encode())
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>',
        '<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>',
        "<svg><rect/></svg>",
        "<html><svg></svg></html>",
        "GIF89a",
        "",
    ],
)
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="The logo"):
        checked_logo(text.encode())


def test_an_svg_with_a_document_type_is_accepted() -> None:
    start = '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">'
    assert checked_logo((start + SVG.format("<g/>")).encode()).kind == "svg"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_logo_or_refused(data: bytes) -> None:
    for content in (data, b"\x89PNG\r\n\x1a\n" + data, b"<svg " + data):
        with pytest.raises(InputError):
            checked_logo(content)


def test_a_frozen_report_is_the_same_document() -> None:
    document = report(cover=Cover("Größe", logo=Logo(png(), "png")), generated_at=datetime(2026, 1, 2, 3, 4, 5, 6, UTC))
    text = json.dumps(report_to_result(document))
    again = report_from_result(json.loads(text), document.cover)
    assert again == document
    assert render_pdf(again) == render_pdf(document)
    assert "Größe" not in text


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_frozen_figures_come_back_to_the_digit(low: float, more: float) -> None:
    row = QualityRow("Code", Range(low, low + more, low + more), "a")
    document = report(quality=(row,))
    again = report_from_result(json.loads(json.dumps(report_to_result(document))), document.cover)
    assert again.quality == (row,)


def test_a_frozen_report_of_another_format_or_damaged_is_told() -> None:
    result = report_to_result(report())
    with pytest.raises(DataError, match="not in the format report/1"):
        report_from_result({**result, "format": "report/0"}, Cover())
    for damage in ({"verdict": 1}, {"generated_at": "x"}, {"quality": [{"task": "a"}]}, {"speed": 7}):
        with pytest.raises(DataError, match="damaged"):
            report_from_result({**result, **damage}, Cover())
    del result["subject"]
    with pytest.raises(DataError, match="damaged"):
        report_from_result(result, Cover())
