"""Nobody wants a task any more: before the work, during it, after it, and said before its host was there."""

import asyncio

import pytest

from bus import run as run_module
from bus.attempt import Attempt
from bus.errors import RetryableError
from schemas import TaskResult, TaskStatus
from tests.support.at_work import error_of
from tests.support.bus_world import AGENT, Worker, World, completed, within
from tests.support.fault_world import every_result
from tests.support.obedience import declare_logs, obedient
from tests.support.waiting import wait_until


async def test_a_running_task_is_ended_at_once_and_its_result_says_why(world: World) -> None:
    worker = Worker(hold=True)
    async with obedient(world, worker) as (ends, _):
        task = await world.client.submit(AGENT, "x", metadata={"k": 1})
        await worker.next()
        await world.client.cancel(task.id, reason="changed my mind")
        result = await ends.next()
    assert (result.task_id, result.status, result.metadata) == (task.id, TaskStatus.CANCELLED, {"k": 1})
    assert error_of(result).message == "cancelled during the work: changed my mind"
    assert (worker.cancelled, worker.runs) == (1, 1)


async def test_a_task_that_waits_in_the_queue_is_cancelled_when_it_is_delivered(world: World) -> None:
    worker = Worker(hold=True)
    async with obedient(world, worker) as (ends, ear):
        first, second = [await world.client.submit(AGENT, prompt) for prompt in ("first", "second")]
        await worker.next()
        await world.client.cancel(second.id, agent=AGENT)
        await ear.hears(second.id)
        worker.leave.set()
        results = [await ends.next() for _ in range(2)]
    assert {(end.task_id, end.status) for end in results} == {
        (first.id, TaskStatus.COMPLETED),
        (second.id, TaskStatus.CANCELLED),
    }
    assert error_of(results[1]).message == "cancelled before the work"
    assert worker.runs == 1


async def test_a_task_that_waits_for_a_slot_is_cancelled_without_a_run(world: World) -> None:
    worker = Worker(hold=True)
    async with obedient(world, worker) as (ends, ear):
        await world.client.submit(AGENT, "running")
        await worker.next()
        await within(ends.consumer.pause("so that a fresh consumer with a prefetch of its own comes"))
        ends.consumer.resume()
        waiting = await world.client.submit(AGENT, "waiting")
        await wait_until(lambda: ends.consumer.held == 2, what="the second delivery")
        await world.client.cancel(waiting.id)
        await ear.hears(waiting.id)
        worker.leave.set()
        assert [(await ends.next()).status for _ in range(2)] == [TaskStatus.COMPLETED, TaskStatus.CANCELLED]
    assert worker.runs == 1


async def test_a_task_on_the_ladder_is_cancelled_when_it_comes_back(world: World) -> None:
    def act(attempt: Attempt) -> TaskResult:
        if attempt.task.prompt == "failing":
            raise RetryableError("busy")
        return completed(attempt)

    worker = Worker(act, hold=True)
    async with obedient(world, worker) as (ends, ear):
        failing = await world.client.submit(AGENT, "failing")
        await worker.next()
        await world.client.submit(AGENT, "blocks the only slot", priority="critical")
        worker.leave.set()
        worker.leave = asyncio.Event()
        await worker.next()
        await world.client.cancel(failing.id, reason="enough")
        await ear.hears(failing.id)
        worker.leave.set()
        results = [await ends.next() for _ in range(2)]
    assert [end.status for end in results] == [TaskStatus.COMPLETED, TaskStatus.CANCELLED]
    assert (results[1].attempt, [past.error.message for past in results[1].history]) == (2, ["busy"])
    assert worker.runs == 2


async def test_a_task_that_has_its_result_keeps_it(world: World) -> None:
    async with obedient(world, Worker()) as (ends, ear):
        task = await world.client.submit(AGENT, "x")
        assert (await ends.next()).status is TaskStatus.COMPLETED
        await world.client.cancel(task.id)
        await ear.hears(task.id)
        await world.client.send(task)  # as a late duplicate
        last = await world.client.submit(AGENT, "last")
        assert (await ends.next()).task_id == last.id


async def test_a_handler_that_does_not_want_to_end_holds_up_neither_result_nor_slot(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "UNWILLING_SECONDS", 0.1)
    leave, began = asyncio.Event(), asyncio.Event()

    async def unwilling(attempt: Attempt) -> TaskResult:
        while attempt.task.prompt == "unwilling" and not leave.is_set():
            began.set()
            try:
                await leave.wait()
            except asyncio.CancelledError:
                continue
        return completed(attempt)

    async with obedient(world, unwilling) as (ends, _):
        task = await world.client.submit(AGENT, "unwilling")
        await within(began.wait())
        await world.client.cancel(task.id)
        assert (await ends.next()).status is TaskStatus.CANCELLED
        await world.client.submit(AGENT, "next")
        assert (await ends.next()).result == "next"
        leave.set()


async def test_a_host_that_starts_after_a_task_was_cancelled_obeys(world: World) -> None:
    worker = Worker()
    await declare_logs(world)
    task = await world.client.submit(AGENT, "x")
    await world.client.cancel(task.id, reason="too late for me")
    async with obedient(world, worker) as (ends, _):
        result = await ends.next()
    assert (result.status, worker.runs) == (TaskStatus.CANCELLED, 0)
    assert error_of(result).message == "cancelled before the work: too late for me"


async def test_a_cancelled_task_that_comes_back_from_a_crash_is_neither_counted_nor_tried_again(world: World) -> None:
    worker = Worker(hold=True)
    task = await world.client.submit(AGENT, "x")
    async with world.consumer(worker):  # left without a stop, as by a process that dies
        await worker.next()
    following = world.consumer(worker)
    following.cancel(task.id)
    async with every_result(world) as results, following:
        result = await within(anext(results))
    assert (result.task_id, result.status, result.history) == (task.id, TaskStatus.CANCELLED, ())
    assert worker.runs == 1
