"""ServerGroup: the servers of one pool, and which of them may be asked."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

import structlog

from agents.core.circuit_breaker import CircuitState
from agents.core.model.errors import ModelError
from agents.core.model.names import is_installed
from agents.core.model.server import ModelServer
from agents.core.request_queue import RequestQueue

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 2.0
"""For a server's list of models, which Ollama answers from memory, busy or not."""

_BEST_FIRST: Final = (CircuitState.CLOSED, CircuitState.HALF_OPEN, CircuitState.OPEN)


class ServerGroup:
    """One or more servers behind one queue.

    While one of them can be asked, the queue starts nothing at those that cannot: what waits goes to the others. When
    none is left, the queue lets all that waits go, for the circuit breakers to refuse at once.
    """

    def __init__(self, servers: Sequence[ModelServer], queue: RequestQueue) -> None:
        self._servers = tuple(servers)
        self._by_place = {server.place: server for server in servers}
        self._by_name = {server.name: server for server in servers}
        self._queue = queue
        self._listeners: list[Callable[[], object]] = []
        for server in servers:
            server.breaker.add_state_change_callback(self._note)

    def __iter__(self) -> Iterator[ModelServer]:
        return iter(self._servers)

    def __len__(self) -> int:
        return len(self._servers)

    @property
    def first(self) -> ModelServer:
        """The one named first."""
        return self._servers[0]

    @property
    def usable(self) -> list[ModelServer]:
        """Those whose circuit is closed."""
        return [server for server in self._servers if server.is_usable]

    @property
    def is_down(self) -> bool:
        """Whether no server is left to ask."""
        return not self.usable

    @property
    def state(self) -> CircuitState:
        """The best state that one of them is in: closed, half-open, else open."""
        states = {server.breaker.state for server in self._servers}
        return next(state for state in _BEST_FIRST if state in states)

    @property
    def trips(self) -> int:
        """How often a circuit has opened."""
        return sum(int(server.breaker.get_stats()["trip_count"]) for server in self._servers)

    @property
    def installed(self) -> list[str]:
        """Full names of the models last seen at any of them, sorted."""
        return sorted({name for server in self._servers for name in server.models.installed})

    @property
    def trouble(self) -> str:
        """What is known to be wrong with the servers that cannot be asked; empty where nothing is known."""
        known = (server.vitals.trouble for server in self._servers if not server.is_usable)
        return "; ".join(text for text in known if text is not None)

    @property
    def refusing(self) -> ModelServer | None:
        """The server that may be probed first, if every circuit is open; None where a request may be admitted."""
        if any(server.breaker.state is not CircuitState.OPEN for server in self._servers):
            return None
        return min(self._servers, key=lambda server: server.breaker.time_until_retry)

    @property
    def retry_after(self) -> float:
        """Seconds until a server may be asked; 0 if one may be now."""
        return min(server.breaker.time_until_retry for server in self._servers)

    def named(self, name: str) -> ModelServer:
        """Return the server of a name. Raises KeyError."""
        return self._by_name[name]

    def at(self, place: str) -> ModelServer:
        """Return the server of a place in the queue. Raises KeyError."""
        return self._by_place[place]

    def others(self, but: ModelServer) -> list[ModelServer]:
        """Return the usable servers but one, the least busy first."""
        return sorted((s for s in self.usable if s is not but), key=lambda server: server.shelf.active)

    def next_after(self, failed: ModelServer, model: str) -> ModelServer | None:
        """Return where to go on with a request that failed somewhere: where its model is known to be, else anywhere."""
        return self.other_with(model, failed) or next(iter(self.others(failed)), None)

    def other_with(self, model: str, but: ModelServer, missing_at: Collection[str] = ()) -> ModelServer | None:
        """Return another usable server that is known to have a model. Of those named in `missing_at`, none has it."""
        others = (server for server in self.others(but) if server.name not in missing_at)
        return next((server for server in others if is_installed(model, server.models.installed)), None)

    async def look_around(self, but: ModelServer) -> None:
        """Ask the usable servers but one for their lists of models; what does not answer at once stays as known."""
        await asyncio.gather(*(_refresh(server) for server in self.others(but)))

    def on_change(self, listener: Callable[[], object]) -> None:
        """Have `listener()` called after each transition of a breaker."""
        self._listeners.append(listener)

    def _note(self, _old: CircuitState, _new: CircuitState) -> None:
        if len(self._servers) > 1:
            self._set_doors()
        for listener in self._listeners:
            listener()

    def _set_doors(self) -> None:
        usable = self.usable
        for server in self._servers:
            if usable and server not in usable:
                self._queue.shut_server(server.place)
            else:
                self._queue.open_server(server.place)
        log.info("pool.servers", usable=[server.name for server in usable], of=len(self._servers))


async def _refresh(server: ModelServer) -> None:
    with contextlib.suppress(ModelError, TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS):
            await server.models.refresh()
