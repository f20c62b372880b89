"""Runs a handler on one attempt at a task, to its outcome: within the deadline, in a task that no channel owns."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from bus.ending import end_tasks
from bus.errors import RetryableError
from bus.inflight import Entry
from bus.outcome import Finished, HandedBack, Outcome, outcome_of_error, outcome_of_expiry, outcome_of_result
from bus.retry import RetryPolicy
from bus.task_publisher import TaskPublisher
from schemas import EventKind, TaskMessage, TaskResult, now

log = structlog.get_logger(__name__)


UNWILLING_SECONDS: Final = 2.0
"""What a handler gets to end once it is cancelled. Its slot and its task's outcome do not wait for it any longer."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a handler gets: one attempt at one task. `number` counts from 1; `queue_wait` is in seconds."""

    task: TaskMessage
    number: int
    redelivered: bool
    queue_wait: float
    emit: Callable[..., None]
    """`emit(EventKind.CHUNK, text=..., sequence=...)` announces a step; it never waits and never raises."""


Handler = Callable[[Attempt], Awaitable[TaskResult]]
"""Returns the result of a task, or raises; see `bus.errors.HandlerError` for errors with a meaning."""


class Runner:
    """Runs the handlers of one consumer and knows which of them it has ended, and why."""

    def __init__(
        self, handler: Handler, publisher: TaskPublisher, policy: RetryPolicy, rungs_ms: tuple[int, ...]
    ) -> None:
        self._handler = handler
        self._publisher = publisher
        self._policy = policy
        self._rungs_ms = rungs_ms
        self._running: dict[asyncio.Task[TaskResult], Outcome | None] = {}
        self._works: set[asyncio.Task[TaskResult]] = set()

    @property
    def running(self) -> int:
        """How many handlers run."""
        return len(self._running)

    async def run(self, entry: Entry) -> Outcome:
        """Run the handler; cancelled with its caller."""
        left = _seconds_left(entry.task)
        if left is not None and left <= 0:
            return outcome_of_expiry(entry, 0.0)
        started = time.monotonic()
        work = asyncio.create_task(self._handle(entry), name=f"task:{entry.task.agent}:{entry.task.id}")
        self._works.add(work)
        work.add_done_callback(self._works.discard)
        self._running[work] = None
        try:
            done, _ = await asyncio.wait({work}, timeout=left)
            if not done:
                await self._end(work, outcome_of_expiry(entry, time.monotonic() - started))
            return self._outcome(entry, work, time.monotonic() - started)
        finally:
            work.cancel()
            del self._running[work]

    async def close(self) -> None:
        """End what still runs."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(UNWILLING_SECONDS):
                await end_tasks(self._works)

    def hand_back_all(self, reason: str) -> None:
        """Cancel what runs; each ends as handed back, unless its handler still finishes in spite of that."""
        for work in self._running:
            self._running[work] = HandedBack(reason)
            work.cancel()

    async def _end(self, work: asyncio.Task[TaskResult], outcome: Outcome) -> None:
        self._running[work] = outcome
        work.cancel()
        await asyncio.wait({work}, timeout=UNWILLING_SECONDS)

    async def _handle(self, entry: Entry) -> TaskResult:
        def emit(kind: EventKind, **data: Any) -> None:
            self._publisher.event(entry, kind, **data)

        emit(EventKind.STARTED)
        return await self._handler(Attempt(entry.task, entry.attempt, entry.redelivered, entry.queue_wait, emit))

    def _outcome(self, entry: Entry, work: asyncio.Task[TaskResult], seconds: float) -> Outcome:
        imposed = self._running[work]
        if isinstance(imposed, Finished):
            return imposed  # the deadline has passed: a result that comes in spite of that comes too late
        if not work.cancelled() and work.exception() is None:
            return outcome_of_result(entry, work.result(), seconds)
        if imposed is not None:
            return imposed
        # A handler that lets an inner cancellation out was not cancelled by anybody here: it failed.
        error = RetryableError("the handler was cancelled from inside") if work.cancelled() else _error_of(work)
        log.info("task.raised", kind=type(error).__name__, error=str(error))
        return outcome_of_error(entry, error, seconds, self._policy, self._rungs_ms)


def _seconds_left(task: TaskMessage) -> float | None:
    expires = task.expires_at()
    return None if expires is None else (expires - now()).total_seconds()


def _error_of(work: asyncio.Task[TaskResult]) -> Exception:
    error = work.exception()
    # SystemExit and KeyboardInterrupt end the event loop itself; what is left is an Exception.
    return error if isinstance(error, Exception) else RuntimeError(repr(error))
