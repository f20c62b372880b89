"""ReportDrafts: what a host's reports say, each read from what it is about at the moment of asking."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from uuid import uuid4

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.circuit_breaker import CircuitState
from agents.core.host_stage import HostStage
from agents.core.model.server import ModelServer
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.process_usage import ProcessUsage
from agents.core.version import VERSION
from bus.broker import Broker
from bus.consumer import Consumer
from bus.durations import Durations
from schemas import AgentReport, BreakerReport, HandlingSeconds, HostReport, PoolReport


class ReportDrafts:
    """Writes the reports of one host. `clock` gives monotonic seconds."""

    def __init__(
        self,
        broker: Broker,
        host: str,
        pool: OllamaConnectionPool,
        staff: Sequence[tuple[BaseAgentV2, Consumer]],
        max_held: int | None,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`max_held`: the host's bound on what its agents hold together, where it has one.

        `interval`: seconds between two rounds.
        """
        self._broker = broker
        self._host_name = host
        self._pool = pool
        self._staff = staff
        self._max_held = max_held
        self._interval = interval
        self._clock = clock
        self._process = uuid4().hex[:12]
        self._usage = ProcessUsage()
        self._started = clock()

    def host(self, stage: HostStage) -> HostReport:
        """Return the report on the host itself."""
        return HostReport(
            host=self._host_name,
            process=self._process,
            version=VERSION,
            agents=[agent.name for agent, _ in self._staff],
            state=stage.value,
            links={name: state.value for name, state in self._broker.links.items()},
            held=sum(consumer.held for _, consumer in self._staff),
            max_held=self._max_held,
            slots=self._pool.max_connections * len(self._pool.servers),
            waiting=self._pool.queue.waiting,
            python=platform.python_version(),
            rabbitmq=self._broker.description,
            pid=os.getpid(),
            interval=self._interval,
            uptime=self._clock() - self._started,
            memory_bytes=self._usage.memory_bytes,
            cpu_percent=self._usage.cpu_percent(),
        )

    def breaker(self, server: ModelServer, old: CircuitState | None) -> BreakerReport:
        """Return the report on the circuit breaker of a server, which has just left the state `old`."""
        stats = server.breaker.get_stats()
        return BreakerReport(
            host=self._host_name,
            process=self._process,
            server=server.name,
            name=stats["name"],
            state=stats["state"],
            old=old,
            consecutive_failures=stats["consecutive_failures"],
            trip_count=stats["trip_count"],
            time_until_retry=stats["time_until_retry"],
            reason=server.vitals.trouble,
            recovery_timeout=stats["recovery_timeout"],
        )

    def pool(self, server: ModelServer) -> PoolReport:
        """Return the report on the connections to a server."""
        queue, loaded_lane = self._pool.queue, self._pool.queue.loaded_lane
        place = queue.get_server_stats(server.place)
        return PoolReport(
            host=self._host_name,
            process=self._process,
            server=server.name,
            slots=place["slots"],
            active=place["active"],
            waiting=queue.waiting,
            queue_limit=queue.max_queue_size,
            waiting_by_priority=queue.waiting_by_priority(),
            waiting_by_lane=queue.waiting_by_lane(),
            loaded_lane=None if loaded_lane is None else str(loaded_lane),
            loaded_lanes=server.residents.in_memory,
            pulls=server.models.pulling,
            tokens_in=server.tokens.read,
            tokens_out=server.tokens.written,
            tokens_per_second=server.tokens.per_second,
            stats=server.figures(),
        )

    def agent(self, agent: BaseAgentV2, consumer: Consumer, *, ollama_healthy: bool) -> AgentReport:
        """Return the report on an agent; its own `health` may raise."""
        at_work = consumer.running - consumer.waiting
        return AgentReport(
            host=self._host_name,
            process=self._process,
            agent=agent.name,
            consumer=consumer.state,
            reason=consumer.reason,
            losses=consumer.losses,
            results={status.value: count for status, count in consumer.ended.items()},
            prefetch=consumer.prefetch,
            held=consumer.held,
            running=at_work,
            waiting=max(0, consumer.held - at_work),
            tasks=consumer.in_hand,
            attempts=consumer.attempts,
            retries=consumer.retries,
            last_delivery=consumer.last_delivery,
            seconds=seconds_of(consumer.durations),
            model=agent.model if agent.needs_model else None,
            health=agent.health(self._pool, ollama_healthy=ollama_healthy),
        )


def seconds_of(durations: Durations) -> HandlingSeconds | None:
    """Return the percentiles that a report tells; None where nothing has been done yet."""
    if not len(durations):
        return None
    return HandlingSeconds(p50=round(durations.percentile(50), 3), p95=round(durations.percentile(95), 3))
