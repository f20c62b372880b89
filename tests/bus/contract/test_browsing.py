"""Looking into a queue takes nothing from it but what is acked, over both brokers."""

import pytest

from bus.errors import ConnectionLost, TopologyError
from bus.message import Message
from tests.support.bus_world import AGENT, World, taking, within


async def publish(world: World, *bodies: str, priority: int | None = None) -> None:
    for body in bodies:
        await world.broker.publish(world.topology.tasks, AGENT, Message(body.encode(), priority=priority))


async def browsed(world: World) -> list[bytes]:
    async with world.broker.browse(world.queue) as waiting:
        return [delivery.message.body async for delivery in waiting]


async def consumed(world: World, count: int) -> list[bytes]:
    async with taking(world.broker, world.queue) as taken:
        return await taken.bodies(count)


@pytest.mark.classic_queues("3.10 ignores priorities there, and 4.0 to 4.2 know two")
async def test_a_look_shows_all_in_the_order_of_the_queue_and_takes_nothing(world: World) -> None:
    await publish(world, "low", "low too", priority=1)
    await publish(world, "high", priority=9)
    for _ in range(2):
        assert await browsed(world) == [b"high", b"low", b"low too"]
        await world.until_ready(world.queue, 3)
    assert await consumed(world, 3) == [b"high", b"low", b"low too"]


async def test_what_was_looked_at_comes_back_marked_as_redelivered(world: World) -> None:
    await publish(world, "a", "b")
    async with world.broker.browse(world.queue) as waiting:
        first = await anext(waiting)
        assert (first.routing_key, first.redelivered, first.alive) == (AGENT, False, True)
    await world.until_ready(world.queue, 2)
    async with world.broker.browse(world.queue) as waiting:
        assert [(delivery.message.body, delivery.redelivered) async for delivery in waiting] == [
            (b"a", True),
            (b"b", False),
        ]


async def test_an_acked_message_is_gone_and_the_others_keep_their_places(world: World) -> None:
    await publish(world, "a", "b", "c")
    async with world.broker.browse(world.queue) as waiting:
        async for delivery in waiting:
            if delivery.message.body == b"b":
                await delivery.ack()
    await world.until_ready(world.queue, 2)
    assert await consumed(world, 2) == [b"a", b"c"]


async def test_leaving_early_returns_all(world: World) -> None:
    await publish(world, "a", "b", "c")
    async with world.broker.browse(world.queue) as waiting:
        assert (await anext(waiting)).message.body == b"a"
        left = await anext(waiting)
        await world.until_ready(world.queue, 1)
    await world.until_ready(world.queue, 3)
    assert not left.alive
    with pytest.raises(ConnectionLost):
        await left.ack()
    assert await consumed(world, 3) == [b"a", b"b", b"c"]


async def test_a_message_handed_back_is_seen_again(world: World) -> None:
    await publish(world, "a", "b")
    async with world.broker.browse(world.queue) as waiting:
        await (await anext(waiting)).requeue()
        assert [(delivery.message.body, delivery.redelivered) async for delivery in waiting] == [
            (b"a", True),
            (b"b", False),
        ]


async def test_an_error_in_the_block_returns_all(world: World) -> None:
    await publish(world, "a")

    async def fail() -> None:
        async with world.broker.browse(world.queue) as waiting:
            await anext(waiting)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await world.until_ready(world.queue, 1)


async def test_nobody_else_sees_what_is_being_looked_at_until_it_is_over(world: World) -> None:
    await publish(world, "a")
    async with taking(world.broker, world.queue) as taken:
        held = await taken.next()
        async with world.broker.browse(world.queue) as waiting:
            assert [delivery async for delivery in waiting] == []
        await held.requeue()
        assert (await taken.next()).message.body == b"a"


async def test_an_empty_queue_shows_nothing(world: World) -> None:
    assert await browsed(world) == []


async def test_a_missing_queue_cannot_be_looked_into(world: World) -> None:
    with pytest.raises(TopologyError, match="nobody"):
        async with world.broker.browse("nobody"):
            pass


async def test_a_queue_that_is_deleted_meanwhile_is_told(world: World) -> None:
    await publish(world, "a")
    async with world.broker.browse(world.queue) as waiting:
        await anext(waiting)
        await world.broker.delete_queue(world.queue)
        with pytest.raises(TopologyError):
            await within(anext(waiting))
    await world.broker.declare(world.topology.agent(AGENT))
    assert await browsed(world) == []


async def test_a_cut_ends_the_look_and_loses_nothing(world: World) -> None:
    await publish(world, "a", "b")
    async with world.broker.browse(world.queue) as waiting:
        held = await anext(waiting)
        await world.cut()
        with pytest.raises(ConnectionLost):
            await within(anext(waiting))
        with pytest.raises(ConnectionLost):
            await held.ack()
    await world.until_ready(world.queue, 2)
    assert await browsed(world) == [b"a", b"b"]
