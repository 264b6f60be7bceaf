import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.foundation.units import GB, GIB, KB, KIB, MB, MIB, format_bytes, format_count, gb, gib


@pytest.mark.parametrize(
    ("size", "decimal", "binary"),
    [
        (0, "0 B", "0 B"),
        (1023, "1.0 kB", "1,023 B"),
        (512 * MIB, "536.9 MB", "512.0 MiB"),
        (999_949_999, "999.9 MB", "953.6 MiB"),
        (999_950_000, "1.0 GB", "953.6 MiB"),
        (26_400_000_000, "26.4 GB", "24.6 GiB"),
        (1_305_200_000_000, "1,305.2 GB", "1,215.6 GiB"),
        (-1.5 * GIB, "-1.6 GB", "-1.5 GiB"),
    ],
)
def test_bytes_read_as_people_write_them(size: float, decimal: str, binary: str) -> None:
    assert gb(size) == decimal
    assert gib(size) == binary
    assert format_bytes(size) == f"{decimal} ({binary})"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (960, "960"),
        (1000, "1.0 K"),
        (494_032_768, "494.0 M"),
        (999_960_000, "1.0 B"),
        (70_553_706_496, "70.6 B"),
        (1_026_000_000_000, "1.0 T"),
    ],
)
def test_counts_read_as_model_names_do(count: int, text: str) -> None:
    assert format_count(count) == text


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_the_text_is_the_number_rounded_in_its_own_unit(size: int) -> None:
    units = {"B": 1, "kB": KB, "MB": MB, "GB": GB, "KiB": KIB, "MiB": MIB, "GiB": GIB}
    for text in (gb(size), gib(size)):
        number, unit = text.replace(",", "").split(" ")
        assert abs(float(number) * units[unit] - size) <= 0.0501 * units[unit]
        assert re.fullmatch(r"-?[\d,]+(\.\d)? [a-zA-Z]+", text)


@given(st.integers(min_value=0, max_value=10**15))
def test_a_unit_is_left_as_soon_as_the_next_one_is_full(size: int) -> None:
    for text, step in ((gb(size), 1000), (gib(size), 1024), (format_count(size), 1000)):
        number, _, unit = text.replace(",", "").partition(" ")
        assert float(number) < step or unit in {"GB", "GiB", "T"}
