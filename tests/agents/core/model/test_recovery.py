"""Each server whose circuit has opened is probed until it closes."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest

from agents.core.circuit_breaker import CircuitBreaker, CircuitState
from agents.core.model.errors import ModelServerFault
from agents.core.model.limits import PoolLimits
from agents.core.model.pool_queue import pool_queue
from agents.core.model.recovery import Recovery
from agents.core.model.server import ModelServer, make_servers
from agents.core.model.servers import ServerGroup
from agents.core.ollama_client import OllamaClient
from agents.core.ollama_pool import OllamaConnectionPool
from tests.support.scripted_ollama import ScriptedOllama, refusal
from tests.support.waiting import wait_until


def quick(name: str) -> CircuitBreaker:
    return CircuitBreaker(1, 0.01, ModelServerFault, name=name)


@pytest.fixture
async def pool(server: ScriptedOllama) -> AsyncIterator[OllamaConnectionPool]:
    async with OllamaConnectionPool("http://ollama", breaker=quick, transport=server.transport) as pool:
        yield pool


async def closed(pool: OllamaConnectionPool) -> None:
    await wait_until(lambda: pool.breaker.state is CircuitState.CLOSED, what="a closed circuit")


async def test_probes_go_on_until_one_succeeds(pool: OllamaConnectionPool, server: ScriptedOllama) -> None:
    server.script.extend([httpx.ConnectError("down"), refusal(500, "sick"), refusal(503, "busy")])
    await pool.breaker.force_open()
    await closed(pool)
    assert [body["options"] for body in server.asked("/api/generate")] == [{"num_predict": 1}] * 4
    assert pool.breaker.get_stats()["trip_count"] == 3


async def test_a_server_that_lacks_the_probe_s_model_is_back_all_the_same(
    pool: OllamaConnectionPool, server: ScriptedOllama
) -> None:
    server.installed = []
    await pool.breaker.force_open()
    await closed(pool)
    assert server.asked("/api/pull") == []


async def test_a_circuit_that_somebody_else_closes_needs_no_probe(
    pool: OllamaConnectionPool, server: ScriptedOllama
) -> None:
    before = asyncio.all_tasks()
    await pool.breaker.force_open()
    (recovery,) = asyncio.all_tasks() - before
    assert recovery.get_name() == "model-recovery http://ollama"
    await asyncio.sleep(0)  # it begins to wait
    await pool.breaker.reset()
    async with asyncio.timeout(5):
        await recovery
    assert server.requests == []


async def test_a_second_outage_is_seen_to_as_well(pool: OllamaConnectionPool) -> None:
    for _ in range(2):
        await pool.breaker.force_open()
        await closed(pool)


async def test_no_probe_outlives_its_pool(server: ScriptedOllama) -> None:
    before = asyncio.all_tasks()
    async with OllamaConnectionPool("http://ollama", breaker=quick, transport=server.transport) as pool:
        server.gate = asyncio.Event()
        await pool.breaker.force_open()
        await server.arrivals(1)
    await pool.breaker.force_open()
    assert asyncio.all_tasks() == before


async def test_a_probe_that_crashes_is_not_the_last(server: ScriptedOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.core.model.recovery.AFTER_CRASH_SECONDS", 0.0)
    probes = 0

    async def crash_once(probed: ModelServer) -> None:
        nonlocal probes
        probes += 1
        if probes == 1:
            raise ZeroDivisionError("a fault of ours")
        await probed.breaker.reset()

    queue, limits = pool_queue(["http://ollama"], 1, 1), PoolLimits(1, 0, 1, 1, 0, 1, 1)
    client = partial(OllamaClient, transport=server.transport)
    servers = make_servers(
        {"http://ollama": "http://ollama"}, queue, quick, client, limits, auto_pull=False, clock=time.monotonic
    )
    recovery = Recovery(ServerGroup(servers, queue), crash_once)
    await servers[0].breaker.force_open()
    await wait_until(lambda: servers[0].is_usable, what="a closed circuit")
    assert probes == 2
    await recovery.close()
