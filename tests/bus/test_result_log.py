"""Which moment a caller means, and which results were seen: without any broker."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.result_log import CLOCK_SKEW, SEEN_REMEMBERED, SeenTasks, moment_of, read_from
from schemas import TaskResult, TaskStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.floats(0, 1e9))
def test_seconds_ago_and_a_timedelta_mean_the_same_moment(seconds: float) -> None:
    assert moment_of(seconds, NOW) == moment_of(timedelta(seconds=seconds), NOW) == NOW - timedelta(seconds=seconds)


@given(st.datetimes(timezones=st.timezones()))
def test_a_time_with_its_zone_is_meant_as_it_is(moment: datetime) -> None:
    assert moment_of(moment, NOW) is moment


@given(st.datetimes(timezones=st.just(UTC)))
def test_reading_begins_before_the_moment_as_far_as_time_goes(moment: datetime) -> None:
    begin = read_from(moment)
    assert begin == moment - CLOCK_SKEW or (begin == moment and moment.year == 1)


@pytest.mark.parametrize("ago", [timedelta.max, 1e300, float("inf")])
def test_longer_ago_than_time_itself_is_its_beginning(ago: timedelta | float) -> None:
    assert moment_of(ago, NOW) == datetime.min.replace(tzinfo=UTC)


def test_the_oldest_task_is_forgotten_beyond_the_bound() -> None:
    seen = SeenTasks()
    results = [TaskResult(task_id=str(n), status=TaskStatus.COMPLETED) for n in range(SEEN_REMEMBERED + 1)]
    assert all(seen.remember(result) for result in results)
    assert not seen.remember(results[1])
    assert seen.remember(results[0])
