"""Recovery: probes each server whose circuit has opened, until it closes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
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

LOOK_SECONDS: Final = 1.0
"""Between two questions to a server whose circuit is open whether it answers at all; each costs it next to nothing."""

OVERLOAD_SECONDS: Final = 1.0
"""Between a probe that the server was too busy for and the next, where it does not say how long."""

LONGEST_OVERLOAD_SECONDS: Final = 300.0
"""A `Retry-After` beyond this is not waited for: nothing comes through meanwhile, and one token is little to ask."""

AFTER_CRASH_SECONDS: Final = 5.0
"""Between a probe that failed by a fault of ours and the next."""


class Recovery:
    """Has `probe(server)` called when a breaker says that it is time, one at a time for each server.

    `sleep` waits between two probes.
    """

    def __init__(
        self,
        servers: ServerGroup,
        probe: Callable[[ModelServer], Awaitable[object]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._servers = servers
        self._probe = probe
        self._sleep = sleep
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
        # In a context of its own: what it logs is not about the task whose failure opened the circuit.
        task = asyncio.create_task(self._until_closed(server), name=f"model-recovery {server.name}", context=Context())
        self._tasks[server.name] = task
        task.add_done_callback(lambda _: self._note_end(server))

    def _note_end(self, server: ModelServer) -> None:
        del self._tasks[server.name]
        self._look()  # it may have opened again since the task's last look

    async def _until_closed(self, server: ModelServer) -> None:
        while server.breaker.state is not CircuitState.CLOSED:
            try:
                await self._until_time(server)
                await self._try(server)
            except Exception:
                # A server that nobody probes, and a host that nobody wakes, are worse than any fault of a probe.
                log.exception("model.probe_crashed", url=server.name)
                await self._sleep(AFTER_CRASH_SECONDS)

    async def _until_time(self, server: ModelServer) -> None:
        """Wait until the breaker lets a probe through.

        Meanwhile it is looked about whether a server that did not answer at all does again. Only that change brings
        the probe forward: a wedged server may answer all along.
        """
        if server.breaker.time_until_retry <= LOOK_SECONDS:
            await self._sleep(max(server.breaker.time_until_retry, SHORTEST_WAIT_SECONDS))
            return
        was_there = True
        while (left := server.breaker.time_until_retry) > 0:
            is_there = await server.is_there()
            if is_there and not was_there:
                log.info("model.answers_again", url=server.name, seconds=round(left, 1))
                await server.breaker.allow_probe()
                return
            was_there = is_there
            # What the look took is over: a server that swallows connections makes it long.
            await self._sleep(min(server.breaker.time_until_retry, LOOK_SECONDS))

    async def _try(self, server: ModelServer) -> None:
        if server.breaker.state is CircuitState.CLOSED:
            return
        try:
            await self._probe(server)
        except ModelUnavailable as error:
            log.debug("model.probe_put_off", url=server.name, reason=str(error))
            await self._sleep(error.retry_after or SHORTEST_WAIT_SECONDS)
        except ModelOverloaded as error:
            log.info("model.probe_failed", url=server.name, reason=str(error))
            # Its breaker counts no failure, so nothing else makes the next probe wait.
            await self._sleep(min(error.retry_after or OVERLOAD_SECONDS, LONGEST_OVERLOAD_SECONDS))
        except ModelError as error:
            log.info("model.probe_failed", url=server.name, reason=str(error))
            if not is_server_failure(error):
                # It answers, only not with this model: that is for the tasks to hear, not a reason to stay closed.
                await server.breaker.reset()
