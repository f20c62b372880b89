"""Why a task that somebody waits for is not being worked on: said once each, while they wait."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

from agents.cli.progress import words_of
from bus.broker import ConsumerState, LinkState, QueueInfo
from bus.client import Client
from bus.ending import end_tasks
from bus.errors import BusError
from bus.pieces import Advance, Begun, Restart, Step
from schemas import AgentReport, ReportKind, TaskMessage

PATIENCE_SECONDS: Final = 3.0
"""Between two looks. What begins before the first one needs no word."""

_FINE: Final = frozenset((ConsumerState.STARTING, ConsumerState.CONSUMING))

_WORDS: Final[Mapping[str, str]] = {
    ConsumerState.CONSUMING: "takes tasks",
    ConsumerState.FULL: "waits for the model: its host holds as many tasks as it may, and takes the next once one ends",
    ConsumerState.LOST: "has lost its queue or its connection",
    ConsumerState.STOPPED: "has stopped",
}
"""What a state means to who waits, if the state's own word is not that."""

Tell = Callable[[str], None]


class Reasons:
    """What is known of a task's wait. Pure; each reason is told once."""

    def __init__(self, task: TaskMessage) -> None:
        self._task = task
        self._host: str | None = None
        self._is_expected = False
        """Whether the reason is known: a host works on it, or it waits for its next attempt."""
        self._told: set[str] = set()
        self.last: str | None = None
        """What was seen last, whether it was told or not."""

    def note(self, step: Step) -> None:
        """Take in what the task's stream told."""
        if isinstance(step, Begun):
            self._host, self._is_expected = step.host, True
            self.last = f"{self._task.agent} on {step.host} has taken it, attempt {step.attempt}"
        elif isinstance(step, Advance):
            self.last = f"{self._task.agent} works on it, {words_of(step)}"
        elif isinstance(step, Restart):
            self._host, self._is_expected = None, step.delay > 0
            self.last = f"it waits for attempt {step.attempt}"

    def of_links(self, links: Mapping[str, LinkState]) -> Iterator[str]:
        """Yield what a broker that is away means."""
        if LinkState.CONNECTING in links.values():
            yield from self._once("link", "the connection to RabbitMQ is lost, and tried again: the task is safe there")

    def of_queue(self, info: QueueInfo | None) -> Iterator[str]:
        """Yield what the agent's queue means, while nothing else is known of the task."""
        agent = self._task.agent
        if self._is_expected or info is None:
            return
        if info.consumers == 0:
            sentence = f"no host takes tasks for {agent} now (none runs, or its model is busy or away)"
            yield from self._once("nobody", f"{sentence}: it waits in its queue")
        else:
            yield from self._once("busy", f"{agent} is busy: it waits for its turn, {info.ready} in the queue")

    def of_report(self, report: AgentReport) -> Iterator[str]:
        """Yield what the report of a host means, if the task is there or nowhere yet."""
        if report.agent != self._task.agent or self._host not in (None, report.host):
            return
        words = _WORDS.get(report.consumer, f"is {report.consumer}")
        why = f": {report.reason}" if report.reason else ""
        sentence = f"{report.agent} on {report.host} {words}{why}"
        if report.consumer not in _FINE:
            yield from self._once(f"{report.host} {report.consumer}", sentence)
        elif self._host is None:
            self.last = sentence

    def _once(self, reason: str, sentence: str) -> Iterator[str]:
        self.last = sentence
        if reason not in self._told:
            self._told.add(reason)
            yield sentence


@asynccontextmanager
async def explaining(
    client: Client, task: TaskMessage, tell: Tell, *, patience: float = PATIENCE_SECONDS
) -> AsyncIterator[Reasons]:
    """Within the block, look every `patience` seconds why `task` waits, and listen to its agent's reports.

    What may not be looked at is not told: a program with few rights still gets its answer.
    """
    reasons = Reasons(task)
    looks = (_look(client, task, reasons, tell, patience), _listen(client, reasons, tell))
    looking = [asyncio.create_task(look, name=f"explaining:{task.id}") for look in looks]
    try:
        yield reasons
    finally:
        await end_tasks(looking)


async def _look(client: Client, task: TaskMessage, reasons: Reasons, tell: Tell, patience: float) -> None:
    queue = client.topology.task_queue(task.agent)
    while True:
        await asyncio.sleep(patience)
        links = client.broker.links
        _tell_all(tell, reasons.of_links(links))
        if LinkState.CONNECTING not in links.values():
            with suppress(BusError):
                _tell_all(tell, reasons.of_queue(await client.broker.queue_info(queue)))


async def _listen(client: Client, reasons: Reasons, tell: Tell) -> None:
    with suppress(BusError):
        async with client.reports(kind=ReportKind.AGENT) as reports:
            async for report in reports:
                if isinstance(report, AgentReport):
                    _tell_all(tell, reasons.of_report(report))


def _tell_all(tell: Tell, sentences: Iterator[str]) -> None:
    for sentence in sentences:
        tell(sentence)
