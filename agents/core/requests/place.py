"""Place: where a request is in the line, and on which server it runs."""

from contextvars import Context, ContextVar
from dataclasses import dataclass
from typing import Final

_server: Final[ContextVar[str]] = ContextVar("agents.request.server")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A place in the line of one queue, kept over several requests that follow each other."""

    order: int
    arrived: float
    """Monotonic seconds."""


def current_server() -> str:
    """Return the name of the server that the queue has chosen for the request that runs here.

    Raises:
        LookupError: not called by a function that a RequestQueue runs.
    """
    try:
        return _server.get()
    except LookupError:
        raise LookupError("no request runs here: ask for its server in a function that a RequestQueue runs") from None


def enter_server(context: Context, server: str) -> None:
    """Let what runs in the context know its server."""
    context.run(_server.set, server)
