"""What an agent tells of the tasks in its hands."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from bus.attempt import Attempt
from bus.ending import end_tasks
from bus.held import TOLD_MOST, held_tasks
from bus.inflight import Entry
from bus.run import Run
from schemas import TaskResult
from tests.support.entries import NOON, entry_of


def entry(task_id: str, *, came: float) -> Entry:
    """A task that came at a moment of the monotonic clock."""
    held = entry_of(id=task_id)
    return replace(held, incoming=replace(held.incoming, key=task_id), delivered_at=came)


async def _for_ever() -> TaskResult:
    await asyncio.Event().wait()
    raise AssertionError


@asynccontextmanager
async def run_of(held: Entry, *, began: float, is_waiting: bool = False) -> AsyncIterator[Run]:
    """A handler at work on a task since a moment of the monotonic clock."""
    attempt = Attempt(held.task, 1, redelivered=False, queue_wait=0.0, emit=lambda *_, **__: None)
    attempt.is_waiting = lambda: is_waiting
    work = asyncio.create_task(_for_ever(), name="work")
    run = Run(held, attempt, work)
    run.started = began
    try:
        yield run
    finally:
        await end_tasks([work])


async def test_what_runs_is_told_first_then_what_is_settled_then_what_waits_the_oldest_first() -> None:
    early, at_work, asks, late = (entry(name, came=came) for name, came in (("a", 1), ("b", 2), ("c", 3), ("d", 4)))
    over = entry("e", came=0)
    over.is_settling = True
    async with run_of(at_work, began=8) as busy, run_of(asks, began=3.5, is_waiting=True) as queued:
        told = held_tasks([late, over, asks, at_work, early], [busy, queued], 10.0, NOON)
    assert [(task.id, task.state, (NOON - task.since).total_seconds()) for task in told] == [
        ("b", "running", 2),
        ("e", "settling", 10),
        ("a", "waiting", 9),
        ("c", "waiting", 6.5),
        ("d", "waiting", 6),
    ]


def test_no_more_are_told_than_a_report_bears() -> None:
    entries = [entry(f"t{number}", came=number) for number in range(3 * TOLD_MOST)]
    told = held_tasks(list(reversed(entries)), [], 100.0, NOON)
    assert [task.id for task in told] == [f"t{number}" for number in range(TOLD_MOST)]
    assert told[0].since == NOON - timedelta(seconds=100)


def test_nothing_is_told_of_nothing() -> None:
    assert held_tasks([], [], 0.0, NOON) == []
