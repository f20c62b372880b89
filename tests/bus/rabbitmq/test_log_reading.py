"""Reading a stream where something is in the way: rights, a deleted log, a closed broker, markers of others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

import aio_pika
import pytest

from bus.errors import ConnectionLost, LogUnavailable, TopologyError
from bus.log_reader import MARKER_TYPE
from bus.message import Message
from bus.rabbitmq import RabbitBroker
from tests.support.broker import Broker
from tests.support.bus_world import World, within
from tests.support.humble_user import humble_user

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
async def log_name(world: World) -> str:
    """The name of the log of results, declared, with 300 messages in it: more than a reader holds at once."""
    for plan in world.topology.logs():
        await world.broker.declare(plan)
    sent = (Message(b"%d" % number) for number in range(300))
    await asyncio.gather(*(world.broker.publish(world.topology.results, "a.completed", message) for message in sent))
    return world.topology.results_log


@pytest.fixture
async def other(vhost_url: str) -> AsyncIterator[RabbitBroker]:
    """A second program on the same broker."""
    async with RabbitBroker([vhost_url], "other", "1") as broker:
        yield broker


async def read(broker: RabbitBroker, log_name: str) -> list[bytes]:
    async with asyncio.timeout(10), aclosing(broker.read_log(log_name, LONG_AGO)) as messages:
        return [message.body async for message in messages]


async def test_who_may_only_read_gets_everything_and_a_silence_is_the_end(
    broker: Broker, other: RabbitBroker, vhost_url: str, log_name: str
) -> None:
    rights = {"configure": "^$", "write": "^$", "read": r"\.log$"}
    async with humble_user(broker, vhost_url, rights) as url, RabbitBroker([url], "humble", "1") as humble:
        assert await read(humble, log_name) == await read(other, log_name)


async def test_who_may_not_read_is_told(broker: Broker, vhost_url: str, log_name: str) -> None:
    rights = {"configure": "^$", "write": ".*", "read": "^$"}
    async with humble_user(broker, vhost_url, rights) as url, RabbitBroker([url], "humble", "1") as humble:
        with pytest.raises(TopologyError, match="the broker does not permit it while reading log 'sutazai"):
            await read(humble, log_name)


async def test_the_marker_of_another_reader_neither_ends_a_reading_nor_shows(
    other: RabbitBroker, log_name: str
) -> None:
    await other.publish("", log_name, Message(b"of another", type=MARKER_TYPE))
    await other.publish("", log_name, Message(b"behind it"))
    found = await read(other, log_name)
    assert len(found) == 301
    assert found[-1] == b"behind it"


async def test_a_log_that_is_deleted_while_it_is_read_is_unavailable(
    world: World, other: RabbitBroker, log_name: str
) -> None:
    async with aclosing(other.read_log(log_name, LONG_AGO)) as messages:
        await within(anext(messages))
        await world.broker.delete_queue(log_name)
        with pytest.raises(LogUnavailable):
            await within(_drained(messages))


async def test_a_reading_ends_with_its_broker(vhost_url: str, log_name: str) -> None:
    async with RabbitBroker([vhost_url], "ending", "1") as ending:
        messages = ending.read_log(log_name, LONG_AGO)
        await within(anext(messages))
    with pytest.raises(ConnectionLost):
        await within(_drained(messages))


async def _drained(messages: AsyncIterator[Message]) -> None:
    async for _ in messages:
        pass


class _NotText(str):
    """A name of a header that is no UTF-8 on the wire."""

    __slots__ = ()

    def encode(self, _encoding: str = "", _errors: str = "") -> bytes:
        return b"\xff\xfe"


async def test_a_message_whose_headers_nobody_can_read_does_not_end_a_reading(
    world: World, other: RabbitBroker, vhost_url: str
) -> None:
    log_name = world.topology.results_log
    for plan in world.topology.logs():
        await world.broker.declare(plan)
    async with await aio_pika.connect(vhost_url) as connection, connection.channel() as channel:
        for body, name in ((b"1", _NotText("x")), (b"2", "plain"), (b"3", _NotText("y"))):
            message = aio_pika.Message(body, headers={name: 1})
            await channel.default_exchange.publish(message, routing_key=log_name)
    async with aclosing(other.read_log(log_name, LONG_AGO)) as messages:
        found = [await within(anext(messages)) for _ in range(3)]
    assert [(message.body, message.headers) for message in found] == [(b"1", {}), (b"2", {"plain": 1}), (b"3", {})]
