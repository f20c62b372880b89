import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.durations import KEPT, Durations


def durations_of(*seconds: float) -> Durations:
    durations = Durations()
    for each in seconds:
        durations.note(each)
    return durations


@pytest.mark.parametrize(
    ("seconds", "p50", "p95"), [([3.0], 3.0, 3.0), ([1.0, 9.0], 1.0, 9.0), (list(range(100, 0, -1)), 50, 95)]
)
def test_percentiles_are_durations_that_were_seen(seconds: list[float], p50: float, p95: float) -> None:
    durations = durations_of(*seconds)
    assert (durations.percentile(50), durations.percentile(95), len(durations)) == (p50, p95, len(seconds))


def test_only_the_last_hundred_are_looked_back_on() -> None:
    durations = durations_of(*[1000.0] * 50, *[1.0] * KEPT)
    assert (durations.percentile(100), len(durations)) == (1.0, KEPT)


def test_without_a_run_there_is_no_percentile() -> None:
    with pytest.raises(ValueError, match="there is no duration yet"):
        Durations().percentile(50)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=KEPT), st.integers(1, 100))
def test_a_percentile_is_exceeded_by_no_more_than_the_rest(seconds: list[float], percent: int) -> None:
    told = durations_of(*seconds).percentile(percent)
    assert told in seconds
    assert 100 * sum(each <= told for each in seconds) >= percent * len(seconds)
    assert 100 * sum(each < told for each in seconds) < percent * len(seconds)
