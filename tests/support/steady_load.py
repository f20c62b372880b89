"""A steady load of tasks with known ids, and what came of each of them: for faults under load."""

import asyncio
import time
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from bus.client import Client
from bus.ending import end_tasks
from bus.errors import BusError
from bus.listener import Listener
from schemas import TaskMessage, TaskResult, TaskStatus
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
        self.came: defaultdict[str, list[tuple[TaskResult, float]]] = defaultdict(list)
        """The terminal results of each task, and when they came."""
        self.refused = 0
        """Submissions that were refused or not confirmed in time, and done again."""

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

    async def until_done(self, count: int, limit: float = 20.0) -> None:
        """Wait until results of `count` tasks have come."""
        await wait_until(lambda: len(self.came) >= count, limit, what=f"results of {count} tasks")

    async def until_resumed(self, moment: float, limit: float) -> float:
        """Wait until a task has its result that was submitted after `moment`; return the seconds in between."""

        def fresh() -> list[float]:
            after = (task for task, sent in self.sent.items() if sent > moment)
            return [self.came[task][0][1] for task in after if task in self.came]

        await wait_until(fresh, limit, what="a result of a task submitted after the fault")
        return min(fresh()) - moment

    def first_result_after(self, moment: float) -> float:
        """Return the seconds from `moment` to the first result of any task."""
        return min(at - moment for results in self.came.values() for _, at in results if at > moment)

    async def end(self, limit: float) -> None:
        """Submit no more, and wait until every confirmed task has its result."""
        self._goes_on = False
        await self._tasks[0]
        await wait_until(lambda: not self.missing, limit, what=f"the last results of {len(self.sent)} tasks")

    @property
    def missing(self) -> set[str]:
        """The confirmed tasks without a result."""
        return self.sent.keys() - self.came.keys()

    @property
    def duplicates(self) -> int:
        """How many results came beyond one for each task."""
        return sum(len(results) - 1 for results in self.came.values())

    @property
    def endings(self) -> Counter[tuple[TaskStatus, str]]:
        """How many tasks ended in each way, by status and answer; a task that ended in two ways counts twice."""
        return Counter(
            ending
            for task, results in self.came.items()
            for ending in {(result.status, "" if result.result == task else str(result)) for result, _ in results}
        )

    async def _submit_all(self) -> None:
        while self._goes_on:
            task = TaskMessage(agent=self._agent, prompt="echo the id")
            moment = time.monotonic()
            await self._submit(task)
            self.sent[task.id] = moment
            await asyncio.sleep(EVERY_SECONDS)

    async def _submit(self, task: TaskMessage) -> None:
        while True:
            try:
                return await self._client.send(task)
            except BusError as error:
                if self.refused<3: print("REFUSED", repr(error))
                self.refused += 1
                await asyncio.sleep(AGAIN_SECONDS)

    async def _collect(self) -> None:
        async for result in self._results:
            self.came[result.task_id].append((result, time.monotonic()))
