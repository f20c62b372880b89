"""How long a task may take, wait and be held, over both brokers."""

import asyncio
import time
from itertools import pairwise

from bus.attempt import Attempt
from bus.envelope import COPIES_HEADER
from bus.errors import RetryableError
from bus.patience import Patience
from bus.retry import RetryPolicy
from schemas import EventKind, TaskResult, TaskStatus
from tests.support.at_work import at_work, error_of, raising
from tests.support.bus_world import AGENT, RUNGS_MS, Worker, World, completed, within
from tests.support.waiting import wait_until

SHORT = Patience(attempt=0.2)
"""An attempt may take so many seconds."""

LITTLE_WAITING = Patience(acknowledgement=5, attempt=3.9)
"""A delivery may wait 0.4 s for a slot."""

HOURS = RetryPolicy(base=3_600, jitter=0)
"""What is tried again, after an hour at the earliest."""


async def test_a_deadline_that_passes_while_another_task_runs_is_answered_without_a_run(world: World) -> None:
    worker = Worker(hold=True)
    async with at_work(world, worker) as ends:
        await world.client.submit(AGENT, "first")
        await worker.next()
        late = await world.client.submit(AGENT, "late", timeout=0.2)
        await wait_until(lambda: late.created_at.timestamp() + 0.2 < time.time(), what="the deadline")
        worker.leave.set()
        assert [(await ends.next()).status for _ in range(2)] == [TaskStatus.COMPLETED, TaskStatus.EXPIRED]
    assert worker.runs == 1


async def test_a_deadline_that_passes_during_the_work_ends_it_with_the_history_so_far(world: World) -> None:
    async def act(attempt: Attempt) -> TaskResult:
        if attempt.number == 1:
            raise RetryableError("busy")
        await asyncio.Event().wait()
        return completed(attempt)

    async with at_work(world, act) as ends:
        await world.client.submit(AGENT, "x", timeout=0.5)
        result = await ends.next()
    assert (result.status, result.attempt, error_of(result).code) == (TaskStatus.EXPIRED, 2, "expired")
    assert "passed during the work" in error_of(result).message
    assert [past.error.message for past in result.history] == ["busy"]
    assert await world.ready(world.topology.dead_queue(AGENT)) == 0


async def test_a_retry_that_could_only_begin_after_the_deadline_is_not_waited_for(world: World) -> None:
    worker = raising(RetryableError("busy"))
    # The first rung would be over before the deadline, the wait of an hour not.
    async with at_work(world, worker, policy=HOURS) as ends:
        await world.client.submit(AGENT, "x", timeout=600)
        result = await ends.next()
    assert (result.status, result.attempt, worker.runs) == (TaskStatus.EXPIRED, 1, 1)
    assert error_of(result).message.startswith("no attempt fits before the deadline ")
    assert error_of(result).message.endswith("; the last one failed: busy")
    assert await world.ready(world.topology.delay_queue(RUNGS_MS[-1])) == 0


async def test_an_attempt_over_its_limit_is_ended_and_tried_again_as_a_timeout(world: World) -> None:
    worker = Worker(hold=True)
    async with at_work(world, worker, patience=SHORT) as ends:
        await world.client.submit(AGENT, "endless", max_attempts=2)
        result = await ends.next()
    assert [(await worker.next()).number for _ in range(2)] == [1, 2]
    assert (result.status, result.attempt, worker.cancelled) == (TaskStatus.FAILED, 2, 2)
    assert error_of(result).code == "timeout"
    assert error_of(result).message.endswith("not done within its limit of 0.2 s")
    assert [(past.error.code, past.seconds >= 0.2) for past in result.history] == [("timeout", True)]
    assert (await world.take(world.topology.dead_queue(AGENT))).headers["x-error-reason"] == "exhausted"


async def test_the_broker_s_patience_is_a_limit_too(world: World) -> None:
    worker = Worker(hold=True)
    async with at_work(world, worker, patience=Patience(acknowledgement=0.5)) as ends:
        await world.client.submit(AGENT, "endless", max_attempts=1)
        assert error_of(await ends.next()).code == "timeout"


async def test_an_attempt_that_only_waited_for_its_turn_is_handed_back_and_uses_nothing(world: World) -> None:
    turns: list[int] = []

    async def act(attempt: Attempt) -> TaskResult:
        turns.append(attempt.number)
        if len(turns) == 1:
            attempt.is_waiting = lambda: True
            await asyncio.Event().wait()
        return completed(attempt)

    async with at_work(world, act, patience=SHORT) as ends:
        await world.client.submit(AGENT, "x", max_attempts=1)
        result = await ends.next()
    assert (result.status, result.attempt, result.history, turns) == (TaskStatus.COMPLETED, 1, (), [1, 1])


async def test_what_waits_too_long_for_a_slot_is_handed_back_and_uses_nothing(world: World) -> None:
    worker = Worker(hold=True)
    async with (
        world.client.events(kind=EventKind.ACCEPTED, task_id="waiting") as deliveries,
        at_work(world, worker, patience=LITTLE_WAITING) as ends,
    ):
        await world.client.submit(AGENT, "running")
        await worker.next()
        await within(ends.consumer.pause("so that a fresh consumer with a prefetch of its own comes"))
        ends.consumer.resume()
        await world.client.submit(AGENT, "x", id="waiting", max_attempts=1)
        for _ in range(2):
            assert (await within(anext(deliveries))).attempt == 1
        assert worker.runs == 1
        worker.leave.set()
        results = [await ends.next() for _ in range(2)]
    assert [(end.status, end.attempt, end.history) for end in results] == [(TaskStatus.COMPLETED, 1, ())] * 2
    assert (worker.runs, worker.most) == (2, 1)


async def test_a_server_s_own_wait_beyond_the_last_rung_is_kept_in_several_hops(world: World) -> None:
    starts: list[float] = []

    def act(_attempt: Attempt) -> TaskResult:
        starts.append(time.monotonic())
        raise RetryableError("busy", retry_after=0.5)

    async with at_work(world, Worker(act)) as ends:
        await world.client.submit(AGENT, "x", max_attempts=2)
        result = await ends.next()
    (waited,) = (later - earlier for earlier, later in pairwise(starts))
    assert waited >= 0.499  # a header keeps milliseconds
    assert (result.status, result.attempt, len(result.history)) == (TaskStatus.FAILED, 2, 1)
    copies = (await world.take(world.topology.dead_queue(AGENT))).headers[COPIES_HEADER]
    assert copies > 1  # on a slow machine a hop takes longer than its rung
