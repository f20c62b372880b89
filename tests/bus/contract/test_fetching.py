"""Fetching and counting, beside and without a consumer, over both brokers."""

import asyncio

import pytest

from bus.broker import ConsumerState
from bus.errors import BusError
from bus.message import Message
from bus.plan import Plan
from tests.support.bus_world import AGENT, Taken, World, taking, within
from tests.support.waiting import wait_until


async def publish(world: World, *bodies: str, priority: int = 0) -> None:
    for body in bodies:
        await world.broker.publish(world.topology.tasks, AGENT, Message(body.encode(), priority=priority))


def paused(world: World, taken: Taken, plan: Plan | None = None) -> Taken:
    taken.subscription = world.broker.subscribe(
        world.queue, taken.deliveries.put_nowait, prefetch=1, tag="test", plan=plan or Plan(), paused=True
    )
    return taken


async def test_a_subscription_that_begins_paused_takes_only_what_is_fetched(world: World) -> None:
    taken = paused(world, Taken())
    await publish(world, "a", "b", "c")
    assert taken.subscription.state is ConsumerState.PAUSED
    await world.until_ready(world.queue, 3)
    assert await within(taken.subscription.count()) == 3
    assert [await within(taken.subscription.fetch()) for _ in range(2)] == [2, 1]
    assert taken.deliveries.qsize() == 2
    assert [(await taken.next()).message.body for _ in range(2)] == [b"a", b"b"]
    await taken.subscription.close()
    await world.until_ready(world.queue, 3)


@pytest.mark.classic_queues("priorities are weaker there")
async def test_the_highest_priority_is_fetched_first(world: World) -> None:
    taken = paused(world, Taken())
    await publish(world, "low", priority=2)
    await publish(world, "high", priority=7)
    assert await within(taken.subscription.fetch()) == 1
    assert (await taken.next()).message.body == b"high"
    await taken.subscription.close()


async def test_fetching_from_an_empty_queue_says_so(world: World) -> None:
    taken = paused(world, Taken())
    assert await within(taken.subscription.fetch()) is None
    assert await within(taken.subscription.count()) == 0
    await taken.subscription.close()


async def test_what_is_fetched_is_settled_as_what_is_delivered(world: World) -> None:
    taken = paused(world, Taken())
    await publish(world, "a", "b")
    assert await within(taken.subscription.fetch()) == 1
    first = await taken.next()
    await first.requeue()
    await world.until_ready(world.queue, 2)
    await within(taken.subscription.fetch())
    again = await taken.next()
    assert (again.message.body, again.redelivered, again.alive) == (b"a", True, True)
    await again.ack()
    await taken.subscription.close()
    await world.until_ready(world.queue, 1)


async def test_fetched_deliveries_leave_the_prefetch_to_the_consumer(world: World) -> None:
    await publish(world, "a", "b", "c", "d")
    async with taking(world.broker, world.queue) as taken:
        await taken.next()
        assert await within(taken.subscription.fetch()) == 2
        second = await taken.next()
        await second.ack()
        assert await within(taken.subscription.count()) == 2
        assert taken.deliveries.empty()


async def test_a_fetch_that_nobody_waits_for_any_more_still_delivers(world: World) -> None:
    taken = paused(world, Taken())
    await publish(world, "a")
    fetching = asyncio.create_task(taken.subscription.fetch())
    await asyncio.sleep(0)
    fetching.cancel()
    assert (await taken.next()).message.body == b"a"
    await taken.subscription.close()


async def test_a_paused_subscription_fetches_again_after_a_cut(world: World) -> None:
    taken = paused(world, Taken())
    await publish(world, "a")
    await within(taken.subscription.fetch())
    held = await taken.next()
    await world.cut()
    await world.until_ready(world.queue, 1)
    assert not held.alive

    async def fetched() -> bool:
        try:
            return await within(taken.subscription.fetch()) is not None
        except BusError:
            return False

    await wait_until(fetched, what="a fetch over the new connection")
    again = await taken.next()
    assert (again.message.body, again.redelivered) == (b"a", True)
    await again.ack()
    await taken.subscription.close()


async def test_a_deleted_queue_is_declared_again_by_whoever_asks_for_it(world: World) -> None:
    taken = paused(world, Taken(), world.topology.agent(AGENT))
    assert await within(taken.subscription.count()) == 0
    await world.broker.delete_queue(world.queue)

    async def counted() -> bool:
        try:
            return await within(taken.subscription.count()) == 0
        except BusError:
            return False

    await wait_until(counted, what="the queue to be back")
    await publish(world, "a")
    assert await within(taken.subscription.fetch()) == 0
    await taken.subscription.close()


async def test_a_closed_subscription_fetches_nothing(world: World) -> None:
    taken = paused(world, Taken())
    await taken.subscription.close()
    for ask in (taken.subscription.fetch, taken.subscription.count):
        with pytest.raises(BusError):
            await within(ask())


async def test_a_fetch_ends_with_its_subscription(world: World) -> None:
    taken = paused(world, Taken())
    await within(taken.subscription.count())
    await publish(world, "a")
    fetching = asyncio.create_task(taken.subscription.fetch())
    await asyncio.sleep(0)
    await taken.subscription.close()
    with pytest.raises(BusError):
        raise await within(_outcome(fetching))
    await world.until_ready(world.queue, 1)


async def _outcome(fetching: asyncio.Task[int | None]) -> BaseException:
    try:
        await fetching
    except BusError as error:
        return error
    return BusError("it was there before the end")
