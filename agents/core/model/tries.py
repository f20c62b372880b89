"""Tries: one try of a request, through queue, breaker and connection.

A try waits in the `RequestQueue` for a slot at one of the servers, asks that server's circuit breaker there, and uses
an idle connection or a new one. What queue and breaker raise becomes a ModelError.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar
from uuid import uuid4

from agents.core.circuit_breaker import CircuitBreakerOpenException, CircuitState
from agents.core.model.call import Call
from agents.core.model.errors import (
    ModelCircuitOpen,
    ModelError,
    ModelOverloaded,
    ModelPoolClosed,
    ModelTimeout,
    TimeoutPhase,
)
from agents.core.model.memory_watch import MemoryWatch
from agents.core.model.server import ModelServer
from agents.core.model.servers import ServerGroup
from agents.core.model.statistics import PoolStats
from agents.core.request_queue import (
    QueueClosedError,
    QueueFullError,
    RequestCancelledError,
    RequestQueue,
    RequestTimeoutError,
)
from agents.core.requests.place import current_server

T = TypeVar("T")

BACKSTOP_SECONDS: Final = 30.0
"""How much longer than a try's own timeouts the queue waits before it ends a try that hangs all the same."""


class Tries:
    """Makes tries. `try_timeout` is the longest a client takes for one, in seconds."""

    def __init__(
        self,
        queue: RequestQueue,
        servers: ServerGroup,
        memory: MemoryWatch,
        stats: PoolStats,
        *,
        try_timeout: float,
        clock: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._servers = servers
        self._memory = memory
        self._stats = stats
        self._try_timeout = try_timeout
        self._clock = clock
        self._pending: set[str] = set()
        self._is_closed = False

    async def close(self) -> None:
        """End all tries, waiting or running, with ModelPoolClosed. The queue stays open for others."""
        self._is_closed = True
        for request_id in tuple(self._pending):
            await self._queue.cancel_request(request_id)

    async def once(self, call: Call[T], *, past_breaker: bool = False) -> T:
        """Wait for a slot and ask once. `past_breaker` asks even where the circuit is open, without a word to it.

        Raises:
            ModelCircuitOpen: no server may be asked, or the one whose turn it was has just failed.
            ModelError: see model/errors.py.
        """
        try:
            if self._is_closed:
                raise _closed_error()
            if not past_breaker:
                self._refuse_in_vain(call)
            return await self._queued(call, past_breaker=past_breaker)
        except CircuitBreakerOpenException as exc:
            raise self._circuit_open(call, exc) from exc
        except RequestTimeoutError as exc:
            raise ModelTimeout(
                f"a try at {call.model} hung beyond its timeouts: {exc}", which=TimeoutPhase.TOTAL
            ) from exc
        except QueueFullError as exc:
            raise ModelOverloaded(str(exc)) from exc
        except QueueClosedError as exc:
            raise _closed_error() from exc
        except RequestCancelledError as exc:
            if self._is_closed:
                raise _closed_error() from exc
            raise

    async def _queued(self, call: Call[T], *, past_breaker: bool) -> T:
        request_id = uuid4().hex
        self._pending.add(request_id)
        call.ticket = call.ticket or self._queue.ticket()
        call.begin_wait(self._clock())
        wished = call.server or call.next_at
        try:
            result: T = await self._queue.submit_and_wait(
                self._in_slot,
                call,
                past_breaker=past_breaker,
                priority=call.priority,
                lane=call.lane,
                timeout=self._try_timeout + BACKSTOP_SECONDS,
                max_retries=0,
                request_id=request_id,
                server=None if wished is None else self._servers.named(wished).place,
                place=call.ticket,
            )
        finally:
            call.end_wait(self._clock())
            self._pending.discard(request_id)
        return result

    async def _in_slot(self, call: Call[T], *, past_breaker: bool) -> T:
        call.at = server = self._servers.at(current_server())
        call.began = self._clock()
        call.end_wait(call.began)
        call.pulls_seen = server.models.pulls(call.model)
        call.note_slot()
        if past_breaker and server.breaker.state is not CircuitState.CLOSED:
            return await self._on_connection(call, server)
        return await server.breaker.call(self._on_connection, call, server)

    async def _on_connection(self, call: Call[T], server: ModelServer) -> T:
        server.residents.note_start(call.lane)
        async with server.shelf.lend() as client:
            try:
                with self._counted(call, server):
                    result = await call.operation(client, server.residents.is_warm(call.lane, call.began))
            except ModelError as exc:
                server.vitals.note_error(exc)
                if isinstance(exc, ModelTimeout):
                    server.residents.note_timeout()
                raise
        server.vitals.note_answer(self._clock())
        self._memory.note_answer(server, call.lane)
        return result

    @contextmanager
    def _counted(self, call: Call[T], server: ModelServer) -> Iterator[None]:
        if call.is_probe:
            yield
            return
        with self._stats.answer(), server.counted():
            yield

    def _refuse_in_vain(self, call: Call[T]) -> None:
        """Refuse at once what could only wait for a slot to be refused there."""
        refusing = self._refusing(call)
        if refusing is not None and refusing.breaker.state is CircuitState.OPEN:
            refusing.breaker.acquire().release()  # it raises, and counts the rejected call

    def _refusing(self, call: Call[T]) -> ModelServer | None:
        return self._servers.refusing if call.server is None else self._servers.named(call.server)

    def _circuit_open(self, call: Call[T], rejection: CircuitBreakerOpenException) -> ModelCircuitOpen:
        """Return the error that tells why the circuit is open, where that is known."""
        server = self._refusing(call) or call.at
        reason = server.vitals.trouble or str(rejection)
        wait = self._servers.retry_after or rejection.retry_after
        return ModelCircuitOpen(f"nothing was sent: {reason}", retry_after=wait)


def _closed_error() -> ModelPoolClosed:
    return ModelPoolClosed("the pool of model connections is closed: this process is about to end")
