"""A queue that refuses what is published to it, and everything else that is published meanwhile."""

import asyncio
from collections import Counter

from bus.errors import QueueFull
from bus.message import Message
from bus.plan import Plan, Queue
from tests.support.bus_world import World
from tests.support.management import Management
from tests.support.waiting import wait_until

FULL = Queue("full", {"x-queue-type": "classic", "x-max-length": 1, "x-overflow": "reject-publish"})
OPEN = Queue("open", {"x-queue-type": "classic"})


async def attempt(world: World, queue: Queue) -> str:
    try:
        await world.broker.publish("", queue.name, Message(b"x"))
    except QueueFull:
        return f"{queue.name} refuses"
    return f"{queue.name} takes"


async def fill(world: World) -> None:
    await world.broker.declare(Plan(queues=(FULL, OPEN)))
    while await attempt(world, FULL) == "full takes":
        pass


async def test_refusals_do_not_disturb_what_is_published_at_the_same_time(world: World) -> None:
    await fill(world)
    ends = await asyncio.gather(*(attempt(world, queue) for _ in range(50) for queue in (FULL, OPEN)))
    assert Counter(ends) == {"full refuses": 50, "open takes": 50}
    assert await world.ready(OPEN.name) == 50


async def test_refusals_leave_no_channels_behind(world: World, management: Management) -> None:
    await fill(world)
    for _ in range(20):
        assert await attempt(world, FULL) == "full refuses"
    assert await attempt(world, OPEN) == "open takes"

    async def channels() -> list[int]:
        rows = [row for row in await management.connections() if "publishes" in str(row.get("client_properties"))]
        return [row["channels"] for row in rows if "channels" in row]

    async def is_one() -> bool:
        return await channels() == [1]

    await wait_until(is_one, what="one open channel, the one that is published on")
