"""What the tests of the circuit breaker share."""

import pytest

from agents.core.circuit_breaker import CircuitBreaker
from tests.support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker(clock: FakeClock) -> CircuitBreaker:
    """Opens after two failures, and may be probed ten seconds later."""
    return CircuitBreaker(2, 10, OSError, name="model", clock=clock, wall_clock=lambda: 1_000 + clock.now)
