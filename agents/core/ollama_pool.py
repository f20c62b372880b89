"""OllamaConnectionPool: all requests of a process to its model servers, in order, few at a time, behind breakers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from agents.core.circuit_breaker import CircuitBreaker
from agents.core.model.addresses import server_addresses
from agents.core.model.call import Call, Operation
from agents.core.model.completion import Completion, Embeddings
from agents.core.model.engine import PoolEngine
from agents.core.model.errors import ModelPoolClosed
from agents.core.model.lane import Lane, lane_of
from agents.core.model.limits import PoolLimits
from agents.core.model.names import resolve_model
from agents.core.model.pool_queue import pool_queue
from agents.core.model.requests import ModelRequest, chat_request, generate_request
from agents.core.model.server import BreakerFactory, make_servers
from agents.core.model.server_url import url_from_environment
from agents.core.model.server_watch import ServerWatch
from agents.core.model.servers import ServerGroup
from agents.core.model.spans import traced_completion, traced_embeddings
from agents.core.model.task_scope import OnChunk, current_priority, current_scope
from agents.core.model.timeouts import ModelTimeouts
from agents.core.model.warmer import warm
from agents.core.ollama_client import OllamaClient, Transport
from agents.core.request_queue import RequestQueue
from schemas import Usage

T = TypeVar("T")


class OllamaConnectionPool:
    """Asks models of one or several servers; use it as `async with`.

    Args:
        base_url: the server, or several: a text with commas, or a sequence. None takes OLLAMA_URL or OLLAMA_BASE_URL,
            else http://localhost:11434.
        max_connections: slots of each server: requests that run there at once. More wait, by priority and model.
        min_connections: connections made at the start and never swept, at each server.
        default_model: for requests that name none.
        connection_timeout: seconds to connect.
        request_timeout: seconds for one whole try.
        max_retries: further tries after a failure in passing: no connection, a 5xx, a broken stream, overload.
        cleanup_interval: seconds after which an idle connection above the minimum is closed (within twice that).
        model_cache_size: how many of the models used last `models_cached` counts, at each server.
        timeouts: all patiences, in place of `connection_timeout` and `request_timeout`.
        breaker: that of the one server, or what makes one for each; it should expect ModelServerFault.
        queue: one of yours, which is not closed with the pool; of several servers, it has the same as the pool.
        lanes_in_flight: models that run at once at a server, beside those that it holds in memory together.
        auto_pull: pull a missing model, once; without it a missing model raises ModelNotFound.
        preload_models: loaded in the background from the start on.
        watch: hold one idle connection to each server, which tells of its death while nobody asks it anything.
        transport: how bytes reach the servers, for tests.
        client_factory: makes a connection's client from a server's address, in place of timeouts and transport.
        clock: monotonic seconds.
        sleep: waits between two tries.

    Raises:
        ValueError: an argument out of range, or an address that is no http address.
    """

    def __init__(
        self,
        base_url: str | Sequence[str] | None = None,
        max_connections: int = 2,
        min_connections: int = 1,
        default_model: str = "tinyllama",
        connection_timeout: float = 30,
        request_timeout: float = 300,
        max_retries: int = 3,
        cleanup_interval: float = 300,
        model_cache_size: int = 5,
        *,
        timeouts: ModelTimeouts | None = None,
        breaker: CircuitBreaker | BreakerFactory | None = None,
        queue: RequestQueue | None = None,
        lanes_in_flight: int = 1,
        auto_pull: bool = True,
        preload_models: Sequence[str] = (),
        watch: bool = False,
        transport: Transport | None = None,
        client_factory: Callable[[str], OllamaClient] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        limits = PoolLimits(
            max_connections,
            min_connections,
            connection_timeout,
            request_timeout,
            max_retries,
            cleanup_interval,
            model_cache_size,
        )
        addresses = server_addresses(base_url or url_from_environment())
        self.safe_url = ", ".join(addresses)
        self.default_model = resolve_model(default_model)
        self.max_connections = max_connections
        self.max_retries = max_retries
        waits = timeouts or limits.timeouts
        make_client = client_factory or (lambda url: OllamaClient(url, timeouts=waits, transport=transport))
        self.queue = queue or pool_queue(tuple(addresses), max_connections, lanes_in_flight)
        self._owns_queue = queue is None
        servers = make_servers(addresses, self.queue, breaker, make_client, limits, auto_pull=auto_pull, clock=clock)
        self.servers = ServerGroup(servers, self.queue)
        self._engine = PoolEngine(
            self.queue,
            self.servers,
            lambda server: self.probe(server=server.name),
            try_timeout=waits.total,
            clock=clock,
            sleep=sleep,
        )
        self._cleanup_interval = cleanup_interval
        self._preload_models = [resolve_model(model) for model in preload_models]
        self._watches = [ServerWatch(server, clock=clock) for server in servers] if watch else []
        self._is_closed = False

    async def __aenter__(self) -> Self:
        if self._is_closed:
            raise ModelPoolClosed("a closed pool cannot be opened again: make a new one")
        self._engine.open(self.safe_url, self._cleanup_interval)
        for watch in self._watches:
            self._engine.own(watch.run, "model-server-watch")
        for server in self.servers if self._preload_models else ():
            work = partial(warm, self._preload_models, server.name, self.preload, asyncio.sleep)
            self._engine.own(work, f"ollama-pool-warmer {server.name}")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def breaker(self) -> CircuitBreaker:
        """The breaker of the server; of several, that of the first: `servers` has them all."""
        return self.servers.first.breaker

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

        async def operation(client: OllamaClient, is_loaded: bool) -> Completion:
            return await traced_completion(client, asked, call.noting(listener), is_loaded=is_loaded)

        call = self._call(operation, asked.model, asked.options, priority)
        completion = await self._engine.run(call)
        call.at.residents.proven = call.lane
        return replace(completion, usage=call.account(completion.usage))

    async def embeddings(self, text: str, model: str | None = None) -> list[float]:
        """Return the vector of a text, of length 1 (L2), from a model made for embeddings.

        Raises:
            NotSupported: the model generates text.
            ModelError: see model/errors.py.
        """
        name = self._resolve(model)

        async def operation(client: OllamaClient, _is_loaded: bool) -> Embeddings:
            return await traced_embeddings(client, name, text)

        call = self._call(operation, name, {})
        result = await self._engine.run(call)
        call.account(result.usage)
        return list(result.vectors[0]) if result.vectors else []

    async def preload(
        self,
        model: str | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        server: str | None = None,
        priority: int | None = None,
    ) -> Usage:
        """Load a model, pulling it first where it is missing, so that the next request finds it warm.

        Raises:
            ModelError: see model/errors.py.
        """
        name = self._resolve(model)

        async def operation(client: OllamaClient, _is_loaded: bool) -> Usage:
            return await client.preload(name, options)

        return await self._engine.run(self._call(operation, name, options or {}, priority, server))

    async def probe(self, model: str | None = None, *, server: str | None = None) -> Completion:
        """Generate one token, once, as the breaker's probe: /api/tags and the like answer even when no model can.

        Without `model` it asks in the lane that generated text last there, which is most likely loaded still, else for
        the default model; without `server`, the first. It pulls nothing and counts as no request. It goes before all
        that waits, but through the queue: asking for a second model while one runs can lock a server up.

        Raises:
            ModelCircuitOpen: it is not yet time; `retry_after` says when.
            ModelServerFault: the server has not recovered, and the circuit is open again.
            ModelError: the server lives, but has not shown that it generates: the circuit stays half-open.
        """
        probed = self.servers.first if server is None else self.servers.named(server)
        lane = probed.residents.proven if model is None else None
        return await self._engine.probe(probed, lane or Lane(self._resolve(model)))

    async def health_check(self) -> bool:
        """Say whether a server can be asked: its breaker is not open, and it answers at once.

        Busy slots are no sign of bad health; the question has a connection of its own.
        """
        return not self._is_closed and any(await asyncio.gather(*(server.answers() for server in self.servers)))

    async def refresh_models(self) -> list[str]:
        """Ask the servers which models they have, and return their full names, sorted.

        Raises:
            ModelError: a server does not answer.
        """
        for server in self.servers:
            await server.models.refresh()
        return self.servers.installed

    def get_stats(self) -> dict[str, Any]:
        """Return the keys of docs/names.md: counts, rates 0..1, mean seconds, names of models.

        `error_connections` are those lost to a failure and not yet replaced; `total_connections` includes them.
        `available_models` are those seen so far, by answering or through `refresh_models()`. Under `servers` are the
        same keys for each server, by its name; requests are the tries there, since one request may go to several.
        """
        return self._engine.figures()

    async def close(self) -> None:
        """End what waits and what runs with ModelPoolClosed, and close all connections. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._engine.close()
        if self._owns_queue:
            await self.queue.close()
        for server in self.servers:
            await server.close()

    def _resolve(self, model: str | None) -> str:
        return resolve_model((model or "").strip() or self.default_model)

    def _call(
        self,
        operation: Operation[T],
        model: str,
        options: Mapping[str, Any],
        priority: int | None = None,
        server: str | None = None,
    ) -> Call[T]:
        chosen = current_priority() if priority is None else priority
        lane = lane_of(model, options)
        return Call(operation, model, lane, chosen, self.max_retries, self.servers.first, server=server)
