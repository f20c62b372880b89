import asyncio
import time
from typing import Any

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from agents.core.model.errors import ModelPoolClosed, ModelTimeout, TimeoutPhase
from agents.core.model.lane import Lane
from agents.core.model.memory_watch import MemoryWatch
from agents.core.model.pool_queue import pool_queue
from agents.core.model.prober import Prober, witness_seconds
from agents.core.model.statistics import PoolStats
from agents.core.model.timeouts import ModelTimeouts
from agents.core.model.tries import Tries
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.request_queue import RequestQueue
from tests.support.scripted_ollama import Json, ScriptedOllama, answer

LANE = Lane("tinyllama:latest")


def prober_of(pool: OllamaConnectionPool, queue: RequestQueue) -> Prober:
    clock = time.monotonic
    memory = MemoryWatch(queue, clock)
    return Prober(Tries(queue, pool.servers, memory, PoolStats(clock), try_timeout=5, clock=clock), clock)


async def test_a_queue_that_closes_says_nothing_of_the_server(server: ScriptedOllama) -> None:
    queue = pool_queue(["http://ollama"], 1, 1)
    async with OllamaConnectionPool("http://ollama", queue=queue, transport=server.transport) as pool:
        prober = prober_of(pool, queue)
        assert await prober.can_generate(pool.servers.first, LANE)
        await queue.close()
        with pytest.raises(ModelPoolClosed):
            await prober.can_generate(pool.servers.first, LANE)
        assert pool.servers.first.is_usable


@pytest.mark.parametrize(("load", "first_token"), [(0.02, 30.0), (30.0, 0.02)])
async def test_a_witness_has_the_shorter_of_the_two_patiences_for_a_first_line(
    server: ScriptedOllama, load: float, first_token: float
) -> None:
    server.gate = asyncio.Event()
    queue, timeouts = pool_queue(["http://ollama"], 1, 1), ModelTimeouts(load=load, first_token=first_token)
    async with (
        queue,
        OllamaConnectionPool("http://ollama", queue=queue, transport=server.transport, timeouts=timeouts) as pool,
        asyncio.timeout(5),
    ):
        assert not await prober_of(pool, queue).can_generate(pool.servers.first, LANE)
        assert not pool.servers.first.is_usable


def test_a_witness_waits_two_minutes_by_default() -> None:
    assert witness_seconds(ModelTimeouts()) == 120


async def test_a_witness_asks_and_logs_in_nobody_s_name(server: ScriptedOllama) -> None:
    seen: list[dict[str, Any]] = []

    def note(_: Json) -> httpx.Response:
        seen.append(structlog.contextvars.get_contextvars())
        return answer("ok")

    server.script.append(note)
    queue = pool_queue(["http://ollama"], 1, 1)
    async with queue, OllamaConnectionPool("http://ollama", queue=queue, transport=server.transport) as pool:
        with structlog.contextvars.bound_contextvars(task="the one that failed"):
            assert await prober_of(pool, queue).can_generate(pool.servers.first, LANE)
    assert seen == [{}]


async def test_a_witness_is_told_with_what_made_the_server_suspect(server: ScriptedOllama) -> None:
    queue = pool_queue(["http://ollama"], 1, 1)
    async with queue, OllamaConnectionPool("http://ollama", queue=queue, transport=server.transport) as pool:
        first = pool.servers.first
        first.vitals.note_error(ModelTimeout("it sent nothing", which=TimeoutPhase.FIRST_TOKEN))
        with capture_logs() as logs:
            assert await prober_of(pool, queue).can_generate(first, LANE)
    (told,) = [line for line in logs if line["event"] == "model.suspected"]
    assert (told["url"], told["log_level"]) == ("http://ollama", "info")
    assert told["reason"].endswith("UTC: it sent nothing")


async def test_one_who_stops_waiting_leaves_the_witness_to_the_others(server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    queue = pool_queue(["http://ollama"], 1, 1)
    async with queue, OllamaConnectionPool("http://ollama", queue=queue, transport=server.transport) as pool:
        prober = prober_of(pool, queue)
        asking = [
            asyncio.create_task(prober.can_generate(pool.servers.first, LANE), name=f"asking-{n}") for n in range(2)
        ]
        await server.arrivals(1)
        asking[0].cancel()
        server.gate.set()
        async with asyncio.timeout(5):
            assert await asking[1]
        assert asking[0].cancelled()
    assert len(server.asked("/api/generate")) == 1
