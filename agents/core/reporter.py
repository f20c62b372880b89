"""The state of breakers, pools, agents and the host itself, announced on the metrics exchange."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import structlog

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.circuit_breaker import CircuitState
from agents.core.host_stage import HostStage
from agents.core.model.server import ModelServer
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.process_usage import ProcessUsage
from agents.core.version import VERSION
from bus.broker import Broker, ConsumerState
from bus.codec import encode_report
from bus.consumer import Consumer
from bus.topology import Topology, report_key
from schemas import AgentReport, BreakerReport, HostReport, PoolReport, Report

log = structlog.get_logger(__name__)

HEALTH_SECONDS: Final = 2.0
"""A server that takes longer to tell its version is told as unhealthy; the reports go out all the same."""

SILENT_HINT: Final = "start Ollama there, or set OLLAMA_URL; tasks that need a model wait in their queues meanwhile"


class Reporter:
    """Reports for one host: at once on what changes (breaker, consumer, stage), on everything at each interval."""

    def __init__(
        self,
        broker: Broker,
        topology: Topology,
        host: str,
        pool: OllamaConnectionPool,
        staff: Sequence[tuple[BaseAgentV2, Consumer]],
        *,
        interval: float,
        max_held: int | None = None,
    ) -> None:
        """`max_held`: the host's bound on what its agents hold together, where it has one."""
        self._stage = HostStage.STARTING
        self._broker = broker
        self._topology = topology
        self._host = host
        self._pool = pool
        self._staff = staff
        self._interval = interval
        self._max_held = max_held
        self._usage = ProcessUsage()
        self._started = time.monotonic()
        self._answers: bool | None = None
        self._needs_model = any(agent.needs_model for agent, _ in staff)
        for server in pool.servers:
            server.breaker.add_state_change_callback(partial(self._tell_transition, server))
            server.models.on_progress = partial(self._tell_pool, server)
        for agent, consumer in staff:
            consumer.on_state = partial(self._tell_consumer, agent, consumer)

    def enter(self, stage: HostStage) -> None:
        """Note and report that the host has come to a new stage of its life."""
        self._stage = stage
        log.info("host.stage", host=self._host, stage=stage.value)
        self._announce(self._host, self._host_report())

    async def run(self) -> None:
        """Report at each interval until cancelled."""
        while True:
            await self.report()
            await asyncio.sleep(self._interval)

    async def report(self) -> None:
        """Report on everything now."""
        answers = await self._server_answers()
        if answers != self._answers:
            self._answers = answers
            self._tell_answers(answers=answers)
        for reporter, report in self._reports(ollama_healthy=answers):
            self._announce(reporter, report)

    def health_of(self, agent: BaseAgentV2) -> dict[str, Any]:
        """Return an agent's health, given what the model server said at the last report."""
        return agent.health(self._pool, ollama_healthy=bool(self._answers))

    def _tell_answers(self, *, answers: bool) -> None:
        if answers:
            log.info("model_server.answers", url=self._pool.safe_url)
        else:
            tell = log.warning if self._needs_model else log.info
            tell("model_server.silent", url=self._pool.safe_url, hint=SILENT_HINT)

    async def _server_answers(self) -> bool:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                return await self._pool.health_check()
        except TimeoutError:
            return False

    def _reports(self, *, ollama_healthy: bool) -> Iterable[tuple[str, Report]]:
        yield self._host, self._host_report()
        for server in self._pool.servers:
            yield self._host, self._breaker_report(server, None)
            yield self._host, self._pool_report(server)
        for agent, consumer in self._staff:
            yield agent.name, self._agent_report(agent, consumer, ollama_healthy=ollama_healthy)

    def _tell_transition(self, server: ModelServer, old: CircuitState, _new: CircuitState) -> None:
        self._announce(self._host, self._breaker_report(server, old))

    def _tell_pool(self, server: ModelServer) -> None:
        self._announce(self._host, self._pool_report(server))

    def _tell_consumer(self, agent: BaseAgentV2, consumer: Consumer, state: ConsumerState) -> None:
        tell = log.warning if state is ConsumerState.LOST else log.info
        tell("agent.consumer", agent=agent.name, state=state.value, losses=consumer.losses)
        try:
            report = self._agent_report(agent, consumer, ollama_healthy=bool(self._answers))
            self._announce(agent.name, report.model_copy(update={"consumer": state.value}))
        except Exception:
            # An agent may bring a `health` of its own. Its fault must not end the consumer that calls this.
            log.exception("report.failed", agent=agent.name)

    def _announce(self, reporter: str, report: Report) -> None:
        self._broker.announce(self._topology.metrics, report_key(reporter, report.kind), encode_report(report))

    def _host_report(self) -> HostReport:
        return HostReport(
            host=self._host,
            version=VERSION,
            agents=[agent.name for agent, _ in self._staff],
            state=self._stage.value,
            links={name: state.value for name, state in self._broker.links.items()},
            held=sum(consumer.held for _, consumer in self._staff),
            max_held=self._max_held,
            uptime=time.monotonic() - self._started,
            memory_bytes=self._usage.memory_bytes,
            cpu_percent=self._usage.cpu_percent(),
        )

    def _breaker_report(self, server: ModelServer, old: CircuitState | None) -> BreakerReport:
        stats = server.breaker.get_stats()
        return BreakerReport(
            host=self._host,
            server=server.name,
            name=stats["name"],
            state=stats["state"],
            old=old,
            consecutive_failures=stats["consecutive_failures"],
            trip_count=stats["trip_count"],
            time_until_retry=stats["time_until_retry"],
        )

    def _pool_report(self, server: ModelServer) -> PoolReport:
        queue, loaded_lane = self._pool.queue, self._pool.queue.loaded_lane
        place = queue.get_server_stats(server.place)
        return PoolReport(
            host=self._host,
            server=server.name,
            slots=place["slots"],
            active=place["active"],
            waiting=queue.waiting,
            waiting_by_priority=queue.waiting_by_priority(),
            waiting_by_lane=queue.waiting_by_lane(),
            loaded_lane=None if loaded_lane is None else str(loaded_lane),
            loaded_lanes=place["loaded_lanes"],
            pulls=server.models.pulling,
            stats=server.figures(),
        )

    def _agent_report(self, agent: BaseAgentV2, consumer: Consumer, *, ollama_healthy: bool) -> AgentReport:
        return AgentReport(
            host=self._host,
            agent=agent.name,
            consumer=consumer.state,
            reason=consumer.reason,
            losses=consumer.losses,
            results={status.value: count for status, count in consumer.ended.items()},
            prefetch=consumer.prefetch,
            held=consumer.held,
            health=agent.health(self._pool, ollama_healthy=ollama_healthy),
        )
