"""A memory alarm: publishing waits, within its bound, and is seen to wait; nothing else stops."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from bus.announcements import EVENTS_HELD
from bus.broker import LinkState
from bus.connection import Connection
from bus.errors import PublishTimeout
from bus.message import Message
from bus.plan import Binding, Plan, Queue
from bus.private_node import PrivateNode
from bus.publisher import Publisher
from bus.rabbitmq import RabbitBroker
from tests.support.bus_world import AGENT, Worker, World, taking, within
from tests.support.fault_world import every_result, memory_alarm, node_world
from tests.support.waiting import wait_until

ANY = "any"
"""A routing key."""


@pytest.fixture(scope="module")
def node(rabbitmq_server: Path) -> Iterator[PrivateNode]:
    with PrivateNode(server=rabbitmq_server, management=False) as running:
        yield running


@pytest.fixture
async def world(node: PrivateNode, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with node_world(node, request.node.name) as running:
        yield running


@pytest.fixture
async def inbox(world: World) -> str:
    """A queue of this test alone, bound to the events."""
    name = f"inbox.{uuid4().hex}"
    plan = Plan(queues=(Queue(name, {}),), bindings=(Binding(world.topology.events, name, "#"),))
    await world.broker.declare(plan)
    return name


async def timed_out(publish: Awaitable[None]) -> None:
    with pytest.raises(PublishTimeout):
        await within(publish)


async def block(announce: Callable[[str, str, Message], None], state: Callable[[], LinkState]) -> None:
    """Publish during an alarm until the broker blocks the connection, which it does only then."""

    def blocked() -> bool:
        # Without a body: a body would be left half read.
        announce("", "nobody", Message(b""))
        return state() is LinkState.BLOCKED

    await wait_until(blocked, what="the block")


def lost_in(logs: Sequence[MutableMapping[str, Any]]) -> list[int]:
    """Return the sums of what was dropped."""
    return [line["lost"] for line in logs if line["event"] == "announcements.dropped"]


async def block_world(world: World) -> None:
    await block(world.broker.announce, lambda: world.broker.links["publishing"])


async def test_an_alarm_is_seen_while_it_lasts_and_logged_with_its_length(node: PrivateNode, world: World) -> None:
    assert world.broker.links == {"consuming": LinkState.CONNECTED, "publishing": LinkState.CONNECTED}
    with capture_logs() as logs:

        def told() -> list[MutableMapping[str, Any]]:
            return [entry for entry in logs if "blocked" in entry["event"]]

        async with memory_alarm(node):
            await block_world(world)
            assert world.broker.links == {"consuming": LinkState.CONNECTED, "publishing": LinkState.BLOCKED}
            await wait_until(told, what="the warning")
        await wait_until(lambda: len(told()) == 2, what="the word of its end")
        assert world.broker.links["publishing"] is LinkState.CONNECTED
    blocked, unblocked = told()
    assert (blocked["event"], blocked["log_level"]) == ("connection.blocked", "warning")
    assert "takes no publishes: memory or disk alarm" in blocked["reason"]
    assert (unblocked["event"], unblocked["connection"]) == ("connection.unblocked", blocked["connection"])
    assert 0 < unblocked["seconds"] < 30


async def test_a_publish_during_an_alarm_fails_in_time_and_says_why(node: PrivateNode, world: World) -> None:
    async with memory_alarm(node):
        await block_world(world)
        with pytest.raises(PublishTimeout, match=r"within 0\.2 s: RabbitMQ is in an alarm of memory or disk"):
            await within(world.broker.publish(world.topology.events, ANY, Message(b"x"), timeout=0.2), 2)


async def test_what_timed_out_on_a_blocked_connection_does_not_arrive_later(
    node: PrivateNode, world: World, inbox: str
) -> None:
    async with memory_alarm(node):
        await block_world(world)
        publishes = (
            world.broker.publish(world.topology.events, ANY, Message(b"in vain"), timeout=0.2) for _ in range(300)
        )
        ended = await within(asyncio.gather(*publishes, return_exceptions=True), 5)
        assert {type(end) for end in ended} == {PublishTimeout}
    await within(world.broker.publish(world.topology.events, ANY, Message(b"after")))
    async with taking(world.broker, inbox) as taken:
        assert await taken.bodies(1) == [b"after"]
    assert await world.ready(inbox) == 0


async def test_tasks_are_taken_and_done_during_an_alarm_and_each_result_goes_out_once_after_it(
    node: PrivateNode, world: World
) -> None:
    worker = Worker()
    async with every_result(world) as results, AsyncExitStack() as alarm:
        ids = {(await world.client.submit(AGENT, "x")).id for _ in range(2)}
        await alarm.enter_async_context(memory_alarm(node))
        await block_world(world)
        async with world.consumer(worker, prefetch=2) as consumer:
            for _ in range(2):
                await worker.next()
            await wait_until(lambda: (worker.running, consumer.held) == (0, 2), what="two results that wait")
            assert consumer.ended.total() == 0
            await alarm.aclose()
            assert {(await within(anext(results))).task_id for _ in range(2)} == ids
            last = await world.client.submit(AGENT, "last")
            assert (await within(anext(results))).task_id == last.id
            await within(consumer.stop(grace=5))
    assert (worker.runs, worker.cancelled, await world.ready(world.queue)) == (3, 0, 0)


async def test_a_publish_without_a_bound_waits_out_an_alarm_during_which_acks_are_heard(
    node: PrivateNode, world: World, inbox: str
) -> None:
    await world.broker.publish(world.topology.events, ANY, Message(b"x"))
    async with memory_alarm(node):
        await block_world(world)
        waiting = asyncio.create_task(world.broker.publish(world.topology.events, ANY, Message(b"y"), timeout=None))
        async with taking(world.broker, inbox) as taken:
            assert await taken.bodies(1) == [b"x"]
        assert await world.ready(inbox) == 0
        assert not waiting.done()
    await within(waiting)
    assert await world.ready(inbox) == 1


async def test_announcements_never_block_and_go_on_by_themselves_after_an_alarm_last_states_first(
    node: PrivateNode, world: World, inbox: str
) -> None:
    events, offered = world.topology.events, EVENTS_HELD + 10
    async with (
        Connection([node.amqp_url], "announces", {}, patience=5) as link,
        Publisher(link) as publisher,
    ):
        publisher.announce(events, ANY, Message(b"before"))
        await world.until_ready(inbox, 1)
        async with memory_alarm(node):
            await block(publisher.announce, lambda: link.state)
            await timed_out(publisher.publish(events, ANY, Message(b"lets time pass"), timeout=0.2))
            with capture_logs() as logs:
                for number in range(offered):
                    publisher.announce(events, ANY, Message(f"{number}".encode()))
            for state in (b"closed", b"open"):
                publisher.announce(events, ANY, Message(state, state_of="breaker"))
                await timed_out(publisher.publish(events, ANY, Message(b"lets time pass"), timeout=0.2))
            assert [line["event"] for line in logs] == ["announcements.dropping"]
        with capture_logs() as logs:
            async with taking(world.broker, inbox, prefetch=100) as taken:
                assert await taken.bodies(2) == [b"before", b"open"]
                await wait_until(lambda: lost_in(logs), what="the sum")
                publisher.announce(events, ANY, Message(b"after"))
                kept = offered - sum(lost_in(logs))
                assert await taken.bodies(kept + 1) == [*(b"%d" % number for number in range(kept)), b"after"]
    assert len(lost_in(logs)) == 1


async def test_a_program_can_leave_during_an_alarm(node: PrivateNode) -> None:
    async with AsyncExitStack() as alarm, RabbitBroker([node.amqp_url], "leaves", "1") as broker:
        await broker.publish("", "nobody", Message(b"x"), mandatory=False)
        await alarm.enter_async_context(memory_alarm(node))
        await block(broker.announce, lambda: broker.links["publishing"])
        await within(broker.__aexit__(None, None, None))
        assert set(broker.links.values()) == {LinkState.CLOSED}
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_publish_that_waits_out_an_alarm_goes_on_when_the_node_dies_of_it(
    node: PrivateNode, world: World, inbox: str
) -> None:
    async with AsyncExitStack() as alarm:
        await alarm.enter_async_context(memory_alarm(node))
        await block_world(world)
        waiting = asyncio.create_task(world.broker.publish(world.topology.events, ANY, Message(b"x"), timeout=None))
        await asyncio.to_thread(node.restart)  # which starts without the alarm
        await within(waiting, 20)
    assert await world.ready(inbox) == 1
