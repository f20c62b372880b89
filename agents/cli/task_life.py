"""The life of one task, put together from what the broker and the hosts tell."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final

from agents.cli.task_log import WITH_LETTER, Logged, Tell, logged, logged_since
from bus.broker import QueueInfo
from bus.client import Client
from bus.dead_letters import DeadLetters
from bus.ending import end_tasks
from bus.letter import Choice, DeadLetter
from bus.replay import next_id
from schemas import AgentReport, HeldTask, Report, ReportKind, TaskEvent, TaskResult, TaskStatus, now

LISTEN_SECONDS: Final = 2.0
"""How long to listen for a task that has no result: hosts tell what they hold within 1.2 s."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task is held."""

    host: str
    agent: str
    task: HeldTask


@dataclass(frozen=True, slots=True)
class Replay:
    """The task that has taken the place of one that failed; `status` None while it runs on that host."""

    task_id: str
    host: str | None
    status: TaskStatus | None = None


@dataclass(frozen=True, slots=True)
class TaskLife:
    """What is known of a task.

    `agent` is whose it is, if that is known or was given; `queue` and `reports`, the last of each host, are that
    agent's and there if nothing tells of the task itself. `has_log`: whether the broker keeps a log of results.
    `times`: how many results of it the log has, of which `result` is the first.
    `event` and `place` are looked for where there is no result, until one of them is found; `replay` where it failed.
    """

    task_id: str
    agent: str | None
    has_log: bool = True
    result: TaskResult | None = None
    times: int = 0
    letter: DeadLetter | None = None
    event: TaskEvent | None = None
    place: Place | None = None
    queue: QueueInfo | None = None
    reports: tuple[AgentReport, ...] = ()
    replay: Replay | None = None

    @property
    def is_known(self) -> bool:
        """Whether anything tells of the task itself."""
        return any(found is not None for found in (self.result, self.letter, self.event, self.place))


async def life_of(
    client: Client, task_id: str, agent: str | None, fleet: Collection[str], tell: Tell = lambda _: None
) -> TaskLife:
    """Find out what has become of a task; `fleet` are the agents whose dead letters are looked at if none is given.

    Looks at the log of results, then at the dead letters, then listens for a moment to what happens and to what hosts
    hold, and at last into the log again: what it heard may be as old as the first look is long, and the task over.
    `tell` hears how far the look at the log has come.
    """
    # Listening comes first: what happens during the look at the log is not missed.
    async with (
        client.events(agent=agent, task_id=task_id) as events,
        client.reports(kind=ReportKind.AGENT) as reports,
    ):
        look = _Look(client, task_id, agent, fleet, reports)
        log = await logged(client, task_id, agent, tell)
        letter = await look.letter(log)
        if log.result is not None or letter is not None:
            return await look.life(log, letter)
        told: dict[str, AgentReport] = {}
        event, place = await _heard(events, reports, task_id, agent, told)
        log = await look.again()
        if log.result is not None:
            return await look.life(log, await look.letter(log))
    found = event or place
    if found is not None or agent is None:
        return TaskLife(task_id, None if found is None else found.agent, log.has_log, event=event, place=place)
    queue = await client.broker.queue_info(client.topology.task_queue(agent))
    reported = tuple(report for _, report in sorted(told.items()))
    return TaskLife(task_id, agent, log.has_log, queue=queue, reports=reported)


class _Look:
    """The look for the end of one task."""

    def __init__(
        self, client: Client, task_id: str, agent: str | None, fleet: Collection[str], reports: AsyncIterator[Report]
    ) -> None:
        self._client = client
        self._task_id = task_id
        self._agent = agent
        self._fleet = fleet
        self._reports = reports
        self._began = now()

    async def again(self) -> Logged:
        """Return what the log has got since this look began."""
        return await logged_since(self._client, self._task_id, self._agent, self._began)

    async def letter(self, log: Logged) -> DeadLetter | None:
        """Return the task's dead letter, where there may be one."""
        if log.result is not None and log.result.status not in WITH_LETTER:
            return None
        whose = self._whose(log)
        return await _letter(self._client, self._task_id, self._fleet if whose is None else [whose])

    async def life(self, log: Logged, letter: DeadLetter | None) -> TaskLife:
        """Return the life of a task that has ended."""
        result = log.result
        whose = self._whose(log)
        # A letter that is still there was not replayed.
        may_be_replayed = log.replay is not None or letter is None
        replay = None
        if result is not None and result.status in WITH_LETTER and may_be_replayed:
            replay = await self._replay(log.replay, whose)
        agent = whose if letter is None else letter.agent
        return TaskLife(self._task_id, agent, log.has_log, result, log.times, letter, replay=replay)

    def _whose(self, log: Logged) -> str | None:
        return self._agent if log.result is None else log.result.agent

    async def _replay(self, result: TaskResult | None, agent: str | None) -> Replay | None:
        """Return what has become of a replay: by its result, or by the host that tells that it holds it."""
        task_id, host = next_id(self._task_id), None
        if result is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LISTEN_SECONDS):
                    host = (await _place(self._reports, task_id, agent, {})).host
            result = (await self.again()).replay
        if result is not None:
            return Replay(task_id, result.host, result.status)
        return None if host is None else Replay(task_id, host)


async def _letter(client: Client, task_id: str, agents: Collection[str]) -> DeadLetter | None:
    letters = DeadLetters(client.broker, client.topology, agents)
    async with aclosing(letters.letters(Choice(ids=frozenset({task_id})))) as found:
        return await anext(found, None)


async def _heard(
    events: AsyncIterator[TaskEvent],
    reports: AsyncIterator[Report],
    task_id: str,
    agent: str | None,
    told: dict[str, AgentReport],
) -> tuple[TaskEvent | None, Place | None]:
    """Listen for a step of the task, or until a host tells that it holds it, for a moment at most."""
    step = asyncio.create_task(_step(events, task_id), name=f"task-step:{task_id}")
    place = asyncio.create_task(_place(reports, task_id, agent, told), name=f"task-place:{task_id}")
    try:
        await asyncio.wait((step, place), timeout=LISTEN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        return step.result() if step.done() else None, place.result() if place.done() else None
    finally:
        await end_tasks((step, place))


async def _step(events: AsyncIterator[TaskEvent], task_id: str) -> TaskEvent:
    return await anext(event async for event in events if event.task_id == task_id)


async def _place(
    reports: AsyncIterator[Report], task_id: str, agent: str | None, told: dict[str, AgentReport]
) -> Place:
    """Return where the task is held, once a host says so; note in `told` what each host says of the agent meanwhile."""
    while True:
        report = await anext(reports)
        if not isinstance(report, AgentReport) or agent not in (None, report.agent):
            continue
        told[report.host] = report
        for task in report.tasks:
            if task.id == task_id:
                return Place(report.host, report.agent, task)
