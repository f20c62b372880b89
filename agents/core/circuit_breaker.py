"""CircuitBreaker: stop asking a service that fails, and find out by single probes when it is back.

A monotonic clock decides; the wall clock only dates what `get_stats()` reports. No decision awaits anything.
"""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast, overload

from agents.core.arguments import positive_or_none
from agents.core.breaker.circuit import Circuit, StateChange
from agents.core.breaker.permit import CircuitBreakerOpenException, CircuitBreakerTimeoutException, Permit
from agents.core.breaker.rules import STEADY, Backoff, BreakerRules, FailureRate
from agents.core.breaker.states import CircuitState, Signal
from agents.core.requests.invocation import is_async
from agents.core.time_limit import time_limit

__all__ = [
    "Backoff",
    "CircuitBreaker",
    "CircuitBreakerOpenException",
    "CircuitBreakerTimeoutException",
    "CircuitState",
    "FailureRate",
    "Permit",
]

P = ParamSpec("P")
T = TypeVar("T")

Failures = type[Exception] | tuple[type[Exception], ...]


class CircuitBreaker:
    """A circuit breaker for calls to one service.

    Use `await breaker.call(func, *args)`, `@breaker`, `async with breaker:`, or `acquire()` by hand.

    Args:
        failure_threshold: failures in a row that open the circuit.
        recovery_timeout: seconds after which an open circuit lets a probe through, however it was opened.
            `backoff` may lengthen it.
        expected_exception: what counts as a failure of the service. Any other exception passes through and counts
            neither as failure nor as success.
        timeout: seconds for one async call, None for no limit. It does not apply to decorated sync functions, which
            nothing can interrupt.
        name: for logs, statistics and errors.
        half_open_max_calls: probes in flight at once while half-open.
        failure_rate: opens the circuit for a share of failures, too, beside those in a row. None: only in a row.
        slow_call_seconds: a call that succeeded but took longer is a failure for the state, still a success for the
            caller and in the rates of `get_stats()`. None: no call is too slow.
        backoff: how the recovery time grows while probes fail. Without it, it stays the same.
        clock: monotonic seconds.
        wall_clock: epoch seconds.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout: float = 60.0,
        expected_exception: Failures = Exception,
        timeout: float | None = None,
        name: str | None = None,
        *,
        half_open_max_calls: int = 1,
        failure_rate: FailureRate | None = None,
        slow_call_seconds: float | None = None,
        backoff: Backoff = STEADY,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        positive_or_none("timeout", timeout)
        positive_or_none("slow_call_seconds", slow_call_seconds)
        _check_failures(expected_exception)
        rules = BreakerRules(failure_threshold, recovery_timeout, half_open_max_calls, failure_rate, backoff)
        self.expected_exception = expected_exception
        self.timeout = timeout
        self.name = name or "circuit_breaker"
        self._circuit = Circuit(self.name, rules, slow_seconds=slow_call_seconds, clock=clock, wall_clock=wall_clock)
        self._entered: dict[object, list[AbstractAsyncContextManager[Permit]]] = {}

    @property
    def state(self) -> CircuitState:
        """The state now; reading it turns an open circuit half-open when its time has come."""
        return self._circuit.state.kind

    @property
    def is_healthy(self) -> bool:
        """Whether the circuit is not open."""
        return self.state is not CircuitState.OPEN

    @property
    def failure_rate(self) -> float:
        """Share of all calls with a verdict that failed, 0..1; 0 before the first."""
        return self._circuit.statistics.failure_rate

    @property
    def recovery_timeout(self) -> float:
        """The seconds that a first opening lasts, before chance."""
        return self._circuit.rules.recovery_timeout

    @property
    def time_until_retry(self) -> float:
        """Seconds until a probe is allowed; 0 unless open."""
        return self._circuit.time_until_retry

    def acquire(self) -> Permit:
        """Ask for one call. The permit must be reported: success, failure or release.

        Raises:
            CircuitBreakerOpenException: the circuit is open, or its probes are under way.
        """
        return self._circuit.acquire()

    @overload
    async def call(self, func: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    async def call(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...
    async def call(self, func: Callable[..., Any], *args: object, **kwargs: object) -> object:
        """Call `func` through the circuit and return its result; an awaitable it returns is awaited.

        A sync function runs in the event loop, so it must not block.

        Raises:
            CircuitBreakerOpenException: rejected, `func` was not called.
            CircuitBreakerTimeoutException: `timeout` ran out. A TimeoutError of `func` itself stays itself.
        """
        async with self._attempt():
            result = func(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

    def __call__(self, func: Callable[P, T]) -> Callable[P, T]:
        """Decorate an async or a sync function; sync stays sync. Generators are refused with a TypeError."""
        if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
            raise TypeError(
                f"{func!r} is a generator, which ends when nobody looks: use `async with breaker:` inside it"
            )
        return self._guard_async(func) if is_async(func) else self._guard_sync(func)

    async def __aenter__(self) -> Permit:
        attempt = self._attempt()
        permit = await attempt.__aenter__()
        self._entered.setdefault(asyncio.current_task(), []).append(attempt)
        return permit

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        task = asyncio.current_task()
        attempt = self._entered[task].pop()
        if not self._entered[task]:
            del self._entered[task]
        return await attempt.__aexit__(kind, error, trace)

    async def reset(self) -> None:
        """Close the circuit and forget its failures in a row. Statistics stay."""
        self._circuit.apply(Signal.RESET)

    async def force_open(self) -> None:
        """Open the circuit for `recovery_timeout` seconds from now; it then recovers like any other."""
        self._circuit.apply(Signal.FORCE_OPEN)

    async def allow_probe(self) -> None:
        """Let the next probe of an open circuit through now: there is a sign that the service is back.

        If it fails, the next wait follows from the one cut short. A circuit that is not open stays as it is.
        """
        self._circuit.apply(Signal.ALLOW_PROBE)

    def add_state_change_callback(self, callback: StateChange) -> None:
        """Have `callback(old, new)` called on each transition. An error in it is logged and changes nothing."""
        self._circuit.listeners.append(callback)

    def get_stats(self) -> dict[str, Any]:
        """Return the numbers of the circuit: seconds, rates 0..1, epoch seconds or None where it says time or at.

        `total_requests` holds every call that asked, `rejected_requests` included; the rates are taken over the calls
        that succeeded or failed. `slow_requests` are successes that count as failures for the state. `window_requests`
        and `window_failure_rate` are what `failure_rate` decides by: slow calls included, empty unless closed.
        """
        return self._circuit.report()

    @asynccontextmanager
    async def _attempt(self) -> AsyncIterator[Permit]:
        permit = self.acquire()
        try:
            async with time_limit(self.timeout, CircuitBreakerTimeoutException(self.name, self.timeout)):
                with self._judged(permit):
                    yield permit
        except CircuitBreakerTimeoutException:
            permit.failure()
            raise
        finally:
            permit.release()

    @contextmanager
    def _judged(self, permit: Permit) -> Iterator[None]:
        try:
            yield
        except self.expected_exception:
            permit.failure()
            raise
        except Exception:
            permit.release()
            raise
        else:
            permit.success()

    def _guard_async(self, func: Callable[P, T]) -> Callable[P, T]:
        @wraps(func)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> object:
            return await self.call(func, *args, **kwargs)

        return cast("Callable[P, T]", guarded)

    def _guard_sync(self, func: Callable[P, T]) -> Callable[P, T]:
        @wraps(func)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            permit = self.acquire()
            try:
                with self._judged(permit):
                    return func(*args, **kwargs)
            finally:
                permit.release()

        return guarded


def _check_failures(expected: Failures) -> None:
    kinds: tuple[object, ...] = expected if isinstance(expected, tuple) else (expected,)
    if not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
        raise ValueError(f"expected_exception is {expected!r}: use an exception class, or a tuple of them")
