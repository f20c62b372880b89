"""RequestQueue: bounded, prioritised access to one or several scarce servers, one lane (model) at a time on each.

What runs next is decided in `requests/schedule.py`, and run by `requests/runner.py`.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import count
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from agents.core.arguments import positive_or_none, whole_at_least
from agents.core.requests.attempt import RetryRules, exponential_backoff, retry_unless_timeout
from agents.core.requests.entry import Entry
from agents.core.requests.place import Ticket
from agents.core.requests.record import (
    QueueClosedError,
    QueueFullError,
    Request,
    RequestCancelledError,
    RequestStatus,
    RequestTimeoutError,
    Work,
)
from agents.core.requests.report import queue_report, server_report, waiting_by_lane, waiting_by_priority
from agents.core.requests.runner import RequestRunner
from agents.core.requests.schedule import Schedule
from agents.core.time_limit import time_limit
from schemas import Priority, parse_priority

__all__ = [
    "QueueClosedError",
    "QueueFullError",
    "RequestCancelledError",
    "RequestPriority",
    "RequestQueue",
    "RequestStatus",
    "RequestTimeoutError",
    "Ticket",
    "exponential_backoff",
    "retry_unless_timeout",
]

RequestPriority = Priority


class RequestQueue:
    """A queue in front of servers each of which can do `max_concurrent` things at once.

    It may be made outside an event loop, and is true even when empty. `async with` closes it.

    Args:
        max_queue_size: requests that may wait, retries included; running ones do not count.
        max_concurrent: requests that run at once on each server.
        timeout: seconds for one attempt's run, waiting not included; None for no limit.
        max_retries: attempts after the first one.
        name: for logs, statistics and the names of tasks.
        lanes_in_flight: different lanes that run at once on each server, where no more are known to fit.
        lane_bound: seconds a lane may wait within its priority while another one is served.
        clock: monotonic seconds.
        backoff: seconds before retry 1, 2, ...; the retry waits without a slot and then takes its old place in line.
        retry_on: whether an attempt that raised this error may be retried.
        linger: from the seconds a request ran, the seconds its slot then stays empty while others wait, so that
            something more urgent that its end sets off may still come before them.
        servers: their names, which appear in logs and statistics; the function that runs asks
            `requests.place.current_server()` which of them it is on.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(
        self,
        max_queue_size: int = 100,
        max_concurrent: int = 3,
        timeout: float | None = 300.0,
        max_retries: int = 2,
        name: str = "request_queue",
        *,
        lanes_in_flight: int = 1,
        lane_bound: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        backoff: Callable[[int], float] = exponential_backoff,
        retry_on: Callable[[Exception], bool] = retry_unless_timeout,
        linger: Callable[[float], float] = lambda _: 0.0,
        servers: Sequence[str] = ("",),
    ) -> None:
        whole_at_least("max_queue_size", max_queue_size, 1)
        whole_at_least("max_concurrent", max_concurrent, 1)
        whole_at_least("max_retries", max_retries, 0)
        positive_or_none("timeout", timeout)
        self.max_queue_size = max_queue_size
        self.max_concurrent = max_concurrent
        self.timeout = timeout
        self.max_retries = max_retries
        self.name = name
        self._clock = clock
        self._order = count()
        schedule = Schedule(max_concurrent, lane_bound, lanes_in_flight, servers)
        self._runner = RequestRunner(name, schedule, RetryRules(backoff, retry_on), clock, linger)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def waiting(self) -> int:
        """How many requests wait, for a slot or for the time of their retry."""
        return self._runner.waiting

    @property
    def active(self) -> int:
        """How many slots are taken, on all servers."""
        return self._runner.schedule.running

    @property
    def loaded_lane(self) -> Hashable | None:
        """The lane started last; None before the first."""
        return self._runner.schedule.loaded_lane

    async def submit(
        self,
        func: Callable[..., Any],
        *args: Any,
        priority: int | str = Priority.NORMAL,
        timeout: float | None = None,
        max_retries: int | None = None,
        request_id: str | None = None,
        lane: Hashable | None = None,
        server: str | None = None,
        deadline: float | None = None,
        place: Ticket | None = None,
        **kwargs: Any,
    ) -> str:
        """Take in `func(*args, **kwargs)` and return the id of the request.

        An async function runs in the event loop; any other runs in a thread, and an awaitable it returns is awaited.
        A thread cannot be stopped: after a timeout or a cancellation it runs on, but its slot is free.

        Args:
            func: what to call, in the context variables of this call.
            args: its positional arguments.
            priority: 0..9, higher first, or a name.
            timeout: instead of the queue's own.
            max_retries: instead of the queue's own; 0 is exactly one attempt.
            request_id: instead of a random one.
            lane: what a server must have loaded for it; None for nothing.
            server: the only one it may run on, even while that is shut; None for any open one.
            deadline: when an attempt must have started, by the queue's clock. A request that waits past it ends as
                timed out; one that runs goes on, and is not retried past it.
            place: where it stands in the line, from ticket(); None is at the end.
            kwargs: its keyword arguments.

        Raises:
            QueueFullError: `max_queue_size` requests wait.
            QueueClosedError: after close().
            ValueError: an argument out of range, an unknown server, or a request_id that is known already.
        """
        request_id = uuid4().hex if request_id is None else request_id
        self._check_room(request_id)
        place = place or self.ticket()
        entry = Entry(request_id, parse_priority(priority), lane, place.arrived, place.order, server)
        self._runner.add(self._request(entry, Work(func, args, kwargs), timeout, max_retries, deadline))
        return request_id

    def ticket(self) -> Ticket:
        """Return the place at the end of the line, for requests that follow each other and stand there together.

        So a second try that is submitted anew does not wait behind all that came since the first.
        """
        return Ticket(next(self._order), self._clock())

    def shut_server(self, name: str) -> None:
        """Start nothing more on a server but what is pinned to it. What runs there goes on.

        Raises ValueError if no server has that name.
        """
        self._runner.shut_server(name)

    def open_server(self, name: str) -> None:
        """Use a server again. Raises ValueError if none has that name."""
        self._runner.open_server(name)

    def note_loaded(self, name: str, lanes: Iterable[Hashable], *, together: bool = False) -> None:
        """Say which lanes a server holds in memory, all of them; without this, it is taken to be what ran last.

        If it was seen to hold them `together`, they may run side by side, whatever `lanes_in_flight` says, until
        another lane runs there or fewer are said to be loaded. Raises ValueError if no server has that name.
        """
        self._runner.note_loaded(name, lanes, together=together)

    async def submit_and_wait(self, func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Submit, with the arguments of submit(), and return the result, which is not kept for get_result().

        Cancelling the wait cancels the request.
        """
        request_id = await self.submit(func, *args, **options)
        try:
            return await self.get_result(request_id)
        except asyncio.CancelledError:
            await self.cancel_request(request_id)
            raise
        finally:
            self._runner.book.forget(request_id)

    async def get_result(self, request_id: str, timeout: float | None = None) -> Any:
        """Wait for the result and return it, or raise the request's own exception. Any number may ask, and again.

        Raises:
            KeyError: the id was never given out, or its result was forgotten.
            RequestCancelledError: the request was cancelled.
            RequestTimeoutError: no result within `timeout` seconds (the request goes on), or the request timed out.
        """
        request = self._runner.book.open.get(request_id)
        if request is None:
            return self._runner.book.outcome(request_id).unwrap()
        late = RequestTimeoutError(f"request {request_id!r} had no result within {timeout} s: it goes on, ask again")
        async with time_limit(timeout, late):
            await request.done.wait()
        assert request.outcome is not None  # noqa: S101 - done is set together with the outcome
        return request.outcome.unwrap()

    def get_request_status(self, request_id: str) -> RequestStatus | None:
        """Return where the request is; None if the id is not known."""
        return self._runner.book.status(request_id)

    async def cancel_request(self, request_id: str) -> bool:
        """Cancel a waiting or running request; False if it has finished or is not known.

        The slot of a running one is free as soon as its function lets the cancellation through.
        """
        request = self._runner.book.open.get(request_id)
        if request is None:
            return False
        self._runner.cancel([request], "was cancelled")
        return True

    async def clear_queue(self) -> int:
        """Cancel all waiting requests and return how many there were. Running ones go on."""
        waiting = self._runner.waiting_requests()
        self._runner.cancel(waiting, "was cleared from the queue")
        return len(waiting)

    async def wait_for_completion(self, timeout: float | None = None) -> bool:
        """Wait until no request waits or runs; False if `timeout` seconds went by before that."""
        try:
            async with asyncio.timeout(timeout):
                while self._runner.book.open:
                    await next(iter(self._runner.book.open.values())).done.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Cancel all requests and wait until their functions have ended. May be called again."""
        await self._runner.stop()

    def get_stats(self) -> dict[str, Any]:
        """Return the keys of docs/names.md: seconds, rates and utilisations 0..1, completed requests a second.

        Besides: rejected_requests, waiting_by_priority, waiting_by_lane ("" is no lane), loaded_lane, and servers,
        each with open, slots, active, running_lanes and loaded_lanes.
        """
        return queue_report(self._runner, self.max_queue_size, self._clock())

    def waiting_by_priority(self) -> dict[str, int]:
        """Return how many requests wait under each name of a priority; names without any are left out."""
        return waiting_by_priority(self._runner)

    def waiting_by_lane(self) -> dict[str, int]:
        """Return how many requests wait for each lane, as text; under "" those of no lane."""
        return waiting_by_lane(self._runner)

    def get_server_stats(self, name: str) -> dict[str, Any]:
        """Return what get_stats() has under `servers` for one of them. Raises KeyError if none has that name."""
        return server_report(self._runner.schedule.servers[name])

    def _check_room(self, request_id: str) -> None:
        if self._runner.stopped:
            raise QueueClosedError(f"queue {self.name!r} is closed: make a new one to submit requests")
        if request_id in self._runner.book:
            raise ValueError(f"request_id {request_id!r} is known already: use another one, or none for a random one")
        if self.waiting >= self.max_queue_size:
            self._runner.statistics.rejected += 1
            raise QueueFullError(
                f"queue {self.name!r} is full, max_queue_size={self.max_queue_size} requests wait: "
                "submit again later, or raise the limit"
            )

    def _request(
        self, entry: Entry, work: Work, timeout: float | None, max_retries: int | None, deadline: float | None
    ) -> Request:
        positive_or_none("timeout", timeout)
        max_retries = self.max_retries if max_retries is None else max_retries
        whole_at_least("max_retries", max_retries, 0)
        timeout = self.timeout if timeout is None else timeout
        return Request(entry, work, timeout, max_retries, self._clock(), deadline)
