"""Each fault that was measured in an earlier pool, by its name."""

import asyncio

import httpx
import pytest

from agents.core.model.errors import (
    ModelNotFound,
    ModelServerError,
)
from tests.support.pools import MakePool, bounded
from tests.support.scripted_ollama import ScriptedOllama, answer, refusal


async def test_fault_a_full_pool_failed_the_call_at_once(make: MakePool, server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    pool = make(max_connections=2)
    calls = [asyncio.create_task(pool.generate(str(n)), name=f"call-{n}") for n in range(6)]
    await server.arrivals(2)
    assert pool.get_stats()["active_connections"] == 2
    assert pool.queue.waiting == 4
    server.gate.set()
    assert await bounded(*calls) == ["ok"] * 6
    stats = pool.get_stats()
    assert (stats["total_requests"], stats["failed_requests"], stats["success_rate"]) == (6, 0, 1.0)
    assert stats["total_connections"] <= 2


async def test_fault_success_rate_reached_minus_2(make: MakePool, server: ScriptedOllama) -> None:
    pool = make(max_retries=0)
    server.script.extend(refusal(500, "no") for _ in range(3))
    for _ in range(3):
        with pytest.raises(ModelServerError):
            await pool.generate("Hi")
    await pool.generate("Hi")
    stats = pool.get_stats()
    assert (stats["total_requests"], stats["failed_requests"], stats["success_rate"]) == (4, 3, 0.25)
    assert 0 <= stats["hit_rate"] <= 1


@pytest.mark.parametrize("name", ["tinyllama", "tinyllama:latest", "TinyLlama:Latest"])
async def test_fault_a_tagged_name_never_matched_so_each_cold_start_pulled_it_again(
    make: MakePool, server: ScriptedOllama, name: str
) -> None:
    server.script.append(answer("ok"))
    pool = make()
    await pool.generate("Hi", model=name)
    assert server.asked("/api/pull") == []
    assert len(server.requests) == 1
    assert len(pool.get_stats()["available_models"]) == 1


async def test_fault_a_failed_pull_counted_as_available(make: MakePool, server: ScriptedOllama) -> None:
    server.installed = []
    server.pull_lines = [{"status": "pulling manifest"}, {"error": "file does not exist"}]
    pool = make()
    with pytest.raises(ModelNotFound, match="run `ollama pull tinyllama:latest`"):
        await pool.generate("Hi")
    stats = pool.get_stats()
    assert (stats["available_models"], stats["models_cached"], stats["failed_requests"]) == ([], 0, 1)
    assert pool.breaker.get_stats()["failed_requests"] == 0


async def test_fault_broken_connections_were_never_dropped(make: MakePool, server: ScriptedOllama) -> None:
    server.script.append(httpx.ReadError("reset"))
    pool = make(max_retries=0)
    with pytest.raises(ModelServerError):
        await pool.generate("Hi")
    assert (pool.get_stats()["error_connections"], pool.get_stats()["idle_connections"]) == (1, 0)
    await pool.generate("Hi")
    assert (pool.get_stats()["error_connections"], pool.get_stats()["idle_connections"]) == (0, 1)


async def test_fault_health_was_false_while_all_connections_were_busy(make: MakePool, server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    pool = make(max_connections=1)
    call = asyncio.create_task(pool.generate("Hi"), name="busy")
    await server.arrivals(1)
    assert await pool.health_check() is True
    server.gate.set()
    await bounded(call)


@pytest.mark.parametrize("max_retries", [0, 1, 3])
async def test_fault_max_retries_was_read_by_nothing(
    make: MakePool, server: ScriptedOllama, naps: list[float], max_retries: int
) -> None:
    server.script.extend([refusal(500, "no") for _ in range(9)])
    with pytest.raises(ModelServerError):
        await make(max_retries=max_retries).generate("Hi")
    assert len(server.requests) == max_retries + 1
    assert len(naps) == max_retries
