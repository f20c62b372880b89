"""Recovery: probes each server whose circuit has opened, until it closes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from agents.core.circuit_breaker import CircuitState
from agents.core.model.errors import ModelError, ModelOverloaded, ModelUnavailable, is_server_failure
from agents.core.model.server import ModelServer
from agents.core.model.servers import ServerGroup
from bus.ending import end_tasks

log = structlog.get_logger(__name__)

SHORTEST_WAIT_SECONDS: Final = 0.05
"""Between two looks at a breaker that says it is time, while another probe is still out."""

AFTER_CRASH_SECONDS: Final = 5.0
"""Between a probe that failed by a fault of ours and the next."""


class Recovery:
    """Has `probe(server)` called when a breaker says that it is time, one at a time for each server."""

    def __init__(self, servers: ServerGroup, probe: Callable[[ModelServer], Awaitable[object]]) -> None:
        self._servers = servers
        self._probe = probe
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._is_closed = False
        servers.on_change(self._look)

    async def close(self) -> None:
        """Probe no more."""
        self._is_closed = True
        await end_tasks(self._tasks.values())

    def _look(self) -> None:
        for server in self._servers:
            if not self._is_closed and not server.is_usable and server.name not in self._tasks:
                self._start(server)

    def _start(self, server: ModelServer) -> None:
        task = asyncio.create_task(self._until_closed(server), name=f"model-recovery {server.name}")
        self._tasks[server.name] = task
        task.add_done_callback(lambda _: self._tasks.pop(server.name))

    async def _until_closed(self, server: ModelServer) -> None:
        while server.breaker.state is not CircuitState.CLOSED:
            await asyncio.sleep(max(server.breaker.time_until_retry, SHORTEST_WAIT_SECONDS))
            try:
                await self._try(server)
            except Exception:
                # A server that nobody probes, and a host that nobody wakes, are worse than any fault of a probe.
                log.exception("model.probe_crashed", url=server.name)
                await asyncio.sleep(AFTER_CRASH_SECONDS)

    async def _try(self, server: ModelServer) -> None:
        if server.breaker.state is CircuitState.CLOSED:
            return
        try:
            await self._probe(server)
        except ModelUnavailable as error:
            log.debug("model.probe_put_off", url=server.name, reason=str(error))
            await asyncio.sleep(error.retry_after or SHORTEST_WAIT_SECONDS)
        except ModelOverloaded as error:
            log.info("model.probe_failed", url=server.name, reason=str(error))
        except ModelError as error:
            log.info("model.probe_failed", url=server.name, reason=str(error))
            if not is_server_failure(error):
                # It answers, only not with this model: that is for the tasks to hear, not a reason to stay closed.
                await server.breaker.reset()
