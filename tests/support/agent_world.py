"""Agents in a host, a client beside them, and a scripted model server: over the in-memory broker or a real one."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.circuit_breaker import CircuitBreaker
from agents.core.host import Host
from agents.core.model.errors import ModelServerFault
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.request_queue import RequestQueue
from agents.core.settings import Settings, load_settings
from bus.attempt import Attempt
from bus.broker import Broker
from bus.client import Client
from bus.connect import broker_at
from schemas import TaskMessage
from tests.support.scripted_ollama import ScriptedOllama


@dataclass
class AgentWorld:
    """A running host and a client of the same broker, on a connection of its own."""

    host: Host
    client: Client
    ollama: ScriptedOllama


def memory_url() -> str:
    """Return the address of an in-memory broker that nobody else has."""
    return f"memory://{secrets.token_hex(4)}"


def scripted_pool(
    ollama: ScriptedOllama, settings: Settings, queue: RequestQueue | None = None
) -> OllamaConnectionPool:
    """Return the pool that `settings` describe, in front of a scripted server, which it asks once."""
    return OllamaConnectionPool(
        "http://scripted",
        max_connections=settings.max_ollama_connections,
        max_retries=0,
        queue=queue,
        lanes_in_flight=settings.models_in_flight,
        default_model=settings.ollama_default_model,
        breaker=CircuitBreaker(settings.breaker_failures, settings.breaker_recovery, ModelServerFault, name="model"),
        transport=ollama.transport,
    )


def settings_for(amqp_url: str, **given: Any) -> Settings:
    """Return settings for a quick host."""
    return load_settings(None, **{"amqp_url": amqp_url, "grace_period": 1.0, "host_name": "host-1"} | given)


@asynccontextmanager
async def connected_client(settings: Settings) -> AsyncIterator[Client]:
    """A client on a connection of its own."""
    async with broker_at(settings.amqp_url, "test client", "test", patience=settings.connect_timeout) as broker:
        await broker.declare(settings.topology.shared())
        yield Client(broker, settings.topology)


@asynccontextmanager
async def agent_world(
    *agents: BaseAgentV2,
    ollama: ScriptedOllama | None = None,
    amqp_url: str | None = None,
    broker: Broker | None = None,
    queue: RequestQueue | None = None,
    **given: Any,
) -> AsyncIterator[AgentWorld]:
    """Run `agents` in a host; `given` are settings."""
    scripted = ollama or ScriptedOllama()
    settings = settings_for(amqp_url or memory_url(), **given)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connected_client(settings))
        pool = scripted_pool(scripted, settings, queue)
        host = await stack.enter_async_context(Host(agents, settings, broker=broker, pool=pool))
        yield AgentWorld(host, client, scripted)


@dataclass
class Emitted:
    """Collects what an attempt announces."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, kind: str, **data: Any) -> None:
        self.events.append((kind, data))


def attempt_at(task: TaskMessage, emit: Callable[..., None] | None = None) -> Attempt:
    """Return a first attempt at a task, as a consumer makes it."""
    return Attempt(task, 1, redelivered=False, queue_wait=0.0, emit=emit or Emitted())


class Gate:
    """Lets a handler be seen and held: it tells each start, and waits for `leave`."""

    def __init__(self) -> None:
        self.started: asyncio.Queue[str] = asyncio.Queue()
        self.leave = asyncio.Event()
        self.running = self.most = 0

    async def hold(self, task: TaskMessage) -> dict[str, str]:
        """Tell that a task has started, and wait."""
        self.running += 1
        self.most = max(self.most, self.running)
        self.started.put_nowait(task.id)
        try:
            await self.leave.wait()
        finally:
            self.running -= 1
        return {"response": task.prompt or ""}

    async def next(self) -> str:
        """Return the id of the next task that has started."""
        async with asyncio.timeout(10):
            return await self.started.get()


class Holder(BaseAgentV2):
    """Works behind a gate; by default on one task at a time."""

    def __init__(self, gate: Gate, name: str = "holder", concurrency: int = 1) -> None:
        super().__init__(name=name, max_concurrent_tasks=concurrency)
        self.gate = gate

    async def process_task(self, task: TaskMessage) -> dict[str, str]:
        """Hold the task at the gate."""
        return await self.gate.hold(task)


class Asker(BaseAgentV2):
    """Asks the model once for each task."""

    async def process_task(self, task: TaskMessage) -> str:
        """Return the model's answer to the prompt."""
        return await self.query_ollama(task.prompt or "")
