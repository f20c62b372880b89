"""TaskScope: what the work on one task carries with it, wherever in its code a model is asked.

`BaseAgentV2` opens one around each handler. The pool reads it, so that a task's priority holds from the publisher
to the model slot and its usage is summed, without an argument through every function in between.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from agents.core.model.thread_calls import ThreadCalls
from agents.core.progress import Progress
from bus.attempt import Attempt
from bus.spent import Spent
from schemas import Priority, TaskMessage, Usage

Judge = Callable[[], Awaitable[bool]]
"""Says of one call that was cut off whether its server is out of order, after asking it for a token."""

OnChunk = Callable[[str], Awaitable[None]]
"""Awaited with each piece of answer text, in order, as it arrives. Its own time counts to no gap timeout."""


@dataclass(slots=True)
class TaskScope:
    """Priority, what was spent so far, and who wants to see text as it comes, for one attempt at one task."""

    priority: int = Priority.NORMAL
    on_chunk: OnChunk | None = None
    spent: Spent = field(default_factory=Spent)
    """The attempt's own account."""
    task: TaskMessage | None = None
    """The task itself, whose own choice of model and options holds."""
    asked: bool = False
    """Whether a model has been asked."""
    served: bool = False
    """Whether a request has had a slot at the model server."""
    unanswered: list[Judge] = field(default_factory=list)
    """One for each call of a model, or of another agent, that is under way, or was cut off."""
    thread_calls: ThreadCalls = field(default_factory=ThreadCalls)
    """What threads ask for the task."""
    attempt: Attempt | None = None
    """The attempt itself, as its consumer made it."""
    progress: Progress | None = None
    """Tells how far the work has come."""
    delegated: Counter[str] = field(default_factory=Counter)
    """What other agents were asked so far, and how often each."""

    def is_waiting(self) -> bool:
        """Whether all that was done so far is waiting for a slot at the model server."""
        return self.asked and not self.served and not self.delegated

    @contextmanager
    def calling(self, judge: Judge) -> Iterator[None]:
        """Keep `judge` for the time of one call. Of one that is cancelled it stays, to be asked for its verdict."""
        self.asked = True
        self.unanswered.append(judge)
        try:
            yield
        except Exception:
            self.unanswered.remove(judge)
            raise
        self.unanswered.remove(judge)

    async def met_outage(self) -> bool:
        """Say, once the work was cut off, whether a server that it waited for is out of order."""
        for judge in self.unanswered:
            if await judge():
                return True
        return False

    @property
    def usage(self) -> Usage:
        """What the calls of models have cost so far."""
        return self.spent.usage

    def add(self, usage: Usage) -> None:
        """Add what one call of a model cost."""
        self.spent.add(usage)


_current: ContextVar[TaskScope | None] = ContextVar("sutazai_task_scope", default=None)


def current_scope() -> TaskScope | None:
    """Return the scope of the task this code works for, or None outside any task."""
    return _current.get()


def current_priority() -> int:
    """Return the priority of the task this code works for; NORMAL outside any task."""
    scope = _current.get()
    return Priority.NORMAL if scope is None else scope.priority


@contextmanager
def task_scope(scope: TaskScope) -> Iterator[TaskScope]:
    """Make `scope` the current one for the block and for the asyncio tasks started in it."""
    token = _current.set(scope)
    try:
        yield scope
    finally:
        _current.reset(token)


@contextmanager
def unheard() -> Iterator[None]:
    """Within the block, text is for nobody's eyes: it is not told as it comes. All else stays the task's."""
    scope = _current.get()
    if scope is None:
        yield
        return
    with task_scope(replace(scope, on_chunk=None)):
        yield
