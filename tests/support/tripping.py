"""Opening a circuit breaker."""

from agents.core.circuit_breaker import CircuitBreaker


def trip(breaker: CircuitBreaker) -> None:
    """Report failures until it opens."""
    while breaker.is_healthy:
        breaker.acquire().failure()
