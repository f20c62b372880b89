"""ModelServer: one model server, with its own breaker, connections and models."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import structlog

from agents.core.circuit_breaker import CircuitBreaker, CircuitState
from agents.core.model.connection import ConnectionShelf
from agents.core.model.errors import ModelError, ModelServerFault
from agents.core.model.limits import PoolLimits
from agents.core.model.residents import Residents
from agents.core.model.statistics import PoolStats, figures
from agents.core.model.store import ModelStore
from agents.core.model.tokens import TokenCount
from agents.core.model.vitals import Vitals
from agents.core.ollama_client import OllamaClient
from agents.core.request_queue import RequestQueue

log = structlog.get_logger(__name__)

BreakerFactory = Callable[[str], CircuitBreaker]
"""Makes the breaker of the server with that name, which is its address without credentials."""


class ModelServer:
    """What a pool knows and has of one server.

    `place` is the server's name in the request queue, `control` a connection for questions that need no slot.
    """

    def __init__(
        self,
        name: str,
        place: str,
        make_client: Callable[[], OllamaClient],
        breaker: CircuitBreaker,
        *,
        min_connections: int,
        auto_pull: bool,
        cache_size: int,
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.place = place
        self._clock = clock
        self.breaker = breaker
        self.control = make_client()
        self.shelf = ConnectionShelf(make_client, minimum=min_connections, clock=clock)
        self.models = ModelStore(self.control, auto_pull=auto_pull, cache_size=cache_size, clock=clock)
        self.stats = PoolStats(clock)
        self.tokens = TokenCount()
        self.residents = Residents()
        self.vitals = Vitals()

    def __repr__(self) -> str:
        return f"ModelServer({self.name!r})"

    @property
    def is_usable(self) -> bool:
        """Whether its circuit is closed."""
        return self.breaker.state is CircuitState.CLOSED

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count one request sent to this server, with its outcome and its time."""
        with self.stats.request(), self.stats.answer():
            yield

    def figures(self) -> dict[str, Any]:
        """Return the keys of docs/names.md for this server alone; its requests are the tries that were sent to it."""
        return figures(self.stats, [self.shelf], [self.models])

    async def answers(self) -> bool:
        """Say whether it may be asked and answers at once, on the connection that needs no slot."""
        return self.breaker.state is not CircuitState.OPEN and await self.is_there()

    async def is_there(self) -> bool:
        """Say whether it answers at all, whatever its circuit says. That costs it nothing and proves no model."""
        try:
            await self.control.version()
        except ModelError as exc:
            log.debug("pool.unhealthy", url=self.name, code=exc.code, error=str(exc))
            return False
        return True

    async def look_at_memory(self) -> None:
        """Ask which models it has in memory, for `residents.in_memory`.

        That stays as it was where the server may not be asked, or does not say.
        """
        if not self.is_usable:
            return
        began = self._clock()
        try:
            self.residents.note_memory(await self.control.ps(), began)
        except ModelError as exc:
            log.debug("pool.memory_unknown", url=self.name, code=exc.code, error=str(exc))

    async def close(self) -> None:
        """End its pulls and close its connections."""
        await self.models.close()
        await asyncio.gather(self.shelf.close(), self.control.close())


def make_servers(
    addresses: Mapping[str, str],
    queue: RequestQueue,
    breaker: CircuitBreaker | BreakerFactory | None,
    make_client: Callable[[str], OllamaClient],
    limits: PoolLimits,
    *,
    auto_pull: bool,
    clock: Callable[[], float],
) -> list[ModelServer]:
    """Return the servers of a pool, in the order of `addresses`.

    Raises:
        ValueError: there are several servers, and one breaker for all, or a queue with other servers.
    """
    places = _places(queue, list(addresses))
    make_breaker = _breaker_factory(breaker, len(addresses))
    return [
        ModelServer(
            name,
            places[name],
            partial(make_client, address),
            make_breaker(name),
            min_connections=limits.min_connections,
            auto_pull=auto_pull,
            cache_size=limits.model_cache_size,
            clock=clock,
        )
        for name, address in addresses.items()
    ]


def _places(queue: RequestQueue, names: Sequence[str]) -> dict[str, str]:
    """Return the name that each server has in the queue: its own, or that of the only one."""
    known = list(queue.get_stats()["servers"])
    if len(names) == len(known) == 1:
        return {names[0]: known[0]}
    if set(names) != set(known):
        raise ValueError(f"the queue's servers are {known}: name them like the pool's, {list(names)}")
    return {name: name for name in names}


def _breaker_factory(given: CircuitBreaker | BreakerFactory | None, servers: int) -> BreakerFactory:
    if isinstance(given, CircuitBreaker):
        if servers > 1:
            raise ValueError(
                f"one breaker is given for {servers} model servers: give a function that makes one for each"
            )
        return lambda _: given
    return given or (lambda name: CircuitBreaker(expected_exception=ModelServerFault, name=f"ollama {name}"))
