"""What waits to be announced, which nobody waits for: the last state of each thing reported on, and events."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import structlog

from bus.message import Message

log = structlog.get_logger(__name__)

EVENTS_HELD: Final = 1_000
"""Events that may wait for a slow or absent broker. Beyond that the newest are dropped: a text keeps its beginning."""


class Announcement(NamedTuple):
    """A message and where it goes."""

    exchange: str
    key: str
    message: Message


class Announcements:
    """Holds them until the broker takes them: states first, in the order of their last word, then events in theirs.

    Of what tells a state (`Message.state_of`), the last word takes the place of the one before. None is dropped, as
    there are no more than there are things to report on. All else is an event.
    """

    def __init__(self) -> None:
        self._states: dict[tuple[str, str, str], Announcement] = {}
        self._events: deque[Announcement] = deque()
        self._is_any, self._is_none = asyncio.Event(), asyncio.Event()
        self._is_none.set()
        self._lost: int | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._states) + len(self._events)

    def add(self, exchange: str, key: str, message: Message) -> None:
        """Have one wait, or drop it. The first that is dropped is logged, and their number once none waits any more."""
        announcement = Announcement(exchange, key, message)
        if message.state_of is not None:
            subject = (exchange, key, message.state_of)
            self._states.pop(subject, None)  # the last word goes behind what was said before it
            self._states[subject] = announcement
        elif len(self._events) < EVENTS_HELD:
            self._events.append(announcement)
        else:
            self._drop()
        self._is_none.clear()
        self._is_any.set()

    async def until_any(self) -> None:
        """Wait until one waits."""
        await self._is_any.wait()

    async def until_none(self) -> None:
        """Wait until none waits, nor is being sent."""
        await self._is_none.wait()

    @contextlib.contextmanager
    def first(self) -> Iterator[Announcement]:
        """Lend the one that is to be sent next; it does not wait again, however its sending ends."""
        try:
            yield self._states.pop(next(iter(self._states))) if self._states else self._events.popleft()
        finally:
            if not len(self):
                self._is_any.clear()
                self._is_none.set()
                self.end_spell()

    def note_loss(self) -> None:
        """Count one that was lent and could not be sent, while others are being dropped."""
        if self._lost is not None:
            self._lost += 1

    def end_spell(self) -> None:
        """Log how many were lost since the first was dropped, if one was."""
        if self._lost is not None:
            log.warning("announcements.dropped", lost=self._lost)
            self._lost = None

    def _drop(self) -> None:
        if self._lost is None:
            self._lost = 0
            log.warning("announcements.dropping", held=EVENTS_HELD, reason="the broker is away, blocked or too slow")
        self._lost += 1
