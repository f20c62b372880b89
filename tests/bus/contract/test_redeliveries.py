"""What comes back: counted where its process may have died of it, and never where it was handed back on purpose."""

import asyncio

import pytest

from bus import reception as reception_module
from bus.attempt import Attempt
from bus.envelope import REDELIVERIES_HEADER, read_envelope
from bus.errors import NotNowError
from bus.retry import RetryPolicy
from schemas import TaskResult, TaskStatus
from tests.support.at_work import at_work, error_of, raising
from tests.support.bus_world import AGENT, RUNGS_MS, Worker, World, completed, within
from tests.support.fault_world import every_result
from tests.support.waiting import wait_until

TWICE = RetryPolicy(max_attempts=3, base=0.01, factor=1, jitter=0, max_redeliveries=2)
"""Up to two redeliveries, so three starts."""


@pytest.fixture
def no_cooling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception_module, "COOLING_SECONDS", 0.01)


@pytest.mark.classic_queues("the broker counts redeliveries there: no copy, no wait, no history")
async def test_a_task_that_ends_its_process_each_time_is_given_up_with_its_history(world: World) -> None:
    worker = Worker(hold=True)
    task = await world.client.submit(AGENT, "poison", priority=7)
    for _ in range(3):
        async with world.consumer(worker, policy=TWICE):  # left without a stop, as by a process that dies
            assert (await worker.next()).number == 1
    async with at_work(world, worker, policy=TWICE) as ends:
        result = await ends.next()
    assert (result.task_id, result.status, result.attempt, worker.runs) == (task.id, TaskStatus.FAILED, 1, 3)
    assert (error_of(result).code, result.redelivered) == ("poison", True)
    assert "delivered 4 times and never settled" in error_of(result).message
    assert [(past.number, past.error.code, past.host) for past in result.history] == [(1, "lost", "host-1")] * 2
    dead = await world.take(world.topology.dead_queue(AGENT))
    assert (dead.headers["x-error-reason"], dead.headers[REDELIVERIES_HEADER], dead.priority) == ("poison", 2, 7)
    assert read_envelope(dead.headers).history == result.history


@pytest.mark.classic_queues("the broker counts redeliveries there: no copy, no wait, no history")
async def test_each_loss_waits_a_rung_longer_and_uses_no_attempt(world: World) -> None:
    worker = Worker(hold=True)
    await world.client.submit(AGENT, "x", max_attempts=1)
    loop = asyncio.get_running_loop()
    for wait_ms in (0, *RUNGS_MS):
        began = loop.time()
        async with world.consumer(worker, policy=TWICE):
            await worker.next()
            assert loop.time() - began >= wait_ms / 1000
    worker.leave.set()
    unlimited = RetryPolicy(max_attempts=3, max_redeliveries=9)
    async with at_work(world, worker, policy=unlimited) as ends:
        result = await ends.next()
    assert (result.status, result.attempt, len(result.history)) == (TaskStatus.COMPLETED, 1, 3)


@pytest.mark.classic_queues("the broker counts redeliveries there: no copy, no wait, no history")
async def test_what_was_held_beside_a_poisonous_task_completes(world: World) -> None:
    started: asyncio.Queue[Attempt] = asyncio.Queue()
    life = 0

    async def act(attempt: Attempt) -> TaskResult:
        started.put_nowait(attempt)
        if attempt.task.prompt == "poison" or life == 1:
            await asyncio.Event().wait()
        return completed(attempt)

    poison = await world.client.submit(AGENT, "poison")
    innocent = {(await world.client.submit(AGENT, "innocent")).id for _ in range(2)}
    async with every_result(world) as results:
        for life, starts in ((1, 3), (2, 3), (3, 1)):
            async with world.consumer(act, prefetch=3, policy=TWICE) as consumer:
                for _ in range(starts):
                    await within(started.get())
                if life == 2:
                    ended = [await within(anext(results)) for _ in innocent]
                    # Their results are out before their deliveries are settled.
                    await wait_until(lambda: consumer.held == 1, what="the poisonous task to be alone")
        async with world.consumer(act, prefetch=3, policy=TWICE) as consumer:
            buried = await within(anext(results))
            await within(consumer.stop(grace=5))
    assert {(end.task_id, end.status, end.attempt) for end in ended} == {(i, TaskStatus.COMPLETED, 1) for i in innocent}
    assert all(end.redelivered and len(end.history) == 1 for end in ended)
    assert (buried.task_id, buried.status) == (poison.id, TaskStatus.FAILED)
    assert await world.ready(world.queue) == 0


@pytest.mark.classic_queues("what is handed back is a copy there, at the end of the queue")
@pytest.mark.usefixtures("no_cooling")
async def test_a_task_that_is_handed_back_again_and_again_is_never_counted_and_keeps_its_place(world: World) -> None:
    worker = raising(*[NotNowError("the breaker is open")] * 5)
    for prompt in ("first", "second"):
        await world.client.submit(AGENT, prompt, max_attempts=1)
    policy = RetryPolicy(max_redeliveries=0)
    async with at_work(world, worker, policy=policy) as ends:
        results = [await ends.next() for _ in range(2)]
    assert [(await worker.next()).task.prompt for _ in range(7)] == ["first"] * 6 + ["second"]
    assert [(end.status, end.attempt, end.history) for end in results] == [(TaskStatus.COMPLETED, 1, ())] * 2
    assert [end.redelivered for end in results] == [True, False]


@pytest.mark.usefixtures("no_cooling")
async def test_what_runs_is_handed_back_in_a_pause_and_is_never_counted(world: World) -> None:
    worker = Worker(hold=True)
    await world.client.submit(AGENT, "x", max_attempts=1)
    async with at_work(world, worker, policy=RetryPolicy(max_redeliveries=0)) as ends:
        for _ in range(3):
            await worker.next()
            await within(ends.consumer.pause("so that it is handed back"))
            await within(ends.consumer.hand_back())
            await world.until_ready(world.queue, 1)
            ends.consumer.resume()
        worker.leave.set()
        result = await ends.next()
    assert (result.status, result.attempt, result.history) == (TaskStatus.COMPLETED, 1, ())
    assert (worker.runs, worker.cancelled) == (4, 3)


@pytest.mark.classic_queues("the broker counts redeliveries there: no copy, no wait, no history")
async def test_many_stops_in_a_row_are_no_sign_of_poison(world: World) -> None:
    worker = Worker(hold=True)
    await world.client.submit(AGENT, "x", max_attempts=1)
    once = RetryPolicy(max_redeliveries=1)
    for _ in range(4):
        async with world.consumer(worker, policy=once) as consumer:
            await worker.next()
            await within(consumer.stop(grace=0))
            await world.until_ready(world.queue, 1)
    worker.leave.set()
    async with at_work(world, worker, policy=once) as ends:
        result = await ends.next()
    # A host that stops hands back a copy, so that the next one does not take it for what a crash has left.
    assert (result.status, result.attempt, result.history) == (TaskStatus.COMPLETED, 1, ())
    assert not result.redelivered


async def test_an_own_redelivery_after_a_cut_is_not_counted(world: World) -> None:
    worker = Worker(hold=True)
    async with at_work(world, worker, policy=RetryPolicy(max_redeliveries=0)) as ends:
        await world.client.submit(AGENT, "x")
        await worker.next()
        for _ in range(3):
            await world.cut()
        await world.client.submit(AGENT, "behind the redelivery")
        worker.leave.set()
        results = [await ends.next() for _ in range(2)]
    assert [(end.status, end.history) for end in results] == [(TaskStatus.COMPLETED, ())] * 2
    assert worker.runs == 2
