import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.top.figures import BARS, bytes_text, count_text, span_text, sparkline, speed_text


@pytest.mark.parametrize(
    ("count", "text"), [(None, "-"), (0, "0"), (99_999, "99999"), (100_000, "100k"), (12_000_000, "12M")]
)
def test_counts_take_five_characters_at_most(count: int | None, text: str) -> None:
    assert count_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"), (float("inf"), "-"), (-1.0, "0.0s"), (0.42, "0.4s"), (59.9, "59s"), (125, "2m05s"),
        (3 * 3600 + 61, "3h01m"), (5 * 86_400 + 7200, "5d02h"),
    ],
)  # fmt: skip
def test_spans_are_told_in_their_two_highest_units(seconds: float | None, text: str) -> None:
    assert span_text(seconds) == text


def test_sizes_and_speeds_are_short() -> None:
    assert (bytes_text(85 << 20), bytes_text(1229 << 20)) == ("85M", "1.2G")
    assert (speed_text(None), speed_text(12.34), speed_text(1234.5)) == ("-", "12.3", "1234")


def test_a_sparkline_ends_with_the_newest_value_and_shows_that_little_is_not_nothing() -> None:
    assert sparkline([0, 1, 1000], 5) == "  ▁▂█"
    assert sparkline([], 3) == "   "
    assert sparkline([0, 0], 3) == " ▁▁"
    assert sparkline([5, 1, 1], 2) == "██"


@given(st.lists(st.floats(), max_size=30), st.integers(0, 12))
def test_a_sparkline_is_as_wide_as_it_should_be_whatever_the_values(values: list[float], width: int) -> None:
    line = sparkline(values, width)
    assert len(line) == width
    assert set(line) <= {*BARS, " "}
