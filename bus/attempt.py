"""What a handler gets: one attempt at one task."""

import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from bus.spent import Spent
from schemas import TaskMessage, TaskResult


def _never() -> bool:
    return False


async def _none() -> bool:
    return False


@dataclass(slots=True)
class Attempt:
    """What a handler gets: one attempt at one task. `number` counts from 1; `queue_wait` is in seconds."""

    task: TaskMessage
    number: int
    redelivered: bool
    queue_wait: float
    emit: Callable[..., None]
    """`emit(EventKind.CHUNK, text=..., sequence=...)` announces a step; it never waits and never raises."""
    is_waiting: Callable[[], bool] = field(default=_never)
    """A handler may set this to tell whether the work has yet to begin, since it only waits for its turn. Whoever has
    to end such an attempt hands it back: nothing was tried."""
    met_outage: Callable[[], Awaitable[bool]] = field(default=_none)
    """A handler may set this to tell, once it has been ended at a limit of its time, whether something was out of order
    that the task is not to blame for: then it goes back to its queue, and no attempt is used. It may take its time to
    find out, as long as the broker lets the delivery be held. A task whose deadline has passed does not wait for it."""
    spent: Spent = field(default_factory=Spent)
    """A handler may add to this what the work costs: the result tells it, whether the handler returns or not."""
    elsewhere: Callable[[], AbstractContextManager[None]] = field(default=contextlib.nullcontext)
    """`with attempt.elsewhere():` a handler waits for another task, which may need its place in the host."""
    comes_again: bool = False
    """Whether the handler was ended and the task will be worked on again: what it began elsewhere is wanted still."""


Handler = Callable[[Attempt], Awaitable[TaskResult]]
"""Returns the result of a task, or raises; see `bus.errors.HandlerError` for errors with a meaning."""
