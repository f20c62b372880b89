"""Health, idle connections, and the end of a pool."""

import asyncio

import httpx
import pytest

from agents.core.model.errors import (
    ModelPoolClosed,
)
from tests.support.pools import MakePool, bounded
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.waiting import wait_until


async def test_the_pool_is_unhealthy_when_the_server_does_not_answer(make: MakePool) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    assert await make(transport=httpx.MockTransport(refuse)).health_check() is False


async def test_the_pool_is_unhealthy_while_the_breaker_is_open_or_after_its_end(make: MakePool) -> None:
    pool = make()
    await pool.breaker.force_open()
    assert await pool.health_check() is False
    await pool.breaker.reset()
    assert await pool.health_check() is True
    await pool.close()
    assert await pool.health_check() is False


async def test_idle_connections_above_the_minimum_are_closed_after_a_while(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.gate = asyncio.Event()
    async with asyncio.timeout(10), make(max_connections=3, min_connections=1, cleanup_interval=0.01) as pool:
        calls = [asyncio.create_task(pool.generate("Hi"), name=f"call-{n}") for n in range(3)]
        await server.arrivals(3)
        assert pool.get_stats()["active_connections"] == 3
        server.gate.set()
        await asyncio.gather(*calls)
        await wait_until(lambda: pool.get_stats()["idle_connections"] == 1)


async def test_closing_ends_what_waits_and_what_runs_with_a_clear_error(make: MakePool, server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    pool = make(max_connections=1)
    calls = [asyncio.create_task(pool.generate("Hi"), name=f"call-{n}") for n in range(3)]
    await server.arrivals(1)
    await pool.close()
    await pool.close()
    async with asyncio.timeout(5):
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(outcome, ModelPoolClosed)
    with pytest.raises(ModelPoolClosed, match="is closed"):
        await pool.generate("Hi")
    assert pool.get_stats()["total_connections"] == 0


async def test_nothing_is_left_open_or_running_behind_a_pool(make: MakePool) -> None:
    before = asyncio.all_tasks()
    async with make(min_connections=1) as pool:
        assert pool.get_stats()["idle_connections"] == 1
        await pool.generate("Hi")
        assert pool.get_stats()["pool_misses"] == 0
        assert [task.get_name() for task in asyncio.all_tasks() - before] == ["ollama-pool-sweeper http://ollama"]
        assert pool.get_stats()["idle_connections"] == 1
    assert pool.get_stats()["total_connections"] == 0
    assert asyncio.all_tasks() == before


async def test_a_closed_pool_cannot_be_opened_again(make: MakePool) -> None:
    async with make() as pool:
        pass
    with pytest.raises(ModelPoolClosed, match="make a new one"):
        async with pool:
            pass


async def test_cancelling_a_caller_frees_its_slot(make: MakePool, server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    pool = make(max_connections=1)
    first = asyncio.create_task(pool.generate("1"), name="first")
    await server.arrivals(1)
    second = asyncio.create_task(pool.generate("2"), name="second")
    first.cancel()
    await server.arrivals(1)
    server.gate.set()
    assert await bounded(second) == ["ok"]
    stats = pool.get_stats()
    assert (stats["total_requests"], stats["failed_requests"], stats["success_rate"]) == (2, 0, 1.0)
