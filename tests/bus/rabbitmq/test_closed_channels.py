"""A channel that was closed leaves nothing on its connection, which may stay open for months."""

import asyncio
import contextlib
import gc
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

import aio_pika
import pytest
from aio_pika.tools import OneShotCallback
from structlog.testing import capture_logs

from bus.attempt import Attempt
from bus.errors import TopologyError
from bus.message import Message
from schemas import TaskResult
from tests.support.bus_world import AGENT, World, completed
from tests.support.waiting import wait_until

KINDS = (aio_pika.Channel, OneShotCallback, asyncio.Future)
"""A task is a Future too."""

TIMES = 50

STEPS_TO_OPENING = 5
"""Of the event loop, after which a look waits for its channel to be opened."""


async def answer(attempt: Attempt) -> TaskResult:
    """Complete a task, and keep nothing of it."""
    return completed(attempt)


async def ask(world: World) -> None:
    await world.client.ask(AGENT, "...", timeout=20)


async def look(world: World) -> None:
    assert await world.broker.queue_info(world.queue) is not None


async def look_in_vain(world: World) -> None:
    assert await world.broker.queue_info("nobodys") is None  # which makes the broker close the channel


async def publish_in_vain(world: World) -> None:
    with pytest.raises(TopologyError):  # the broker closes the channel here as well, and the publisher takes a new one
        await world.broker.publish("nowhere", "x", Message(b""))


async def listen(world: World) -> None:
    async with world.client.results():
        """Somebody looks in."""


async def give_up_a_look(world: World) -> None:
    looking = asyncio.create_task(look(world))
    for _ in range(STEPS_TO_OPENING):
        await asyncio.sleep(0)
    looking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await looking


def living() -> Counter[str]:
    gc.collect()
    return Counter(kind.__name__ for found in gc.get_objects() for kind in KINDS if isinstance(found, kind))


@pytest.mark.parametrize("act", [ask, look, look_in_vain, give_up_a_look, publish_in_vain, listen])
async def test_what_is_done_again_and_again_leaves_nothing_behind(
    world: World, act: Callable[[World], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="aiormq")  # else pytest keeps the channels that its lines are about
    async with world.consumer(answer):
        await act(world)
        before = living()
        for _ in range(TIMES):
            await act(world)
        # What the broker was asked to close is kept until it has said that it did.
        await wait_until(lambda: (living() - before).total() < TIMES / 2, timeout=5, what="almost nothing left")


async def test_channels_that_the_broker_closes_by_the_dozen_cost_no_connection(world: World) -> None:
    with capture_logs() as logs:
        for _ in range(3):
            absent = await asyncio.gather(*(world.broker.queue_info("nobodys") for _ in range(200)))
            assert absent == [None] * 200
    assert logs == []
