"""Who may use which loaded model, and when models are loaded and unloaded.

The shape is that of Ollama's server/sched.go: a request for a loaded model skips the queue and waits for one of its
slots; any other waits in one first-in first-out queue, whose head is served before all behind it; an idle model is
unloaded after its keep_alive. Two things differ on purpose. A model that must go takes no new requests, so the
waiting one is neither starved nor, as in ollama/ollama#17408, kept waiting for the other's keep_alive. And a load
goes on when its client leaves, so that impatient clients find the model the next time.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import structlog

from agents.local_model.clock import Clock, LoopClock
from agents.local_model.errors import EngineError, ServerBusyError
from agents.local_model.residents import Resident, Want, leaver
from agents.local_model.runner import Runner

log = structlog.get_logger(__name__)

StartRunner = Callable[[Want], Awaitable[Runner]]
"""Loads a model; raises EngineError."""


@dataclass(frozen=True)
class Lease:
    """A loaded model with one of its slots.

    Attributes:
        runner: The model.
        load_duration: Nanoseconds until it was loaded, the wait for others' loads included. That for the slot is not:
            Ollama's scheduler, too, hands a runner over before the request waits for one of its slots.
    """

    runner: Runner
    load_duration: int


@dataclass(eq=False)
class _Ticket:
    want: Want
    keep_alive: float | None
    served: asyncio.Future[Resident]


class Scheduler:
    """Loads models in turn and lends them out; `async with`, which unloads all on leaving.

    Args:
        start: Loads a model.
        max_loaded: Models loaded at once.
        num_parallel: Requests a model serves at once.
        max_queue: Requests that may wait for a load, not counting the one being served.
        keep_alive: Seconds an idle model stays (negative for ever), where no request has said otherwise.
        clock: Where the time comes from.
    """

    def __init__(
        self,
        start: StartRunner,
        *,
        max_loaded: int = 1,
        num_parallel: int = 1,
        max_queue: int = 512,
        keep_alive: float = 300.0,
        clock: Clock | None = None,
    ) -> None:
        self._start = start
        self._max_loaded = max_loaded
        self._num_parallel = num_parallel
        self._max_queue = max_queue
        self._keep_alive = keep_alive
        self._clock = clock or LoopClock()
        self._residents: dict[str, Resident] = {}
        self._queue: deque[_Ticket] = deque()
        self._head: _Ticket | None = None
        self._arrived = asyncio.Event()
        self._closings: set[asyncio.Task[None]] = set()
        self._loader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._loader = asyncio.create_task(self._load_in_turn(), name="local-model-loads")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loader is not None  # noqa: S101 # __aenter__ made it
        self._loader.cancel()
        await asyncio.wait({self._loader})
        for ticket in (self._head, *self._queue):
            if ticket is not None and not ticket.served.done():
                ticket.served.set_exception(EngineError("the server is stopping"))
        for resident in list(self._residents.values()):
            self._unload(resident)
        await self._closed()

    @property
    def residents(self) -> list[Resident]:
        """The loaded models, the one that stays longest first."""
        alive = (each for each in self._residents.values() if each.runner.alive)
        return sorted(alive, key=lambda each: each.expires_at(self._clock.now()), reverse=True)

    @property
    def queued(self) -> int:
        """How many requests wait for a load, not counting the one being served."""
        return len(self._queue)

    @asynccontextmanager
    async def lease(self, want: Want, keep_alive: float | None = None) -> AsyncIterator[Lease]:
        """Lend the runner of `want` with one of its slots, until the block ends; else as `hold`."""
        began = time.perf_counter_ns()
        async with self.hold(want, keep_alive) as resident:
            load_duration = time.perf_counter_ns() - began
            async with resident.slots:
                yield Lease(resident.runner, load_duration)

    @asynccontextmanager
    async def hold(self, want: Want, keep_alive: float | None = None) -> AsyncIterator[Resident]:
        """Keep `want` loaded until the block ends, loading it if need be.

        Args:
            want: Model and context.
            keep_alive: Seconds it stays afterwards, negative for ever, 0 not at all; None leaves what it had.

        Raises:
            ServerBusyError: Too many requests wait for a load.
            EngineError: It could not be loaded.
        """
        resident = self._take(want, keep_alive) or await self._wait_turn(want, keep_alive)
        try:
            yield resident
        finally:
            self._give_back(resident)

    def expire(self, name: str) -> None:
        """Unload the model called `name`: now, or when the requests that hold it have ended."""
        resident = self._residents.get(name)
        if resident is not None:
            resident.keep_alive = 0
            if not resident.busy:
                self._unload(resident)

    def _take(self, want: Want, keep_alive: float | None) -> Resident | None:
        resident = self._residents.get(want.name)
        if resident is not None and not resident.runner.alive:
            log.warning("model.died", model=want.name)
            self._unload(resident)
            return None
        if resident is None or resident.leaving or resident.want != want:
            return None
        return self._hold(resident, keep_alive)

    def _hold(self, resident: Resident, keep_alive: float | None) -> Resident:
        resident.users += 1
        resident.idle.clear()
        resident.stop_timer()
        if keep_alive is not None:
            resident.keep_alive = keep_alive
        return resident

    def _give_back(self, resident: Resident) -> None:
        resident.users -= 1
        if not resident.busy:
            resident.idle_since = self._clock.now()
            resident.idle.set()
            self._rest(resident)

    def _rest(self, resident: Resident) -> None:
        if resident.leaving:
            return
        if resident.keep_alive == 0:
            self._unload(resident)
        elif resident.keep_alive > 0:
            resident.timer = self._clock.call_later(resident.keep_alive, lambda: self._unload(resident))

    async def _wait_turn(self, want: Want, keep_alive: float | None) -> Resident:
        if len(self._queue) + (self._head is not None) > self._max_queue:
            raise ServerBusyError
        ticket = _Ticket(want, keep_alive, asyncio.get_running_loop().create_future())
        self._queue.append(ticket)
        self._arrived.set()
        try:
            return await ticket.served
        except asyncio.CancelledError:
            self._forget(ticket)
            raise

    def _forget(self, ticket: _Ticket) -> None:
        if ticket in self._queue:
            self._queue.remove(ticket)
        if not ticket.served.cancelled() and ticket.served.exception() is None:
            self._give_back(ticket.served.result())

    async def _load_in_turn(self) -> None:
        while True:
            await self._arrived.wait()
            while self._queue:
                self._head = self._queue.popleft()
                await self._serve(self._head)
                self._head = None
            self._arrived.clear()

    async def _serve(self, ticket: _Ticket) -> None:
        try:
            resident = await self._admit(ticket)
        except Exception as error:  # noqa: BLE001 # whatever a load raises belongs to the request that wanted it
            if not ticket.served.done():
                ticket.served.set_exception(error)
            return
        if resident is not None and not ticket.served.done():
            ticket.served.set_result(resident)
        elif resident is not None:
            self._give_back(resident)

    async def _admit(self, ticket: _Ticket) -> Resident | None:
        """Get the ticket its model, by evicting and loading as needed; None once its client has left."""
        while not ticket.served.done():
            resident = self._take(ticket.want, ticket.keep_alive)
            if resident is not None:
                return resident
            victim = leaver(list(self._residents.values()), ticket.want, self._max_loaded)
            if victim is None:
                return self._hold(await self._load(ticket.want), ticket.keep_alive)
            await self._evict(victim, ticket)
        return None

    async def _evict(self, victim: Resident, ticket: _Ticket) -> None:
        victim.leaving = True
        drained = asyncio.create_task(victim.idle.wait(), name="local-model-drain")
        try:
            either: set[asyncio.Future[Any]] = {drained, ticket.served}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            drained.cancel()
            victim.leaving = False
        if not ticket.served.done():
            self._unload(victim)
        elif not victim.busy:
            self._rest(victim)

    async def _load(self, want: Want) -> Resident:
        await self._closed()
        runner = await self._start(want)
        resident = Resident(want, runner, self._keep_alive, asyncio.Semaphore(self._num_parallel))
        self._residents[want.name] = resident
        log.info("model.loaded", model=want.name, num_ctx=want.num_ctx)
        return resident

    def _unload(self, resident: Resident) -> None:
        resident.stop_timer()
        if self._residents.get(resident.want.name) is not resident:
            return
        del self._residents[resident.want.name]
        closing = asyncio.create_task(resident.runner.close(), name=f"local-model-close {resident.want.name}")
        self._closings.add(closing)
        closing.add_done_callback(self._closings.discard)
        log.info("model.unloaded", model=resident.want.name)

    async def _closed(self) -> None:
        if self._closings:
            await asyncio.wait(self._closings)
