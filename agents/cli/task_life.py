"""The life of one task, put together from what the broker and the hosts tell."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bus.broker import QueueInfo
from bus.client import Client
from bus.dead_letters import DeadLetters
from bus.ending import end_tasks
from bus.errors import LogUnavailable
from bus.letter import Choice, DeadLetter
from schemas import AgentReport, Report, ReportKind, TaskEvent, TaskResult, TaskStatus

LOG_SPAN: Final = timedelta(days=8)
"""More than the log of results keeps."""

LISTEN_SECONDS: Final = 2.0
"""How long to listen for a step of a task that has no result."""

_WITH_LETTER: Final = (TaskStatus.FAILED, TaskStatus.REJECTED)


@dataclass(frozen=True, slots=True)
class TaskLife:
    """What is known of a task.

    `agent` is whose it is, if that is known or was given; `queue` and `reports`, the last of each host, are that
    agent's and there if nothing tells of the task itself. `has_log`: whether the broker keeps a log of results.
    """

    task_id: str
    agent: str | None
    has_log: bool = True
    result: TaskResult | None = None
    letter: DeadLetter | None = None
    event: TaskEvent | None = None
    queue: QueueInfo | None = None
    reports: tuple[AgentReport, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether anything tells of the task itself."""
        return not (self.result is None and self.letter is None and self.event is None)


async def life_of(client: Client, task_id: str, agent: str | None, fleet: Collection[str]) -> TaskLife:
    """Find out what has become of a task; `fleet` are the agents whose dead letters are looked at if none is given.

    Looks at the log of results, then at the dead letters, then listens for a moment to what happens.
    """
    # Listening comes first: what happens during the look at the log is not missed.
    async with (
        client.events(agent=agent, task_id=task_id) as events,
        client.reports(kind=ReportKind.AGENT) as reports,
    ):
        result, has_log = await _logged(client, task_id, agent)
        whose = agent if result is None else result.agent
        letter = None
        if result is None or result.status in _WITH_LETTER:
            letter = await _letter(client, task_id, fleet if whose is None else [whose])
        if result is not None or letter is not None:
            named = whose if letter is None else letter.agent
            return TaskLife(task_id, named, has_log, result, letter)
        event, told = await _heard(events, reports, task_id, agent)
    if event is not None or agent is None:
        return TaskLife(task_id, None if event is None else event.agent, has_log, event=event)
    queue = await client.broker.queue_info(client.topology.task_queue(agent))
    return TaskLife(task_id, agent, has_log, queue=queue, reports=told)


async def _logged(client: Client, task_id: str, agent: str | None) -> tuple[TaskResult | None, bool]:
    """Return the task's result, if the log has it, and whether there is a log."""
    try:
        async with aclosing(client.replay(LOG_SPAN, agent=agent)) as results:
            async for result in results:
                if result.task_id == task_id:
                    return result, True
    except LogUnavailable:
        return None, False
    return None, True


async def _letter(client: Client, task_id: str, agents: Collection[str]) -> DeadLetter | None:
    letters = DeadLetters(client.broker, client.topology, agents)
    async with aclosing(letters.letters(Choice(ids=frozenset({task_id})))) as found:
        return await anext(found, None)


async def _heard(
    events: AsyncIterator[TaskEvent], reports: AsyncIterator[Report], task_id: str, agent: str | None
) -> tuple[TaskEvent | None, tuple[AgentReport, ...]]:
    """Listen until a step of the task, for a moment at most; return it, and what hosts told of the agent."""
    told: dict[str, AgentReport] = {}
    collecting = asyncio.create_task(_collect(reports, agent, told), name=f"task:{task_id}")
    try:
        async with asyncio.timeout(LISTEN_SECONDS):
            return await anext(event async for event in events if event.task_id == task_id), ()
    except TimeoutError:
        return None, tuple(report for _, report in sorted(told.items()))
    finally:
        await end_tasks([collecting])


async def _collect(reports: AsyncIterator[Report], agent: str | None, told: dict[str, AgentReport]) -> None:
    async for report in reports:
        if isinstance(report, AgentReport) and report.agent == agent:
            told[report.host] = report
