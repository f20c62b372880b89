"""A call to the broker that is cancelled, at whatever moment, ends at once and leaves no channel open."""

import asyncio
import gc
from itertools import count

import aio_pika

from tests.support.bus_world import World
from tests.support.waiting import wait_until

AT_ONCE_SECONDS = 1.0
"""Far more than a cancelled call takes, and far less than `end_tasks` waits before it cancels once more."""


def open_channels() -> int:
    gc.collect()
    return sum(isinstance(found, aio_pika.Channel) and not found.is_closed for found in gc.get_objects())


async def call(world: World) -> None:
    """Ask the broker, then wait for ever, as a listener does that hears nothing."""
    await world.broker.queue_info(world.queue)
    await asyncio.Event().wait()


async def cancelled_after(world: World, steps: int) -> None:
    calling = asyncio.create_task(call(world))
    for _ in range(steps):
        await asyncio.sleep(0)
    calling.cancel()
    _, left = await asyncio.wait({calling}, timeout=AT_ONCE_SECONDS)
    assert not left, f"a cancellation after {steps} steps was dropped"


async def steps_of_a_look(world: World) -> int:
    looking = asyncio.create_task(world.broker.queue_info(world.queue))
    for step in count():
        if looking.done():
            return step
        await asyncio.sleep(0)
    raise AssertionError


async def test_a_cancelled_look_at_a_queue_ends_at_once_and_leaves_no_channel_open(world: World) -> None:
    before = open_channels()
    steps = await steps_of_a_look(world)
    for number in range(steps):
        await cancelled_after(world, number)
    await wait_until(lambda: open_channels() == before, what="the channels to be closed")
