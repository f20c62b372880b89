"""Logs: read from a point in time to the present by anybody, without taking anything, over both brokers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from bus.errors import LogUnavailable, TopologyError
from bus.message import Message
from tests.support.bus_world import AGENT, World, within
from tests.support.waiting import wait_until

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
async def logged(world: World) -> World:
    """The world with its logs declared."""
    for plan in world.topology.logs():
        await world.broker.declare(plan)
    return world


async def publish(world: World, *bodies: object) -> None:
    await asyncio.gather(
        *(world.broker.publish(world.topology.results, "a.completed", Message(str(body).encode())) for body in bodies)
    )


def reading(world: World, since: datetime = LONG_AGO) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
    return aclosing(world.broker.read_log(world.topology.results_log, since))


async def bodies(world: World, since: datetime = LONG_AGO) -> list[bytes]:
    async with reading(world, since) as messages:
        return await within(rest_of(messages))


async def rest_of(messages: AsyncIterator[Message]) -> list[bytes]:
    return [message.body async for message in messages]


async def test_everything_comes_in_its_order_and_stays_for_the_next_reader(logged: World) -> None:
    for number in range(5):
        await publish(logged, number)
    assert await logged.broker.queue_info(logged.topology.results_log) is not None
    for _ in range(3):
        assert await bodies(logged) == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_message_is_as_it_was_published(logged: World) -> None:
    sent = Message(
        b'{"a": 1}',
        type="sutazai.result.v1",
        correlation_id="c",
        reply_to="somebody",
        message_id="m",
        timestamp=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        priority=7,
        headers={"x-attempt": 2, "traceparent": "00-a"},
    )
    await logged.broker.publish(logged.topology.results, "a.completed", sent)
    async with reading(logged) as messages:
        assert await within(anext(messages)) == sent


async def test_reading_begins_at_a_point_in_time(logged: World) -> None:
    await publish(logged, "old")
    published = datetime.now(UTC)
    # AMQP says a time in whole seconds.
    await wait_until(lambda: datetime.now(UTC) - published > timedelta(seconds=1.1), what="more than a second to pass")
    since = datetime.now(UTC)
    await publish(logged, "new")
    assert await bodies(logged, since) == [b"new"]
    assert await bodies(logged, published - timedelta(seconds=10)) == [b"old", b"new"]


@pytest.mark.parametrize("since", [datetime.now(UTC) + timedelta(days=1), datetime(9000, 1, 1, tzinfo=UTC)])
async def test_from_a_point_in_the_future_there_is_nothing_and_reading_ends(logged: World, since: datetime) -> None:
    await publish(logged, "now")
    assert await bodies(logged, since) == []


async def test_from_before_all_time_everything_comes(logged: World) -> None:
    await publish(logged, "now")
    assert await bodies(logged, datetime.min.replace(tzinfo=UTC)) == [b"now"]


async def test_an_empty_log_ends_at_once(logged: World) -> None:
    assert await bodies(logged) == []


async def test_all_that_was_confirmed_before_comes_and_reading_ends_while_others_publish(logged: World) -> None:
    confirmed: list[int] = []

    async def publish_for_ever() -> None:
        for number in count():
            await publish(logged, number)
            confirmed.append(number)

    async with asyncio.timeout(20):
        publishing = asyncio.create_task(publish_for_ever(), name="publishing")
        for goal in (50, 100, 150):
            await wait_until(lambda goal=goal: len(confirmed) >= goal, what="some to be confirmed")  # type: ignore[misc]
            before = len(confirmed)
            found = await bodies(logged)
            assert len(found) >= before
            assert found == [b"%d" % number for number in range(len(found))]
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)


async def test_who_leaves_early_leaves_nothing_behind(logged: World) -> None:
    await publish(logged, *range(300))
    tasks = len(asyncio.all_tasks())
    for _ in range(5):
        async with reading(logged) as messages:
            await within(anext(messages))
    await wait_until(lambda: len(asyncio.all_tasks()) <= tasks, what="the readers' tasks to end")
    assert len(await bodies(logged)) == 300


async def test_two_readers_at_once_do_not_disturb_each_other(logged: World) -> None:
    await publish(logged, *range(300))
    async with reading(logged) as one, reading(logged) as other:
        first = await within(anext(one))
        whole = await within(rest_of(other))
        assert [first.body, *await within(rest_of(one))] == whole
    assert sorted(map(int, whole)) == list(range(300))


async def test_after_a_cut_reading_goes_on_where_it_was(logged: World) -> None:
    await publish(logged, *range(1000))
    whole = await bodies(logged)
    async with reading(logged) as messages:
        found = []
        for _ in range(3):
            found += [(await within(anext(messages))).body for _ in range(150)]
            await logged.cut()
        await publish(logged, "later")  # after the call: it may come or not
        found += await within(rest_of(messages))
    assert [body for body in found if body != b"later"] == whole


async def test_a_missing_log_is_named_with_a_remedy(world: World) -> None:
    with pytest.raises(LogUnavailable, match=r"no log 'sutazai.*\.results\.log' on this broker: start an agent or run"):
        await bodies(world)


async def test_a_queue_is_no_log_and_keeps_what_is_in_it(logged: World) -> None:
    await logged.broker.publish(logged.topology.tasks, AGENT, Message(b"a task"))
    with pytest.raises(TopologyError):
        await within(anext(logged.broker.read_log(logged.queue, LONG_AGO)))
    await logged.until_ready(logged.queue, 1)
