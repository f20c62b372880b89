"""Outbox: the completions that the coordinator has not been told yet, within a bound."""

import asyncio
from collections import deque
from typing import Final

MAX_COMPLETIONS: Final = 500
MAX_BYTES: Final = 4 * 1024 * 1024
"""Of all that wait together: a result may be as large as the broker takes."""


class Outbox:
    """Keeps bodies in order; beyond its bounds the oldest are dropped, and counted in `dropped`."""

    def __init__(self, max_count: int = MAX_COMPLETIONS, max_bytes: int = MAX_BYTES) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._bodies = deque[bytes]()
        self._bytes = 0
        self._filled = asyncio.Event()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._bodies)

    @property
    def size(self) -> int:
        """Bytes of all that wait."""
        return self._bytes

    def put(self, body: bytes) -> None:
        """Add one at the end. One that is too large alone is dropped with all before it."""
        self._bodies.append(body)
        self._bytes += len(body)
        while len(self._bodies) > self._max_count or self._bytes > self._max_bytes:
            self._leave()
            self.dropped += 1
        self._filled.set()

    async def first(self) -> bytes:
        """Return the oldest once there is one. It stays until `sent` or `give_up`."""
        while not self._bodies:
            self._filled.clear()
            await self._filled.wait()
        return self._bodies[0]

    def sent(self, body: bytes) -> None:
        """Take out what was `first`, unless it was dropped meanwhile."""
        if self._bodies and self._bodies[0] is body:
            self._leave()

    def give_up(self, body: bytes) -> None:
        """Take out what was `first` and count it as dropped."""
        if self._bodies and self._bodies[0] is body:
            self._leave()
            self.dropped += 1

    def _leave(self) -> None:
        self._bytes -= len(self._bodies.popleft())
