"""A broker that restarts or goes silent: one node of its own serves these tests."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from bus.announcements import EVENTS_HELD
from bus.broker import ConsumerState, LinkState
from bus.connection import Connection
from bus.errors import ConnectionLost, PublishTimeout, Unroutable
from bus.message import Message
from bus.plan import Binding, Plan, Queue
from bus.private_node import PrivateNode
from bus.publisher import Publisher
from bus.rabbitmq import RabbitBroker
from schemas import TaskStatus
from tests.support.bus_world import AGENT, Worker, World, taking, within
from tests.support.fault_world import node_world
from tests.support.proxy import TcpProxy
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def node(rabbitmq_server: Path) -> Iterator[PrivateNode]:
    with PrivateNode(server=rabbitmq_server, management=False) as running:
        yield running


@pytest.fixture
async def world(node: PrivateNode, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with node_world(node, request.node.name) as running:
        yield running


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


async def test_a_silent_broker_is_noticed_by_its_missing_heartbeats(node: PrivateNode) -> None:
    parts = urlsplit(node.amqp_url)
    async with TcpProxy(parts.hostname or "", parts.port or 0) as proxy:
        url = proxy.url_for(node.amqp_url) + "?heartbeat=1"
        async with Connection([url], "silent", {}, patience=5) as connection:
            proxy.blackhole()
            await wait_until(lambda: connection.state is LinkState.CONNECTING, timeout=15, what="the loss")
            await proxy.heal()
            await wait_until(lambda: connection.state is LinkState.CONNECTED, timeout=15, what="the return")


async def test_what_could_not_be_announced_is_told_by_who_leaves_too(node: PrivateNode) -> None:
    parts = urlsplit(node.amqp_url)
    with capture_logs() as logs:
        async with (
            TcpProxy(parts.hostname or "", parts.port or 0) as proxy,
            Connection([proxy.url_for(node.amqp_url)], "counting", {}, patience=5) as connection,
            Publisher(connection) as publisher,
        ):
            with pytest.raises(Unroutable):
                await publisher.publish("amq.topic", "k", Message(b"x"))
            proxy.blackhole()
            for _ in range(EVENTS_HELD + 5):
                publisher.announce("amq.topic", "k", Message(b"x"))
            await within(publisher.__aexit__(None, None, None))
            await proxy.heal()
    told = [line for line in logs if line["event"].startswith("announcements.")]
    assert [line["event"] for line in told] == ["announcements.dropping", "announcements.dropped"]
    assert told[1]["lost"] == 5


async def test_a_state_that_changes_while_the_broker_is_away_is_told_only_as_it_is_when_that_is_back(
    node: PrivateNode, world: World
) -> None:
    parts, events = urlsplit(node.amqp_url), world.topology.events
    await world.broker.declare(Plan(queues=(Queue("states", {}),), bindings=(Binding(events, "states", "#"),)))
    async with (
        TcpProxy(parts.hostname or "", parts.port or 0) as proxy,
        Connection([proxy.url_for(node.amqp_url)], "away", {}, patience=5) as connection,
        Publisher(connection) as publisher,
    ):
        await proxy.refuse()
        await wait_until(lambda: connection.state is LinkState.CONNECTING, what="the loss")
        for state in (b"closed", b"open"):
            publisher.announce(events, "k", Message(state, state_of="breaker"))
            with pytest.raises(PublishTimeout):
                await publisher.publish(events, "k", Message(b"lets time pass"), timeout=0.1)
        await proxy.heal()
        async with taking(world.broker, "states") as taken:
            assert (await taken.next()).message.body == b"open"


async def test_a_publish_that_gives_up_while_its_channel_opens_leaves_neither_lock_nor_channel(
    node: PrivateNode,
) -> None:
    parts = urlsplit(node.amqp_url)
    message = Message(b"x")
    async with (
        TcpProxy(parts.hostname or "", parts.port or 0) as proxy,
        Connection([proxy.url_for(node.amqp_url)], "gives up", {}, patience=5) as connection,
        Publisher(connection) as publisher,
    ):
        proxy.blackhole()
        for _ in range(3):
            with pytest.raises(PublishTimeout, match=r"within 0\.2 s: it is away, or too busy"):
                await within(publisher.publish("amq.topic", "k", message, mandatory=False, timeout=0.2), 2)
        await proxy.heal()
        await within(publisher.publish("amq.topic", "k", message, mandatory=False))

        async def one_channel() -> bool:
            channels = await asyncio.to_thread(node.rabbitmqctl, "list_channels", "name", "confirm")
            return channels.count("true") == 1 == len(channels.splitlines()) - 1

        await wait_until(one_channel, what="one channel and no more")


async def test_publishing_on_a_closed_connection_ends(node: PrivateNode) -> None:
    async with Connection([node.amqp_url], "closed", {}, patience=5) as connection:
        publisher = Publisher(connection)
        await publisher.publish("amq.topic", "k", Message(b"x"), mandatory=False)
    with pytest.raises(ConnectionLost, match="the connection 'closed' is closed"):
        await within(publisher.publish("amq.topic", "k", Message(b"x"), timeout=None), 3)


async def test_an_announcement_that_cannot_be_sent_is_told_and_the_next_one_goes_out(
    node: PrivateNode, world: World
) -> None:
    events, plain = world.topology.events, Plan(queues=(Queue("announced", {}),))
    bound = Plan(bindings=(Binding(events, "announced", "#"),))
    for plan in (plain, bound):
        await world.broker.declare(plan)
    async with (
        Connection([node.amqp_url], "counting", {}, patience=5) as connection,
        Publisher(connection) as publisher,
    ):
        with capture_logs() as logs:
            publisher.announce(events, "k" * 256, Message(b"too long a key"))
            publisher.announce("no-such-exchange", "k", Message(b"which closes the channel"))
            await wait_until(lambda: logs, what="the word of the first")
        assert (logs[0]["event"], logs[0]["exchange"]) == ("announcement.failed", events)
        async with taking(world.broker, "announced") as taken:

            async def arrives() -> bool:
                publisher.announce(events, "k", Message(b"next"))
                return not taken.deliveries.empty()

            await wait_until(arrives, what="an announcement on a new channel")
            assert (await taken.next()).message.body == b"next"


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
