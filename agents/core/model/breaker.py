"""The circuit breaker that settings describe: one for each model server."""

import time
from collections.abc import Callable
from typing import Final

from agents.core.circuit_breaker import Backoff, CircuitBreaker, FailureRate
from agents.core.model.errors import ModelServerFault
from agents.core.settings import Settings, SettingsError

RECOVERY_CAP_TIMES: Final = 5
"""The longest wait in recovery times, unless it is set: five minutes by default."""


def breaker_of(settings: Settings, name: str, *, clock: Callable[[], float] = time.monotonic) -> CircuitBreaker:
    """Return a closed breaker that counts faults of the model server `name`, such as `ollama http://host:11434`.

    `clock` gives monotonic seconds.

    Raises:
        SettingsError: the breaker's settings contradict each other.
    """
    return CircuitBreaker(
        failure_threshold=settings.breaker_failures,
        recovery_timeout=settings.breaker_recovery,
        expected_exception=ModelServerFault,
        name=name,
        failure_rate=_failure_rate(settings),
        slow_call_seconds=settings.breaker_slow_call,
        backoff=Backoff(cap=_recovery_cap(settings)),
        clock=clock,
    )


def _recovery_cap(settings: Settings) -> float:
    cap = settings.breaker_recovery_cap
    return settings.breaker_recovery * RECOVERY_CAP_TIMES if cap is None else cap


def _failure_rate(settings: Settings) -> FailureRate | None:
    if settings.breaker_failure_rate is None:
        return None
    if settings.breaker_window < settings.breaker_minimum_calls:
        raise SettingsError(
            f"setting breaker_window = {settings.breaker_window}: it must be at least breaker_minimum_calls "
            f"({settings.breaker_minimum_calls}), or the failure rate would never count"
        )
    return FailureRate(settings.breaker_failure_rate, settings.breaker_window, settings.breaker_minimum_calls)
