"""Dead letters of quorum queues, which count each look and dead-letter by themselves."""

from contextlib import aclosing

from bus.client import Client
from bus.consumer import Consumer
from bus.dead_letters import DeadLetters
from bus.letter import DeadLetter
from bus.message import Message
from bus.topology import DELIVERY_LIMIT, QueueType, Topology
from schemas import TaskStatus
from tests.support.bus_world import AGENT, FAST, RUNGS_MS, Worker, World, taking, within


async def quorum_topology(world: World) -> Topology:
    topology = Topology(prefix=f"{world.topology.prefix}-quorum", queue_type=QueueType.QUORUM, rungs_ms=RUNGS_MS)
    await world.broker.declare(topology.shared())
    await world.broker.declare(topology.agent(AGENT))
    return topology


async def found(world: World, topology: Topology) -> list[DeadLetter]:
    async with aclosing(DeadLetters(world.broker, topology, [AGENT]).letters()) as letters:
        return [letter async for letter in letters]


async def test_looking_often_loses_nothing(world: World) -> None:
    topology = await quorum_topology(world)
    await world.broker.publish(topology.dead, AGENT, Message(b"{}", headers={"x-error-reason": "permanent"}))
    await world.broker.publish(topology.tasks, "nobody", Message(b"{}"))
    # RabbitMQ 4 drops what was delivered more than 20 times, unless a queue's own limit is higher.
    for _ in range(25):
        assert len(await found(world, topology)) == 2
        await world.until_ready(topology.dead_queue(AGENT), 1)
        await world.until_ready(topology.unrouted, 1)


async def test_what_the_broker_dead_letters_is_read_with_its_reason_and_replayed_as_itself(world: World) -> None:
    topology = await quorum_topology(world)
    await world.broker.publish(topology.tasks, AGENT, Message(b'{"prompt": "x", "id": "t-1"}', priority=7))
    async with taking(world.broker, topology.task_queue(AGENT)) as taken:
        for _ in range(DELIVERY_LIMIT + 1):
            await (await taken.next()).requeue()
        await world.until_ready(topology.dead_queue(AGENT), 1)
    (letter,) = await found(world, topology)
    assert (letter.task_id, letter.reason, letter.code) == ("t-1", "delivery_limit", "delivery_limit")
    assert (letter.has_result, letter.priority, letter.failed_at is None) == (False, 7, False)
    async with aclosing(DeadLetters(world.broker, topology, [AGENT]).replay()) as steps:
        assert [step.letter.task_id async for step in steps] == ["t-1"]
    worker = Worker()
    async with (
        Client(world.broker, topology).results() as results,
        Consumer(world.broker, topology, AGENT, worker, host="host-1", policy=FAST),
    ):
        result = await within(anext(results))
    assert (result.task_id, result.status, worker.runs) == ("t-1", TaskStatus.COMPLETED, 1)
    assert await world.ready(topology.dead_queue(AGENT)) == 0
