import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.model.statistics import PoolStats


def test_before_the_first_request_nothing_has_failed() -> None:
    stats = PoolStats(lambda: 0.0)
    assert (stats.success_rate, stats.average_response_time) == (1.0, 0.0)


@given(st.lists(st.sampled_from([None, ValueError, asyncio.CancelledError])))
def test_the_success_rate_stays_within_0_and_1_and_is_true(outcomes: list[type[BaseException] | None]) -> None:
    stats = PoolStats(lambda: 0.0)
    for outcome in outcomes:
        try:
            with stats.request():
                if outcome is not None:
                    raise outcome
        except (ValueError, asyncio.CancelledError):
            pass
    succeeded, failed = outcomes.count(None), outcomes.count(ValueError)
    assert (stats.total, stats.succeeded, stats.failed) == (len(outcomes), succeeded, failed)
    assert stats.success_rate == (succeeded / (succeeded + failed) if succeeded + failed else 1.0)


def test_a_running_request_counts_but_has_no_outcome_yet() -> None:
    stats = PoolStats(lambda: 0.0)
    with stats.request():
        assert (stats.total, stats.success_rate) == (1, 1.0)


def test_the_average_is_over_successful_tries_alone() -> None:
    times = iter([0.0, 1.0, 10.0, 20.0, 23.0])
    stats = PoolStats(lambda: next(times))
    with stats.answer():
        pass
    with pytest.raises(ValueError, match="x"), stats.answer():
        raise ValueError("x")
    with stats.answer():
        pass
    assert stats.average_response_time == 2.0
