"""Two consumers, a client and a listener on a cluster, each connected to a node of choice and knowing all of them."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from bus import codec
from bus.attempt import Attempt
from bus.client import Client
from bus.consumer import Consumer
from bus.listener import Listener
from bus.rabbitmq import RabbitBroker
from bus.topology import QueueType, Topology
from schemas import TaskResult, TaskStatus
from tests.support.cluster import Cluster
from tests.support.steady_load import SteadyLoad

AGENT: Final = "worker"
PREFETCH: Final = 4

WORK_SECONDS: Final = 0.15
"""With a task every 50 ms, three are being worked on at any moment: a fault finds some in hand."""


@dataclass(frozen=True, slots=True)
class Places:
    """The nodes that the parts of a fleet connect to first. Queues are made on the node of the first consumer."""

    first: int = 0
    second: int = 1
    client: int = 1
    listener: int = 2


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet at work under load."""

    topology: Topology
    consumers: tuple[Consumer, Consumer]
    load: SteadyLoad

    @property
    def queue(self) -> str:
        """The task queue."""
        return self.topology.task_queue(AGENT)


async def work(attempt: Attempt) -> TaskResult:
    """Take a moment, as a model does."""
    await asyncio.sleep(WORK_SECONDS)
    return TaskResult(task_id=attempt.task.id, status=TaskStatus.COMPLETED, result=attempt.task.id)


@asynccontextmanager
async def fleet_on(cluster: Cluster, queue_type: QueueType, places: Places) -> AsyncIterator[Fleet]:
    """Run a fleet, whose names on the cluster are its own, until the end of the block; it has done 40 tasks already."""
    topology = Topology(prefix=f"fleet-{secrets.token_hex(3)}", queue_type=queue_type)
    async with AsyncExitStack() as stack:
        first, second, third, fourth = [
            await stack.enter_async_context(RabbitBroker(cluster.urls_from(place), name, "test"))
            for name, place in (
                ("first", places.first),
                ("second", places.second),
                ("client", places.client),
                ("listener", places.listener),
            )
        ]
        await first.declare(topology.shared())
        consumers = (
            await stack.enter_async_context(Consumer(first, topology, AGENT, work, host="first", prefetch=PREFETCH)),
            await stack.enter_async_context(Consumer(second, topology, AGENT, work, host="second", prefetch=PREFETCH)),
        )
        results = await stack.enter_async_context(
            Listener(fourth, topology, "results", codec.decode_result, exchange=topology.results, keys=("#",))
        )
        load = await stack.enter_async_context(SteadyLoad(Client(third, topology), AGENT, results))
        await load.until_done(40)
        yield Fleet(topology, consumers, load)
