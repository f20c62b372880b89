"""One queue of the in-memory broker, with RabbitMQ's rules: priority, prefetch, redelivery, length limit, TTL."""

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

from bus.message import Message
from bus.plan import Argument


@dataclass(order=True, slots=True)
class Stored:
    """A message in a queue. Its order is its rank, then its position: a returned one takes its old place again."""

    rank: int
    position: int
    message: Message = field(compare=False)
    key: str = field(compare=False)
    redelivered: bool = field(default=False, compare=False)


class QueueConsumer:
    """Takes from a queue, at most `prefetch` unsettled at once."""

    def __init__(self, prefetch: int, take: Callable[[Stored], None], cancelled: Callable[[], None]) -> None:
        """`cancelled` is called when the queue has been deleted."""
        self.prefetch = prefetch
        self.take = take
        self.cancelled = cancelled
        self.unsettled: set[int] = set()

    @property
    def has_room(self) -> bool:
        """Whether it may be given another message."""
        return len(self.unsettled) < self.prefetch


class MemoryQueue:
    """Waiting messages and the consumers that take them in turn."""

    _positions: Final = count()

    def __init__(self, name: str, arguments: Mapping[str, Argument]) -> None:
        self.name = name
        self.arguments = dict(arguments)
        self.consumers: list[QueueConsumer] = []
        self._waiting: list[Stored] = []

    @property
    def ready(self) -> int:
        """How many messages wait."""
        return len(self._waiting)

    @property
    def ttl(self) -> float | None:
        """Seconds that a message may wait before it is dead-lettered."""
        milliseconds = self.arguments.get("x-message-ttl")
        return None if milliseconds is None else int(milliseconds) / 1000

    @property
    def refuses(self) -> bool:
        """Whether it is full and says so to the publisher. Without `reject-publish` the head is dropped instead."""
        return self._is_full and self.arguments.get("x-overflow") == "reject-publish"

    @property
    def _is_full(self) -> bool:
        limit = self.arguments.get("x-max-length")
        return limit is not None and len(self._waiting) >= int(limit)

    def put(self, message: Message, key: str) -> Stored:
        """Append a message behind those of its priority."""
        if self._is_full:
            heapq.heappop(self._waiting)
        stored = Stored(-self._clamped(message.priority), next(self._positions), message, key)
        heapq.heappush(self._waiting, stored)
        return stored

    def put_back(self, stored: Stored) -> None:
        """Return a delivered message to its old place, marked as redelivered; a quorum queue counts that."""
        message = stored.message
        if self.arguments.get("x-queue-type") == "quorum":
            times = int(message.headers.get("x-delivery-count", 0)) + 1
            message = replace(message, headers={**message.headers, "x-delivery-count": times})
        heapq.heappush(self._waiting, replace(stored, message=message, redelivered=True))

    def keep(self, stored: Stored) -> None:
        """Put a message that was removed into its old place."""
        heapq.heappush(self._waiting, stored)

    def take(self) -> Stored | None:
        """Take the next message out; None if none waits."""
        return heapq.heappop(self._waiting) if self._waiting else None

    def remove(self, stored: Stored) -> bool:
        """Remove a waiting message; False if it has been delivered or removed already."""
        remaining = [other for other in self._waiting if other.position != stored.position]
        removed = len(remaining) < len(self._waiting)
        heapq.heapify(remaining)
        self._waiting = remaining
        return removed

    def dispatch(self) -> None:
        """Give waiting messages to consumers with room, in turn."""
        while self._waiting and (consumer := self._next_consumer()) is not None:
            stored = heapq.heappop(self._waiting)
            consumer.unsettled.add(stored.position)
            consumer.take(stored)

    def _next_consumer(self) -> QueueConsumer | None:
        for index, consumer in enumerate(self.consumers):
            if consumer.has_room:
                self.consumers.append(self.consumers.pop(index))
                return consumer
        return None

    def _clamped(self, priority: int | None) -> int:
        return min(priority or 0, int(self.arguments.get("x-max-priority", 0)))
