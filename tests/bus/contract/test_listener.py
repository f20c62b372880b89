"""A queue of one's own: what is not read yet stays with the broker, and nothing is lost, over both brokers."""

import asyncio

from bus.codec import decode_result, encode_result
from bus.listener import PREFETCH, Listener
from bus.routing_keys import result_key
from schemas import TaskResult, TaskStatus
from tests.support.bus_world import World, within

MANY = 2 * PREFETCH + 50


async def publish_results(world: World, count: int) -> list[str]:
    """Publish so many results; return their task ids."""
    results = [TaskResult(task_id=str(number), status=TaskStatus.COMPLETED) for number in range(count)]
    key = result_key("a", TaskStatus.COMPLETED)
    for result in results:
        await world.broker.publish(world.topology.results, key, encode_result(result), mandatory=False)
    return [result.task_id for result in results]


def results_of(world: World) -> Listener[TaskResult]:
    return Listener(
        world.broker, world.topology, "results", decode_result, exchange=world.topology.results, keys=("#",)
    )


async def test_what_a_slow_reader_has_not_read_stays_with_the_broker(world: World) -> None:
    async with results_of(world) as listener:
        ids = await publish_results(world, MANY)
        await world.until_ready(listener.queue, MANY - PREFETCH)
        reader = aiter(listener)
        first = [(await within(anext(reader))).task_id for _ in range(10)]
        await world.until_ready(listener.queue, MANY - PREFETCH - 10)
        rest = [(await within(anext(reader))).task_id for _ in range(MANY - 10)]
        assert first + rest == ids
        await world.until_ready(listener.queue, 0)


async def test_a_slow_reader_loses_nothing_over_a_cut(world: World) -> None:
    async with results_of(world) as listener:
        ids = await publish_results(world, MANY)
        await world.until_ready(listener.queue, MANY - PREFETCH)
        await world.cut()
        seen: list[str] = []
        async with asyncio.timeout(20):
            async for result in listener:
                seen.append(result.task_id)
                if set(seen) == set(ids):
                    break
    # What was being delivered at the cut comes twice.
    assert len(seen) <= MANY + PREFETCH


async def test_a_listener_waits_until_messages_come_again(world: World) -> None:
    async with results_of(world) as listener:
        await within(listener.until_consuming())
        await world.cut()
        await within(listener.until_consuming())
        (task_id,) = await publish_results(world, 1)
        assert (await within(anext(aiter(listener)))).task_id == task_id
