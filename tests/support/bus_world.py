"""One world for the tests of the bus: a broker of either kind with a client, consumers, deliveries and faults."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from bus.attempt import Attempt, Handler
from bus.broker import Broker, Subscription
from bus.client import Client
from bus.consumer import Consumer
from bus.memory import MemoryBroker
from bus.memory_server import MemoryServer
from bus.message import Delivery, Message
from bus.patience import Patience
from bus.plan import Plan
from bus.rabbitmq import RabbitBroker
from bus.retry import RetryPolicy
from bus.topology import QueueType, Topology
from schemas import TaskResult, TaskStatus
from tests.support.management import Management
from tests.support.proxy import TcpProxy
from tests.support.waiting import wait_until

T = TypeVar("T")

LIMIT = 10.0
"""Seconds that anything may take here before a test fails."""

RUNGS_MS = (50, 200)
FAST = RetryPolicy(max_attempts=3, base=0.01, factor=1, jitter=0)
"""Three attempts, over the first rung."""

AGENT = "worker"


@dataclass
class World:
    """A connected broker with a topology; `cut` breaks its connections, `publish_plain` publishes as a person does."""

    broker: Broker
    topology: Topology
    cut: Callable[[], Coroutine[None, None, None]]
    publish_plain: Callable[[str, str, dict[str, Any]], Awaitable[None]]
    """(agent, body, AMQP properties): without the message_id that client libraries add."""

    @property
    def client(self) -> Client:
        """A new client of this broker."""
        return Client(self.broker, self.topology)

    def consumer(
        self,
        handler: Handler,
        *,
        prefetch: int = 1,
        policy: RetryPolicy = FAST,
        patience: Patience | None = None,
        broker: Broker | None = None,
    ) -> Consumer:
        """A consumer of the agent `worker`."""
        return Consumer(
            broker or self.broker,
            self.topology,
            AGENT,
            handler,
            host="host-1",
            prefetch=prefetch,
            policy=policy,
            patience=patience,
        )

    @property
    def queue(self) -> str:
        """The task queue of the agent `worker`."""
        return self.topology.task_queue(AGENT)

    async def ready(self, queue: str) -> int | None:
        """Return how many messages wait in a queue; None where there is none."""
        info = await self.broker.queue_info(queue)
        return None if info is None else info.ready

    async def until_ready(self, queue: str, count: int) -> None:
        """Wait until `count` messages wait in a queue."""

        async def reached() -> bool:
            return await self.ready(queue) == count

        await wait_until(reached, what=f"{count} messages in {queue}")

    async def take(self, queue: str) -> Message:
        """Take one message off a queue."""
        async with taking(self.broker, queue) as taken:
            delivery = await taken.next()
            await delivery.ack()
            return delivery.message


class Taken:
    """The deliveries of one subscription, in their order."""

    def __init__(self) -> None:
        self.deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        self.subscription: Subscription

    async def next(self) -> Delivery:
        """Return the next delivery."""
        return await within(self.deliveries.get())

    async def bodies(self, count: int) -> list[bytes]:
        """Take and ack the next `count` deliveries; return their bodies."""
        found = []
        for _ in range(count):
            delivery = await self.next()
            found.append(delivery.message.body)
            await delivery.ack()
        return found


@asynccontextmanager
async def taking(broker: Broker, queue: str, *, prefetch: int = 1, plan: Plan | None = None) -> AsyncIterator[Taken]:
    """Subscribe to a queue for the length of a block."""
    taken = Taken()
    taken.subscription = broker.subscribe(
        queue, taken.deliveries.put_nowait, prefetch=prefetch, tag="test", plan=plan or Plan()
    )
    try:
        yield taken
    finally:
        await taken.subscription.close()


class Worker:
    """A handler that a test drives. It tells each start; told to `hold`, it waits for `leave` before it acts."""

    def __init__(self, act: Callable[[Attempt], TaskResult] | None = None, *, hold: bool = False) -> None:
        self._act = act or completed
        self.started: asyncio.Queue[Attempt] = asyncio.Queue()
        self.leave = asyncio.Event()
        if not hold:
            self.leave.set()
        self.running = self.most = self.cancelled = self.runs = 0

    async def __call__(self, attempt: Attempt) -> TaskResult:
        self.runs += 1
        self.running += 1
        self.most = max(self.most, self.running)
        self.started.put_nowait(attempt)
        try:
            await self.leave.wait()
            return self._act(attempt)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def next(self) -> Attempt:
        """Return the next attempt that has started."""
        return await within(self.started.get())


def completed(attempt: Attempt) -> TaskResult:
    """Return the result of a handler that echoes the prompt."""
    return TaskResult(task_id=attempt.task.id, status=TaskStatus.COMPLETED, result=attempt.task.prompt)


async def within(awaitable: Awaitable[T], limit: float = LIMIT) -> T:
    """Await with a bound."""
    async with asyncio.timeout(limit):
        return await awaitable


@asynccontextmanager
async def memory_world(name: str) -> AsyncIterator[World]:
    """The in-memory broker; a cut is `MemoryBroker.cut`."""
    name = f"{name}.{secrets.token_hex(3)}"
    topology = Topology(rungs_ms=RUNGS_MS)
    server = MemoryServer.named(name)

    async def publish_plain(agent: str, body: str, properties: dict[str, Any]) -> None:
        server.publish(topology.tasks, agent, Message(body.encode(), content_type=None, **properties), mandatory=True)

    async with MemoryBroker(name) as broker:

        async def cut() -> None:
            broker.cut()

        await broker.declare(topology.shared())
        await broker.declare(topology.agent(AGENT))
        yield World(broker, topology, cut, publish_plain)


@asynccontextmanager
async def rabbit_world(
    name: str, url: str, prefix: str, management: Management, queue_type: QueueType = QueueType.CLASSIC
) -> AsyncIterator[World]:
    """A RabbitMQ behind a proxy; a cut drops all TCP connections."""
    parts = urlsplit(url)
    topology = Topology(prefix=prefix, rungs_ms=RUNGS_MS, queue_type=queue_type)

    async def publish_plain(agent: str, body: str, properties: dict[str, Any]) -> None:
        assert await management.publish(topology.tasks, agent, body, properties)

    async with (
        TcpProxy(parts.hostname or "localhost", parts.port or 5672) as proxy,
        RabbitBroker([proxy.url_for(url)], name, "test") as broker,
    ):
        await broker.declare(topology.shared())
        await broker.declare(topology.agent(AGENT))
        yield World(broker, topology, proxy.drop, publish_plain)
