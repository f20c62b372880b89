"""How the breaker moves from state to state."""

import pytest

from agents.core.breaker.states import LOST_PROBE_AFTER
from agents.core.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerOpenException,
    CircuitState,
)
from tests.support.clock import FakeClock
from tests.support.tripping import trip


def test_failures_in_a_row_open_it_at_the_threshold(breaker: CircuitBreaker) -> None:
    breaker.acquire().failure()
    assert breaker.is_healthy
    breaker.acquire().failure()
    assert breaker.state is CircuitState.OPEN
    assert not breaker.is_healthy


def test_a_success_in_between_starts_the_count_again(breaker: CircuitBreaker) -> None:
    breaker.acquire().failure()
    breaker.acquire().success()
    breaker.acquire().failure()
    assert breaker.state is CircuitState.CLOSED


def test_a_failed_probe_opens_it_again_for_the_whole_timeout(breaker: CircuitBreaker, clock: FakeClock) -> None:
    trip(breaker)
    clock.now = 12
    breaker.acquire().failure()
    assert breaker.state is CircuitState.OPEN
    assert breaker.time_until_retry == 10
    assert breaker.get_stats()["consecutive_failures"] == 3


def test_reading_the_state_turns_it_half_open_when_the_time_has_come(breaker: CircuitBreaker, clock: FakeClock) -> None:
    trip(breaker)
    clock.now = 9.9
    assert not breaker.is_healthy
    clock.now = 10
    assert breaker.state is CircuitState.HALF_OPEN
    assert breaker.is_healthy
    assert breaker.time_until_retry == 0


def test_half_open_max_calls_probes_may_be_in_flight(clock: FakeClock) -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10, half_open_max_calls=2, clock=clock)
    trip(breaker)
    clock.now = 10
    first = breaker.acquire()
    breaker.acquire()
    with pytest.raises(CircuitBreakerOpenException):
        breaker.acquire()
    first.release()
    breaker.acquire()


def test_a_late_answer_is_counted_and_changes_no_state(breaker: CircuitBreaker, clock: FakeClock) -> None:
    late_failure, late_success = breaker.acquire(), breaker.acquire()
    trip(breaker)
    late_success.success()
    assert breaker.state is CircuitState.OPEN
    clock.now = 10
    breaker.acquire().success()
    late_failure.failure()
    stats = breaker.get_stats()
    assert (stats["state"], stats["consecutive_failures"]) == ("closed", 0)
    assert (stats["successful_requests"], stats["failed_requests"]) == (2, 3)


def test_a_permit_reports_only_once(breaker: CircuitBreaker) -> None:
    permit = breaker.acquire()
    permit.success()
    permit.failure()
    permit.release()
    assert breaker.get_stats()["failed_requests"] == 0


def test_a_probe_that_never_reports_does_not_wedge_it(breaker: CircuitBreaker, clock: FakeClock) -> None:
    trip(breaker)
    clock.now = 10
    breaker.acquire()
    clock.now += LOST_PROBE_AFTER - 1
    with pytest.raises(CircuitBreakerOpenException):
        breaker.acquire()
    clock.now += 1
    probe = breaker.acquire()
    with pytest.raises(CircuitBreakerOpenException):
        breaker.acquire()
    probe.success()
    assert breaker.state is CircuitState.CLOSED


def test_a_rejection_says_when_to_come_back(breaker: CircuitBreaker, clock: FakeClock) -> None:
    trip(breaker)
    clock.now = 4
    with pytest.raises(
        CircuitBreakerOpenException, match=r"'model' rejects calls \(2 failures in a row\): try again in 6\.0 s"
    ) as caught:
        breaker.acquire()
    assert (caught.value.circuit_name, caught.value.failure_count, caught.value.retry_after) == ("model", 2, 6)


def test_a_rejection_beside_a_probe_asks_for_a_short_wait(breaker: CircuitBreaker, clock: FakeClock) -> None:
    trip(breaker)
    clock.now = 10
    breaker.acquire()
    with pytest.raises(CircuitBreakerOpenException) as caught:
        breaker.acquire()
    assert caught.value.retry_after == 1


async def test_reset_closes_it_and_keeps_the_statistics(breaker: CircuitBreaker) -> None:
    trip(breaker)
    await breaker.reset()
    stats = breaker.get_stats()
    assert (stats["state"], stats["consecutive_failures"], stats["failed_requests"]) == ("closed", 0, 2)


async def test_forcing_an_open_breaker_starts_its_timer_again(breaker: CircuitBreaker, clock: FakeClock) -> None:
    trip(breaker)
    clock.now = 9
    await breaker.force_open()
    assert breaker.time_until_retry == 10
    assert breaker.get_stats()["trip_count"] == 1
