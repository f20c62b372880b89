import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from tests.support.broker import vhost_of
from tests.support.management import Management
from tests.support.waiting import wait_until


async def test_each_test_has_an_empty_virtual_host(vhost_url: str, management: Management) -> None:
    assert vhost_of(vhost_url).startswith("test_each_test_has_an_empty_virtual_host.")
    assert await management.queues() == {}
    assert await management.exchanges() == {}


async def test_the_management_client_sees_and_feeds_what_a_program_declares(
    vhost_url: str, management: Management
) -> None:
    connection = await aio_pika.connect(vhost_url, client_properties={"connection_name": "harness"})
    async with connection, connection.channel() as channel:
        exchange = await channel.declare_exchange("work", durable=True)
        queue = await channel.declare_queue("jobs", durable=True)
        await queue.bind(exchange, "job")
        assert {"jobs"} == (await management.queues()).keys()
        assert {"work"} == (await management.exchanges()).keys()
        assert ("work", "jobs", "job") in {
            (row["source"], row["destination"], row["routing_key"]) for row in await management.bindings()
        }
        assert await management.publish("work", "job", '{"prompt": "hello"}', {"priority": 7})
        assert not await management.publish("work", "nobody", "lost")
        (message,) = await management.take("jobs")
        assert (message["payload"], message["properties"]["priority"]) == ('{"prompt": "hello"}', 7)


async def test_the_management_client_sees_consumers_and_closes_connections(
    vhost_url: str, management: Management
) -> None:
    connection = await aio_pika.connect(vhost_url, client_properties={"connection_name": "harness"})
    async with connection:
        queue = await (await connection.channel()).declare_queue("jobs", durable=True)
        await queue.consume(_ignore, consumer_tag="tag-1", no_ack=True)
        await wait_until(management.consumers, what="the consumer in the statistics")
        await wait_until(management.connections, what="the connection in the statistics")
        assert [row["consumer_tag"] for row in await management.consumers()] == ["tag-1"]
        (row,) = await management.connections()
        assert row["client_properties"]["connection_name"] == "harness"
        await management.close_connection(row["name"])
        await wait_until(lambda: not connection.connected.is_set(), what="the closing of the connection")


async def _ignore(_message: AbstractIncomingMessage) -> None:
    """Take a delivery and do nothing."""
