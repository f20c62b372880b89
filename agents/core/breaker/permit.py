"""The right to make one call through a circuit breaker, and the errors of not having one."""

from collections.abc import Callable

from agents.core.breaker.states import Signal


class CircuitBreakerOpenException(Exception):
    """The call was rejected without being tried. Worth another try after `retry_after` seconds."""

    def __init__(self, circuit_name: str, failure_count: int, retry_after: float = 0.0) -> None:
        self.circuit_name = circuit_name
        self.failure_count = failure_count
        self.retry_after = retry_after
        super().__init__(
            f"circuit {circuit_name!r} rejects calls ({failure_count} failures in a row): "
            f"try again in {retry_after:.1f} s"
        )


class CircuitBreakerTimeoutException(TimeoutError):
    """The call took longer than the breaker's own `timeout`, and was cancelled."""

    def __init__(self, circuit_name: str, timeout: float | None) -> None:
        self.circuit_name = circuit_name
        self.timeout = timeout
        super().__init__(f"a call through circuit {circuit_name!r} took longer than its timeout of {timeout} s")


class Permit:
    """The right to make one call. Report its end once; further reports change nothing."""

    def __init__(self, report: Callable[[Signal], None]) -> None:
        self._report: Callable[[Signal], None] | None = report

    def success(self) -> None:
        """The service answered."""
        self._settle(Signal.SUCCESS)

    def failure(self) -> None:
        """The service failed."""
        self._settle(Signal.FAILURE)

    def release(self) -> None:
        """The call ended without a word about the service: cancelled, or the caller's own error."""
        self._settle(Signal.RELEASE)

    def _settle(self, verdict: Signal) -> None:
        report, self._report = self._report, None
        if report is not None:
            report(verdict)
