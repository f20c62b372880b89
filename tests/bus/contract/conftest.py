"""The contract of the bus, over both brokers: what passes here holds for a user's tests and for a user's fleet."""

import os
from collections.abc import AsyncIterator

import pytest

from bus.topology import QueueType
from tests.support.broker import Broker, vhost_of
from tests.support.broker_choice import queue_type
from tests.support.bus_world import World, memory_world, rabbit_world
from tests.support.management import Management


def pytest_configure(config: pytest.Config) -> None:
    """Declare this suite's mark."""
    config.addinivalue_line("markers", "classic_queues(why): holds over RabbitMQ with classic task queues alone")


@pytest.fixture(params=["memory", "rabbitmq"])
async def world(request: pytest.FixtureRequest, broker: Broker, prefix: str) -> AsyncIterator[World]:
    """A broker with the topology of one agent, `worker`; its connections bear the test's name."""
    if request.param == "memory":
        async with memory_world(request.node.name) as memory:
            yield memory
        return
    kind, classic = queue_type(os.environ), request.node.get_closest_marker("classic_queues")
    if classic is not None and kind is not QueueType.CLASSIC:
        pytest.skip(f"{kind} queues: {classic.args[0]}")
    url = request.getfixturevalue("vhost_url")
    async with (
        Management(broker, vhost_of(url)) as management,
        rabbit_world(request.node.name, url, prefix, management, kind) as rabbit,
    ):
        yield rabbit
