"""One task, followed from its submission to its terminal result."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from bus.errors import BusError, ReplyTimeout
from bus.pieces import Gap, Piece, Pieces, Restart, Step
from schemas import TaskEvent, TaskMessage, TaskResult


class TaskStream:
    """What `Client.stream` and `Client.watch` lend for their block. One reader at a time.

    Iterating over it gives the answer's text in pieces, `steps()` tells restarts and gaps as well; both end with the
    terminal result. Each step is told once, to whoever asks first. Waiting may be cancelled and begun again.
    """

    def __init__(
        self, task: TaskMessage, receive: Callable[[], Awaitable[TaskEvent | TaskResult]], timeout: float
    ) -> None:
        """`receive` returns the next event or result; `timeout` counts in seconds from now."""
        self.task = task
        self.missed = 0
        """Pieces of the current attempt that were lost on the way. Those at the very end leave no trace."""
        self._receive = receive
        self._timeout = timeout
        self._until = asyncio.get_running_loop().time() + timeout
        self._pieces = Pieces()
        self._untold: deque[Step] = deque()
        self._result: TaskResult | None = None
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[str]:
        async for step in self.steps():
            if isinstance(step, Piece):
                yield step.text

    async def steps(self) -> AsyncIterator[Step]:
        """Iterate over what happens: Begun, Advance, Piece, Gap and Restart, after which the text so far is void.

        Raises:
            ReplyTimeout: no result in time; the task goes on.
        """
        while (step := await self._next()) is not None:
            yield step

    async def result(self) -> TaskResult:
        """Wait for the terminal result, whatever its status. It holds the whole, also what was missed.

        Raises:
            ReplyTimeout: no result in time; the task goes on.
        """
        while self._result is None:
            await self._hear()
        return self._result

    def close(self) -> None:
        """End the listening; the block does this."""
        self._is_closed = True

    async def _next(self) -> Step | None:
        while not self._untold:
            if self._result is not None:
                return None
            await self._hear()
        step = self._untold.popleft()
        if isinstance(step, Gap):
            self.missed += step.count
        elif isinstance(step, Restart):
            self.missed = 0
        return step

    async def _hear(self) -> None:
        if self._is_closed:
            raise BusError(f"the stream of task {self.task.id} was left before its result: read it inside its block")
        try:
            async with asyncio.timeout_at(self._until):
                news = await self._receive()
        except TimeoutError as error:
            raise no_result(self.task, self._timeout) from error
        if isinstance(news, TaskEvent):
            # A `*` in a task's id binds to other tasks as well.
            self._untold += self._pieces.feed(news) if news.task_id == self.task.id else ()
        elif news.task_id == self.task.id:
            self._untold += self._pieces.end(news)
            self._result = news


def no_result(task: TaskMessage, timeout: float) -> ReplyTimeout:
    """Return the error of a wait that is over."""
    return ReplyTimeout(f"no result of task {task.id} from agent {task.agent!r} within {timeout:g} s: it goes on")
