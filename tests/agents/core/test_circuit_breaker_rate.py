"""Opening on a share of failures, and on slow calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.circuit_breaker import CircuitBreaker, CircuitState, FailureRate
from tests.support.clock import FakeClock

NEVER_IN_A_ROW = 1_000


def by_rate(rate: FailureRate, clock: FakeClock | None = None) -> CircuitBreaker:
    return CircuitBreaker(NEVER_IN_A_ROW, 10, failure_rate=rate, clock=clock or FakeClock())


def play(breaker: CircuitBreaker, verdicts: str) -> CircuitBreaker:
    """Report each `x` as a failure and each `.` as a success."""
    for verdict in verdicts:
        permit = breaker.acquire()
        permit.failure() if verdict == "x" else permit.success()
    return breaker


def test_half_of_the_last_calls_failing_opens_it_though_never_two_in_a_row_did() -> None:
    breaker = play(by_rate(FailureRate(0.5, window=4, minimum_calls=4)), ".x.")
    assert breaker.is_healthy
    play(breaker, "x")
    assert breaker.state is CircuitState.OPEN


def test_fewer_calls_than_the_minimum_never_open_it() -> None:
    breaker = play(by_rate(FailureRate(0.5, window=20, minimum_calls=10)), "x" * 9)
    assert breaker.is_healthy
    play(breaker, "x")
    assert breaker.state is CircuitState.OPEN


def test_calls_that_left_the_window_count_no_more() -> None:
    breaker = play(by_rate(FailureRate(0.5, window=4, minimum_calls=4)), ".x....x")
    assert breaker.state is CircuitState.CLOSED
    stats = breaker.get_stats()
    assert (stats["window_requests"], stats["window_failure_rate"]) == (4, 0.25)


def test_a_success_that_completes_the_minimum_does_not_open_it_the_next_failure_does() -> None:
    breaker = play(by_rate(FailureRate(0.5, window=4, minimum_calls=4)), "xxx.")
    assert breaker.is_healthy
    play(breaker, "x")
    assert breaker.state is CircuitState.OPEN


def test_a_circuit_that_closed_again_begins_with_an_empty_window() -> None:
    clock = FakeClock()
    breaker = play(by_rate(FailureRate(0.5, window=4, minimum_calls=2), clock), "xx")
    clock.now = 10
    play(breaker, ".x")
    assert breaker.state is CircuitState.CLOSED
    assert breaker.get_stats()["window_requests"] == 1


def test_failures_in_a_row_open_it_before_the_rate_has_its_minimum() -> None:
    breaker = CircuitBreaker(2, 10, failure_rate=FailureRate(0.5, window=20, minimum_calls=10))
    assert play(breaker, "xx").state is CircuitState.OPEN


def test_without_a_rate_no_window_is_kept() -> None:
    assert play(CircuitBreaker(), "x.x.").get_stats()["window_requests"] == 0


@given(verdicts=st.text("x.", max_size=40), window=st.integers(1, 8), percent=st.integers(1, 100), data=st.data())
def test_it_opens_exactly_at_the_first_failure_that_brings_the_window_to_the_threshold(
    verdicts: str, window: int, percent: int, data: st.DataObject
) -> None:
    least = data.draw(st.integers(1, window))
    breaker = by_rate(FailureRate(percent / 100, window, least))
    for end, verdict in enumerate(verdicts, 1):
        last = verdicts[:end][-window:]
        play(breaker, verdict)
        is_due = verdict == "x" and len(last) >= least and last.count("x") >= percent / 100 * len(last)
        assert (breaker.state is CircuitState.OPEN) == is_due
        if is_due:
            return


def test_a_slow_success_is_a_failure_for_the_state_and_a_success_in_the_rates() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(2, 10, slow_call_seconds=30, clock=clock)
    for _ in range(2):
        permit = breaker.acquire()
        clock.now += 30.5
        permit.success()
    stats = breaker.get_stats()
    assert (stats["state"], stats["consecutive_failures"], stats["slow_requests"]) == ("open", 2, 2)
    assert (stats["successful_requests"], stats["failed_requests"], stats["success_rate"]) == (2, 0, 1)


def test_a_call_that_takes_just_the_limit_is_not_slow() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(1, 10, slow_call_seconds=30, clock=clock)
    permit = breaker.acquire()
    clock.now = 30
    permit.success()
    assert breaker.state is CircuitState.CLOSED
    assert breaker.get_stats()["slow_requests"] == 0


async def test_the_caller_of_a_slow_call_gets_its_answer() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(1, 10, slow_call_seconds=30, clock=clock)

    async def answer() -> str:
        clock.now += 31
        return "late, but right"

    assert await breaker.call(answer) == "late, but right"
    assert breaker.state is CircuitState.OPEN


def test_a_slow_call_counts_in_the_window() -> None:
    clock = FakeClock()
    rate = FailureRate(1.0, window=2, minimum_calls=2)
    breaker = CircuitBreaker(NEVER_IN_A_ROW, 10, failure_rate=rate, slow_call_seconds=1, clock=clock)
    for _ in range(2):
        permit = breaker.acquire()
        clock.now += 2
        permit.success()
    assert breaker.state is CircuitState.OPEN


def test_a_slow_call_that_ends_without_a_verdict_counts_as_nothing() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(1, 10, slow_call_seconds=1, clock=clock)
    permit = breaker.acquire()
    clock.now = 100
    permit.release()
    assert breaker.state is CircuitState.CLOSED
    assert breaker.get_stats()["slow_requests"] == 0


@pytest.mark.parametrize(("seconds", "state"), [(1, CircuitState.CLOSED), (31, CircuitState.OPEN)])
def test_a_probe_must_not_be_slow_either(seconds: float, state: CircuitState) -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(1, 10, slow_call_seconds=30, clock=clock)
    breaker.acquire().failure()
    clock.now = 10
    probe = breaker.acquire()
    clock.now += seconds
    probe.success()
    assert breaker.state is state
