import pytest

from bus.codec import decode_result
from bus.errors import BusError, ConnectionLost, TopologyError
from bus.listener import Listener
from tests.support.bus_world import memory_world
from tests.support.faulty_brokers import Through


class KeepsQueues(Through):
    """Deletes no queue, as a cluster does not whose node with the queue is down."""

    refusal: type[BusError]

    async def delete_queue(self, name: str) -> None:
        raise self.refusal(f"queue {name!r} cannot be deleted")


@pytest.mark.parametrize("refusal", [TopologyError, ConnectionLost])
async def test_who_stops_listening_is_not_troubled_by_a_queue_that_cannot_be_deleted(refusal: type[BusError]) -> None:
    async with memory_world("left behind") as world:
        broker = KeepsQueues(world.broker)
        broker.refusal = refusal
        async with Listener(broker, world.topology, "replies", decode_result) as listener:
            pass
        assert await world.ready(listener.queue) == 0
