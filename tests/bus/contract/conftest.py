"""The contract of the bus, over both brokers: what passes here holds for a user's tests and for a user's fleet."""

from collections.abc import AsyncIterator

import pytest

from tests.support.broker import Broker, vhost_of
from tests.support.bus_world import World, memory_world, rabbit_world
from tests.support.management import Management


@pytest.fixture(params=["memory", "rabbitmq"])
async def world(request: pytest.FixtureRequest, broker: Broker, prefix: str) -> AsyncIterator[World]:
    """A broker with the topology of one agent, `worker`; its connections bear the test's name."""
    if request.param == "memory":
        async with memory_world(request.node.name) as memory:
            yield memory
        return
    url = request.getfixturevalue("vhost_url")
    async with (
        Management(broker, vhost_of(url)) as management,
        rabbit_world(request.node.name, url, prefix, management) as rabbit,
    ):
        yield rabbit
