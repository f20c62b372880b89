"""Call: one request on its way to a model, over all its tries."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from agents.core.model.blame import FailedTry
from agents.core.model.errors import ModelError
from agents.core.model.lane import Lane
from agents.core.model.server import ModelServer
from agents.core.model.task_scope import OnChunk, TaskScope, current_scope
from agents.core.ollama_client import OllamaClient
from agents.core.requests.place import Ticket
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
        """Add the waits for a slot to what the answer cost, and the whole to the task's account."""
        whole = usage.model_copy(update={"slot_wait": self.slot_wait})
        if self.scope is not None:
            self.scope.add(whole)
        return whole
