"""What a host hands back on purpose is no crash to the next host, over both brokers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from bus.attempt import Handler
from bus.broker import Broker
from bus.consumer import Consumer
from bus.control import ControlLink
from bus.errors import TopologyError
from bus.message import Message
from bus.returns import Returns
from schemas import CancelTask, Priority, TaskStatus
from tests.support.bus_world import AGENT, FAST, Worker, World, within
from tests.support.fault_world import every_result
from tests.support.faulty_brokers import Through
from tests.support.waiting import wait_until

pytestmark = pytest.mark.classic_queues("what is handed back there is a copy, and the broker counts what comes back")


def ignore(_: CancelTask) -> None:
    """Nothing is cancelled here."""


@asynccontextmanager
async def host(
    world: World, name: str, handler: Handler, *, prefetch: int = 2, broker: Broker | None = None
) -> AsyncIterator[tuple[Consumer, list[tuple[str, int]]]]:
    """A consumer that hears what hosts say of what they hand back; yields it and the arrivals that it heard so."""
    returns, heard = Returns(), list[tuple[str, int]]()
    async with AsyncExitStack() as stack:
        link = ControlLink(
            world.broker,
            world.topology,
            name,
            [AGENT],
            ignore,
            returns=returns,
            on_arrival=lambda agent, priority: heard.append((agent, priority)),
        )
        await stack.enter_async_context(link)
        consumer = Consumer(
            broker or world.broker,
            world.topology,
            AGENT,
            handler,
            host=name,
            prefetch=prefetch,
            policy=FAST,
            returns=returns,
        )
        yield await stack.enter_async_context(consumer), heard


async def test_what_waited_through_an_outage_is_not_taken_for_lost_by_the_next_host(world: World) -> None:
    busy, free = Worker(hold=True), Worker()
    async with every_result(world) as results, host(world, "one", busy) as (one, heard):
        first = await world.client.submit(AGENT, "running", priority=Priority.HIGH)
        await busy.next()
        async with host(world, "two", free) as (two, _):
            await within(two.pause("not yet"))
            # A fresh consumer of the first host has its own prefetch: more is in hand, waiting for a slot.
            second = await world.client.submit(AGENT, "second", priority=Priority.HIGH)
            third = await world.client.submit(AGENT, "third", priority=Priority.HIGH)
            await busy.next()
            await within(one.pause("an outage"))
            one.resume()
            await wait_until(lambda: one.held == 3, what="the third delivery, which waits for a slot")
            await within(one.pause("an outage"))
            two.resume()
            ended = await within(anext(results))
            assert (ended.task_id, ended.status, ended.history) == (third.id, TaskStatus.COMPLETED, ())
            await wait_until(lambda: (AGENT, Priority.HIGH) in heard, what="the word")
        busy.leave.set()
        assert {(await within(anext(results))).task_id for _ in range(2)} == {first.id, second.id}


async def test_a_host_that_starts_later_is_told_what_went_back_before(world: World) -> None:
    busy = Worker(hold=True)
    async with every_result(world) as results, host(world, "one", busy, prefetch=1) as (one, _):
        await world.client.submit(AGENT, "running")
        await busy.next()
        task = await world.client.submit(AGENT, "waiting")
        await within(one.pause("an outage"))
        one.resume()
        await wait_until(lambda: one.held == 2, what="the second delivery, which waits for a slot")
        await within(one.pause("an outage"))
        await world.until_ready(world.queue, 1)
        async with host(world, "two", Worker()):
            ended = await within(anext(results))
            assert (ended.task_id, ended.history) == (task.id, ())
        busy.leave.set()
        await within(anext(results))


async def test_what_nobody_said_to_have_handed_back_was_lost(world: World) -> None:
    busy = Worker(hold=True)
    task = await world.client.submit(AGENT, "x")
    async with world.consumer(busy):  # left without a stop, as by a process that dies
        await busy.next()
    async with every_result(world) as results, host(world, "two", Worker()):
        ended = await within(anext(results))
    assert (ended.task_id, [past.error.code for past in ended.history]) == (task.id, ["lost"])


class Mute(Through):
    """May not write to the control exchange."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.refused = 0

    async def before(self, exchange: str, message: Message) -> None:
        if exchange.endswith(".control"):
            self.refused += 1
            raise TopologyError("the broker does not permit it")
        await super().before(exchange, message)


async def test_without_the_right_to_say_so_a_host_hands_back_all_the_same_and_tries_it_once(world: World) -> None:
    busy = Worker(hold=True)
    mute = Mute(world.broker)
    async with host(world, "one", busy, prefetch=1, broker=mute) as (one, _):
        await world.client.submit(AGENT, "running")
        await busy.next()
        for prompt in ("a", "b"):
            await world.client.submit(AGENT, prompt)
        for _ in range(2):
            await within(one.pause("an outage"))
            one.resume()
            await wait_until(lambda: one.held >= 2, what="a delivery that waits for a slot")
        await within(one.pause("an outage"))
        await world.until_ready(world.queue, 2)
        assert mute.refused == 1
        busy.leave.set()
    await asyncio.sleep(0)
