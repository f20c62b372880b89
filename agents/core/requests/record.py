"""A request in the queue, what can become of it, and the errors of the queue.

RequestQueueError
├── QueueFullError         too many requests wait
├── QueueClosedError       submitted after close()
├── RequestCancelledError  asked for the result of a cancelled request
└── RequestTimeoutError    an attempt took too long, a slot or get_result() was waited for too long; a TimeoutError too
"""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any

from agents.core.requests.entry import Entry
from agents.core.requests.invocation import invoke


class RequestQueueError(Exception):
    """Base of the errors of a request queue."""


class QueueFullError(RequestQueueError):
    """Too many requests wait already; this one was not taken."""


class QueueClosedError(RequestQueueError):
    """The queue is closed and takes no more requests."""


class RequestCancelledError(RequestQueueError):
    """The request was cancelled. Not a CancelledError: whoever asks for the result is not cancelled."""


class RequestTimeoutError(RequestQueueError, TimeoutError):
    """An attempt took longer than its timeout, or the request waited past its deadline, or get_result() too long."""


class RequestStatus(StrEnum):
    """Where a request is. The last four are final."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request, or one attempt at it, ended."""

    status: RequestStatus
    result: Any = None
    error: Exception | None = None
    traceback: TracebackType | None = None
    retry_in: float | None = None
    """Seconds until the next attempt; None if this is the end of it."""

    @classmethod
    def failed(
        cls, error: Exception, status: RequestStatus = RequestStatus.FAILED, retry_in: float | None = None
    ) -> "Outcome":
        """Return the outcome that raises `error`."""
        return cls(status, error=error, traceback=error.__traceback__, retry_in=retry_in)

    def unwrap(self) -> Any:
        """Return the result, or raise the error as it was first raised: tracebacks of earlier askers do not pile up."""
        if self.error is not None:
            raise self.error.with_traceback(self.traceback)
        return self.result


@dataclass(frozen=True, slots=True)
class Work:
    """What a request runs, in the context of whoever submitted it."""

    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    context: Context = field(default_factory=copy_context)

    async def run(self) -> object:
        """Run it once."""
        return await invoke(self.func, self.args, self.kwargs)


@dataclass(slots=True, eq=False)
class Request:
    """A request from submission to its outcome."""

    entry: Entry
    work: Work
    timeout: float | None
    max_retries: int
    submitted_at: float
    deadline: float | None = None
    """Until when an attempt may start, in monotonic seconds."""
    alarm: asyncio.TimerHandle | None = None
    """Rings at the deadline."""
    attempts: int = 0
    attempt_began: float = 0.0
    outcome: Outcome | None = None
    task: asyncio.Task[Outcome] | None = None
    """The attempt that runs."""
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def id(self) -> str:
        """The id the queue knows it by."""
        return self.entry.id

    @property
    def status(self) -> RequestStatus:
        """Where it is while it is open. A retry that waits for its time is queued."""
        return RequestStatus.QUEUED if self.task is None else RequestStatus.PROCESSING

    @property
    def waits(self) -> bool:
        """Whether it waits, for a slot or for the time of its retry."""
        return self.task is None and self.outcome is None
