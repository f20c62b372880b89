"""OllamaConnectionPool: all requests of a process to one model server, in order, few at a time, behind one breaker."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import structlog

from agents.core.arguments import positive_or_none, whole_at_least
from agents.core.circuit_breaker import CircuitBreaker, CircuitState
from agents.core.model.completion import Completion, Embeddings
from agents.core.model.connection import ConnectionShelf
from agents.core.model.dispatcher import Call, Dispatcher
from agents.core.model.errors import ModelError, ModelPoolClosed, ModelServerFault
from agents.core.model.lane import Lane, lane_of
from agents.core.model.names import resolve_model
from agents.core.model.requests import GenerateRequest, ModelRequest, chat_request, generate_request
from agents.core.model.server_url import parse_url, url_from_environment
from agents.core.model.statistics import PoolStats, pool_report
from agents.core.model.store import ModelStore
from agents.core.model.task_scope import OnChunk, current_priority, current_scope
from agents.core.model.timeouts import ModelTimeouts
from agents.core.ollama_client import OllamaClient, Transport
from agents.core.request_queue import RequestQueue
from schemas import HIGHEST, Usage

log = structlog.get_logger(__name__)

T = TypeVar("T")

QUEUE_SIZE: Final = 10_000
"""Waiting requests of a pool's own queue. What really bounds them is each consumer's prefetch; this stops a bug."""


LINGER_SHARE: Final = 0.05
SHORT_LINGER_SECONDS: Final = 0.03
SHORT_LINGER_SHARE: Final = 0.3
LONGEST_LINGER_SECONDS: Final = 0.1


def linger_after(ran: float) -> float:
    """Return how long a slot stays empty after a request that ran `ran` seconds, while others wait for it.

    An agent holds as many tasks as its prefetch; a more urgent one waits behind them in the broker until one of them is
    settled, which takes some 10 ms from the end of its request. Without this moment, the next of those that are held
    would be at the model already.
    """
    # 30 ms is what a settlement takes here; a request shorter than 0.1 s gets less, since it is no long wait either.
    least = min(SHORT_LINGER_SECONDS, ran * SHORT_LINGER_SHARE)
    return min(LONGEST_LINGER_SECONDS, max(least, ran * LINGER_SHARE))


class OllamaConnectionPool:
    """Asks models of one server; use it as `async with`.

    Args:
        base_url: the server; None takes OLLAMA_URL or OLLAMA_BASE_URL, else http://localhost:11434.
        max_connections: slots, which is how many requests run at once. More wait, by priority and model.
        min_connections: connections made at the start and never swept.
        default_model: for requests that name none.
        connection_timeout: seconds to connect.
        request_timeout: seconds for one whole try.
        max_retries: further tries after a failure in passing: no connection, a 5xx, a broken stream, overload.
        cleanup_interval: seconds after which an idle connection above the minimum is closed (within twice that).
        model_cache_size: how many of the models used last `models_cached` counts.
        breaker: None makes one that counts ModelServerFault. One of yours should expect the same.
        queue: None makes one with `max_connections` slots. One of yours is not closed with the pool.
        lanes_in_flight: how many models may run at once, where the pool makes the queue.
        auto_pull: pull a missing model, once; without it a missing model raises ModelNotFound.
        transport: how bytes reach the server, for tests.
        client_factory: makes a connection's client, in place of address, timeouts and transport.
        clock: monotonic seconds.
        sleep: waits between two tries.

    Raises:
        ValueError: an argument out of range, or `base_url` is no http address.
    """

    def __init__(
        self,
        base_url: str | None = None,
        max_connections: int = 2,
        min_connections: int = 1,
        default_model: str = "tinyllama",
        connection_timeout: float = 30,
        request_timeout: float = 300,
        max_retries: int = 3,
        cleanup_interval: float = 300,
        model_cache_size: int = 5,
        *,
        breaker: CircuitBreaker | None = None,
        queue: RequestQueue | None = None,
        lanes_in_flight: int = 1,
        auto_pull: bool = True,
        transport: Transport | None = None,
        client_factory: Callable[[], OllamaClient] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        for field, seconds in (
            ("connection_timeout", connection_timeout),
            ("request_timeout", request_timeout),
            ("cleanup_interval", cleanup_interval),
        ):
            positive_or_none(field, seconds)
        whole_at_least("max_retries", max_retries, 0)
        whole_at_least("model_cache_size", model_cache_size, 0)
        _check_connections(max_connections, min_connections)
        address = base_url or url_from_environment()
        self.safe_url = parse_url(address).address
        self.default_model = resolve_model(default_model)
        self.max_connections = max_connections
        self.max_retries = max_retries
        timeouts = ModelTimeouts(connect=connection_timeout, load=request_timeout, total=request_timeout)
        make = client_factory or (lambda: OllamaClient(address, timeouts=timeouts, transport=transport))
        name = f"ollama {self.safe_url}"
        self.breaker = breaker or CircuitBreaker(expected_exception=ModelServerFault, name=name)
        self.queue = queue or RequestQueue(
            QUEUE_SIZE, max_connections, max_retries=0, name=name, lanes_in_flight=lanes_in_flight, linger=linger_after
        )
        self._owns_queue = queue is None
        self._control = make()
        self._shelf = ConnectionShelf(make, minimum=min_connections, clock=clock)
        self._models = ModelStore(self._control, auto_pull=auto_pull, cache_size=model_cache_size, clock=clock)
        self._stats = PoolStats(clock)
        self._dispatcher = Dispatcher(
            self.queue,
            self.breaker,
            self._shelf,
            self._models,
            self._stats,
            try_timeout=request_timeout,
            clock=clock,
            sleep=sleep,
        )
        self._cleanup_interval = cleanup_interval
        self._answered: Lane | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        if self._is_closed:
            raise ModelPoolClosed("a closed pool cannot be opened again: make a new one")
        self._shelf.fill()
        self._sweeper = asyncio.create_task(self._keep_sweeping(), name=f"ollama-pool-sweeper {self.safe_url}")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def generate(
        self,
        prompt: str,
        model: str | None = None,
        system: str | None = None,
        temperature: float = 0.7,
        max_tokens: int = 2048,
        **options: Any,
    ) -> str:
        """Return the text that a model makes of a prompt.

        `format`, `think`, `suffix`, `template`, `raw` and `images` become fields of the request, all other keyword
        arguments options of the model.

        Raises:
            ModelError: see model/errors.py.
        """
        return (await self.complete(generate_request(prompt, model, system, temperature, max_tokens, options))).text

    async def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        model: str | None = None,
        temperature: float = 0.7,
        max_tokens: int = 2048,
        **options: Any,
    ) -> str:
        """Return a model's answer to a conversation. `format`, `think` and `tools` become fields of the request.

        Raises:
            ModelError: see model/errors.py.
        """
        return (await self.complete(chat_request(messages, model, temperature, max_tokens, options))).text

    async def complete(
        self, request: ModelRequest, *, priority: int | None = None, on_chunk: OnChunk | None = None
    ) -> Completion:
        """Ask a model and return its whole answer with what it cost, the wait for a slot included.

        Without `priority` and `on_chunk` those of the task's scope hold. Once a chunk has been handed on, a failure
        is raised instead of tried again: a second answer would repeat the text, and only the one who shows it can
        take back the first. The task's own retry does that, and says so with its `retrying` event.

        Raises:
            ModelError: see model/errors.py.
        """
        scope = current_scope()
        listener = on_chunk or (scope.on_chunk if scope else None)
        asked = replace(request, model=self._resolve(request.model))

        async def operation(client: OllamaClient) -> Completion:
            return await client.complete(asked, call.noting(listener))

        call = self._call(operation, asked.model, asked.options, priority)
        completion = await self._dispatcher.run(call)
        self._answered = call.lane
        return replace(completion, usage=_account(completion.usage, call.slot_wait))

    async def embeddings(self, text: str, model: str | None = None) -> list[float]:
        """Return the vector of a text, of length 1 (L2), from a model made for embeddings.

        Raises:
            NotSupported: the model generates text.
            ModelError: see model/errors.py.
        """
        name = self._resolve(model)

        async def operation(client: OllamaClient) -> Embeddings:
            return await client.embed(name, [text])

        call = self._call(operation, name, {}, None)
        result = await self._dispatcher.run(call)
        _account(result.usage, call.slot_wait)
        return list(result.vectors[0]) if result.vectors else []

    async def preload(self, model: str | None = None, options: Mapping[str, Any] | None = None) -> Usage:
        """Load a model, pulling it first where it is missing, so that the next request finds it warm.

        Raises:
            ModelError: see model/errors.py.
        """
        name = self._resolve(model)

        async def operation(client: OllamaClient) -> Usage:
            return await client.preload(name, options)

        return await self._dispatcher.run(self._call(operation, name, options or {}, None))

    async def probe(self, model: str | None = None) -> Completion:
        """Generate one token, once, as the breaker's probe: /api/tags and the like answer even when no model can.

        Without `model` it asks in the lane of the last answer, which is most likely loaded still, else for the
        default model. It pulls nothing. It goes before all that waits, but through the queue: asking for a second
        model while one runs can lock the server up.

        Raises:
            ModelCircuitOpen: it is not yet time; `retry_after` says when.
            ModelServerFault: the server has not recovered, and the circuit is open again.
            ModelError: another one proves that the server lives, but not that it generates: the circuit stays
                half-open, and the next request is its probe.
        """
        lane = self._answered if model is None and self._answered else Lane(self._resolve(model))
        request = GenerateRequest(model=lane.model, prompt="Hi", options={**dict(lane.options), "num_predict": 1})

        async def operation(client: OllamaClient) -> Completion:
            return await client.complete(request)

        call = Call(operation, lane.model, lane, HIGHEST, max_retries=0, may_pull=False)
        return await self._dispatcher.run(call)

    async def health_check(self) -> bool:
        """Say whether the server can be asked: the breaker is not open, and the server answers at once.

        Busy slots are no sign of bad health; the question has a connection of its own.
        """
        if self._is_closed or self.breaker.state is CircuitState.OPEN:
            return False
        try:
            await self._control.version()
        except ModelError as exc:
            log.debug("pool.unhealthy", url=self.safe_url, code=exc.code, error=str(exc))
            return False
        return True

    async def refresh_models(self) -> list[str]:
        """Ask the server which models it has, and return their full names, sorted.

        Raises:
            ModelError: the server does not answer.
        """
        return await self._models.refresh()

    def get_stats(self) -> dict[str, Any]:
        """Return the keys of docs/names.md: counts, rates 0..1, mean seconds, names of models.

        `error_connections` are those lost to a failure and not yet replaced; `total_connections` includes them.
        `available_models` are those seen so far, by answering or through `refresh_models()`.
        """
        return pool_report(self._stats, self._shelf, self._models)

    async def close(self) -> None:
        """End what waits and what runs with ModelPoolClosed, and close all connections. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        await self._dispatcher.close()
        if self._owns_queue:
            await self.queue.close()
        await self._models.close()
        await self._shelf.close()
        await self._control.close()

    def _resolve(self, model: str | None) -> str:
        return resolve_model((model or "").strip() or self.default_model)

    def _call(
        self,
        operation: Callable[[OllamaClient], Awaitable[T]],
        model: str,
        options: Mapping[str, Any],
        priority: int | None,
    ) -> Call[T]:
        chosen = current_priority() if priority is None else priority
        return Call(operation, model, lane_of(model, options), chosen, self.max_retries)

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(self._cleanup_interval)
            await self._shelf.sweep(self._cleanup_interval)


def _check_connections(most: int, least: int) -> None:
    whole_at_least("max_connections", most, 1)
    whole_at_least("min_connections", least, 0)
    if least > most:
        raise ValueError(f"min_connections is {least}: use at most max_connections ({most})")


def _account(usage: Usage, slot_wait: float) -> Usage:
    """Add the wait for a slot, and the whole to the current task's account."""
    whole = usage.model_copy(update={"slot_wait": slot_wait})
    scope = current_scope()
    if scope is not None:
        scope.add(whole)
    return whole
