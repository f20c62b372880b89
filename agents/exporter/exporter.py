"""The exporter: it listens to the fleet and writes the page that Prometheus reads."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack
from typing import Final, Self, TypeVar

import structlog
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from agents.exporter.fleet_metrics import FleetMetrics
from agents.exporter.labels import Labels
from agents.exporter.queue_metrics import QueueMetrics
from agents.exporter.task_metrics import TaskMetrics
from agents.fleet.fleet import SILENT_INTERVALS, Fleet
from agents.fleet.known_agents import expect_known_agents
from agents.fleet.queues import QueueWatch
from bus.alarm import feel_pulse, is_in_alarm
from bus.broker import LinkState
from bus.client import Client
from bus.ending import end_tasks
from bus.errors import BusError
from schemas import AgentReport, Report

log = structlog.get_logger(__name__)

AnyMessage = TypeVar("AnyMessage")

DEAF: Final = "the exporter has stopped to listen, and its log says why: start it again"

KEPT_SECONDS: Final = 10.0
"""However often somebody scrapes: a look at two queues of 131 agents is 262 questions to the broker."""

LOOK_SECONDS: Final = 5.0
"""Half of the time that Prometheus gives a scrape by default."""


class Exporter:
    """Listens within `async with`. Counters begin at 0 with it, and each task counts once."""

    def __init__(self, client: Client, *, interval: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`interval`: seconds between two reports of a host; one that is silent for three of them disappears.

        Where a host tells a longer interval of its own, that counts.
        """
        self._client = client
        self._labels = Labels()
        self._fleet = Fleet(SILENT_INTERVALS * interval, clock)
        self._queues = QueueWatch(
            client.broker, client.topology, kept_seconds=KEPT_SECONDS, look_seconds=LOOK_SECONDS, clock=clock
        )
        self._registry = CollectorRegistry()
        self._tasks = TaskMetrics(self._registry, self._labels)
        self._connected = Gauge(
            "sutazai_exporter_connected", "1 while the exporter hears the broker.", registry=self._registry
        )
        self._alarm = Gauge(
            "sutazai_broker_alarm", "1 while RabbitMQ is in an alarm of memory or disk.", registry=self._registry
        )
        self._registry.register(QueueMetrics(self._queues))
        self._stack = AsyncExitStack()
        self._ears: list[asyncio.Task[None]] = []
        self._inquiry: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            results = await stack.enter_async_context(self._client.results())
            reports = await stack.enter_async_context(self._client.reports())
            self._ears = [
                asyncio.create_task(_hear(results, self._tasks.count), name="exporter:results"),
                asyncio.create_task(_hear(reports, self._note), name="exporter:reports"),
            ]
            self._inquiry = asyncio.create_task(
                expect_known_agents(self._client.broker, self._client.topology, self._expect),
                name="exporter:known-agents",
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await end_tasks([*self._ears, *([self._inquiry] if self._inquiry else [])])
        await self._stack.aclose()

    @property
    def connected(self) -> bool:
        """Whether it hears the fleet."""
        return self.trouble is None

    @property
    def trouble(self) -> str | None:
        """Why it does not hear the fleet, in a sentence; None while it does."""
        if any(ear.done() for ear in self._ears):
            return DEAF
        # One that an alarm blocks brings messages all the same.
        if self._client.broker.links["consuming"] in (LinkState.CONNECTED, LinkState.BLOCKED):
            return None
        return "the connection to RabbitMQ is lost; it comes back"

    @property
    def is_in_alarm(self) -> bool:
        """Whether RabbitMQ takes no messages, as far as it is known since the last `feel_pulse`."""
        return is_in_alarm(self._client.broker)

    def feel_pulse(self) -> None:
        """Find out, without waiting, whether RabbitMQ is in an alarm; the exporter publishes nothing else."""
        feel_pulse(self._client.broker, self._client.topology)

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`.

        Raises:
            BusError: before that, it has stopped to listen, which only a new start mends.
        """
        stopped = asyncio.create_task(stop.wait(), name="exporter:stop")
        try:
            await asyncio.wait((stopped, *self._ears), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks([stopped])
        if not stop.is_set():
            raise BusError(DEAF)

    async def page(self) -> bytes:
        """Return all metrics in Prometheus's text format.

        They are written in a thread: those of a hundred hosts take a second, in which the fleet must be heard.
        """
        self.feel_pulse()
        if self.connected:
            await self._queues.look(self._labels.agents)
        if not self.connected:  # or no more, after the look
            self._queues.forget()
        self._connected.set(self.connected)
        self._alarm.set(self.is_in_alarm)
        fleet = FleetMetrics(self._fleet.copy(), self._labels)
        return await asyncio.to_thread(lambda: generate_latest(self._registry) + generate_latest(fleet))

    def _note(self, report: Report) -> None:
        self._fleet.note(report)
        if isinstance(report, AgentReport):
            self._tasks.expect(report.agent)

    def _expect(self, agents: Collection[str]) -> None:
        for agent in agents:
            self._tasks.expect(agent)


async def _hear(messages: AsyncIterator[AnyMessage], take: Callable[[AnyMessage], None]) -> None:
    try:
        async for message in messages:
            _take_in(message, take)
    except Exception:
        log.exception("exporter.deaf")
        raise


def _take_in(message: AnyMessage, take: Callable[[AnyMessage], None]) -> None:
    try:
        take(message)
    except Exception:  # whatever a foreign program wrote, all others' messages count on
        log.exception("exporter.not_counted", kind=type(message).__name__)
