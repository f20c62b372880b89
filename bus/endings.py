"""Whether a task has its terminal result already, by the log of results.

Asked where a second result could contradict the first: somebody may have given the task one in the instant before its
acknowledgement was lost, or while this host waited for a connection. Without the log, or if it cannot be read in time,
a second and marked result is published, since a lost one would be worse. Asked as well for a result that was too large
to be kept here, when somebody asks for it again.
"""

import asyncio
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

import structlog

from bus.broker import Broker
from bus.errors import BusError
from bus.message import Message
from bus.result_log import read_from, result_of
from bus.topology import Topology
from schemas import TaskMessage, TaskResult, now

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 15.0
"""What a look may take: a broker that restarts is back by then, and without it nothing could be published either."""

LOOKS: Final = 4
"""Looks at once: each reads the log on a channel of its own."""

LOOK_BACK: Final = timedelta(hours=1)
"""How far back a look goes: what is torn away comes again within minutes, and a longer log takes long to read."""


class Endings:
    """The terminal results of one fleet, for looking one up."""

    def __init__(self, broker: Broker, topology: Topology) -> None:
        self._broker = broker
        self._log = topology.results_log
        self._looks = asyncio.Semaphore(LOOKS)

    async def find(self, task: TaskMessage, ended_at: datetime | None = None) -> TaskResult | None:
        """Return the terminal result that `task` has already, if it is known; `ended_at` says where to look for it."""
        since = max(task.created_at, now() - LOOK_BACK) if ended_at is None else ended_at
        try:
            async with asyncio.timeout(LOOK_SECONDS), self._looks:
                return await self._look_for(task, read_from(since))
        except (BusError, TimeoutError) as error:
            log.debug("endings.unknown", task=task.id, reason=str(error) or "timed out")
            return None

    async def _look_for(self, task: TaskMessage, since: datetime) -> TaskResult | None:
        async with aclosing(self._broker.read_log(self._log, since)) as messages:
            async for message in messages:
                if (result := _result_of(message, task)) is not None:
                    return result
        return None


def _result_of(message: Message, task: TaskMessage) -> TaskResult | None:
    # Most results are of other tasks, and reading one takes longer than finding that.
    if task.id.encode() not in message.body:
        return None
    result = result_of(message)
    return result if result is not None and (result.task_id, result.agent) == (task.id, task.agent) else None
