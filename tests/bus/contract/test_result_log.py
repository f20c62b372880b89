"""What a program asks of the past: the results that the log keeps, over both brokers."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from bus.codec import encode_result
from bus.errors import LogUnavailable
from bus.message import Message
from bus.routing_keys import result_key
from schemas import TaskResult, TaskStatus
from tests.support.bus_world import AGENT, Worker, World, within
from tests.support.faulty_brokers import Through

HOUR = timedelta(hours=1)

Log = Callable[..., Awaitable[None]]


@pytest.fixture
async def keep(world: World) -> Log:
    """Publish a result into the log: task id, agent, status, and how long ago it was stamped."""
    for plan in world.topology.logs():
        await world.broker.declare(plan)

    async def publish(task_id: str, agent: str = "a", status: str = "completed", ago: timedelta = timedelta(0)) -> None:
        result = TaskResult(task_id=task_id, agent=agent, status=TaskStatus(status), timestamp=datetime.now(UTC) - ago)
        await world.broker.publish(world.topology.results, result_key(agent, result.status), encode_result(result))

    return publish


async def ids(
    world: World,
    since: datetime | timedelta | float = HOUR,
    *,
    agent: str | None = None,
    status: TaskStatus | None = None,
) -> list[str]:
    async with asyncio.timeout(10), aclosing(world.client.replay(since, agent=agent, status=status)) as past:
        return [result.task_id async for result in past]


async def test_results_of_the_past_come_in_order_and_once_for_each_task(world: World, keep: Log) -> None:
    for task_id in ("1", "2", "1", "3", "2"):
        await keep(task_id)
    assert await ids(world) == ["1", "2", "3"]


async def test_results_are_chosen_by_agent_and_status(world: World, keep: Log) -> None:
    for task_id, agent, status in (("1", "a", "completed"), ("2", "b", "failed"), ("3", "a", "failed")):
        await keep(task_id, agent, status)
    assert await ids(world, agent="a") == ["1", "3"]
    assert await ids(world, status=TaskStatus.FAILED) == ["2", "3"]
    assert await ids(world, agent="a", status=TaskStatus.FAILED) == ["3"]
    assert await ids(world, agent="c") == []


@pytest.mark.parametrize("since", [HOUR, 3600, 3600.0, datetime.now(UTC) - HOUR])
async def test_a_result_stamped_before_the_moment_is_left_out(
    world: World, keep: Log, since: datetime | timedelta | float
) -> None:
    await keep("old", ago=timedelta(hours=2))
    await keep("young", ago=timedelta(minutes=50))
    assert await ids(world, since) == ["young"]


async def test_a_result_stamped_by_a_clock_that_is_ahead_is_not_missed(world: World, keep: Log) -> None:
    await keep("ahead", ago=timedelta(seconds=-30))
    assert await ids(world, datetime.now(UTC) + timedelta(seconds=20)) == ["ahead"]


async def test_all_time_can_be_asked_for(world: World, keep: Log) -> None:
    await keep("1")
    assert await ids(world, timedelta.max) == ["1"]
    assert await ids(world, datetime.min.replace(tzinfo=UTC)) == ["1"]


async def test_what_is_no_result_is_passed_over(world: World, keep: Log) -> None:
    for body in (b"not json", b"\xff", b'{"task_id": 1}'):
        await world.broker.publish(world.topology.results, "a.completed", Message(body))
    await keep("readable")
    assert await ids(world) == ["readable"]


async def test_a_result_of_a_real_task_is_there_once_its_asker_has_it(world: World, keep: Log) -> None:  # noqa: ARG001 - declares the log
    async with world.consumer(Worker()):
        answered = await within(world.client.ask(AGENT, "x"))
    async with aclosing(world.client.replay(HOUR)) as past:
        assert [result async for result in past] == [answered]


async def test_without_a_log_the_error_says_what_to_do(world: World) -> None:
    with pytest.raises(LogUnavailable, match=r"`sutazai topology`.*`rabbitmqctl enable_feature_flag stream_queue`"):
        await ids(world)


@pytest.mark.parametrize(
    ("since", "told"),
    [
        (datetime(2026, 1, 1), "has no time zone"),  # noqa: DTZ001 - the case
        (-1, "since = -1 is no time ago"),
        (timedelta(seconds=-1), "is no time ago"),
        (float("nan"), "is no time ago"),
    ],
)
async def test_what_is_no_moment_of_the_past_is_refused_at_the_call(
    world: World, since: datetime | timedelta | float, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        world.client.replay(since)


async def test_who_leaves_early_closes_the_log(world: World, keep: Log) -> None:
    closed: list[str] = []

    class Watched(Through):
        async def read_log(self, name: str, since: datetime) -> AsyncGenerator[Message, None]:
            try:
                async for message in self.inner.read_log(name, since):
                    yield message
            finally:
                closed.append(name)

    world.broker = Watched(world.broker)
    for number in range(3):
        await keep(str(number))
    async with aclosing(world.client.replay(HOUR)) as past:
        assert (await within(anext(past))).task_id == "0"
    assert closed == [world.topology.results_log]
