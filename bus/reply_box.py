"""One queue for the answers to all that a process asks, made with its first question."""

import asyncio
from itertools import count
from typing import Self

import structlog

from bus.client import Client
from bus.ending import end_tasks
from bus.listener import Listener
from schemas import TaskMessage, TaskResult

log = structlog.get_logger(__name__)


class ReplyBox:
    """Asks and waits, from many tasks at once, over one reply queue. Used inside `async with`."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._replies: Listener[TaskResult] | None = None
        self._opening = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None
        self._askings = count(1)
        self._awaited: dict[str, set[asyncio.Future[TaskResult]]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._reading is not None:
            await end_tasks([self._reading])
        if self._replies is not None:
            await self._replies.__aexit__(*exc_info)

    async def ask(self, task: TaskMessage, *, again: bool = False) -> TaskResult:
        """Publish a task and wait for its terminal result, whatever its status, for as long as that takes.

        `again` as in `Client.send`.

        Raises:
            BusError: it could not be sent; see `Client.submit`.
        """
        queue = await self._queue()
        answer: asyncio.Future[TaskResult] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(task.id, set()).add(answer)
        try:
            # Each asking has an id of its own: who asks once more for a task that has ended is answered once more.
            known_by = f"{task.id}#{next(self._askings)}"
            await self.client.send(task, reply_to=queue, correlation_id=known_by, again=again)
            return await answer
        finally:
            self._forget(task.id, answer)

    async def _queue(self) -> str:
        async with self._opening:
            if self._replies is None:
                self._replies = await self.client.replies().__aenter__()
                self._reading = asyncio.create_task(self._read(self._replies), name=f"replies:{self._replies.queue}")
        return self._replies.queue

    async def _read(self, replies: Listener[TaskResult]) -> None:
        async for result in replies:
            awaited = self._awaited.get(result.task_id, ())
            if not awaited:
                log.debug("reply.unasked", task=result.task_id)
            for answer in awaited:
                if not answer.done():
                    answer.set_result(result)

    def _forget(self, task_id: str, answer: asyncio.Future[TaskResult]) -> None:
        awaited = self._awaited[task_id]
        awaited.discard(answer)
        if not awaited:
            del self._awaited[task_id]
