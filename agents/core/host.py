"""Host: one process that runs agents on one broker and one pool, from the first connect to the last ack."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final, Self

import structlog

from agents.core.base_agent_v2 import AgentStatus, BaseAgentV2
from agents.core.coordinator.coordinator import make_coordinator
from agents.core.delegation import Delegation
from agents.core.entering import enter_all
from agents.core.hooks import Hooks
from agents.core.host_stage import HostStage
from agents.core.model.lane import Lane
from agents.core.model.names import model_key
from agents.core.model.pool import make_pool
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.operator_pause import OperatorPauses
from agents.core.outage import OutageWatch
from agents.core.process import stopping_on_signals
from agents.core.reporter import Reporter
from agents.core.settings import Settings, SettingsError
from agents.core.version import VERSION
from bus.arrivals import Arrivals
from bus.broker import Broker
from bus.cancellations import Cancellations
from bus.client import Client
from bus.connect import broker_at
from bus.consumer import Consumer
from bus.control import ControlLink
from bus.ending import end_tasks
from bus.errors import BusError
from bus.intake import Intake
from bus.retry import RetryPolicy
from bus.returns import Returns
from bus.shelf import Shelf
from bus.suspects import Suspects
from bus.topology import Topology
from schemas import CancelTask, DrainHost, Order

log = structlog.get_logger(__name__)

HELD_FOR_EACH_SLOT: Final = 4
"""Tasks that a host with many agents holds for each slot at its model servers: enough to group them by model, and to
begin the next while a result is on its way; few enough to leave a second host its share."""

NAMED_AGENTS: Final = 3
"""Agents that a connection's name lists; 131 names would help nobody in the management UI."""


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
        self._models = {agent.name: model_key(agent.model) for agent in agents}
        self.settings = settings
        self.topology = settings.topology
        self.broker = broker or broker_at(
            settings.amqp_url, connection_name(self.name, names), VERSION, patience=settings.connect_timeout
        )
        self.pool = pool or make_pool(settings)
        self._cancellations = Cancellations()
        self._suspects = Suspects()
        self._returns = Returns()
        self._shelf = Shelf()
        self._intake = self._bounded_intake()
        self.consumers = [self._consumer_of(agent) for agent in agents]
        staff = list(zip(agents, self.consumers, strict=True))
        self._outage = OutageWatch(self.pool, [consumer for agent, consumer in staff if agent.needs_model])
        self._operator = OperatorPauses(self.consumers)
        self._reporter = Reporter(
            self.broker,
            self.topology,
            self.name,
            self.pool,
            staff,
            interval=settings.health_check_interval,
            max_held=None if self._intake is None else self._intake.bound,
        )
        if self._intake is not None:
            self._intake.on_full = self._reporter.note_full
        self._control = ControlLink(
            self.broker,
            self.topology,
            self.name,
            names,
            self._cancel,
            returns=self._returns,
            on_arrival=self._note_arrival,
            on_order=self._obey,
            on_watcher=self._reporter.request,
        )
        self._coordinator = make_coordinator(settings, agents, self._reporter.health_of)
        self._delegation = Delegation(Client(self.broker, self.topology), agents)
        self._hooks = Hooks(agents, settings.start_timeout)
        self._stop = asyncio.Event()
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
            if self._intake is not None:
                await stack.enter_async_context(self._intake)
            await enter_all(stack, self.consumers)
            if self._intake is not None:
                await self._listen_for(self._intake, stack)
            self._exit = stack.pop_all()
        self._enter(AgentStatus.ACTIVE, self.pool)
        self._reporter.enter(HostStage.RUNNING)
        self._watches = [
            asyncio.create_task(self._outage.run(), name=f"outage:{self.name}"),
            asyncio.create_task(self._operator.run(), name=f"operator:{self.name}"),
            asyncio.create_task(self._reporter.run(), name=f"reports:{self.name}"),
        ]
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
        the last reports go out.
        """
        grace = self.settings.grace_period
        self._hooks.allow(grace)
        waiting = sum(consumer.waiting for consumer in self.consumers)
        running = sum(consumer.running for consumer in self.consumers) - waiting
        log.info("host.stopping", host=self.name, running=running, waiting=waiting, grace=grace)
        self._enter(AgentStatus.SHUTTING_DOWN, self.pool)
        await self._end_watches()
        self._reporter.enter(HostStage.DRAINING)
        await asyncio.gather(*(consumer.close_intake() for consumer in self.consumers))
        await asyncio.gather(*(consumer.drain(grace) for consumer in self.consumers))
        self._reporter.enter(HostStage.HANDING_BACK)
        await asyncio.gather(*(consumer.hand_back() for consumer in self.consumers))
        self._reporter.enter(HostStage.CLOSING)
        await self._reporter.report()

    def _consumer_of(self, agent: BaseAgentV2) -> Consumer:
        return Consumer(
            self.broker,
            self.topology,
            agent.name,
            agent.handle,
            host=self.name,
            prefetch=agent.max_concurrent_tasks,
            policy=policy_of(agent),
            patience=self.settings.patience(agent.task_timeout, agent.name),
            cancellations=self._cancellations,
            suspects=self._suspects,
            returns=self._returns,
            intake=self._intake if agent.needs_model else None,
            shelf=self._shelf,
        )

    def _bounded_intake(self) -> Intake | None:
        """Return the bound on what is held, where several agents share the model.

        One alone needs none but its prefetch: each slot that is freed lets its own queue deliver. Of several, one may
        hold a full window while the slots that are freed are another's, and what is urgent waits behind it unseen.
        """
        limits = [agent.max_concurrent_tasks for agent in self.agents if agent.needs_model]
        slots = self.pool.max_connections * len(self.pool.servers)
        least = max(HELD_FOR_EACH_SLOT * slots, *limits, 1)
        bound = least if self.settings.max_held is None else self.settings.max_held
        has_rivals = len(limits) > 1 and sum(limits) > slots
        return Intake(bound, prefers=self._is_loaded) if has_rivals or sum(limits) > bound else None

    async def _listen_for(self, intake: Intake, stack: contextlib.AsyncExitStack) -> None:
        # Once the agents' queues are there: a task that reached the ear alone would seem to have arrived.
        names = [agent.name for agent in self.agents if agent.needs_model]
        arrivals = Arrivals(self.broker, self.topology, self.name, names, intake.heard, intake.forget)
        await stack.enter_async_context(arrivals)
        intake.is_deaf = arrivals.is_deaf
        log.info("host.bounded", host=self.name, held=intake.bound, agents=len(names))

    async def _open_coordinator(self, stack: contextlib.AsyncExitStack) -> None:
        if self._coordinator is not None:
            for consumer in self.consumers:
                consumer.tell_results_to(self._coordinator.completed)
            await stack.enter_async_context(self._coordinator)

    def _is_loaded(self, agent: str) -> bool:
        loaded = self.pool.queue.loaded_lane
        return isinstance(loaded, Lane) and loaded.model == self._models[agent]

    def _note_arrival(self, agent: str, priority: int) -> None:
        if self._intake is not None:
            self._intake.heard(agent, priority)

    def _cancel(self, control: CancelTask) -> None:
        for consumer in self.consumers:
            if control.agent in (None, consumer.agent):
                consumer.cancel(control.task_id, control.reason)

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
            log.error("host.watch_failed", host=self.name, watch=watch.get_name(), exc_info=error)
            self.request_stop()


def policy_of(agent: BaseAgentV2) -> RetryPolicy:
    """Return the agent's own retry policy.

    Raises:
        SettingsError: its class makes an impossible one.
    """
    try:
        return agent.retry_policy
    except ValueError as error:
        raise SettingsError(f"agent {agent.name!r} cannot run: {error}") from None


async def declare_logs(broker: Broker, topology: Topology) -> bool:
    """Declare the logs; False where that is not possible: nothing but looking back needs them."""
    try:
        for plan in topology.logs():
            await broker.declare(plan)
    except BusError as error:
        log.warning("host.no_logs", reason=str(error), effect="no replay; cancellations reach only who runs")
        return False
    return True


def connection_name(host: str, agents: Sequence[str]) -> str:
    """Return what the management UI shows for a host: its name and its agents, the first few by name."""
    shown = ", ".join(agents[:NAMED_AGENTS])
    more = f" and {len(agents) - NAMED_AGENTS} more" if len(agents) > NAMED_AGENTS else ""
    return f"{host} ({shown}{more})"
