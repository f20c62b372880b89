"""Properties that no datetime and no text can hold: one such message must not end the connection of a whole host."""

from typing import Any

import aio_pika
import pytest

from schemas import TaskStatus
from tests.support.bus_world import AGENT, Worker, World, within
from tests.support.management import Management


@pytest.mark.parametrize("timestamp", [0, 1_700_000_000_000, 99_999_999_999_999_999, 2**63 - 1])
async def test_an_absurd_timestamp_is_absent_and_the_agent_goes_on(
    world: World, management: Management, timestamp: int
) -> None:
    worker = Worker()
    async with world.client.results() as results, world.consumer(worker) as consumer:
        assert await management.publish(world.topology.tasks, AGENT, '{"prompt": "x"}', {"timestamp": timestamp})
        assert (await within(anext(results))).status is TaskStatus.COMPLETED
        await within(consumer.stop(grace=5))
    assert (worker.runs, await world.ready(world.queue)) == (1, 0)


async def test_headers_of_every_kind_come_through_to_the_dead_letter(world: World, vhost_url: str) -> None:
    headers: dict[str, Any] = {
        "i": -(2**62),
        "f": 0.5,
        "b": bytearray(b"\xff\x00"),
        "n": None,
        "l": [1, "a", {"k": True}],
    }
    connection = await aio_pika.connect(vhost_url)
    async with world.client.results() as results, world.consumer(Worker()), connection, connection.channel() as channel:
        exchange = await channel.get_exchange(world.topology.tasks)
        await exchange.publish(aio_pika.Message(b"not json", headers=headers), routing_key=AGENT)
        assert (await within(anext(results))).status is TaskStatus.REJECTED
    kept = (await world.take(world.topology.dead_queue(AGENT))).headers
    assert {name: kept[name] for name in headers} == headers
