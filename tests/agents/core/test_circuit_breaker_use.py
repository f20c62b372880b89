"""The ways to send a call through the breaker."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from agents.core.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerOpenException,
    CircuitBreakerTimeoutException,
    CircuitState,
)
from tests.support.clock import FakeClock
from tests.support.tripping import trip


async def test_its_own_timeout_is_a_failure_whatever_is_expected(clock: FakeClock) -> None:
    breaker = CircuitBreaker(failure_threshold=1, expected_exception=KeyError, timeout=0.01, clock=clock)
    with pytest.raises(CircuitBreakerTimeoutException, match=r"longer than its timeout of 0\.01 s"):
        await breaker.call(asyncio.Event().wait)
    assert breaker.state is CircuitState.OPEN
    assert breaker.get_stats()["failed_requests"] == 1


async def test_the_timeout_of_a_breaker_inside_is_not_its_own() -> None:
    inner = CircuitBreaker(timeout=0.01, name="inner")
    outer = CircuitBreaker(expected_exception=KeyError, timeout=30)
    with pytest.raises(CircuitBreakerTimeoutException, match="inner"):
        await outer.call(inner.call, asyncio.Event().wait)
    assert outer.get_stats()["failed_requests"] == 0
    assert inner.get_stats()["failed_requests"] == 1


async def test_call_passes_arguments_and_takes_sync_functions(breaker: CircuitBreaker) -> None:
    async def joined(*parts: str, by: str) -> str:
        return by.join(parts)

    assert await breaker.call(joined, "a", "b", by="-") == "a-b"
    assert await breaker.call(sorted, [2, 1], reverse=True) == [2, 1]


async def test_an_exception_that_is_not_expected_counts_as_neither(breaker: CircuitBreaker) -> None:
    def stumble() -> None:
        raise KeyError("x")

    breaker.acquire().failure()
    with pytest.raises(KeyError):
        await breaker.call(stumble)
    stats = breaker.get_stats()
    assert (stats["total_requests"], stats["failed_requests"], stats["successful_requests"]) == (2, 1, 0)
    assert stats["consecutive_failures"] == 1


async def test_a_decorated_async_function_goes_through_the_circuit(breaker: CircuitBreaker) -> None:
    @breaker
    async def ask(prompt: str) -> str:
        """Ask the model."""
        return prompt.upper()

    assert inspect.iscoroutinefunction(ask)
    assert (ask.__name__, ask.__doc__) == ("ask", "Ask the model.")
    assert await ask("hello") == "HELLO"
    trip(breaker)
    with pytest.raises(CircuitBreakerOpenException):
        await ask("hello")


def test_a_decorated_sync_function_stays_sync(breaker: CircuitBreaker) -> None:
    @breaker
    def divide(a: int, b: int) -> float:
        if not b:
            raise OSError("no")
        return a / b

    assert divide(1, b=2) == 0.5
    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            divide(1, 0)
    with pytest.raises(CircuitBreakerOpenException):
        divide(1, 2)


def test_a_decorated_sync_function_returns_its_permit_when_interrupted(
    breaker: CircuitBreaker, clock: FakeClock
) -> None:
    @breaker
    def interrupted() -> None:
        raise KeyboardInterrupt

    trip(breaker)
    clock.now = 10
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    breaker.acquire().success()
    assert breaker.state is CircuitState.CLOSED


def test_generators_cannot_be_decorated(breaker: CircuitBreaker) -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def later_numbers() -> AsyncIterator[int]:
        yield 1

    for generator in (numbers, later_numbers):
        with pytest.raises(TypeError, match="async with breaker"):
            breaker(generator)


def test_decorated_functions_may_be_called_from_threads(clock: FakeClock) -> None:
    breaker = CircuitBreaker(failure_threshold=10_000, expected_exception=OSError, clock=clock)

    @breaker
    def fail() -> None:
        raise OSError("down")

    def fail_often() -> None:
        for _ in range(200):
            with pytest.raises(OSError, match="down"):
                fail()

    with ThreadPoolExecutor(4) as threads:
        for future in [threads.submit(fail_often) for _ in range(4)]:
            future.result()
    stats = breaker.get_stats()
    assert (stats["total_requests"], stats["failed_requests"], stats["consecutive_failures"]) == (800, 800, 800)


async def test_async_with_reports_the_end_of_its_body(breaker: CircuitBreaker) -> None:
    async with breaker:
        pass
    with pytest.raises(OSError, match="down"):
        async with breaker:
            raise OSError("down")
    async with breaker as permit:
        permit.failure()
    stats = breaker.get_stats()
    assert (stats["successful_requests"], stats["failed_requests"], stats["state"]) == (1, 2, "open")


async def test_async_with_may_be_nested_and_used_by_several_tasks(breaker: CircuitBreaker) -> None:
    async def work(gate: asyncio.Event) -> None:
        async with breaker:
            await gate.wait()

    gate = asyncio.Event()
    tasks = [asyncio.create_task(work(gate)) for _ in range(3)]
    async with breaker, breaker:
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(*tasks)
    assert breaker.get_stats()["successful_requests"] == 5
