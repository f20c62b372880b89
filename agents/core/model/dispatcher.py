"""Dispatcher: the way of one request through queue, breaker and connections, as often as it is worth a try.

A try waits in the `RequestQueue` for a slot, asks the circuit breaker there, and uses an idle connection or a new one.
A try that failed in passing gives its slot back, waits a moment and queues again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar
from uuid import uuid4

import structlog

from agents.core.circuit_breaker import CircuitBreaker, CircuitBreakerOpenException, CircuitState
from agents.core.model.connection import ConnectionShelf
from agents.core.model.errors import (
    ModelCircuitOpen,
    ModelError,
    ModelNotFound,
    ModelOverloaded,
    ModelPoolClosed,
    ModelTimeout,
    TimeoutPhase,
)
from agents.core.model.lane import Lane
from agents.core.model.retry import retry_delay
from agents.core.model.statistics import PoolStats
from agents.core.model.store import ModelStore
from agents.core.model.task_scope import OnChunk, TaskScope, current_scope
from agents.core.ollama_client import OllamaClient
from agents.core.request_queue import (
    QueueClosedError,
    QueueFullError,
    RequestCancelledError,
    RequestQueue,
    RequestTimeoutError,
)

log = structlog.get_logger(__name__)

T = TypeVar("T")

BACKSTOP_SECONDS: Final = 30.0
"""How much longer than a try's own timeouts the queue waits before it ends a try that hangs all the same."""


@dataclass(slots=True)
class Call(Generic[T]):
    """One request on its way. `operation` is one try at it.

    `may_pull` allows to pull its model where that is missing. `slot_wait` sums the seconds its tries waited in the
    queue. Once `has_spoken`, it is not tried again. `scope` is that of the task it is made for.
    """

    operation: Callable[[OllamaClient], Awaitable[T]]
    model: str
    lane: Lane
    priority: int
    max_retries: int
    may_pull: bool = True
    slot_wait: float = 0.0
    has_spoken: bool = False
    scope: TaskScope | None = field(default_factory=current_scope)

    def noting(self, listener: OnChunk | None) -> OnChunk | None:
        """Return a listener that notes that text has been handed on."""
        if listener is None:
            return None

        async def heard(text: str) -> None:
            self.has_spoken = True
            await listener(text)

        return heard


class Dispatcher:
    """Runs calls. `try_timeout` is the longest a client takes for one try, in seconds."""

    def __init__(
        self,
        queue: RequestQueue,
        breaker: CircuitBreaker,
        shelf: ConnectionShelf,
        models: ModelStore,
        stats: PoolStats,
        *,
        try_timeout: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._queue = queue
        self._breaker = breaker
        self._shelf = shelf
        self._models = models
        self._stats = stats
        self._try_timeout = try_timeout
        self._clock = clock
        self._sleep = sleep
        self._pending: set[str] = set()
        self._is_closed = False

    async def run(self, call: Call[T]) -> T:
        """Return the call's result; count it, and pull its model where the server says that it is missing.

        Raises:
            ModelError: the failure of the last try, see model/errors.py.
        """
        if call.scope is not None:
            call.scope.asked = True
        with self._stats.request():
            result = await self._try_until_answered(call)
        self._models.note_used(call.model)
        return result

    async def close(self) -> None:
        """End all calls, waiting or running, with ModelPoolClosed. The queue stays open for others."""
        self._is_closed = True
        for request_id in tuple(self._pending):
            await self._queue.cancel_request(request_id)

    async def _try_until_answered(self, call: Call[T]) -> T:
        failures: list[ModelError] = []
        while True:
            seen = self._models.pulls(call.model)
            try:
                return await self._try(call)
            except ModelNotFound:
                if not call.may_pull:
                    raise
                call.may_pull = False  # once is enough: a model that is missing after its pull stays so
                await self._models.obtain(call.model, seen)
            except ModelCircuitOpen:
                # A task whose own tries open the circuit has used an attempt; else a poisonous one would come for ever.
                if failures:
                    raise failures[-1] from None
                raise
            except ModelError as exc:
                failures.append(exc)
                await self._wait_before_retry(call, failures)

    async def _wait_before_retry(self, call: Call[T], failures: list[ModelError]) -> None:
        """Wait, or raise the last failure where another try is not worth it."""
        error = failures[-1]
        delay = None if call.has_spoken else retry_delay(error, len(failures), call.max_retries)
        if delay is None:
            raise error
        log.info("model.retrying", model=call.model, code=error.code, error=str(error), delay=round(delay, 3))
        await self._sleep(delay)

    async def _try(self, call: Call[T]) -> T:
        """Wait for a slot and ask once; what queue and breaker raise becomes a ModelError."""
        try:
            self._refuse_in_vain()
            return await self._queued(call)
        except CircuitBreakerOpenException as exc:
            raise ModelCircuitOpen(f"nothing was sent: {exc}", retry_after=exc.retry_after) from exc
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

    async def _queued(self, call: Call[T]) -> T:
        request_id = uuid4().hex
        self._pending.add(request_id)
        try:
            result: T = await self._queue.submit_and_wait(
                self._in_slot,
                call,
                self._clock(),
                priority=call.priority,
                lane=call.lane,
                timeout=self._try_timeout + BACKSTOP_SECONDS,
                max_retries=0,
                request_id=request_id,
            )
        finally:
            self._pending.discard(request_id)
        return result

    async def _in_slot(self, call: Call[T], asked_at: float) -> T:
        call.slot_wait += self._clock() - asked_at
        if call.scope is not None:
            call.scope.served = True
        return await self._breaker.call(self._on_connection, call)

    async def _on_connection(self, call: Call[T]) -> T:
        async with self._shelf.lend() as client:
            with self._stats.answer():
                return await call.operation(client)

    def _refuse_in_vain(self) -> None:
        """Refuse at once what could only wait for a slot to be refused there."""
        if self._is_closed:
            raise _closed_error()
        if self._breaker.state is CircuitState.OPEN:
            self._breaker.acquire().release()  # it raises, and counts the rejected call


def _closed_error() -> ModelPoolClosed:
    return ModelPoolClosed("the pool of model connections is closed: this process is about to end")
