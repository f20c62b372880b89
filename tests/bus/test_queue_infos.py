import asyncio

import pytest

from bus.broker import QueueInfo
from bus.errors import ConnectionLost
from bus.queue_infos import AT_ONCE, queue_infos
from tests.support.bus_world import memory_world
from tests.support.faulty_brokers import Through


class Busy(Through):
    """Knows how many questions were open at a time."""

    open = 0
    most = 0

    async def queue_info(self, name: str) -> QueueInfo | None:
        self.open += 1
        self.most = max(self.most, self.open)
        await asyncio.sleep(0)
        try:
            return await super().queue_info(name)
        finally:
            self.open -= 1


class Lost(Through):
    async def queue_info(self, name: str) -> QueueInfo | None:
        raise ConnectionLost(name)


async def test_many_queues_are_asked_for_a_few_at_a_time_and_those_that_are_there_are_told() -> None:
    async with memory_world("infos") as world:
        broker = Busy(world.broker)
        absent = [f"absent-{number}" for number in range(3 * AT_ONCE)]
        found = await queue_infos(broker, [*absent, world.queue, world.topology.unrouted])
    assert list(found) == [world.queue, world.topology.unrouted]
    assert found[world.queue] == QueueInfo(world.queue, ready=0, consumers=0)
    assert broker.most == AT_ONCE


async def test_a_broker_that_cannot_be_asked_is_an_error() -> None:
    async with memory_world("infos-lost") as world:
        with pytest.raises(ConnectionLost):
            await queue_infos(Lost(world.broker), [world.queue, "other"])
