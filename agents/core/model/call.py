"""Call: one request on its way to a model, over all its tries."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from agents.core.model.blame import FailedTry
from agents.core.model.errors import ModelError
from agents.core.model.lane import Lane
from agents.core.model.server import ModelServer
from agents.core.model.spans import slot_wait
from agents.core.model.task_scope import OnChunk, TaskScope, current_scope
from agents.core.ollama_client import OllamaClient
from agents.core.requests.place import Ticket
from bus.tracing import NO_SPAN, Span
from schemas import Usage

T = TypeVar("T")

Operation = Callable[[OllamaClient, bool], Awaitable[T]]
"""One try: the connection to use, and whether the model is known to be loaded there."""


@dataclass(slots=True)
class Call(Generic[T]):
    """One request. `operation` is one try at it; `scope` is that of the task it is made for.

    `server` is the only one that it may ask; None for any. A probe is no request of anybody: it is not counted, and
    nothing is pulled for it.
    """

    operation: Operation[T]
    model: str
    lane: Lane
    priority: int
    max_retries: int
    at: ModelServer
    """Where the latest try went; before the first one, any."""
    server: str | None = None
    is_probe: bool = False
    scope: TaskScope | None = field(default_factory=current_scope)
    slot_wait: float = 0.0
    """Seconds that its tries waited in the queue."""
    waiting_since: float | None = None
    """Since when its latest try waits there; None where that wait is over."""
    wait_span: Span = NO_SPAN
    has_spoken: bool = False
    """Whether text has been handed on; then it is not tried again."""
    ticket: Ticket | None = None
    """Its place in the line, which its later tries keep."""
    began: float = 0.0
    """When the latest try began."""
    pulls_seen: int = 0
    """How many pulls of its model had succeeded there by then."""
    next_at: str | None = None
    """Where the next try should go; None for wherever its turn comes first."""
    failures: list[FailedTry] = field(default_factory=list)
    missing_at: set[str] = field(default_factory=set)
    """Servers that have said to it that its model is missing."""
    has_looked_around: bool = False
    """Whether the other servers have been asked for their models on its behalf."""
    pulled_at: set[str] = field(default_factory=set)
    """Servers where its model was missing, and has been pulled, or could not be."""

    def fail(self, error: ModelError) -> None:
        """Note that the latest try failed."""
        self.failures.append(FailedTry(error, self.at, self.began))

    def noting(self, listener: OnChunk | None) -> OnChunk | None:
        """Return a listener that notes that text has been handed on."""
        if listener is None:
            return None

        async def heard(text: str) -> None:
            self.has_spoken = True
            await listener(text)

        return heard

    def account(self, usage: Usage) -> Usage:
        """Count what the answer cost; return it with the waits for a slot, which are in the task's account already."""
        self.at.tokens.note(usage)
        if self.scope is not None:
            self.scope.add(usage)
        return usage.model_copy(update={"slot_wait": self.slot_wait})

    def begin_wait(self, now: float) -> None:
        """Note that a try waits for a slot from now on."""
        self.waiting_since = now
        self.wait_span = NO_SPAN if self.is_probe else slot_wait(self.model, self.priority)

    def end_wait(self, now: float) -> None:
        """Count the wait of the latest try, once: it is the task's time whether a slot came or not."""
        if self.waiting_since is None:
            return
        waited, self.waiting_since = now - self.waiting_since, None
        self.wait_span.end()
        self.slot_wait += waited
        if self.scope is not None:
            self.scope.add(Usage(slot_wait=waited))

    def note_slot(self) -> None:
        """Note for the task that its request has a slot, so that a failure tells which model and server it met."""
        if self.scope is not None:
            self.scope.served = True
            self.scope.spent.model, self.scope.spent.server = self.model, self.at.name
