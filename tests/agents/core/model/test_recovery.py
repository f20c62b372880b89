"""Each server whose circuit has opened is probed until it closes."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
import structlog

from agents.core.circuit_breaker import CircuitBreaker, CircuitState
from agents.core.model.errors import ModelOverloaded, ModelServerFault
from agents.core.model.limits import PoolLimits
from agents.core.model.pool_queue import pool_queue
from agents.core.model.recovery import LONGEST_OVERLOAD_SECONDS, OVERLOAD_SECONDS, Recovery
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


def one_server(server: ScriptedOllama) -> tuple[ModelServer, ServerGroup]:
    """A server with a quick breaker, and the group of it alone."""
    queue, limits = pool_queue(["http://ollama"], 1, 1), PoolLimits(1, 0, 1, 1, 0, 1, 1)
    client = partial(OllamaClient, transport=server.transport)
    (only,) = make_servers(
        {"http://ollama": "http://ollama"}, queue, quick, client, limits, auto_pull=False, clock=time.monotonic
    )
    return only, ServerGroup([only], queue)


@pytest.mark.parametrize(
    ("retry_after", "waits"), [(30.0, 30.0), (None, OVERLOAD_SECONDS), (86_400.0, LONGEST_OVERLOAD_SECONDS)]
)
async def test_a_server_that_is_too_busy_for_a_probe_is_left_alone_for_as_long_as_it_says(
    server: ScriptedOllama, retry_after: float | None, waits: float
) -> None:
    only, group = one_server(server)
    naps: list[float] = []
    probes: list[int] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        await asyncio.sleep(0)

    async def busy_once(probed: ModelServer) -> None:
        probes.append(len(naps))
        if len(probes) == 1:
            raise ModelOverloaded("busy", retry_after=retry_after)
        await probed.breaker.reset()

    recovery = Recovery(group, busy_once, sleep=nap)
    await only.breaker.force_open()
    await wait_until(lambda: only.is_usable, what="a closed circuit")
    first, second = probes
    assert naps[first:second][0] == waits
    await recovery.close()


async def test_a_circuit_that_opens_in_the_moment_in_which_its_recovery_ends_is_seen_to_as_well(
    server: ScriptedOllama,
) -> None:
    only, group = one_server(server)
    probes = 0

    async def close(probed: ModelServer) -> None:
        nonlocal probes
        probes += 1
        await probed.breaker.reset()
        if probes == 1:
            # It runs once this probe and its recovery are over, and before the callback of the latter's end.
            opening.append(asyncio.create_task(only.breaker.force_open(), name="opening"))

    opening: list[asyncio.Task[None]] = []
    recovery = Recovery(group, close)
    await only.breaker.force_open()
    await wait_until(lambda: probes == 2, what="the second recovery")
    assert only.is_usable
    await recovery.close()


async def test_recovery_logs_nothing_in_the_name_of_the_task_that_failed(server: ScriptedOllama) -> None:
    only, group = one_server(server)
    seen: list[dict[str, object]] = []

    async def close(probed: ModelServer) -> None:
        seen.append(structlog.contextvars.get_contextvars())
        await probed.breaker.reset()

    recovery = Recovery(group, close)
    with structlog.contextvars.bound_contextvars(task="the one that failed"):
        await only.breaker.force_open()
    await wait_until(lambda: only.is_usable, what="a closed circuit")
    assert seen == [{}]
    await recovery.close()


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

    only, group = one_server(server)
    recovery = Recovery(group, crash_once)
    await only.breaker.force_open()
    await wait_until(lambda: only.is_usable, what="a closed circuit")
    assert probes == 2
    await recovery.close()
