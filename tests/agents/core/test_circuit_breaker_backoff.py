"""How long it stays open while probes keep failing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.circuit_breaker import Backoff, CircuitBreaker, CircuitState
from tests.support.clock import FakeClock
from tests.support.tripping import trip


def breaker_with(backoff: Backoff, clock: FakeClock, recovery: float = 10) -> CircuitBreaker:
    return CircuitBreaker(1, recovery, backoff=backoff, clock=clock)


def waits(breaker: CircuitBreaker, clock: FakeClock, count: int) -> list[float]:
    """Open it, fail so many probes, and return the seconds that it was open each time."""
    trip(breaker)
    seen = [breaker.time_until_retry]
    for _ in range(count):
        clock.now += breaker.time_until_retry
        assert breaker.state is CircuitState.HALF_OPEN
        breaker.acquire().failure()
        seen.append(breaker.time_until_retry)
    return seen


def test_each_failed_probe_makes_the_next_wait_longer_up_to_the_cap() -> None:
    clock = FakeClock()
    breaker = breaker_with(Backoff(factor=2, cap=60, jitter=0), clock)
    assert waits(breaker, clock, 4) == [10, 20, 40, 60, 60]


def test_without_a_backoff_each_wait_is_the_recovery_timeout() -> None:
    clock = FakeClock()
    assert waits(CircuitBreaker(1, 10, clock=clock), clock, 3) == [10, 10, 10, 10]


def test_a_cap_below_the_recovery_timeout_means_no_growth() -> None:
    clock = FakeClock()
    assert waits(breaker_with(Backoff(cap=5, jitter=0), clock), clock, 2) == [10, 10, 10]


def test_after_closing_it_starts_afresh() -> None:
    clock = FakeClock()
    breaker = breaker_with(Backoff(jitter=0), clock)
    waits(breaker, clock, 3)
    clock.now += breaker.time_until_retry
    breaker.acquire().success()
    assert breaker.state is CircuitState.CLOSED
    assert waits(breaker, clock, 1) == [10, 20]


async def test_forcing_it_open_starts_afresh_too() -> None:
    clock = FakeClock()
    breaker = breaker_with(Backoff(jitter=0), clock)
    waits(breaker, clock, 3)
    await breaker.force_open()
    assert breaker.time_until_retry == 10


async def test_a_probe_that_is_let_through_early_and_fails_makes_the_next_wait_longer_all_the_same() -> None:
    clock = FakeClock()
    breaker = breaker_with(Backoff(jitter=0), clock)
    waits(breaker, clock, 1)
    await breaker.allow_probe()
    assert breaker.state is CircuitState.HALF_OPEN
    breaker.acquire().failure()
    assert breaker.time_until_retry == 40


def test_a_probe_that_is_given_back_makes_no_wait_longer() -> None:
    clock = FakeClock()
    breaker = breaker_with(Backoff(jitter=0), clock)
    trip(breaker)
    clock.now = 10
    breaker.acquire().release()
    breaker.acquire().failure()
    assert breaker.time_until_retry == 20


def test_hosts_that_failed_together_do_not_probe_together() -> None:
    clock = FakeClock()
    draws = iter([0.0, 0.5, 1.0])
    hosts = [breaker_with(Backoff(jitter=0.1, draw=lambda: next(draws)), clock) for _ in range(3)]
    for host in hosts:
        trip(host)
    assert [host.time_until_retry for host in hosts] == [10, 10.5, 11]


def test_chance_stretches_a_wait_without_making_the_next_ones_longer() -> None:
    clock = FakeClock()
    breaker = breaker_with(Backoff(factor=2, cap=25, jitter=0.2, draw=lambda: 1.0), clock)
    assert waits(breaker, clock, 3) == pytest.approx([12, 24, 30, 30])


@given(
    wait=st.floats(0, 1e6),
    factor=st.floats(1, 1e6),
    cap=st.floats(0, 1e6),
    jitter=st.floats(0, 1),
    luck=st.floats(0, 1),
)
def test_no_wait_is_shorter_than_the_one_before_nor_longer_than_cap_and_jitter(
    wait: float, factor: float, cap: float, jitter: float, luck: float
) -> None:
    backoff = Backoff(factor, cap, jitter, draw=lambda: luck)
    longer = backoff.after(wait)
    assert wait <= longer <= max(wait, cap)
    assert longer <= backoff.spread(longer) <= longer * (1 + jitter)
