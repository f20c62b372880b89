"""A broker that restarts, has no memory, or goes silent: one node of its own serves these tests."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bus.broker import ConsumerState
from bus.connection import Connection, ConnectionState
from bus.errors import ConnectionLost, PublishTimeout, Unroutable
from bus.message import Message
from bus.private_node import PrivateNode
from bus.publisher import ANNOUNCEMENTS_HELD, Publisher
from bus.rabbitmq import RabbitBroker
from bus.topology import Topology
from schemas import TaskStatus
from tests.support.bus_world import AGENT, RUNGS_MS, Worker, World, taking, within
from tests.support.proxy import TcpProxy
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def node(rabbitmq_server: Path) -> Iterator[PrivateNode]:  # noqa: ARG001 - it must be there
    with PrivateNode(management=False) as running:
        yield running


@pytest.fixture
async def world(node: PrivateNode, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A world on the node under a prefix of its own."""
    topology = Topology(prefix=f"t{abs(hash(request.node.name))}", rungs_ms=RUNGS_MS)

    async def not_here(*_: object) -> None:
        raise NotImplementedError("this node has no management API")

    async with RabbitBroker([node.amqp_url], request.node.name, "test") as broker:
        await broker.declare(topology.shared())
        await broker.declare(topology.agent(AGENT))
        yield World(broker, topology, not_here, not_here)


async def test_durable_tasks_outlive_a_restart_and_work_resumes(node: PrivateNode, world: World) -> None:
    worker = Worker(hold=True)
    async with world.client.results() as results, world.consumer(worker) as consumer:
        ids = {(await world.client.submit(AGENT, str(number))).id for number in range(5)}
        await worker.next()
        restarting = asyncio.create_task(asyncio.to_thread(node.restart))
        await wait_until(lambda: consumer.state is ConsumerState.LOST, what="the loss", timeout=20)
        submitting = asyncio.create_task(world.client.submit(AGENT, "during the restart"))
        await restarting
        ids.add((await within(submitting, 30)).id)
        worker.leave.set()
        ended = [await within(anext(results), 30) for _ in ids]
        await within(consumer.stop(grace=5))
    assert {result.task_id for result in ended} == ids
    assert {result.status for result in ended} == {TaskStatus.COMPLETED}
    assert (worker.runs, worker.most, worker.cancelled) == (6, 1, 0)
    assert await world.ready(world.queue) == 0


async def test_a_memory_alarm_stops_publishing_and_nothing_else(node: PrivateNode, world: World) -> None:
    message = Message(b"x")
    for _ in range(2):
        await world.broker.publish(world.topology.tasks, AGENT, message)
    await asyncio.to_thread(node.rabbitmqctl, "set_vm_memory_high_watermark", "0.0000001")
    async with AsyncExitStack() as restoring:
        restoring.push_async_callback(asyncio.to_thread, node.rabbitmqctl, "set_vm_memory_high_watermark", "0.4")
        with pytest.raises(PublishTimeout, match=r"did not confirm a message to .* within 0\.5 s"):
            await within(world.broker.publish(world.topology.tasks, AGENT, message, timeout=0.5), 3)
        for _ in range(ANNOUNCEMENTS_HELD * 2):
            world.broker.announce(world.topology.events, "never.blocks", message)
        async with taking(world.broker, world.queue) as taken:
            assert await taken.bodies(2) == [b"x", b"x"]
    await within(world.broker.publish(world.topology.tasks, AGENT, message))
    await wait_until(lambda: world.ready(world.queue), what="a task after the alarm")


async def test_a_silent_broker_is_noticed_by_its_missing_heartbeats(node: PrivateNode) -> None:
    parts = urlsplit(node.amqp_url)
    async with TcpProxy(parts.hostname or "", parts.port or 0) as proxy:
        url = proxy.url_for(node.amqp_url) + "?heartbeat=1"
        async with Connection([url], "silent", {}, patience=5) as connection:
            proxy.blackhole()
            await wait_until(lambda: connection.state is ConnectionState.CONNECTING, timeout=15, what="the loss")
            await proxy.heal()
            await wait_until(lambda: connection.state is ConnectionState.CONNECTED, timeout=15, what="the return")


async def test_what_cannot_be_announced_is_counted(node: PrivateNode) -> None:
    async with (
        Connection([node.amqp_url], "counting", {}, patience=5) as connection,
        Publisher(connection) as publisher,
    ):
        for _ in range(ANNOUNCEMENTS_HELD + 5):
            publisher.announce("amq.topic", "k", Message(b"x"))
        assert publisher.dropped == 5
        with pytest.raises(Unroutable):
            await publisher.publish("amq.topic", "k", Message(b"x"))


async def test_asking_an_absent_broker_ends(node: PrivateNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bus.rabbitmq.RPC_TIMEOUT_SECONDS", 0.3)
    parts = urlsplit(node.amqp_url)
    async with (
        TcpProxy(parts.hostname or "", parts.port or 0) as proxy,
        RabbitBroker([proxy.url_for(node.amqp_url)], "absent", "1") as broker,
    ):
        await proxy.refuse()
        with pytest.raises(ConnectionLost, match="did not answer while looking at queue 'q'"):
            await within(broker.queue_info("q"), 3)
        await proxy.heal()
    with pytest.raises(ConnectionLost, match="is closed"):
        await within(broker.queue_info("q"), 3)
