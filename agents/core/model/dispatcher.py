"""Dispatcher: the way of one request to its answer, over as many tries, servers and pulls as it is worth.

A try that failed in passing gives its slot back, waits a moment and queues again, at its old place in the line; where
there is another server it goes on there.
"""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from typing import TypeVar

import structlog

from agents.core.model.blame import Excuses, fault_at_server
from agents.core.model.call import Call
from agents.core.model.errors import (
    ModelCircuitOpen,
    ModelError,
    ModelNotFound,
    ModelServerFault,
    ModelUnavailable,
)
from agents.core.model.lane import Lane
from agents.core.model.prober import Prober
from agents.core.model.retry import retry_delay
from agents.core.model.server import ModelServer
from agents.core.model.servers import ServerGroup
from agents.core.model.statistics import PoolStats
from agents.core.model.tries import Tries

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Dispatcher:
    """Runs calls. `sleep` waits between two tries."""

    def __init__(
        self,
        tries: Tries,
        servers: ServerGroup,
        prober: Prober,
        stats: PoolStats,
        *,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._tries = tries
        self._servers = servers
        self._prober = prober
        self._stats = stats
        self._sleep = sleep
        self._excuses = Excuses()

    async def run(self, call: Call[T]) -> T:
        """Return the call's result; count it, and pull its model where a server says that it is missing.

        Raises:
            ModelError: the failure of the last try, see model/errors.py; ModelCircuitOpen in its place where that
                failure was part of an outage (see blame.py).
        """
        noted = nullcontext() if call.scope is None else call.scope.calling(partial(self._was_cut_off_by_outage, call))
        with self._stats.request(), noted:
            return await self._until_answered(call)

    async def _until_answered(self, call: Call[T]) -> T:
        while True:
            try:
                result = await self._tries.once(call)
            except ModelNotFound as exc:
                await self._find_model(call, exc)
            except ModelError as exc:
                await self._go_on_after(call, exc)
            else:
                call.at.models.note_used(call.model)
                return result

    async def _find_model(self, call: Call[T], error: ModelNotFound) -> None:
        """Have a missing model pulled where it was asked for, or go on at a server that has it.

        Nobody waits for a pull while another server has the model. Where it cannot be pulled, those that have not
        been asked yet are asked; only then is it missing. A server's word that it is missing holds for the whole
        call, whatever its list says, so that no two servers send it to and fro.
        """
        lacking = call.at
        call.missing_at.add(lacking.name)
        if call.server is None and (other := await self._other_with_model(call)) is not None:
            lacking.models.begin_pull(call.model)
            call.next_at = other.name
            return
        if lacking.name not in call.pulled_at:  # once is enough: a model that is missing after its pull stays so
            try:
                await self._pull(call, lacking)
            except ModelNotFound as exc:
                error = exc
            else:
                return
        left = [server for server in self._servers.others(lacking) if server.name not in call.pulled_at]
        if call.server is not None or not left:
            raise error
        call.next_at = left[0].name

    async def _other_with_model(self, call: Call[T]) -> ModelServer | None:
        known = self._servers.other_with(call.model, call.at, call.missing_at)
        if known is not None or call.has_looked_around:
            return known
        call.has_looked_around = True
        await self._servers.look_around(call.at)
        return self._servers.other_with(call.model, call.at, call.missing_at)

    async def _pull(self, call: Call[T], server: ModelServer) -> None:
        """Return when the call's next try may find its model there. Raises ModelError, as `_go_on_after` too."""
        call.pulled_at.add(server.name)
        call.next_at = server.name
        try:
            await server.models.obtain(call.model, call.pulls_seen)
        except ModelNotFound:
            raise
        except ModelError as exc:
            call.pulled_at.remove(server.name)  # the pull broke off; the next one goes on where it stopped
            await self._go_on_after(call, exc)

    async def _go_on_after(self, call: Call[T], error: ModelError) -> None:
        """Return when it is time for the next try; raise what the call fails by where there is to be none."""
        if isinstance(error, ModelCircuitOpen):
            if call.server is None and self._servers.usable:
                call.next_at = None  # the circuit of its server has just opened, and another one is left
                return
            delay = None
        else:
            call.fail(error)
            delay = None if call.has_spoken else retry_delay(error, len(call.failures), call.max_retries)
        if delay is None:
            await self._end(call, error)
            return
        other = self._servers.next_after(call.at, call.model) if call.server is None else None
        call.next_at = None if other is None else other.name
        log.info("model.retrying", model=call.model, code=error.code, error=str(error), seconds=round(delay, 3))
        await self._sleep(delay)

    async def _end(self, call: Call[T], error: ModelError) -> None:
        """Raise what the call fails by, see blame.py; return where an outage of one server leaves it another."""
        fault = fault_at_server(call.failures)
        task = None if call.scope is None else call.scope.task
        if fault is None or not isinstance(error, ModelServerFault | ModelCircuitOpen):
            raise error
        if task is None:
            raise fault.error if isinstance(error, ModelCircuitOpen) else error
        is_gone = isinstance(error, ModelUnavailable) and isinstance(error, ModelServerFault)
        is_outage = is_gone or await self._is_out_of_order(fault.server, fault.began, call.lane)
        if not is_outage or not self._excuses.excuse((task.agent, task.id)):
            raise fault.error
        if call.has_spoken or call.server is not None or not self._servers.others(fault.server):
            raise ModelCircuitOpen(
                f"the model server is out of order, and not for this task alone: {fault.error}",
                retry_after=self._servers.retry_after,
            ) from fault.error
        log.info(
            "model.elsewhere", model=call.model, url=fault.server.name, code=fault.error.code, error=str(fault.error)
        )
        call.failures.clear()
        call.next_at = None

    async def _was_cut_off_by_outage(self, call: Call[T]) -> bool:
        """Say of a call that was cut off whether the server that it was at is to blame, and its task excused."""
        task = None if call.scope is None else call.scope.task
        if task is None or not call.began:
            return False
        is_outage = await self._is_out_of_order(call.at, call.began, call.lane)
        return is_outage and self._excuses.excuse((task.agent, task.id))

    async def _is_out_of_order(self, server: ModelServer, since: float, lane: Lane) -> bool:
        return server.vitals.failed_since(since) or not await self._prober.can_generate(server, lane)
