"""MemoryWatch: tells the queue which models a server has in memory, so that they may run side by side.

Asking Ollama for a second model while the first is busy can lock it up for minutes, so one lane at a time is in flight
at a server. Lanes that `/api/ps` shows in memory together are the exception: neither has to be loaded for the other.
No request waits for a look, and none is taken unless a lane waits that has run there before.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context

import structlog

from agents.core.model.errors import ModelError
from agents.core.model.lane import Lane
from agents.core.model.server import ModelServer
from agents.core.request_queue import RequestQueue
from bus.ending import end_tasks

log = structlog.get_logger(__name__)


class MemoryWatch:
    """Looks at `/api/ps` of the servers behind one queue, one look at a time for each."""

    def __init__(self, queue: RequestQueue, clock: Callable[[], float]) -> None:
        self._queue = queue
        self._clock = clock
        self._looks: set[asyncio.Task[None]] = set()

    def note_answer(self, server: ModelServer, lane: Lane) -> None:
        """A request of this lane was answered. Look, if that may be of use."""
        now = self._clock()
        server.residents.note_answer(lane, now)
        if server.residents.may_look(now) and server.residents.has_use_for_look(self._queue.waiting_by_lane()):
            server.residents.begin_look(now)
            # In a context of its own: what it logs is not about the task whose request was answered.
            look = asyncio.create_task(self._look(server), name=f"model-memory {server.name}", context=Context())
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)

    async def close(self) -> None:
        """End the looks."""
        await end_tasks(self._looks)

    async def _look(self, server: ModelServer) -> None:
        try:
            models = await server.control.ps()
        except ModelError as exc:
            log.debug("pool.memory_unknown", url=server.name, code=exc.code, error=str(exc))
            models = []
        seen = server.residents.end_look(models)
        if seen.lanes:
            self._queue.note_loaded(server.place, seen.lanes, together=seen.together)
            log.debug("pool.memory", url=server.name, lanes=sorted(map(str, seen.lanes)), together=seen.together)
