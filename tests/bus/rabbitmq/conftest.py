"""What holds over RabbitMQ alone."""

from collections.abc import AsyncIterator

import pytest

from tests.support.bus_world import World, rabbit_world
from tests.support.management import Management


@pytest.fixture
async def world(
    request: pytest.FixtureRequest, vhost_url: str, prefix: str, management: Management
) -> AsyncIterator[World]:
    """A RabbitMQ with the topology of one agent, `worker`, behind a proxy; its connections bear the test's name."""
    async with rabbit_world(request.node.name, vhost_url, prefix, management) as running:
        yield running
