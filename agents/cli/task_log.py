"""What the log of results has of one task: the last hour is read first, then the last day, then all of it."""

import json
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from bus.client import Client
from bus.errors import LogUnavailable
from bus.message import Message
from bus.replay import next_id
from bus.result_log import read_from, result_of
from schemas import TaskResult, TaskStatus, now

SPANS: Final = {
    "the last hour": timedelta(hours=1),
    "the last day": timedelta(days=1),
    "all that the log keeps": timedelta(days=8),
}
"""How far back to look, in words. Most ask for a task of today, and a whole log may take half a minute."""

TOLD_EACH: Final = 500
"""Results after which the progress is told again."""

WITH_LETTER: Final = frozenset((TaskStatus.FAILED, TaskStatus.REJECTED))
"""What leaves a dead letter, and so may have been done again."""

Tell = Callable[[str], None]
"""Called with how far the look has come, in words."""


class Logged(NamedTuple):
    """The task's first result and that of its replay, as far as the log has them; `has_log`: whether there is one.

    `times`: how many results of the task were found, the first one included.
    """

    result: TaskResult | None = None
    replay: TaskResult | None = None
    has_log: bool = True
    times: int = 0


async def logged(client: Client, task_id: str, agent: str | None, tell: Tell) -> Logged:
    """Look for a task's result in the log, of `agent` alone if that is given."""
    look = _Look(client, (task_id, next_id(task_id)), agent, tell)
    try:
        for words, span in SPANS.items():
            await look.read(now() - span, words)
            if task_id in look.found:
                break
    except LogUnavailable:
        return Logged(has_log=False)
    return look.logged


async def logged_since(client: Client, task_id: str, agent: str | None, since: datetime) -> Logged:
    """Look for what has come since a moment, as during an earlier look."""
    look = _Look(client, (task_id, next_id(task_id)), agent, lambda _: None)
    try:
        await look.read(since, "the last moments")
    except LogUnavailable:
        return Logged(has_log=False)
    return look.logged


class _Look:
    """Reads further and further back, and no result twice."""

    def __init__(self, client: Client, ids: tuple[str, str], agent: str | None, tell: Tell) -> None:
        self.ids = ids
        self.found: dict[str, TaskResult] = {}
        self._client = client
        self._agent = agent
        self._tell = tell
        self._marks = [_mark_of(task_id) for task_id in ids]
        self._first: Message | None = None
        self._count = 0
        self._times = 0

    @property
    def logged(self) -> Logged:
        result, replay = map(self.found.get, self.ids)
        return Logged(result, replay, times=self._times)

    async def read(self, since: datetime, words: str) -> None:
        """Read what has come since then and was not read before: a second result of a task may come at any time."""
        first: Message | None = None
        log = self._client.topology.results_log
        async with aclosing(self._client.broker.read_log(log, read_from(since))) as messages:
            async for message in messages:
                if message == self._first:
                    break  # it began there the last time
                first = first or message
                self._note(message)
                self._count += 1
                if self._count % TOLD_EACH == 0:
                    self._tell(f"results of {words}: {self._count} read")
        self._first = first or self._first

    def _note(self, message: Message) -> None:
        if not any(mark in message.body for mark in self._marks):
            return
        result = result_of(message)
        if result is not None and result.task_id in self.ids and self._agent in (None, result.agent):
            self.found.setdefault(result.task_id, result)
            self._times += result.task_id == self.ids[0]


def _mark_of(task_id: str) -> bytes:
    """Return what stands in the body of each result of this task: to read all of each result takes much longer."""
    return json.dumps(task_id).encode()
