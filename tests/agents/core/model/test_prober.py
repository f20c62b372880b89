import asyncio
import time

import pytest

from agents.core.model.errors import ModelPoolClosed
from agents.core.model.lane import Lane
from agents.core.model.memory_watch import MemoryWatch
from agents.core.model.pool_queue import pool_queue
from agents.core.model.prober import Prober
from agents.core.model.statistics import PoolStats
from agents.core.model.tries import Tries
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.request_queue import RequestQueue
from tests.support.scripted_ollama import ScriptedOllama

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
