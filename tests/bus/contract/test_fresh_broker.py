"""Where no host has ever started, a client says so in words of its own, over both brokers."""

import pytest

from bus.client import Client
from bus.errors import TopologyError, UnknownAgent
from bus.plan import Plan, Queue
from bus.topology import Topology
from tests.support.bus_world import World, within


async def test_a_cancel_says_that_there_is_nothing_to_cancel(world: World) -> None:
    nowhere = Client(world.broker, Topology(prefix=f"{world.topology.prefix}-nowhere"))
    with pytest.raises(TopologyError, match=r"no host has ever started on this broker \(prefix '.*-nowhere'\)") as told:
        await within(nowhere.cancel("t"))
    assert "NOT_FOUND" not in str(told.value)
    with pytest.raises(UnknownAgent):
        await within(nowhere.cancel("t", agent="a"))


async def test_a_missing_exchange_of_a_fleet_that_is_there_is_told_as_it_is(world: World) -> None:
    maimed = Topology(prefix=f"{world.topology.prefix}-maimed")
    await world.broker.declare(Plan(queues=(Queue(maimed.unrouted, {}),)))
    with pytest.raises(TopologyError, match=r"missing on the broker.*-maimed\.control"):
        await within(Client(world.broker, maimed).cancel("t"))
