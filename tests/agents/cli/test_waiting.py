"""Why a task waits is said once, and only where somebody waits in vain."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import count

import pytest

from agents.cli.waiting import Reasons, explaining
from bus.broker import LinkState, QueueInfo
from bus.client import Client
from bus.codec import encode_report
from bus.errors import BusError
from bus.memory import MemoryBroker
from bus.pieces import Begun, Restart
from bus.routing_keys import report_key
from schemas import AgentReport, BreakerReport, Report, ReportKind, TaskMessage
from tests.support.bus_world import AGENT, Worker, World, memory_world, within

TASK = TaskMessage(agent=AGENT, prompt="x")
AWAY = {"consuming": LinkState.CONNECTING, "publishing": LinkState.CONNECTED}
HERE = {"consuming": LinkState.CONNECTED, "publishing": LinkState.BLOCKED}
NOBODY = "no host takes tasks for worker now (none runs, or its model is busy or away): it waits in its queue"


def report(consumer: str, host: str = "h", agent: str = AGENT, reason: str | None = None) -> AgentReport:
    return AgentReport(host=host, agent=agent, consumer=consumer, reason=reason, prefetch=1, held=0, health={})


def queue(ready: int, consumers: int) -> QueueInfo:
    return QueueInfo("q", ready, consumers)


def test_a_queue_that_nobody_takes_from_is_told_once() -> None:
    reasons = Reasons(TASK)
    assert list(reasons.of_queue(None)) == []
    assert list(reasons.of_queue(queue(1, 0))) == [NOBODY]
    assert list(reasons.of_queue(queue(1, 0))) == []
    assert list(reasons.of_queue(queue(7, 2))) == ["worker is busy: it waits for its turn, 7 in the queue"]


def test_what_is_worked_on_or_waits_for_its_next_attempt_does_not_wait_in_the_queue() -> None:
    reasons = Reasons(TASK)
    reasons.note(Begun(1, "h"))
    assert list(reasons.of_queue(queue(1, 0))) == []
    reasons.note(Restart(2, None, 5.0))
    assert list(reasons.of_queue(queue(1, 0))) == []
    reasons.note(Restart(2))
    assert list(reasons.of_queue(queue(1, 0))) == [NOBODY]


def test_a_lost_connection_is_told() -> None:
    reasons = Reasons(TASK)
    assert list(reasons.of_links(HERE)) == []
    (told,) = reasons.of_links(AWAY)
    assert told == "the connection to RabbitMQ is lost, and tried again: the task is safe there"


def test_a_paused_host_is_told_with_its_reason_unless_another_works_on_the_task() -> None:
    reasons = Reasons(TASK)
    assert list(reasons.of_report(report("consuming"))) == []
    assert list(reasons.of_report(report("paused", agent="other"))) == []
    paused = report("paused", reason="the model server does not answer")
    assert list(reasons.of_report(paused)) == ["worker on h is paused: the model server does not answer"]
    assert list(reasons.of_report(paused)) == []
    assert list(reasons.of_report(report("lost"))) == ["worker on h has lost its queue or its connection"]
    reasons.note(Begun(1, "i"))
    assert list(reasons.of_report(report("stopped"))) == []
    assert list(reasons.of_report(report("stopped", host="i"))) == ["worker on i has stopped"]


def test_a_host_that_holds_all_it_may_is_said_to_wait_for_the_model() -> None:
    (told,) = Reasons(TASK).of_report(report("full"))
    assert told == (
        "worker on h waits for the model: its host holds as many tasks as it may, and takes the next once one ends"
    )


def test_what_was_seen_last_is_kept_whether_it_was_told_or_not() -> None:
    reasons = Reasons(TASK)
    seen: list[str | None] = [reasons.last]

    def see(*steps: Iterator[str]) -> None:
        for step in steps:
            list(step)
        seen.append(reasons.last)

    see(reasons.of_queue(queue(1, 0)))
    see(reasons.of_report(report("consuming")))
    see(reasons.of_queue(queue(1, 0)))
    see(reasons.of_report(report("paused", reason="the model server does not answer")), reasons.of_queue(None))
    reasons.note(Begun(1, "h"))
    see(reasons.of_report(report("consuming")), reasons.of_report(report("consuming", agent="other")))
    reasons.note(Restart(2, None, 5.0))
    see()
    see(reasons.of_links(AWAY))
    assert seen == [
        None,
        NOBODY,
        "worker on h takes tasks",
        NOBODY,
        "worker on h is paused: the model server does not answer",
        "worker on h has taken it, attempt 1",
        "it waits for attempt 2",
        "the connection to RabbitMQ is lost, and tried again: the task is safe there",
    ]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with memory_world("waiting") as memory:
        yield memory


async def test_a_task_that_nobody_takes_is_explained_while_it_waits(world: World) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    task = await world.client.submit(AGENT, "x")
    async with explaining(world.client, task, told.put_nowait, patience=0.01):
        assert await within(told.get()) == NOBODY
        async with world.consumer(Worker(hold=True)):
            assert await within(told.get()) == "worker is busy: it waits for its turn, 0 in the queue"


async def test_the_reports_of_its_agent_are_heard(world: World) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    def announce(news: Report) -> None:
        world.broker.announce(world.topology.metrics, report_key(AGENT, ReportKind.AGENT), encode_report(news))

    breaker = BreakerReport(
        host="h", name="b", state="open", consecutive_failures=1, trip_count=1, time_until_retry=1.0
    )
    async with explaining(world.client, TASK, told.put_nowait):
        while told.empty():  # until the listener is there
            announce(breaker)
            announce(report("paused", reason="outage"))
            await asyncio.sleep(0)
        assert told.get_nowait() == "worker on h is paused: outage"


async def test_a_look_that_fails_is_followed_by_others(world: World) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    looks = count()

    class Unsteady(MemoryBroker):
        async def queue_info(self, name: str) -> QueueInfo | None:
            if next(looks) == 0:
                raise BusError(f"the broker does not answer about {name}")
            return queue(1, 0)

    async with (
        Unsteady("unsteady") as broker,
        explaining(Client(broker, world.topology), TASK, told.put_nowait, patience=0.01),
    ):
        assert await within(told.get()) == NOBODY


async def test_a_lost_connection_is_told_and_the_queue_not_asked(world: World) -> None:
    told, asked, looks = list[str](), list[str](), asyncio.Semaphore(0)

    class Cut(MemoryBroker):
        @property
        def links(self) -> Mapping[str, LinkState]:
            looks.release()
            return AWAY

        async def queue_info(self, name: str) -> QueueInfo | None:
            asked.append(name)
            return None

    async with (
        Cut("cut") as broker,
        explaining(Client(broker, world.topology), TASK, told.append, patience=0.01),
    ):
        for _ in range(3):
            await within(looks.acquire())
    assert (len(told), asked) == (1, [])
