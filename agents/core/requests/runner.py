"""Runs requests in the order of the schedule: each attempt is a named task that the runner owns.

There is no dispatcher task: adding, cancelling and ending a request each start what may start then.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from agents.core.requests.attempt import RetryRules, attempt, cancelled, expired, outcome_of
from agents.core.requests.book import RequestBook
from agents.core.requests.deadlines import Deadlines
from agents.core.requests.entry import Lane
from agents.core.requests.place import enter_server
from agents.core.requests.record import Outcome, Request
from agents.core.requests.schedule import Schedule
from agents.core.requests.statistics import RequestStatistics

log = structlog.get_logger(__name__)


class RequestRunner:
    """Takes requests from `add` to their outcome in the book."""

    def __init__(
        self,
        name: str,
        schedule: Schedule,
        retries: RetryRules,
        clock: Callable[[], float],
        linger: Callable[[float], float],
    ) -> None:
        self.name = name
        self.schedule = schedule
        self.book = RequestBook()
        self.statistics = RequestStatistics()
        self.stopped = False
        self._retries = retries
        self._clock = clock
        self._linger = linger
        self._deadlines = Deadlines()
        self._backing_off: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[Outcome]] = set()

    @property
    def waiting(self) -> int:
        """How many requests wait, for a slot or for the time of their retry."""
        return self.schedule.waiting + len(self._backing_off)

    def waiting_requests(self) -> list[Request]:
        """Return those that wait, in the order in which they were submitted."""
        return [request for request in self.book.open.values() if request.waits]

    def add(self, request: Request) -> None:
        """Take in a request, and start it if it may."""
        self.schedule.add(request.entry)
        self.book.open[request.id] = request
        self.statistics.submitted(request.submitted_at)
        self._tell("request.queued", request, priority=request.entry.priority, lane=_lane(request))
        self._watch_deadline(request)
        self._start_what_may()

    def cancel(self, requests: Iterable[Request], why: str) -> None:
        """Settle open requests as cancelled. The slot of a running one is free once its task has ended."""
        for request in requests:
            self._drop(request)
            self._settle(request, cancelled(f"request {request.id!r} {why}"))
        self._start_what_may()

    def shut_server(self, name: str) -> None:
        """Start nothing more on a server but what is pinned to it."""
        self.schedule.shut(name, self._clock())
        self._start_what_may()

    def open_server(self, name: str) -> None:
        """Use a server again."""
        self.schedule.open(name)
        self._start_what_may()

    def note_loaded(self, name: str, lanes: Iterable[Lane], *, together: bool) -> None:
        """Note what a server holds in memory, and whether it is known to have room for all of that at once."""
        lanes = tuple(lanes)
        self.schedule.loaded(name, lanes)
        if together:
            self.schedule.fits(name, lanes)
        self._start_what_may()

    async def stop(self) -> None:
        """Start nothing more, cancel all open requests, and wait for all tasks but the caller's own."""
        self.stopped = True
        self.cancel(list(self.book.open.values()), "was cancelled because its queue was closed")
        others = self._tasks - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)

    def _drop(self, request: Request) -> None:
        if request.task is not None:
            _cancel_another(request.task)
        elif (timer := self._backing_off.pop(request.id, None)) is not None:
            timer.cancel()
        else:
            self.schedule.remove(request.id)

    def _watch_deadline(self, request: Request) -> None:
        self._deadlines.add(request)
        if request.deadline is not None:
            seconds = max(0.0, request.deadline - self._clock())
            request.alarm = asyncio.get_running_loop().call_later(seconds, self._ring, request)

    def _ring(self, request: Request) -> None:
        self._expire(request)
        self._start_what_may()

    def _expire(self, request: Request) -> None:
        if request.waits:
            self._drop(request)
            self._settle(request, expired(request.id))

    def _start_what_may(self) -> None:
        now = self._clock()
        # A late loop may free a slot before it rings an alarm.
        for request in self._deadlines.passed(now):
            self._expire(request)
        while not self.stopped and (start := self.schedule.start(now)) is not None:
            self._start(self.book.open[start.entry.id], start.server, now)

    def _start(self, request: Request, server: str, now: float) -> None:
        if not request.attempts:
            self.statistics.started(now - request.submitted_at)
        request.attempts += 1
        request.attempt_began = now
        enter_server(request.work.context, server)
        task = asyncio.create_task(
            attempt(request, self._retries), name=f"{self.name}:{request.id}", context=request.work.context
        )
        request.task = task
        self._tasks.add(task)
        # Not in a `finally` of the task: one that is cancelled before its first step never gets there.
        task.add_done_callback(lambda task: self._attempt_ended(request, task))
        self._tell("request.started", request, tries=request.attempts, server=server, lane=_lane(request))

    def _attempt_ended(self, request: Request, task: asyncio.Task[Outcome]) -> None:
        ran = self._clock() - request.attempt_began
        self._tasks.discard(task)
        self.statistics.attempted(ran)
        request.task = None
        outcome = outcome_of(task, request.id)
        if request.outcome is None:  # else it was cancelled meanwhile
            self._conclude(request, outcome)
        self._free(request, outcome, ran)

    def _free(self, request: Request, outcome: Outcome, ran: float) -> None:
        """Give the slot back: at once, or after a moment in which something more urgent than what waits may come."""
        moment = self._linger(ran) if self.schedule.waiting and outcome.retry_in is None else 0.0
        if moment > 0:
            asyncio.get_running_loop().call_later(moment, self._finish, request.id)
        else:
            self._finish(request.id)

    def _finish(self, request_id: str) -> None:
        self.schedule.finish(request_id, self._clock())
        self._start_what_may()

    def _conclude(self, request: Request, outcome: Outcome) -> None:
        if outcome.retry_in is None or self._is_too_late(request, outcome.retry_in):
            self._settle(request, outcome)
            return
        self._tell("request.retrying", request, seconds=outcome.retry_in)
        timer = asyncio.get_running_loop().call_later(outcome.retry_in, self._retry, request)
        self._backing_off[request.id] = timer

    def _is_too_late(self, request: Request, seconds: float) -> bool:
        return request.deadline is not None and self._clock() + seconds >= request.deadline

    def _retry(self, request: Request) -> None:
        del self._backing_off[request.id]
        self.schedule.add(request.entry)
        self._start_what_may()

    def _settle(self, request: Request, outcome: Outcome) -> None:
        if request.alarm is not None:
            request.alarm.cancel()
        self._deadlines.discard(request)
        self.book.settle(request, outcome)
        self.statistics.ended[outcome.status] += 1
        self._tell("request.finished", request, status=outcome.status.value)

    def _tell(self, event: str, request: Request, **fields: object) -> None:
        """Log what becomes of a request beside what its submitter bound: another's task may have freed its slot."""
        request.work.context.copy().run(log.debug, event, queue=self.name, id=request.id, **fields)


def _lane(request: Request) -> str | None:
    return None if request.entry.lane is None else str(request.entry.lane)


def _cancel_another(task: asyncio.Task[Outcome]) -> None:
    if task is not asyncio.current_task():  # a request that closes its own queue must get to the end of that
        task.cancel()
