"""What a limit of its time ends during an outage costs a task no attempt, over both brokers."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bus.attempt import Attempt
from bus.patience import Patience
from schemas import TaskResult, TaskStatus
from tests.support.at_work import at_work, error_of
from tests.support.bus_world import AGENT, World, completed, within

SHORT = Patience(attempt=0.2)
"""An attempt may take so many seconds."""

LITTLE_LEFT = Patience(acknowledgement=0.5, attempt=0.2)
"""Half of what a delivery may be held is left after an attempt."""


class Stuck:
    """A handler that never ends its first run, and says `verdict` of it; it completes all others."""

    def __init__(self, verdict: Callable[[], Awaitable[bool]]) -> None:
        self._verdict = verdict
        self.runs: list[int] = []
        self.asked_after_its_end: list[bool] = []
        self.asked = asyncio.Event()
        self._ended = False

    async def __call__(self, attempt: Attempt) -> TaskResult:
        self.runs.append(attempt.number)
        if len(self.runs) > 1:
            return completed(attempt)
        attempt.met_outage = self._tell
        try:
            await asyncio.Event().wait()
        finally:
            self._ended = True
        return completed(attempt)

    async def _tell(self) -> bool:
        self.asked_after_its_end.append(self._ended)
        self.asked.set()
        return await self._verdict()


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def broken() -> bool:
    raise ZeroDivisionError("a fault of the handler's")


async def never() -> bool:
    await asyncio.Event().wait()
    return True


async def test_an_attempt_that_its_limit_ends_in_an_outage_is_handed_back_and_uses_nothing(world: World) -> None:
    stuck = Stuck(yes)
    async with at_work(world, stuck, patience=SHORT) as ends:
        await world.client.submit(AGENT, "x", max_attempts=1)
        result = await ends.next()
    assert (result.status, result.attempt, result.history) == (TaskStatus.COMPLETED, 1, ())
    assert stuck.runs == [1, 1]
    assert stuck.asked_after_its_end == [True]


@pytest.mark.parametrize("verdict", [no, broken])
async def test_without_an_outage_the_attempt_is_used(world: World, verdict: Callable[[], Awaitable[bool]]) -> None:
    async with at_work(world, Stuck(verdict), patience=SHORT) as ends:
        await world.client.submit(AGENT, "x", max_attempts=1)
        result = await ends.next()
    assert (result.status, error_of(result).code) == (TaskStatus.FAILED, "timeout")


async def test_a_verdict_is_waited_for_only_while_the_broker_lets_the_delivery_be_held(world: World) -> None:
    async with at_work(world, Stuck(never), patience=LITTLE_LEFT) as ends:
        await world.client.submit(AGENT, "x", max_attempts=1)
        result = await ends.next()
    assert (result.status, error_of(result).code) == (TaskStatus.FAILED, "timeout")


async def test_a_task_whose_deadline_passes_is_expired_at_once_and_the_outage_is_looked_into(world: World) -> None:
    stuck = Stuck(never)
    async with at_work(world, stuck) as ends:
        await world.client.submit(AGENT, "x", timeout=0.3)
        assert (await ends.next()).status is TaskStatus.EXPIRED
        await within(stuck.asked.wait())
    assert stuck.runs == [1]


async def test_a_deadline_that_passes_while_the_verdict_is_out_is_one(world: World) -> None:
    stuck = Stuck(never)
    async with at_work(world, stuck, patience=SHORT) as ends:
        await world.client.submit(AGENT, "x", timeout=0.5)
        assert (await ends.next()).status is TaskStatus.EXPIRED
    assert (stuck.runs, stuck.asked.is_set()) == ([1], True)


async def test_a_task_that_is_cancelled_while_the_verdict_is_out_is_cancelled(world: World) -> None:
    stuck = Stuck(never)
    async with at_work(world, stuck, patience=SHORT) as ends:
        task = await world.client.submit(AGENT, "x")
        await within(stuck.asked.wait())
        ends.consumer.cancel(task.id)
        assert (await ends.next()).status is TaskStatus.CANCELLED


async def test_a_cancelled_task_is_not_looked_into(world: World) -> None:
    stuck = Stuck(yes)
    started = asyncio.Event()

    async def act(attempt: Attempt) -> TaskResult:
        started.set()
        return await stuck(attempt)

    async with at_work(world, act) as ends:
        task = await world.client.submit(AGENT, "x")
        await within(started.wait())
        ends.consumer.cancel(task.id)
        assert (await ends.next()).status is TaskStatus.CANCELLED
    assert not stuck.asked.is_set()


async def test_what_a_verdict_is_out_for_goes_back_with_a_host_that_stops(world: World) -> None:
    stuck = Stuck(never)
    async with at_work(world, stuck, patience=SHORT) as ends:
        await world.client.submit(AGENT, "x", max_attempts=1)
        await within(stuck.asked.wait())
        await within(ends.consumer.stop(grace=0))
        async with at_work(world, stuck) as others:
            result = await others.next()
    assert (result.status, result.attempt, result.history) == (TaskStatus.COMPLETED, 1, ())
