"""An agent that may not configure: it checks the topology instead of declaring it."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit, urlunsplit

import httpx
import pytest

from bus.client import Client
from bus.errors import TopologyError
from bus.message import Message
from bus.rabbitmq import RabbitBroker
from tests.support.broker import Broker, vhost_of
from tests.support.bus_world import AGENT, Worker, World, within


@asynccontextmanager
async def _user(broker: Broker, vhost_url: str, rights: Mapping[str, str]) -> AsyncIterator[str]:
    """The URL of a user with these rights in the test's virtual host."""
    user, vhost = f"humble-{secrets.token_hex(3)}", quote(vhost_of(vhost_url), safe="")
    async with httpx.AsyncClient(base_url=broker.management_url or "", auth=broker.credentials) as api:
        made = {"password": "pw", "tags": ""}
        (await api.put(f"/api/users/{user}", json=made)).raise_for_status()
        (await api.put(f"/api/permissions/{vhost}/{user}", json=rights)).raise_for_status()
        parts = urlsplit(vhost_url)
        yield urlunsplit(parts._replace(netloc=f"{user}:pw@{parts.netloc.rpartition('@')[2]}"))
        (await api.delete(f"/api/users/{user}")).raise_for_status()


@pytest.fixture
async def humble_url(broker: Broker, vhost_url: str) -> AsyncIterator[str]:
    """The URL of a user who may consume and publish to the topology's exchanges, and configure nothing."""
    rights = {
        "configure": "^$",
        "write": r"^sutazai\.(tasks|results|events|metrics|delay|dead)$",
        "read": r"^sutazai\.tasks\.worker$",
    }
    async with _user(broker, vhost_url, rights) as url:
        yield url


async def test_an_agent_without_the_right_to_configure_works_on_what_is_there(world: World, humble_url: str) -> None:
    async with (
        world.client.replies() as replies,
        world.client.results() as results,
        RabbitBroker([humble_url], "humble", "1") as humble,
        world.consumer(Worker(), broker=humble) as consumer,
    ):
        asked = Message(b'{"prompt": "x"}', reply_to=replies.queue)
        await world.broker.publish(world.topology.tasks, AGENT, asked)
        assert (await within(anext(results))).result == "x"
        await within(consumer.stop(grace=2))  # the reply, which it may not write, does not hold it up
        assert consumer.ended.total() == 1
    assert await world.ready(world.queue) == 0


async def test_a_missing_queue_that_may_not_be_made_is_a_topology_error(world: World, humble_url: str) -> None:
    async with RabbitBroker([humble_url], "humble", "1") as humble:
        await humble.declare(world.topology.agent(AGENT))
        with pytest.raises(TopologyError, match=r"missing.*NOT_FOUND - no queue 'sutazai\.tasks\.other'"):
            await humble.declare(world.topology.agent("other"))


async def test_what_may_not_be_written_or_read_is_a_topology_error(world: World, humble_url: str) -> None:
    async with RabbitBroker([humble_url], "humble", "1") as humble:
        for exchange in (world.topology.control, ""):
            with pytest.raises(TopologyError, match="the broker does not permit it"):
                await within(humble.publish(exchange, AGENT, Message(b"x")))
        with pytest.raises(TopologyError, match="ACCESS_REFUSED"):
            await humble.delete_queue(world.queue)


async def test_a_listener_with_the_right_to_its_own_queue_alone_listens(
    broker: Broker, world: World, vhost_url: str
) -> None:
    rights = {
        "configure": r"^sutazai\.results\.to\..*",
        "write": r"^sutazai\.results\.to\..*",
        "read": r"^sutazai\.results.*",
    }
    async with (
        _user(broker, vhost_url, rights) as url,
        RabbitBroker([url], "listener", "1") as listening,
        Client(listening, world.topology).results() as results,
        world.consumer(Worker()),
    ):
        await world.client.submit(AGENT, "x")
        assert (await within(anext(results))).result == "x"
