"""Queues: order, prefetch, hand-back, pause, and what becomes of a deleted queue, over both brokers."""

import asyncio

import pytest

from bus.broker import ConsumerState, QueueInfo
from bus.errors import ConnectionLost
from bus.message import Message
from tests.support.bus_world import AGENT, World, taking
from tests.support.waiting import wait_until


async def publish(world: World, *bodies: str, priority: int | None = None) -> None:
    for body in bodies:
        await world.broker.publish(world.topology.tasks, AGENT, Message(body.encode(), priority=priority))


@pytest.mark.classic_queues("3.10 ignores priorities there, and 4.0 to 4.2 know two")
async def test_higher_priorities_come_first_and_equal_ones_in_their_order(world: World) -> None:
    for priority in (0, 5, 9, 10, 200, None, 2):
        await publish(world, f"{priority}a", f"{priority}b", priority=priority)
    async with taking(world.broker, world.queue) as taken:
        found = await taken.bodies(14)
    assert found[:2] == [b"10a", b"10b"]
    assert found[2:4] == [b"200a", b"200b"]  # clamped to the queue's highest, 10
    assert found[4:10] == [b"9a", b"9b", b"5a", b"5b", b"2a", b"2b"]
    assert found[10:] == [b"0a", b"0b", b"Nonea", b"Noneb"]


async def test_no_more_than_the_prefetch_is_in_hand(world: World) -> None:
    await publish(world, "a", "b", "c")
    async with taking(world.broker, world.queue, prefetch=2) as taken:
        first, second = await taken.next(), await taken.next()
        await world.until_ready(world.queue, 1)
        assert taken.deliveries.empty()
        await second.ack()
        assert (await taken.next()).message.body == b"c"
        await first.ack()
    await world.until_ready(world.queue, 1)  # c, unsettled, went back with its subscription


async def test_what_is_handed_back_takes_its_old_place_marked_as_redelivered(world: World) -> None:
    await publish(world, "a", "b")
    async with taking(world.broker, world.queue) as taken:
        first = await taken.next()
        assert not first.redelivered
        await first.requeue()
        again = await taken.next()
        assert (again.message.body, again.redelivered) == (b"a", True)
        await again.ack()
        following = await taken.next()
        assert (following.message.body, following.redelivered) == (b"b", False)


async def test_two_subscriptions_take_in_turn(world: World) -> None:
    async with taking(world.broker, world.queue) as one, taking(world.broker, world.queue) as two:
        await wait_until(
            lambda: one.subscription.state == two.subscription.state == ConsumerState.CONSUMING, what="both to consume"
        )
        await publish(world, "a", "b")
        assert {(await one.next()).message.body, (await two.next()).message.body} == {b"a", b"b"}


async def test_a_paused_subscription_takes_nothing_and_can_still_settle(world: World) -> None:
    async with taking(world.broker, world.queue) as taken:
        await publish(world, "a", "b")
        held = await taken.next()
        await taken.subscription.pause()
        assert taken.subscription.state is ConsumerState.PAUSED
        await held.ack()

        async def nobody_takes() -> bool:
            return await world.broker.queue_info(world.queue) == QueueInfo(world.queue, ready=1, consumers=0)

        await wait_until(nobody_takes, what="one message and no consumer")  # a quorum queue counts a moment later
        taken.subscription.resume()
        assert await taken.bodies(1) == [b"b"]
        await wait_until(lambda: taken.subscription.state is ConsumerState.CONSUMING, what="the consumer")


async def test_a_subscription_that_is_paused_before_it_has_consumed_is_paused(world: World) -> None:
    async with taking(world.broker, world.queue) as taken:
        await taken.subscription.pause()
        assert taken.subscription.state is ConsumerState.PAUSED
        await publish(world, "a")
        await world.until_ready(world.queue, 1)
        taken.subscription.resume()
        assert await taken.bodies(1) == [b"a"]


async def test_a_pause_ends_when_somebody_resumes_meanwhile(world: World) -> None:
    async with taking(world.broker, world.queue) as taken:
        await wait_until(lambda: taken.subscription.state is ConsumerState.CONSUMING, what="the consumer")
        async with asyncio.timeout(5):
            pausing = asyncio.create_task(taken.subscription.pause())
            await asyncio.sleep(0)
            taken.subscription.resume()
            await pausing
        await publish(world, "a")
        assert await taken.bodies(1) == [b"a"]


async def test_a_paused_subscription_stays_paused_over_a_cut(world: World) -> None:
    async with taking(world.broker, world.queue) as taken:
        await publish(world, "a", "b")
        held = await taken.next()
        await taken.subscription.pause()
        await world.cut()
        await world.until_ready(world.queue, 2)
        assert not held.alive
        with pytest.raises(ConnectionLost):
            await held.ack()
        assert taken.subscription.state is ConsumerState.PAUSED
        assert taken.deliveries.empty()
        taken.subscription.resume()
        assert await taken.bodies(2) == [b"a", b"b"]


async def test_a_cut_hands_back_what_is_held_and_the_subscription_returns(world: World) -> None:
    async with taking(world.broker, world.queue) as taken:
        await publish(world, "a")
        held = await taken.next()
        assert held.alive
        await world.cut()
        again = await taken.next()
        assert (again.message.body, again.redelivered, again.alive) == (b"a", True, True)
        assert not held.alive
        with pytest.raises(ConnectionLost):
            await held.ack()
        with pytest.raises(ConnectionLost):
            await held.requeue()
        await again.ack()
    assert await world.ready(world.queue) == 0


async def test_a_closed_subscription_has_given_back_what_it_held(world: World) -> None:
    async with taking(world.broker, world.queue) as taken:
        await publish(world, "a")
        held = await taken.next()
    assert taken.subscription.state is ConsumerState.STOPPED
    assert not held.alive
    await world.until_ready(world.queue, 1)
    taken.subscription.resume()
    await taken.subscription.pause()
    assert taken.subscription.state is ConsumerState.STOPPED
    assert await world.broker.queue_info(world.queue) == QueueInfo(world.queue, ready=1, consumers=0)


async def test_a_deleted_queue_is_declared_again_and_consumed(world: World) -> None:
    plan = world.topology.agent(AGENT)
    async with taking(world.broker, world.queue, plan=plan) as taken:
        await publish(world, "a")
        held = await taken.next()
        await world.broker.delete_queue(world.queue)

        async def consumed() -> bool:
            info = await world.broker.queue_info(world.queue)
            return info is not None and info.consumers == 1

        await wait_until(consumed, what="the queue to be back")
        assert not held.alive
        await publish(world, "b")
        assert await taken.bodies(1) == [b"b"]


async def test_a_missing_queue_has_no_state_and_can_be_deleted(world: World) -> None:
    assert await world.broker.queue_info("nobody") is None
    await world.broker.delete_queue("nobody")


async def test_a_broker_says_where_it_is_without_secrets(world: World) -> None:
    assert "guest:" not in world.broker.description
    assert "at amqp://" in world.broker.description or "memory://" in world.broker.description
