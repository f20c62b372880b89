"""No silent worker: whatever takes a consumer away, it says so, comes back by itself, and nothing runs twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from bus.broker import ConsumerState
from bus.consumer import Consumer
from bus.private_node import PrivateNode
from schemas import TaskStatus
from tests.support.bus_world import AGENT, Worker, World, within
from tests.support.fault_world import every_result, node_world
from tests.support.management import Management
from tests.support.proxy import TcpProxy
from tests.support.waiting import wait_until

LONG = 25.0
"""Seconds for a node's restart, or until a connection is taken for dead."""


@pytest.fixture(scope="module")
def node(rabbitmq_server: Path) -> Iterator[PrivateNode]:
    with PrivateNode(server=rabbitmq_server, management=False) as running:
        yield running


class Watched:
    """The states that a consumer tells from now on."""

    def __init__(self, consumer: Consumer) -> None:
        self.states: list[ConsumerState] = []
        consumer.on_state = self.states.append

    async def until_lost(self) -> None:
        await wait_until(lambda: ConsumerState.LOST in self.states, LONG, what="the loss")

    async def until_back(self) -> None:
        await self.until_lost()
        await wait_until(lambda: self.states[-1] is ConsumerState.CONSUMING, LONG, what="the return")


@asynccontextmanager
async def one_run_and_one_result(world: World) -> AsyncIterator[Watched]:
    """Hold a task in its handler for the length of a block, which takes the consumer away and waits for its return.

    Then new tasks are done, each task has run once, and each has one result.
    """
    worker = Worker(hold=True)
    async with every_result(world) as results, world.consumer(worker, prefetch=2) as consumer:
        await wait_until(lambda: consumer.state is ConsumerState.CONSUMING, what="the start")
        held = await world.client.submit(AGENT, "held")
        await worker.next()
        yield Watched(consumer)
        # It starts behind the redelivery of the first: a second run of that would have started before.
        later = await world.client.submit(AGENT, "later")
        assert (await worker.next()).task.id == later.id
        worker.leave.set()
        assert {(await within(anext(results))).task_id for _ in range(2)} == {held.id, later.id}
        last = await world.client.submit(AGENT, "last")
        assert (await within(anext(results))).task_id == last.id
        await within(consumer.stop(grace=5))
        assert consumer.ended == {TaskStatus.COMPLETED: 3}
    assert (worker.runs, worker.cancelled, await world.ready(world.queue)) == (3, 0, 0)


async def test_a_consumer_whose_queue_is_deleted_declares_it_again(world: World) -> None:
    async with one_run_and_one_result(world) as watched:
        await world.broker.delete_queue(world.queue)
        await watched.until_back()
        assert watched.states == [ConsumerState.LOST, ConsumerState.CONSUMING]


async def test_a_consumer_comes_back_from_a_connection_that_an_operator_closes(
    world: World, management: Management, request: pytest.FixtureRequest
) -> None:
    consuming = f"{request.node.name} consumes"

    async def rows() -> list[str]:
        found = await management.connections()
        return [row["name"] for row in found if row.get("client_properties", {}).get("connection_name") == consuming]

    async with one_run_and_one_result(world) as watched:
        await wait_until(rows, what="the connection in the statistics")
        for name in await rows():
            await management.close_connection(name)
        await watched.until_back()
        assert watched.states == [ConsumerState.LOST, ConsumerState.CONSUMING]


@asynccontextmanager
async def acknowledgement_timeout(node: PrivateNode, milliseconds: int) -> AsyncIterator[None]:
    """Let the node close channels that wait that long for an acknowledgement, for connections made in the block."""
    await set_limits(node, consumer_timeout=milliseconds, channel_tick_interval=100)
    try:
        yield
    finally:
        await set_limits(node, consumer_timeout=7_200_000, channel_tick_interval=60_000)


async def set_limits(node: PrivateNode, **limits: int) -> None:
    # The interval, in which channels look at their deliveries, is no key of rabbitmq.conf.
    calls = (f"application:set_env(rabbit, {name}, {value})" for name, value in limits.items())
    await asyncio.to_thread(node.rabbitmqctl, "eval", f"{', '.join(calls)}.")


async def test_a_handler_that_outlasts_the_acknowledgement_timeout_goes_on_when_its_channel_is_closed(
    node: PrivateNode, request: pytest.FixtureRequest
) -> None:
    async with (
        acknowledgement_timeout(node, 1_000),
        node_world(node, request.node.name) as world,
        one_run_and_one_result(world) as watched,
    ):
        with capture_logs() as logs:
            await watched.until_back()
        reason = next(entry["reason"] for entry in logs if entry["event"] == "consumer.lost")
        assert "delivery acknowledgement on channel" in reason


async def test_a_consumer_comes_back_from_a_silent_connection(
    node: PrivateNode, request: pytest.FixtureRequest
) -> None:
    parts = urlsplit(node.amqp_url)
    async with TcpProxy(parts.hostname or "", parts.port or 0) as proxy:
        url = f"{proxy.url_for(node.amqp_url)}?heartbeat=1"  # taken for dead after six seconds
        async with node_world(node, request.node.name, url=url) as world, one_run_and_one_result(world) as watched:
            proxy.blackhole()
            await watched.until_lost()
            await proxy.heal()
            await watched.until_back()


async def test_an_idle_consumer_comes_back_from_a_restart_of_its_node(
    node: PrivateNode, request: pytest.FixtureRequest
) -> None:
    async with node_world(node, request.node.name) as world, world.consumer(Worker()) as consumer:
        await wait_until(lambda: consumer.state is ConsumerState.CONSUMING, what="the start")
        watched = Watched(consumer)
        restarting = asyncio.create_task(asyncio.to_thread(node.restart))
        await watched.until_lost()
        await restarting
        await watched.until_back()
        assert (await world.client.ask(AGENT, "x", timeout=10)).status is TaskStatus.COMPLETED
