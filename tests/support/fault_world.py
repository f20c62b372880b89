"""For faults of the broker itself: a world on a private node, an alarm, and an ear that hides no second result."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bus import codec
from bus.listener import Listener
from bus.private_node import PrivateNode
from bus.rabbitmq import RabbitBroker
from bus.topology import Topology
from schemas import TaskResult
from tests.support.bus_world import AGENT, RUNGS_MS, World


@asynccontextmanager
async def node_world(node: PrivateNode, name: str, *, url: str | None = None) -> AsyncIterator[World]:
    """A world under a prefix of its own, connected to the node, or to `url` on the way to it."""
    topology = Topology(prefix=re.sub(r"\W", "-", name), rungs_ms=RUNGS_MS)

    async def not_here(*_: object) -> None:
        raise NotImplementedError("this world has neither a proxy nor a management API")

    async with RabbitBroker([url or node.amqp_url], name, "test") as broker:
        await broker.declare(topology.shared())
        await broker.declare(topology.agent(AGENT))
        yield World(broker, topology, not_here, not_here)


@asynccontextmanager
async def memory_alarm(node: PrivateNode) -> AsyncIterator[None]:
    """Raise the node's memory alarm for the length of a block. It blocks a connection once that publishes."""
    await asyncio.to_thread(node.rabbitmqctl, "set_vm_memory_high_watermark", "0")
    try:
        yield
    finally:
        await asyncio.to_thread(node.rabbitmqctl, "set_vm_memory_high_watermark", "0.4")


@asynccontextmanager
async def every_result(world: World) -> AsyncIterator[AsyncIterator[TaskResult]]:
    """Listen to terminal results; unlike `Client.results`, to second ones of a task as well."""
    exchange = world.topology.results
    async with Listener(
        world.broker, world.topology, "results", codec.decode_result, exchange=exchange, keys=("#",)
    ) as listener:
        yield aiter(listener)
