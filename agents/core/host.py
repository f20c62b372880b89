"""Host: one process that runs agents on one broker and one pool, from the first connect to the last ack."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Self

import structlog

from agents.core.base_agent_v2 import AgentStatus, BaseAgentV2
from agents.core.coordinator.coordinator import make_coordinator
from agents.core.delegation import Delegation
from agents.core.hooks import Hooks
from agents.core.host_connection import connection_name, connection_properties
from agents.core.host_stage import HostStage
from agents.core.model.pool import make_pool
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.operator_pause import OperatorPauses
from agents.core.outage import OutageWatch
from agents.core.process import stopping_on_signals
from agents.core.reporter import Reporter
from agents.core.settings import Settings, SettingsError
from agents.core.staff import Staff
from agents.core.version import VERSION
from bus.broker import Broker
from bus.client import Client
from bus.connect import broker_at
from bus.consumer import Consumer
from bus.control import ControlLink
from bus.ending import end_tasks
from bus.errors import BusError
from bus.topology import Topology
from schemas import DrainHost, Order

log = structlog.get_logger(__name__)


class Host:
    """Runs agents. Inside `async with` they consume; `serve` waits until a stop is asked for and stops in stages."""

    def __init__(
        self,
        agents: Sequence[BaseAgentV2],
        settings: Settings,
        *,
        broker: Broker | None = None,
        pool: OllamaConnectionPool | None = None,
    ) -> None:
        """`broker` and `pool` take the place of those that the settings describe; the host opens and closes both.

        Raises:
            SettingsError: two agents have one name, there is none, one's task timeout is more than the broker's
                patience for an acknowledgement, or one's own retry policy is impossible.
        """
        names = [agent.name for agent in agents]
        if not names or len(set(names)) < len(names):
            raise SettingsError(f"a host needs agents with different names, and these are {names}")
        self.name = settings.host_name
        self.agents = agents
        self.settings = settings
        self.topology = settings.topology
        self.broker = broker or broker_at(
            settings.amqp_url,
            connection_name(self.name, names),
            VERSION,
            properties=connection_properties(self.name, names),
            patience=settings.connect_timeout,
        )
        self.pool = pool or make_pool(settings)
        self._staff = Staff(agents, settings, self.broker, self.pool)
        self._outage = OutageWatch(self.pool, self._staff.asking_the_model)
        self._operator = OperatorPauses(self.consumers)
        self._reporter = self._make_reporter()
        self._control = ControlLink(
            self.broker,
            self.topology,
            self.name,
            names,
            self._staff.cancel,
            returns=self._staff.returns,
            on_arrival=self._staff.note_arrival,
            on_order=self._obey,
            on_watcher=self._reporter.request,
        )
        self._coordinator = make_coordinator(settings, agents, self._reporter.health_of)
        self._delegation = Delegation(Client(self.broker, self.topology), agents)
        self._hooks = Hooks(agents, settings.start_timeout)
        self.failed_watch: str | None = None
        """The name of a watch that has died, with which the host stops."""
        self._stop = asyncio.Event()
        self._steering: list[asyncio.Task[None]] = []
        self._watches: list[asyncio.Task[None]] = []
        self._exit = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._enter(AgentStatus.REGISTERING)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._enter, AgentStatus.ERROR)
            await stack.enter_async_context(self.broker)
            await stack.enter_async_context(self.pool)
            self._enter(AgentStatus.REGISTERING, self.pool)
            await self.broker.declare(self.topology.shared())
            await declare_logs(self.broker, self.topology)
            await stack.enter_async_context(self._delegation)
            await stack.enter_async_context(self._hooks)
            stack.push_async_callback(self._end_watches)
            await self._open_coordinator(stack)
            await stack.enter_async_context(self._control)
            await stack.enter_async_context(self._staff)
            self._exit = stack.pop_all()
        self._enter(AgentStatus.ACTIVE, self.pool)
        self._reporter.enter(HostStage.RUNNING)
        self._steering = [
            asyncio.create_task(self._outage.run(), name=f"outage:{self.name}"),
            asyncio.create_task(self._operator.run(), name=f"operator:{self.name}"),
        ]
        reporting = asyncio.create_task(self._reporter.run(), name=f"reports:{self.name}")
        self._watches = [*self._steering, reporting]
        for watch in self._watches:
            watch.add_done_callback(self._note_end)
        log.info("host.started", host=self.name, broker=self.broker.description, agents=len(self.agents))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            await self._exit.aclose()
        finally:
            self._enter(AgentStatus.STOPPED)
            log.info("host.stopped", host=self.name)

    @property
    def reporter(self) -> Reporter:
        """What tells of the host."""
        return self._reporter

    @property
    def consumers(self) -> list[Consumer]:
        """One for each agent, in their order."""
        return self._staff.consumers

    def request_stop(self) -> None:
        """Ask for a graceful stop; `serve` carries it out."""
        self._stop.set()

    async def serve(self) -> None:
        """Run until SIGINT, SIGTERM or `request_stop`, then stop in stages: take no more, let work end, hand back.

        A second signal ends the process at once.
        """
        with stopping_on_signals(self.request_stop):
            await self._stop.wait()
            await self.stop()

    async def stop(self) -> None:
        """Stop in stages: draining, handing_back, closing. Takes the grace period and ten seconds at most.

        No consumer takes a task any more; running tasks get the grace period; what is left goes back to its queue;
        the last reports go out. Until then the host reports as ever, and answers who asks.
        """
        grace = self.settings.grace_period
        self._hooks.allow(grace)
        running, waiting = self._staff.running, self._staff.waiting
        log.info("host.stopping", host=self.name, running=running, waiting=waiting, grace=grace)
        self._enter(AgentStatus.SHUTTING_DOWN, self.pool)
        await end_tasks(self._steering)  # nothing may resume what stops
        self._reporter.enter(HostStage.DRAINING)
        await self._staff.drain(grace)
        self._reporter.enter(HostStage.HANDING_BACK)
        await self._staff.hand_back()
        await self._end_watches()
        self._reporter.enter(HostStage.CLOSING)
        await self._reporter.report()

    def _make_reporter(self) -> Reporter:
        intake = self._staff.intake
        reporter = Reporter(
            self.broker,
            self.topology,
            self.name,
            self.pool,
            self._staff.pairs,
            interval=self.settings.health_check_interval,
            max_held=None if intake is None else intake.bound,
        )
        if intake is not None:
            intake.on_full = reporter.note_full
        return reporter

    async def _open_coordinator(self, stack: contextlib.AsyncExitStack) -> None:
        if self._coordinator is not None:
            self._staff.tell_results_to(self._coordinator.completed)
            await stack.enter_async_context(self._coordinator)

    def _obey(self, order: Order) -> None:
        if isinstance(order, DrainHost):
            log.info("host.told_to_drain", host=self.name, reason=order.reason)
            self.request_stop()
        else:
            self._operator.hear(order)

    def _enter(self, status: AgentStatus, pool: OllamaConnectionPool | None = None) -> None:
        for agent in self.agents:
            agent.enter(status, pool)

    async def _end_watches(self) -> None:
        await end_tasks(self._watches)
        self._watches = []

    def _note_end(self, watch: asyncio.Task[None]) -> None:
        """Stop a host that would go on without its eyes."""
        if not watch.cancelled() and (error := watch.exception()) is not None:
            self.failed_watch = watch.get_name()
            log.error("host.watch_failed", host=self.name, watch=self.failed_watch, exc_info=error)
            self.request_stop()


async def declare_logs(broker: Broker, topology: Topology) -> bool:
    """Declare the logs; False where that is not possible: nothing but looking back needs them."""
    try:
        for plan in topology.logs():
            await broker.declare(plan)
    except BusError as error:
        log.warning("host.logs_missing", reason=str(error), effect="no replay; cancellations reach only who runs")
        return False
    return True
