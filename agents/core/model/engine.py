"""PoolEngine: what moves inside a pool, put together, opened and closed."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final, TypeVar

import structlog

from agents.core.model.call import Call
from agents.core.model.completion import Completion
from agents.core.model.dispatcher import Dispatcher
from agents.core.model.lane import Lane
from agents.core.model.memory_watch import MemoryWatch
from agents.core.model.prober import Prober
from agents.core.model.recovery import Recovery
from agents.core.model.server import ModelServer
from agents.core.model.servers import ServerGroup
from agents.core.model.statistics import PoolStats, figures
from agents.core.model.tries import Tries
from agents.core.request_queue import RequestQueue
from bus.ending import end_tasks

log = structlog.get_logger(__name__)

T = TypeVar("T")

AFTER_CRASH_SECONDS: Final = 5.0
"""Between the end of something by a fault of ours and its next beginning."""


class PoolEngine:
    """Runs the calls of one pool, and what goes on beside them. `try_timeout` is the longest try, in seconds."""

    def __init__(
        self,
        queue: RequestQueue,
        servers: ServerGroup,
        probe: Callable[[ModelServer], Awaitable[object]],
        *,
        try_timeout: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """`probe` is called for a server whose circuit is open, when it is time."""
        self._stats = PoolStats(clock)
        self._servers = servers
        self._memory = MemoryWatch(queue, clock)
        self._tries = Tries(queue, servers, self._memory, self._stats, try_timeout=try_timeout, clock=clock)
        self._prober = Prober(self._tries, clock)
        self._dispatcher = Dispatcher(self._tries, servers, self._prober, self._stats, sleep=sleep)
        self._recovery = Recovery(servers, probe)
        self._tasks: list[asyncio.Task[None]] = []

    def open(self, name: str, sweep_every: float) -> None:
        """Make the connections of the start, and close those that stay idle for `sweep_every` seconds."""
        for server in self._servers:
            server.shelf.fill()
        self.own(partial(self._keep_sweeping, sweep_every), f"ollama-pool-sweeper {name}")

    def own(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Run something beside the calls until it is done, or the engine closes. What crashes begins again."""
        self._tasks.append(asyncio.create_task(_until_done(work, name), name=name))

    async def run(self, call: Call[T]) -> T:
        """Return the call's result. Raises ModelError, see `Dispatcher.run`."""
        return await self._dispatcher.run(call)

    async def probe(self, server: ModelServer, lane: Lane) -> Completion:
        """Generate one token. Raises ModelError, see `Prober.probe`."""
        return await self._prober.probe(server, lane)

    def figures(self) -> dict[str, Any]:
        """Return what `OllamaConnectionPool.get_stats` tells."""
        shelves, models = [server.shelf for server in self._servers], [server.models for server in self._servers]
        whole = figures(self._stats, shelves, models)
        return whole | {"servers": {server.name: server.figures() for server in self._servers}}

    async def close(self) -> None:
        """End what waits and what runs with ModelPoolClosed."""
        await end_tasks(self._tasks)
        await self._recovery.close()
        await self._prober.close()
        await self._tries.close()
        await self._memory.close()

    async def _keep_sweeping(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            for server in self._servers:
                await server.shelf.sweep(seconds)


async def _until_done(work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
    while True:
        try:
            return await work()
        except Exception:
            # Nobody awaits it: the fault would be told nowhere, and what it does be missed in silence.
            log.exception("pool.work_crashed", work=name)
            await asyncio.sleep(AFTER_CRASH_SECONDS)
