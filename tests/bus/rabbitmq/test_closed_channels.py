"""A channel that was closed leaves nothing on its connection, which may stay open for months."""

import asyncio
import gc
from collections import Counter
from collections.abc import Awaitable, Callable

import aio_pika
import pytest
from aio_pika.tools import OneShotCallback

from bus.attempt import Attempt
from bus.errors import TopologyError
from bus.message import Message
from schemas import TaskResult
from tests.support.bus_world import AGENT, World, completed

KINDS = (aio_pika.Channel, OneShotCallback, asyncio.Future)
"""A task is a Future too."""

TIMES = 50


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


def living() -> Counter[str]:
    gc.collect()
    return Counter(kind.__name__ for found in gc.get_objects() for kind in KINDS if isinstance(found, kind))


@pytest.mark.parametrize("act", [ask, look, look_in_vain, publish_in_vain, listen])
async def test_what_is_done_again_and_again_leaves_nothing_behind(
    world: World, act: Callable[[World], Awaitable[None]]
) -> None:
    async with world.consumer(answer):
        await act(world)
        before = living()
        for _ in range(TIMES):
            await act(world)
        left = living() - before
    assert left.total() < TIMES / 2
