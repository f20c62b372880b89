"""A steady load of tasks with known ids, and what came of each of them: for faults under load."""

import asyncio
import time
from collections import defaultdict
from types import TracebackType
from typing import Final, Self

from bus.client import Client
from bus.ending import end_tasks
from bus.errors import BusError
from bus.listener import Listener
from schemas import TaskMessage, TaskResult
from tests.support.waiting import wait_until

EVERY_SECONDS: Final = 0.05
AGAIN_SECONDS: Final = 0.1


class SteadyLoad:
    """Submits a task every 50 ms inside `async with`, again until it is confirmed, and collects all results.

    Times are those of `time.monotonic`. `results` must hear all results of the agent, duplicates included.
    """

    def __init__(self, client: Client, agent: str, results: Listener[TaskResult]) -> None:
        self._client = client
        self._agent = agent
        self._results = results
        self._goes_on = True
        self._tasks: list[asyncio.Task[None]] = []
        self.sent: dict[str, float] = {}
        """When each confirmed task was first submitted."""
        self.came: defaultdict[str, list[TaskResult]] = defaultdict(list)
        """The terminal results of each task. One that the broker delivered to the listener twice is here once."""
        self.came_at: dict[str, float] = {}
        """When the first result of each task came."""
        self.refusals: list[BusError] = []
        """Why submissions were refused or not confirmed in time; each was done again."""

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._submit_all(), name="load.submit"),
            asyncio.create_task(self._collect(), name="load.collect"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await end_tasks(self._tasks)

    async def until_done(self, more: int, limit: float = 30.0) -> None:
        """Wait until results of so many more tasks have come."""
        count = len(self.came) + more
        await wait_until(lambda: len(self.came) >= count, limit, what=f"results of {more} more tasks")

    async def until_resumed(self, moment: float, limit: float) -> float:
        """Wait until a task has its result that was submitted after `moment`; return the seconds in between."""
        await wait_until(lambda: self._done_since(moment), limit, what="a result of a task submitted after the fault")
        return min(self._done_since(moment)) - moment

    def _done_since(self, moment: float) -> list[float]:
        return [self.came_at[task] for task, sent in self.sent.items() if sent > moment and task in self.came_at]

    async def end(self, limit: float = 60.0) -> None:
        """Submit no more, and wait until every confirmed task has its result."""
        self._goes_on = False
        async with asyncio.timeout(limit):
            await self._tasks[0]
        await wait_until(lambda: not self.missing, limit, what=f"the last results of {len(self.sent)} tasks")

    @property
    def missing(self) -> set[str]:
        """The confirmed tasks without a result."""
        return self.sent.keys() - self.came.keys()

    @property
    def doubled(self) -> dict[str, list[TaskResult]]:
        """The tasks that ended more than once."""
        return {task: results for task, results in self.came.items() if len(results) > 1}

    async def _submit_all(self) -> None:
        while self._goes_on:
            task = TaskMessage(agent=self._agent, prompt="go")
            moment = time.monotonic()
            await self._submit(task)
            self.sent[task.id] = moment
            await asyncio.sleep(EVERY_SECONDS)

    async def _submit(self, task: TaskMessage) -> None:
        while True:
            try:
                return await self._client.send(task)
            except BusError as error:
                self.refusals.append(error)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _collect(self) -> None:
        async for result in self._results:
            if result not in self.came[result.task_id]:
                self.came[result.task_id].append(result)
            self.came_at.setdefault(result.task_id, time.monotonic())
