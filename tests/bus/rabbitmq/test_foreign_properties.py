"""Properties that no datetime and no text can hold: one such message must not end the connection of a whole host."""

from typing import Any

import aio_pika
import pytest

from bus.attempt import Attempt
from bus.errors import RetryableError
from schemas import TaskResult, TaskStatus
from tests.support.bus_world import AGENT, Worker, World, completed, within
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


@pytest.mark.parametrize("size", [100_000, 130_800], ids=["large", "as large as a frame"])
async def test_headers_that_fill_a_frame_do_not_end_the_connection_with_each_copy(
    world: World, vhost_url: str, size: int
) -> None:
    connection = await aio_pika.connect(vhost_url)
    async with world.client.results() as results, world.consumer(Worker()), connection, connection.channel() as channel:
        exchange = await channel.get_exchange(world.topology.tasks)
        headers: dict[str, Any] = {"large": "x" * size, "small": "kept"}
        await exchange.publish(aio_pika.Message(b"not json", headers=headers), routing_key=AGENT)
        assert (await within(anext(results))).status is TaskStatus.REJECTED
        assert world.broker.links["publishing"] == "connected"
    kept = (await world.take(world.topology.dead_queue(AGENT))).headers
    assert (kept["small"], kept["x-left-out"], "large" in kept) == ("kept", "large", False)


async def test_a_retried_copy_goes_to_one_rung_whatever_further_keys_its_publisher_named(
    world: World, vhost_url: str
) -> None:
    connection = await aio_pika.connect(vhost_url)
    worker = Worker(busy_at_first)
    async with world.client.results() as results, connection, connection.channel() as channel:
        exchange = await channel.get_exchange(world.topology.tasks)
        task = aio_pika.Message(b'{"id": "t", "prompt": "x"}', headers={"CC": [f"200.{AGENT}"]})
        await exchange.publish(task, routing_key=AGENT)
        async with world.consumer(worker) as consumer:
            result = await within(anext(results))
            await within(consumer.stop(grace=5))
    assert (result.status, result.attempt, worker.runs) == (TaskStatus.COMPLETED, 2, 2)
    assert [await world.ready(world.topology.delay_queue(rung)) for rung in world.topology.rungs_ms] == [0, 0]


def busy_at_first(attempt: Attempt) -> TaskResult:
    if attempt.number == 1:
        raise RetryableError("busy")
    return completed(attempt)
