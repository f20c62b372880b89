"""A broker that has lost exchanges, and quorum queues, which count what is handed back."""

import aio_pika

from bus.attempt import Attempt
from bus.consumer import Consumer
from bus.errors import NotNowError
from bus.topology import QueueType, Topology
from schemas import TaskResult, TaskStatus
from tests.support.bus_world import AGENT, FAST, RUNGS_MS, Worker, World, completed, within
from tests.support.waiting import wait_until


async def test_a_consumer_makes_the_exchanges_again_that_its_broker_has_lost(world: World, vhost_url: str) -> None:
    shared = world.topology.shared()
    await world.broker.declare(shared)
    async with world.consumer(Worker()), await aio_pika.connect(vhost_url) as other, other.channel() as channel:
        for exchange in shared.exchanges:
            await channel.exchange_delete(exchange.name)
        await channel.queue_delete(world.queue)

        async def is_back() -> bool:
            info = await world.broker.queue_info(world.queue)
            return info is not None and info.consumers == 1

        await wait_until(is_back, what="the consumer to be back")
        result = await world.client.ask(AGENT, "x", timeout=10)
    assert result.status is TaskStatus.COMPLETED


async def test_a_quorum_queue_does_not_bury_what_is_handed_back_often(world: World) -> None:
    topology = Topology(prefix=f"{world.topology.prefix}-quorum", queue_type=QueueType.QUORUM, rungs_ms=RUNGS_MS)
    await world.broker.declare(topology.shared())
    turns = 0

    async def not_yet(attempt: Attempt) -> TaskResult:
        nonlocal turns
        turns += 1
        if turns <= 7:
            raise NotNowError("the model server is away")
        return completed(attempt)

    consumer = Consumer(world.broker, topology, AGENT, not_yet, host="host-1", policy=FAST)
    quorum = World(world.broker, topology, world.cut, world.publish_plain)
    async with quorum.client.results() as results, consumer:
        task = await quorum.client.submit(AGENT, "x")
        result = await within(anext(results))
    assert (result.task_id, result.status, result.attempt) == (task.id, TaskStatus.COMPLETED, 1)
    assert await quorum.ready(topology.dead_queue(AGENT)) == 0
