import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.foundation.errors import AdvisorError, DataError, InputError, nearest, one_line
from advisor.foundation.message import Message, in_english
from advisor.models.lookup import find_model


def said(hint: Message | None) -> str:
    return "" if hint is None else in_english(hint)


IDS = ["rtx-4090", "rtx-4090-d", "rtx-4080", "a100-sxm4-80gb", "nvidia-l4"]


def test_every_error_is_caught_as_one_kind() -> None:
    assert issubclass(InputError, AdvisorError)
    assert issubclass(DataError, AdvisorError)
    assert not issubclass(InputError, DataError)


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("4090", "did you mean 'rtx-4090', 'rtx-4090-d', 'rtx-4080'?"),
        ("RTX 4090", "did you mean 'rtx-4090', 'rtx-4090-d', 'rtx-4080'?"),
        ("A100_80GB", "did you mean 'a100-sxm4-80gb'?"),
        ("nvidia-l40x", "did you mean 'nvidia-l4'?"),
        ("something else entirely", ""),
        ("", ""),
        ("  ", ""),
    ],
)
def test_nearest_names_what_was_probably_meant(typed: str, hint: str) -> None:
    assert said(nearest(typed, IDS)) == hint


def test_nearest_names_no_more_than_asked_for() -> None:
    assert said(nearest("rtx", IDS, n=2)) == "did you mean 'rtx-4080', 'rtx-4090'?"


def test_nearest_keeps_the_spelling_of_the_options() -> None:
    assert said(nearest("q4_k_m", ["Q4-K-M"])) == "did you mean 'Q4-K-M'?"


@given(st.text(max_size=5000))
def test_nearest_takes_any_text(typed: str) -> None:
    hint = said(nearest(typed, IDS))
    assert hint == "" or (hint.startswith("did you mean '") and hint.endswith("?"))


def test_what_somebody_gave_is_repeated_on_one_short_line() -> None:
    assert one_line("a\nb\x00\u2028c") == "a b c"
    assert one_line("x" * 50) == "x" * 40 + "..."
    assert one_line(3.5) == "3.5"


def test_what_was_probably_meant_is_data_too() -> None:
    assert InputError("a").suggestions == ()
    assert InputError("a", ["b"]).suggestions == ("b",)
    with pytest.raises(InputError) as caught:
        find_model("llama-3.1-8b")
    assert "llama-3.1-8b-instruct" in caught.value.suggestions
