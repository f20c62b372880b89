"""Pools in front of scripted servers, for tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from agents.core.circuit_breaker import CircuitBreaker
from agents.core.model.errors import ModelServerFault
from agents.core.ollama_pool import OllamaConnectionPool
from schemas import TaskMessage
from tests.support.scripted_fleet import ScriptedFleet
from tests.support.scripted_ollama import ScriptedOllama

MakePool = Callable[..., OllamaConnectionPool]


@asynccontextmanager
async def pool_maker(server: ScriptedOllama | ScriptedFleet, naps: list[float]) -> AsyncIterator[MakePool]:
    """Make pools that wait for nothing between two tries; `naps` gets the seconds. They are closed at the end."""
    pools: list[OllamaConnectionPool] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    def build(**given: object) -> OllamaConnectionPool:
        urls = server.urls if isinstance(server, ScriptedFleet) else "http://ollama"
        usual: dict[str, Any] = {"base_url": urls, "transport": server.transport, "sleep": nap}
        pool = OllamaConnectionPool(**usual | given)
        pools.append(pool)
        return pool

    yield build
    for pool in pools:
        await pool.close()


def fragile(name: str) -> CircuitBreaker:
    """A breaker that opens at the first fault of its server, for a minute."""
    return CircuitBreaker(1, 60.0, ModelServerFault, name=name)


def patient(name: str) -> CircuitBreaker:
    """A breaker that no test opens by faults in a row, with a minute to recover."""
    return CircuitBreaker(100, 60.0, ModelServerFault, name=name)


def probes(server: ScriptedOllama) -> int:
    """How many requests for one token the server was asked: probes and witnesses."""
    return len([body for body in server.asked("/api/generate") if body["options"].get("num_predict") == 1])


def a_task(prompt: str = "Hi", **fields: Any) -> TaskMessage:
    """A task for the agent `worker`."""
    return TaskMessage(agent="worker", prompt=prompt, **fields)


async def bounded(*waits: Awaitable[Any]) -> list[Any]:
    """Return all results, or fail after ten seconds."""
    async with asyncio.timeout(10):
        return await asyncio.gather(*waits)
