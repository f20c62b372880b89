"""One test for each fault that was measured in the earlier breaker, in the order and the words of its list."""

import asyncio
import inspect
import time

import httpx
import pytest

from agents.core.circuit_breaker import (
    CircuitBreaker,
    CircuitBreakerOpenException,
    CircuitBreakerTimeoutException,
    CircuitState,
)
from agents.core.model.errors import ModelUnavailable
from tests.support.agent_world import Asker, agent_world
from tests.support.clock import FakeClock
from tests.support.scripted_ollama import ScriptedOllama


async def fail() -> None:
    raise ConnectionError("the model server is down")


async def answer() -> str:
    return "answer"


async def answer_to(prompt: str) -> str:
    return f"answer to {prompt}"


async def opened(clock: FakeClock, **arguments: object) -> CircuitBreaker:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=60, clock=clock, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ConnectionError):
        await breaker.call(fail)
    assert breaker.state is CircuitState.OPEN
    return breaker


async def test_it_trips_inside_an_agent_and_twelve_queries_of_a_dead_server_are_no_successes() -> None:
    ollama = ScriptedOllama()
    ollama.script.extend(httpx.ConnectError("refused") for _ in range(12))
    async with agent_world(Asker(name="asker"), ollama=ollama, breaker_failures=5) as world:
        agent, pool = world.host.agents[0], world.host.pool
        for _ in range(12):
            with pytest.raises(ModelUnavailable):
                await agent.query_ollama("Hi")
        stats = pool.breaker.get_stats()
        assert (stats["state"], stats["trip_count"]) == ("open", 1)
        assert (stats["successful_requests"], stats["failed_requests"], stats["rejected_requests"]) == (0, 5, 7)
        assert (await agent.health_check())["circuit_breaker_trips"] == 1


async def test_half_open_lets_one_of_ten_waiting_calls_through_and_not_ten() -> None:
    clock = FakeClock()
    breaker = await opened(clock)
    clock.now += 60
    tried = 0
    gate = asyncio.Event()

    async def probe() -> str:
        nonlocal tried
        tried += 1
        await gate.wait()
        return "back"

    calls = [asyncio.create_task(breaker.call(probe)) for _ in range(10)]
    await asyncio.sleep(0)
    gate.set()
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert tried == 1
    assert ends[0] == "back"
    assert all(isinstance(end, CircuitBreakerOpenException) for end in ends[1:])
    assert breaker.state is CircuitState.CLOSED


async def test_a_forced_open_breaker_recovers_after_its_timeout() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(recovery_timeout=60, clock=clock)
    await breaker.force_open()
    with pytest.raises(CircuitBreakerOpenException):
        await breaker.call(answer)
    clock.now += 60
    assert await breaker.call(answer) == "answer"
    assert breaker.state is CircuitState.CLOSED


async def test_an_unexpected_exception_in_half_open_does_not_wedge_it() -> None:
    clock = FakeClock()
    breaker = await opened(clock, expected_exception=ConnectionError)
    clock.now += 60

    async def stumble() -> None:
        raise KeyError("a bug of the caller")

    for _ in range(3):
        with pytest.raises(KeyError):
            await breaker.call(stumble)
        assert breaker.state is CircuitState.HALF_OPEN
    assert await breaker.call(answer) == "answer"
    assert breaker.state is CircuitState.CLOSED


async def test_an_inner_timeout_error_is_not_taken_for_its_own() -> None:
    breaker = CircuitBreaker(timeout=30)

    async def slow_inside() -> None:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError) as caught:
        await breaker.call(slow_inside)
    assert not isinstance(caught.value, CircuitBreakerTimeoutException)
    assert breaker.get_stats()["failed_requests"] == 1


async def test_the_coroutine_that_a_lambda_returns_is_awaited() -> None:
    assert await CircuitBreaker().call(lambda: answer_to("prompt")) == "answer to prompt"


async def test_cancellation_is_handled_the_permit_comes_back_and_nothing_is_counted() -> None:
    clock = FakeClock()
    breaker = await opened(clock)
    clock.now += 60
    probe = asyncio.create_task(breaker.call(asyncio.Event().wait))
    await asyncio.sleep(0)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    stats = breaker.get_stats()
    assert (stats["total_requests"], stats["failed_requests"], stats["successful_requests"]) == (2, 1, 0)
    assert await breaker.call(answer) == "answer"


async def test_it_does_not_use_the_wall_clock_whose_jump_ends_no_open_state() -> None:
    clock = FakeClock()
    wall = 1_000.0
    breaker = await opened(clock, wall_clock=lambda: wall)
    wall += 1_000_000
    assert breaker.state is CircuitState.OPEN
    assert breaker.time_until_retry == 60


def test_the_clock_that_decides_is_monotonic_unless_another_is_given() -> None:
    assert inspect.signature(CircuitBreaker).parameters["clock"].default is time.monotonic


async def test_rejected_calls_are_counted_and_the_rates_stay_truthful() -> None:
    breaker = CircuitBreaker(failure_threshold=2)
    await breaker.call(answer)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await breaker.call(fail)
    for _ in range(4):
        with pytest.raises(CircuitBreakerOpenException):
            await breaker.call(answer)
    stats = breaker.get_stats()
    assert stats["total_requests"] == 7
    assert stats["rejected_requests"] == 4
    assert stats["success_rate"] == pytest.approx(1 / 3)
    assert breaker.failure_rate == pytest.approx(2 / 3)
