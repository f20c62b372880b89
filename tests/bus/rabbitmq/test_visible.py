"""What an operator sees of the bus in RabbitMQ's management UI, and what a person can do there."""

from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from functools import partial

import aio_pika

from bus.arrivals import Arrivals
from bus.client import Client
from bus.plan import Plan
from bus.rabbitmq import RabbitBroker
from bus.topology import QueueType, Topology
from schemas import TaskStatus, now
from tests.support.bus_world import AGENT, FAST, Worker, World, rabbit_world, within
from tests.support.management import Management, Row
from tests.support.waiting import wait_until

HOST_NAME = "host-1 (worker)"


def ignore(*_: object) -> None:
    """Nothing is heard here."""


async def client_named(management: Management, name: str) -> list[Row]:
    return [row for row in await management.connections() if row["client_properties"].get("connection_name") == name]


async def test_connections_consumers_and_queues_read_well(vhost_url: str, prefix: str, management: Management) -> None:
    async with rabbit_world(HOST_NAME, vhost_url, prefix, management) as world, world.consumer(Worker(), prefetch=3):
        for name in (f"{HOST_NAME} consumes", f"{HOST_NAME} publishes"):
            await wait_until(partial(client_named, management, name), what=name)
        (row,) = await client_named(management, f"{HOST_NAME} consumes")
        assert row["client_properties"]["product"] == "SutazAI Agents"
        assert row["client_properties"]["version"] == "test"
        await wait_until(management.consumers, what="the consumer")
        (consumer,) = await management.consumers()
        assert (consumer["consumer_tag"], consumer["prefetch_count"]) == ("worker@host-1#1", 3)
        assert consumer["queue"]["name"] == world.queue
        task_queue = (await management.queues())[world.queue]
        assert task_queue["durable"]
        assert task_queue["arguments"] == {
            "x-queue-type": "classic",
            "x-max-priority": 10,
            "x-max-length": 100_000,
            "x-overflow": "reject-publish",
            "x-description": f"Tasks that wait for agent {AGENT}",
        }


async def test_every_queue_says_what_it_is_for(vhost_url: str, management: Management) -> None:
    topology = Topology()
    async with RabbitBroker([vhost_url], "test", "1") as broker:
        for plan in (topology.shared(), *topology.logs(), topology.agent(AGENT)):
            await broker.declare(plan)
        heard = Arrivals(broker, topology, "host-1", [AGENT], ignore, ignore)
        async with Client(broker, topology).results(), heard:
            rows = await management.queues()
    described = {name: row["arguments"]["x-description"] for name, row in rows.items()}
    assert len(described) == 8 + 1 + 2 + 2 + 1 + 1
    assert described["sutazai.delay.60000"].startswith("Tasks that failed in passing, 60 s before they go back")


async def test_a_queue_of_an_older_version_without_a_description_is_declared_again(
    vhost_url: str, management: Management
) -> None:
    plan = Plan(queues=Topology().agent(AGENT).queues)
    older = Plan(queues=tuple(replace(queue, description="") for queue in plan.queues))
    async with RabbitBroker([vhost_url], "test", "1") as broker:
        for declared in (older, plan, older):
            await broker.declare(declared)
    assert "x-description" not in (await management.queues())["sutazai.tasks.worker"]["arguments"]


async def test_who_reads_the_log_of_results_is_named_for_it(world: World, management: Management) -> None:
    for plan in world.topology.logs():
        await world.broker.declare(plan)
    async with world.client.results() as results, world.consumer(Worker()):
        await world.client.submit(AGENT, "...")
        await within(anext(results))
    async with aclosing(world.broker.read_log(world.topology.results_log, now() - timedelta(hours=1))) as log:
        await within(anext(log))

        async def is_named() -> bool:
            return "reads sutazai.results.log" in [row["consumer_tag"] for row in await management.consumers()]

        await wait_until(is_named, what="the reader's name")


async def test_the_broker_holds_what_the_design_says(vhost_url: str, management: Management) -> None:
    topology = Topology()
    async with RabbitBroker([vhost_url], "test", "1") as broker:
        await broker.declare(topology.shared())
        await broker.declare(topology.agent(AGENT))
    exchanges = await management.exchanges()
    families = ("tasks", "results", "events", "metrics", "control", "delay", "retry", "dead", "unrouted")
    assert exchanges.keys() == {f"sutazai.{family}" for family in families}
    assert {(row["type"], row["durable"]) for row in exchanges.values()} == {("topic", True)}
    assert exchanges["sutazai.tasks"]["arguments"] == {"alternate-exchange": "sutazai.unrouted"}
    bindings = {(row["source"], row["destination"], row["routing_key"]) for row in await management.bindings()}
    assert ("sutazai.tasks", "sutazai.tasks.worker", "worker") in bindings
    assert ("sutazai.retry", "sutazai.tasks.worker", "*.worker") in bindings
    assert ("sutazai.delay", "sutazai.delay.60000", "60000.#") in bindings
    assert len(await management.queues()) == 8 + 1 + 2


async def test_quorum_queues_are_a_choice(vhost_url: str, management: Management) -> None:
    topology = Topology(queue_type=QueueType.QUORUM, rungs_ms=(50,))
    async with RabbitBroker([vhost_url], "test", "1") as broker:
        await broker.declare(topology.shared())
        await broker.declare(topology.agent(AGENT))
        queues = await management.queues()
        assert {row["type"] for row in queues.values()} == {"quorum"}
        assert "x-max-priority" not in queues["sutazai.tasks.worker"]["arguments"]


async def test_what_a_person_types_in_the_management_ui_is_a_task(world: World, management: Management) -> None:
    async with world.client.results() as results, world.consumer(Worker()):
        assert await management.publish(world.topology.tasks, AGENT, '{"prompt": "..."}')
        result = await within(anext(results))
    assert (result.status, result.result, len(result.task_id)) == (TaskStatus.COMPLETED, "...", 32)


async def test_a_plain_aio_pika_publish_is_a_task_known_by_its_message_id(world: World, vhost_url: str) -> None:
    async with world.client.results() as results, world.consumer(Worker(), policy=FAST):
        connection = await aio_pika.connect(vhost_url)
        async with connection, connection.channel() as channel:
            exchange = await channel.get_exchange(world.topology.tasks)
            message = aio_pika.Message(b'{"prompt": "..."}', message_id="mine-1", headers={"traceparent": "00-ab"})
            await exchange.publish(message, routing_key=AGENT)
        result = await within(anext(results))
    assert (result.task_id, result.status) == ("mine-1", TaskStatus.COMPLETED)
    assert result.metadata == {"traceparent": "00-ab"}
