"""A host hears what comes for its agents, and takes none of it, over both brokers."""

import asyncio

from bus.arrivals import Arrivals
from bus.errors import RetryableError
from bus.message import Message
from bus.topology import MAX_PRIORITY
from tests.support.at_work import at_work, raising
from tests.support.bus_world import AGENT, World, within
from tests.support.waiting import wait_until


class Heard:
    """What was heard."""

    def __init__(self, world: World, *agents: str) -> None:
        self.came: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self.gaps = 0
        self.arrivals = Arrivals(world.broker, world.topology, "host-1", agents, self._hear, self._note_gap)

    def _hear(self, agent: str, priority: int) -> None:
        self.came.put_nowait((agent, priority))

    def _note_gap(self) -> None:
        self.gaps += 1

    async def next(self) -> tuple[str, int]:
        """Return what was heard next."""
        return await within(self.came.get())


async def test_each_task_is_heard_with_its_priority_and_stays_in_its_queue(world: World) -> None:
    heard = Heard(world, AGENT)
    async with heard.arrivals as arrivals:
        assert not arrivals.is_deaf
        for priority in (None, 4, 200):
            await world.broker.publish(world.topology.tasks, AGENT, Message(b"no JSON", priority=priority))
        assert [await heard.next() for _ in range(3)] == [(AGENT, 0), (AGENT, 4), (AGENT, MAX_PRIORITY)]
    await world.until_ready(world.queue, 3)


async def test_what_comes_off_the_ladder_is_heard_too_and_other_agents_are_not(world: World) -> None:
    await world.broker.declare(world.topology.agent("other"))
    heard = Heard(world, AGENT)
    async with heard.arrivals, at_work(world, raising(RetryableError("busy"))) as ends:
        await world.client.submit("other", "x")
        await world.client.submit(AGENT, "x", priority=7)
        await ends.next()
        assert [await heard.next() for _ in range(2)] == [(AGENT, 7)] * 2
        assert heard.came.empty()


async def test_a_gap_is_told_and_what_comes_afterwards_is_heard_again(world: World) -> None:
    heard = Heard(world, AGENT)
    async with heard.arrivals:
        await world.client.submit(AGENT, "x", priority=2)
        await heard.next()
        assert heard.gaps == 1  # its start
        await world.cut()
        await wait_until(lambda: heard.gaps == 3, what="the loss, and the return")

        async def is_heard() -> bool:
            await world.client.submit(AGENT, "x", priority=9)
            await asyncio.sleep(0.05)
            return not heard.came.empty()

        await wait_until(is_heard, what="arrivals again")


async def test_its_queue_goes_with_it(world: World) -> None:
    heard = Heard(world, AGENT)
    async with heard.arrivals as arrivals:
        queue = arrivals.queue
        assert await world.ready(queue) == 0
    assert await world.broker.queue_info(queue) is None
