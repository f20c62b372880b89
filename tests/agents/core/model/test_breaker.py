"""The breaker that settings describe."""

import pytest

from agents.core.circuit_breaker import CircuitBreaker, CircuitState
from agents.core.model.breaker import breaker_of
from agents.core.model.errors import BadModelRequest, ModelTimeout, TimeoutPhase
from agents.core.settings import SettingsError, load_settings
from tests.support.clock import FakeClock

FAULT = ModelTimeout("no token", which=TimeoutPhase.TOTAL)


async def fail(breaker: CircuitBreaker, error: Exception, times: int) -> None:
    async def raises() -> None:
        raise error

    for _ in range(times):
        with pytest.raises(type(error)):
            await breaker.call(raises)


def test_without_settings_it_is_the_breaker_of_the_seed() -> None:
    breaker = breaker_of(load_settings(None), "model")
    stats = breaker.get_stats()
    assert (stats["name"], stats["failure_threshold"], stats["recovery_timeout"]) == ("model", 5, 60)


async def test_it_counts_faults_of_the_server_and_no_others() -> None:
    breaker = breaker_of(load_settings(None, breaker_failures=2), "model")
    await fail(breaker, BadModelRequest("no such option"), 3)
    assert breaker.is_healthy
    await fail(breaker, FAULT, 2)
    assert breaker.state is CircuitState.OPEN


async def test_its_recovery_time_doubles_up_to_the_cap_and_is_stretched_by_a_tenth_at_most() -> None:
    clock = FakeClock()
    settings = load_settings(None, breaker_failures=1, breaker_recovery=40, breaker_recovery_cap=100)
    breaker = breaker_of(settings, "model", clock=clock)
    for wait in (40, 80, 100, 100):
        await fail(breaker, FAULT, 1)
        assert wait <= breaker.time_until_retry <= wait * 1.1
        clock.now += breaker.time_until_retry


async def test_without_a_cap_of_its_own_the_recovery_time_grows_to_five_times_itself() -> None:
    clock = FakeClock()
    breaker = breaker_of(load_settings(None, breaker_failures=1, breaker_recovery=4), "model", clock=clock)
    for wait in (4, 8, 16, 20, 20):
        await fail(breaker, FAULT, 1)
        assert wait <= breaker.time_until_retry <= wait * 1.1
        clock.now += breaker.time_until_retry


async def test_a_share_of_failures_opens_it_by_choice() -> None:
    chosen = {"breaker_failures": 100, "breaker_failure_rate": 0.5, "breaker_window": 4, "breaker_minimum_calls": 4}
    breaker = breaker_of(load_settings(None, **chosen), "model")
    for _ in range(2):
        await fail(breaker, FAULT, 1)
        await breaker.call(lambda: "fine")
    assert breaker.is_healthy
    await fail(breaker, FAULT, 1)
    assert breaker.state is CircuitState.OPEN


def test_slow_calls_are_failures_by_choice() -> None:
    breaker = breaker_of(load_settings(None, breaker_failures=1, breaker_slow_call=1e-9), "model")
    breaker.acquire().success()
    assert breaker.state is CircuitState.OPEN


def test_a_window_below_the_minimum_of_calls_is_refused_with_the_remedy() -> None:
    settings = load_settings(None, breaker_failure_rate=0.5, breaker_window=5)
    with pytest.raises(SettingsError, match=r"breaker_window = 5: it must be at least breaker_minimum_calls \(10\)"):
        breaker_of(settings, "model")
