import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import HIGHEST, Priority, TaskMessage, parse_priority, priority_name


def test_the_names_straddle_the_buckets_of_quorum_queues() -> None:
    assert {name.name: name.value for name in Priority} == {
        "BACKGROUND": 0,
        "LOW": 2,
        "NORMAL": 4,
        "HIGH": 7,
        "CRITICAL": 9,
    }
    assert HIGHEST == 9


@pytest.mark.parametrize(
    ("given_value", "number"),
    [("high", 7), (" Critical ", 9), ("BACKGROUND", 0), ("3", 3), (5, 5), (Priority.LOW, 2), ("007", 7)],
)
def test_names_and_numbers_are_read(given_value: str | int, number: int) -> None:
    assert parse_priority(given_value) == number
    assert TaskMessage(agent="a", prompt="x", priority=given_value).priority == number


@pytest.mark.parametrize("value", ["urgent", "", "10", "-1", "4.5", "²", 10, -1])
def test_what_is_no_priority_is_named_with_what_is_allowed(value: str | int) -> None:
    with pytest.raises(
        ValueError, match=r"use a number 0\.\.9, or one of background \(0\), low \(2\), normal \(4\)"
    ) as caught:
        parse_priority(value)
    assert repr(str(value).strip()) in str(caught.value)


@given(st.integers(-5, 50))
def test_a_number_reads_as_the_nearest_name_below(value: int) -> None:
    name = priority_name(value)
    assert Priority[name.upper()] <= max(0, value)
    assert not [other for other in Priority if Priority[name.upper()] < other <= value]
