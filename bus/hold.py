"""A delivery in the hands of a host, as the bound on all of them sees it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final, Protocol

_orders: Final = count()


class Waiting(Protocol):
    """A delivery's wait, for a handler slot or, in its handler, for the model."""

    def is_waiting(self) -> bool:
        """Whether its work has yet to begin, so that it may go back."""

    def hand_back(self, reason: str) -> None:
        """End the wait: the delivery goes back to its queue."""


class Hold:
    """One delivery in hand, from its arrival to its settlement.

    `priority` is the broker's word; `order` counts up from hold to hold.
    """

    def __init__(self, agent: str, priority: int) -> None:
        self.agent = agent
        self.priority = priority
        self.order = next(_orders)
        self.waiting: Waiting | None = None
        """What it waits for, if anything."""
        self.reason: str | None = None
        """Why it was told to go back, if it was."""
        self.is_leaving = False
        """Whether it was told to go back."""
        self.went_back = False
        """Whether it has gone back to its queue, for whatever reason."""
        self.on_change: Callable[[], None] | None = None
        """Called when it begins or ends to wait for other tasks."""
        self._awaited = 0

    @property
    def may_leave(self) -> bool:
        """Whether it can be handed back now, since its work has not begun."""
        is_free = not self.is_leaving and not self.is_elsewhere
        return is_free and self.waiting is not None and self.waiting.is_waiting()

    @property
    def is_elsewhere(self) -> bool:
        """Whether its work waits for other tasks, which may need its place: then it takes none."""
        return self._awaited > 0

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Within the block, the work waits for another task."""
        self._note_awaited(1)
        try:
            yield
        finally:
            self._note_awaited(-1)

    def _note_awaited(self, more: int) -> None:
        self._awaited += more
        if self.on_change is not None:
            self.on_change()

    def send_back(self, reason: str) -> None:
        """Hand it back; call it only while it may leave."""
        if self.waiting is not None:
            self.is_leaving, self.reason = True, reason
            self.waiting.hand_back(reason)
