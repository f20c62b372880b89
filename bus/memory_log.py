"""A log (a stream) of the in-memory broker: it keeps what came and gives it to every reader."""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from bus.memory_queue import MemoryQueue, Stored
from bus.message import Message
from bus.plan import Argument

KEPT: Final = 10_000
"""Messages. A stream on RabbitMQ is bounded by age and bytes; this one lives in a program's memory."""


def _now() -> datetime:
    return datetime.now(UTC)


class MemoryLog(MemoryQueue):
    """Nothing in it waits for a consumer: subscriptions get nothing, and `ready` counts what can be read."""

    def __init__(self, name: str, arguments: Mapping[str, Argument], now: Callable[[], datetime] = _now) -> None:
        super().__init__(name, arguments)
        self._now = now
        self._kept: deque[tuple[datetime, Message]] = deque(maxlen=KEPT)

    @property
    def ready(self) -> int:
        """How many messages can be read."""
        return len(self._kept)

    def put(self, message: Message, key: str) -> Stored:
        """Keep a message; the oldest is forgotten where there are too many."""
        self._kept.append((self._now(), message))
        return Stored(0, next(self._positions), message, key)

    def since(self, moment: datetime) -> list[Message]:
        """Return what came at `moment` or later, oldest first."""
        return [message for came, message in self._kept if came >= moment]
