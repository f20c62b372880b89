"""What a circuit breaker counts."""

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class CircuitStatistics:
    """Counters since the breaker was made; a reset of the circuit keeps them.

    `total` is every call that asked, so total = successful + failed + rejected + those without a verdict (cancelled,
    still running, or ended by an error that says nothing about the service).
    """

    total: int = 0
    successful: int = 0
    failed: int = 0
    rejected: int = 0
    slow: int = 0
    """Those of the successful ones that took too long."""
    trips: int = 0
    response_seconds: float = 0.0
    last_success_time: float | None = None
    last_failure_time: float | None = None
    state_changed_at: float | None = None

    def succeeded(self, seconds: float, at: float) -> None:
        """Count a success that took `seconds`, at epoch second `at`."""
        self.successful += 1
        self.response_seconds += seconds
        self.last_success_time = at

    def failed_after(self, seconds: float, at: float) -> None:
        """Count a failure that took `seconds`, at epoch second `at`."""
        self.failed += 1
        self.response_seconds += seconds
        self.last_failure_time = at

    @property
    def judged(self) -> int:
        """Calls with a verdict: the base of all rates."""
        return self.successful + self.failed

    @property
    def success_rate(self) -> float:
        """Share of the calls with a verdict that succeeded, 0..1; 1 before the first."""
        return self.successful / self.judged if self.judged else 1.0

    @property
    def failure_rate(self) -> float:
        """Share of the calls with a verdict that failed, 0..1; 0 before the first."""
        return self.failed / self.judged if self.judged else 0.0

    @property
    def average_response_time(self) -> float:
        """Mean seconds of the calls with a verdict; 0 before the first."""
        return self.response_seconds / self.judged if self.judged else 0.0

    def report(self) -> dict[str, Any]:
        """Return the counts, rates and dates under their keys in `CircuitBreaker.get_stats()`."""
        return {
            "total_requests": self.total,
            "successful_requests": self.successful,
            "failed_requests": self.failed,
            "rejected_requests": self.rejected,
            "slow_requests": self.slow,
            "success_rate": self.success_rate,
            "trip_count": self.trips,
            "average_response_time": self.average_response_time,
            "last_failure_time": self.last_failure_time,
            "last_success_time": self.last_success_time,
            "state_changed_at": self.state_changed_at,
        }
