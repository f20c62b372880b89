"""What came off a rung before a consumer was there may have been handed out before: its result says so."""

from datetime import UTC, datetime, timedelta

import pytest

from bus.codec import encode_task
from bus.rabbit_delivery import left_ladder_before
from schemas import TaskMessage
from tests.support.bus_world import AGENT, Worker, World, within

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def climb(world: World) -> None:
    """Send a task over the shortest rung."""
    key = world.topology.delay_key(world.topology.rungs_ms[0], AGENT)
    await world.broker.publish(world.topology.delay, key, encode_task(TaskMessage(agent=AGENT, prompt="x")))


async def test_a_task_that_left_the_ladder_before_the_consumer_came_is_marked(world: World) -> None:
    async with world.client.results() as results:
        await climb(world)
        await world.until_ready(world.queue, 1)
        async with world.consumer(Worker()):
            assert (await within(anext(results))).redelivered


@pytest.mark.parametrize(
    ("deaths", "marked"),
    [
        (None, False),
        ([], False),
        (["x"], False),
        ([{"time": "noon"}], False),
        ([{"time": NOON.replace(tzinfo=None)}], False),
        ([{"time": NOON}], True),
        ([{"time": NOON - timedelta(days=1)}, {"time": NOON + timedelta(days=1)}], True),
        ([{"time": NOON + timedelta(seconds=1)}], False),
    ],
)
def test_only_a_known_time_on_the_ladder_raises_doubt(deaths: object, marked: bool) -> None:
    assert left_ladder_before({"x-death": deaths}, NOON) is marked
