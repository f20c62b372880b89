"""Runs a handler on one attempt at a task, to its outcome: within the deadline, in a task that no channel owns."""

import asyncio
import contextlib
import time
from collections.abc import Collection
from typing import Any

import structlog

from bus.attempt import Attempt, Handler
from bus.durations import Durations
from bus.ending import end_tasks
from bus.errors import RetryableError
from bus.hold import Hold
from bus.inflight import Entry
from bus.outcome import (
    HandedBack,
    Outcome,
    outcome_of_cancel,
    outcome_of_error,
    outcome_of_expiry,
    outcome_of_result,
)
from bus.patience import Patience
from bus.retry import RetryPolicy, is_on_purpose, logged_text
from bus.run import UNWILLING_SECONDS, Run
from bus.spans import handling
from bus.spent import with_spent
from bus.task_publisher import TaskPublisher
from schemas import EventKind, TaskMessage, TaskResult, now

log = structlog.get_logger(__name__)


class Runner:
    """Runs the handlers of one consumer and knows which of them it has ended, and why."""

    def __init__(
        self,
        handler: Handler,
        publisher: TaskPublisher,
        policy: RetryPolicy,
        rungs_ms: tuple[int, ...],
        patience: Patience,
    ) -> None:
        self._handler = handler
        self._publisher = publisher
        self._policy = policy
        self._rungs_ms = rungs_ms
        self._patience = patience
        self.started = 0
        """Handlers run so far."""
        self.durations = Durations()
        """How long the last ones took, but those that were handed back."""
        self._running: set[Run] = set()
        self._works: dict[asyncio.Task[TaskResult], str] = {}
        self._inquiries: set[asyncio.Task[bool]] = set()

    @property
    def runs(self) -> Collection[Run]:
        """The handlers that run."""
        return self._running

    @property
    def running(self) -> int:
        """How many handlers run."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many of them only wait for their turn, so that their work has yet to begin."""
        return sum(run.is_waiting() for run in self._running)

    def works_on(self, key: str) -> bool:
        """Whether a handler is at this task still, also one that was told to end and has not."""
        return key in self._works.values()

    async def run(self, entry: Entry, hold: Hold | None = None) -> Outcome:
        """Run the handler; cancelled with its caller. `hold` is told of it, so that it can be handed back."""
        left = _seconds_left(entry.task)
        if left is not None and left <= 0:
            return outcome_of_expiry(entry, 0.0)
        attempt = self._attempt(entry, hold)
        work = asyncio.create_task(self._handle(attempt), name=f"task:{entry.task.agent}:{entry.task.id}")
        self._works[work] = entry.incoming.key
        work.add_done_callback(self._works.pop)
        run = Run(entry, attempt, work)
        self._running.add(run)
        self.started += 1
        if hold is not None:
            hold.waiting = run
        try:
            await self._until_over(run, left)
            outcome = with_spent(self._outcome(run), attempt.spent)
            if not isinstance(outcome, HandedBack):
                self.durations.note(run.seconds)
            return outcome
        finally:
            # Cut off with its caller, it is delivered again.
            attempt.comes_again = attempt.comes_again or not work.done()
            work.cancel()
            self._running.discard(run)

    async def close(self) -> None:
        """End what still runs."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(UNWILLING_SECONDS):
                await end_tasks([*self._works, *self._inquiries])

    def hand_back_all(self, reason: str) -> None:
        """Cancel what runs; each ends as handed back, unless its handler still finishes in spite of that."""
        for run in self._running:
            run.hand_back(reason)

    def cancel(self, key: str, reason: str | None) -> bool:
        """End the work on one task because nobody wants it any more; False if it does not run here."""
        found = next((run for run in self._running if run.entry.incoming.key == key), None)
        if found is not None:
            found.impose(outcome_of_cancel(found.entry, reason, found.seconds))
        return found is not None

    async def _until_over(self, run: Run, left: float | None) -> None:
        """Wait for the work within the task's deadline and the limits of an attempt, and end it there."""
        limit = self._patience.for_work(run.entry.delivered_at, run.started)
        await run.until_over(limit if left is None else min(left, limit))
        if run.work.done():
            return
        if run.imposed is not None:
            await run.end()
        elif left is not None and left <= limit:
            run.impose(outcome_of_expiry(run.entry, run.seconds))
            await run.end()
            _ = self._inquire(run)  # for whoever depends on what it finds out, not for this task
        else:
            await self._end_over_limit(run, limit)

    async def _end_over_limit(self, run: Run, limit: float) -> None:
        if run.attempt.is_waiting():
            run.impose(HandedBack(f"its turn did not come within {limit:g} s"))
            await run.end()
            return
        error = TimeoutError(f"the attempt was not done within its limit of {limit:g} s")
        outcome = self._outcome_of_error(run, error)
        run.is_over_limit = True
        await run.end()  # first of all: what it holds may be what the inquiry needs
        run.impose(await self._excuse(run, limit) or outcome)

    async def _excuse(self, run: Run, limit: float) -> Outcome | None:
        """Return what takes the place of a used attempt, if anything: the task met an outage, or is late by now."""
        inquiry = self._inquire(run)
        held, left = self._patience.left(run.entry.delivered_at, time.monotonic()), _seconds_left(run.entry.task)
        await run.until_over(held if left is None else min(held, left), inquiry)
        if inquiry.done():
            was_met = not inquiry.cancelled() and inquiry.result()
            return HandedBack(f"its limit of {limit:g} s ended it in an outage") if was_met else None
        return None if left is None or held < left else outcome_of_expiry(run.entry, run.seconds)

    def _inquire(self, run: Run) -> asyncio.Task[bool]:
        """Have the handler's side find out about an outage, also where nobody waits for the answer."""
        inquiry = asyncio.create_task(_met_outage(run.attempt), name=f"inquiry:{run.work.get_name()}")
        self._inquiries.add(inquiry)
        inquiry.add_done_callback(self._inquiries.discard)
        return inquiry

    def _attempt(self, entry: Entry, hold: Hold | None) -> Attempt:
        def emit(kind: EventKind, **data: Any) -> None:
            self._publisher.event(entry, kind, **data)

        elsewhere = contextlib.nullcontext if hold is None else hold.elsewhere
        return Attempt(entry.task, entry.attempt, entry.redelivered, entry.queue_wait, emit, elsewhere=elsewhere)

    async def _handle(self, attempt: Attempt) -> TaskResult:
        with handling(attempt.task.agent):
            attempt.emit(EventKind.STARTED)
            return await self._handler(attempt)

    def _outcome(self, run: Run) -> Outcome:
        work = run.work
        if run.imposed is not None and not isinstance(run.imposed, HandedBack):
            return run.imposed  # over its limit, or not wanted any more: what comes in spite of that comes too late
        if work.done() and not work.cancelled() and work.exception() is None:
            return outcome_of_result(run.entry, work.result(), run.seconds)
        if run.imposed is not None:
            return run.imposed
        # A handler that lets an inner cancellation out was not cancelled by anybody here: it failed.
        error = RetryableError("the handler was cancelled from inside") if work.cancelled() else _error_of(work)
        shown = None if is_on_purpose(error) else error
        log.info("task.raised", kind=type(error).__name__, error=logged_text(error), exc_info=shown)
        return self._outcome_of_error(run, error)

    def _outcome_of_error(self, run: Run, error: Exception) -> Outcome:
        host, moment = self._publisher.host, now()
        return outcome_of_error(run.entry, error, run.seconds, self._policy, self._rungs_ms, host=host, moment=moment)


async def _met_outage(attempt: Attempt) -> bool:
    try:
        return await attempt.met_outage()
    except Exception:
        # An attempt is used where nobody can say otherwise.
        log.exception("task.inquiry_failed")
        return False


def _seconds_left(task: TaskMessage) -> float | None:
    expires = task.expires_at()
    return None if expires is None else (expires - now()).total_seconds()


def _error_of(work: asyncio.Task[TaskResult]) -> Exception:
    error = work.exception()
    # SystemExit and KeyboardInterrupt end the event loop itself; what is left is an Exception.
    return error if isinstance(error, Exception) else RuntimeError(repr(error))
