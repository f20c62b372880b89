"""Entry: a request as the schedule sees it, and where it is started."""

from collections.abc import Hashable
from dataclasses import dataclass

Lane = Hashable


@dataclass(frozen=True, slots=True)
class Entry:
    """A request that waits for a slot."""

    id: str
    priority: int
    """Higher goes first."""
    lane: Lane | None
    """What makes a server reload a model; None is bound to no model and takes a slot but no lane."""
    arrived: float
    """Monotonic seconds."""
    order: int
    """The place in the line. An entry that comes back for a retry keeps its own."""
    server: str | None = None
    """The only server it may run on, even where that one is shut; None for any open one."""


@dataclass(frozen=True, slots=True)
class Start:
    """What the schedule has started, and on which server."""

    entry: Entry
    server: str
