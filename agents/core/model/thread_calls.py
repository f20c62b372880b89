"""ThreadCalls: what threads ask of a model for one task, in the event loop and no longer than the task."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from bus.ending import end_tasks

T = TypeVar("T")


class ThreadCalls:
    """The calls that threads of one task wait for; they end with its block. A thread runs on, what it waits for not."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._is_over = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over = True
        await end_tasks(self._running)

    async def run(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask, within an asyncio task that is made for it.

        Raises:
            CancelledError: the block is over, or ends meanwhile.
        """
        if self._is_over:
            raise asyncio.CancelledError("the task that this thread works for is over")
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - an awaited coroutine runs in a task
        task.set_name("model-call of a thread")
        self._running.add(task)
        try:
            return await ask()
        finally:
            self._running.discard(task)
