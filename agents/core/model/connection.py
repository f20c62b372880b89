"""PooledConnection and ConnectionShelf: connections to one model server, lent out and taken back."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from agents.core.model.errors import ModelError, ModelServerFault
from agents.core.ollama_client import OllamaClient

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class PooledConnection:
    """One client with at most one HTTP connection, since one request at a time uses it."""

    client: OllamaClient
    idle_since: float


class ConnectionShelf:
    """Lends connections: the one used last first, so that the others can grow old and be closed.

    How many are lent at once is the caller's limit. `broken` counts connections lost to a failure of the server
    and not yet replaced; a lent, an idle and a broken one each count once in `total`.
    """

    def __init__(self, make: Callable[[], OllamaClient], *, minimum: int, clock: Callable[[], float]) -> None:
        self._make = make
        self._minimum = minimum
        self._clock = clock
        self._idle: list[PooledConnection] = []
        self._is_closed = False
        self.active = 0
        self.broken = 0
        self.hits = 0
        self.misses = 0

    @property
    def idle(self) -> int:
        """Connections waiting to be lent."""
        return len(self._idle)

    @property
    def total(self) -> int:
        """Lent, idle and broken ones."""
        return self.active + self.idle + self.broken

    def fill(self) -> None:
        """Make connections up to the minimum. Each opens its socket with its first request."""
        while self.active + self.idle < self._minimum:
            self._idle.append(PooledConnection(self._make(), self._clock()))

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[OllamaClient]:
        """Lend a connection for one request. One that failed, or was cut off in mid-answer, is not used again."""
        connection = self._take()
        self.active += 1
        is_sound = False
        try:
            yield connection.client
            is_sound = True
        except ModelServerFault:
            self.broken += 1
            raise
        except ModelError:
            is_sound = True  # the server answered, and refused
            raise
        finally:
            self.active -= 1
            await self._put_back(connection, is_sound=is_sound)

    async def sweep(self, max_idle: float) -> None:
        """Close what has been idle for `max_idle` seconds, down to the minimum."""
        spare = max(0, self.active + self.idle - self._minimum)
        old = [c for c in self._idle if self._clock() - c.idle_since >= max_idle][:spare]
        self._idle = [connection for connection in self._idle if connection not in old]
        for connection in old:
            await connection.client.close()
        if old:
            log.debug("pool.swept", closed=len(old), idle=self.idle)

    async def close(self) -> None:
        """Close all that are idle, and each lent one when it comes back."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.client.close()

    def _take(self) -> PooledConnection:
        if self._idle:
            self.hits += 1
            return self._idle.pop()
        self.misses += 1
        self.broken = max(0, self.broken - 1)
        log.debug("pool.connection_opened", active=self.active + 1, idle=self.idle)
        return PooledConnection(self._make(), self._clock())

    async def _put_back(self, connection: PooledConnection, *, is_sound: bool) -> None:
        if is_sound and not self._is_closed:
            connection.idle_since = self._clock()
            self._idle.append(connection)
        else:
            log.debug("pool.connection_closed", active=self.active, idle=self.idle, is_sound=is_sound)
            await connection.client.close()
