"""What must not cost a slot for good: faults of ours, of a handler that will not end, and results nobody can carry."""

import asyncio
import contextlib

import pytest

from bus import reception as reception_module
from bus import run as run_module
from bus.attempt import Attempt
from bus.errors import MessageTooLarge, RetryableError
from bus.message import Message
from bus.patience import Patience
from schemas import EventKind, TaskError, TaskResult, TaskStatus
from tests.support.bus_world import AGENT, Worker, World, completed, within
from tests.support.faulty_brokers import Through
from tests.support.waiting import wait_until


class SmallBroker(Through):
    """Takes no message beyond 1,000 bytes."""

    async def before(self, exchange: str, message: Message) -> None:  # noqa: ARG002 - wherever it goes
        if len(message.body) > 1_000:
            raise MessageTooLarge("the message is larger than the broker takes")


class OnceBroken(Through):
    """Its first announcement fails in a way that nobody foresees."""

    broken = False

    def announce(self, exchange: str, key: str, message: Message) -> None:
        if not self.broken:
            self.broken = True
            raise RuntimeError("a fault of ours")
        super().announce(exchange, key, message)


async def test_a_task_whose_copy_is_too_large_fails_in_place_of_being_tried_again(world: World) -> None:
    async def busy(_: Attempt) -> TaskResult:
        raise RetryableError("busy")

    async with (
        world.client.results() as results,
        world.consumer(busy, broker=SmallBroker(world.broker)) as consumer,
    ):
        await world.publish_plain(AGENT, '{"prompt": "%s"}' % ("x" * 900), {"message_id": "t-1"})
        result = await within(anext(results))
        await within(consumer.stop(grace=5))
    assert (result.task_id, result.status) == ("t-1", TaskStatus.FAILED)
    assert result["error"].code == "task_too_large"
    assert len((await world.take(world.topology.dead_queue(AGENT))).body) == 914
    assert await world.ready(world.queue) == 0


async def test_a_result_that_is_too_large_ends_the_task_as_failed(world: World) -> None:
    async def talkative(attempt: Attempt) -> TaskResult:
        return completed(attempt).model_copy(update={"result": "x" * 5_000})

    async with world.client.results() as results, world.consumer(talkative, broker=SmallBroker(world.broker)):
        await world.client.submit(AGENT, "x")
        result = await within(anext(results))
    assert result.status is TaskStatus.FAILED
    assert isinstance(result.error, TaskError)
    assert result.error.code == "result_too_large"


async def test_a_delivery_that_a_fault_of_ours_kept_is_given_back_and_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception_module, "CRASH_SECONDS", 0.05)
    async with world.client.results() as results, world.consumer(Worker(), broker=OnceBroken(world.broker)) as consumer:
        await world.client.submit(AGENT, "x")
        assert (await within(anext(results))).status is TaskStatus.COMPLETED
        await within(consumer.stop(grace=2))
    assert await world.ready(world.queue) == 0


async def test_a_handler_that_will_not_end_is_waited_for_with_a_bound(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "UNWILLING_SECONDS", 0.1)
    leave = asyncio.Event()

    async def unwilling(attempt: Attempt) -> TaskResult:
        while not leave.is_set():
            try:
                await leave.wait()
            except asyncio.CancelledError:
                continue
        return completed(attempt)

    async with world.client.results() as results, world.consumer(unwilling):
        await world.client.submit(AGENT, "x", timeout=0.2)
        assert (await within(anext(results))).status is TaskStatus.EXPIRED
        leave.set()


async def test_no_handler_outlives_its_consumer(world: World) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def tidy(attempt: Attempt) -> TaskResult:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(20):
                await asyncio.sleep(0)
            ended.set()
        return completed(attempt)

    async with world.consumer(tidy):
        await world.client.submit(AGENT, "x")
        await within(started.wait())
    assert ended.is_set()


async def test_half_a_surrogate_pair_in_an_event_costs_the_event_and_nothing_else(world: World) -> None:
    async def careless(attempt: Attempt) -> TaskResult:
        attempt.emit(EventKind.CHUNK, text="\ud83d", sequence=0)
        return completed(attempt)

    async with world.client.results() as results, world.consumer(careless):
        await world.client.submit(AGENT, "x")
        assert (await within(anext(results))).status is TaskStatus.COMPLETED


async def test_a_task_whose_handler_will_not_end_is_not_run_again_beside_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "UNWILLING_SECONDS", 0.05)
    leave, running, most = asyncio.Event(), 0, 0

    async def stubborn(attempt: Attempt) -> TaskResult:
        nonlocal running, most
        running += 1
        most = max(most, running)
        while not leave.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await leave.wait()
        running -= 1
        return completed(attempt)

    patience = Patience(acknowledgement=10, attempt=0.05)
    async with (
        world.client.results() as results,
        world.client.events(kind=EventKind.RETRYING) as retries,
        world.consumer(stubborn, prefetch=2, patience=patience) as consumer,
    ):
        await world.client.submit(AGENT, "x")
        await within(anext(retries))
        await wait_until(lambda: consumer.held == 0, what="the first attempt to be put off")
        leave.set()
        result = await within(anext(results))
        await within(consumer.stop(grace=5))
    assert (result.status, result.attempt, most) == (TaskStatus.COMPLETED, 2, 1)
