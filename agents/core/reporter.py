"""The state of breakers, pools, agents and the host itself, announced on the metrics exchange."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import structlog

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.circuit_breaker import CircuitState
from agents.core.consumer_log import ConsumerLog
from agents.core.host_stage import HostStage
from agents.core.model.server import ModelServer
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.report_drafts import ReportDrafts
from agents.core.report_writer import ReportWriter, Written
from bus.broker import Broker, ConsumerState
from bus.consumer import Consumer
from bus.routing_keys import report_key
from bus.topology import Topology
from schemas import Report

log = structlog.get_logger(__name__)

HEALTH_SECONDS: Final = 2.0
"""A server that takes longer to tell its version is told as unhealthy, and one that takes longer to tell what it has in
memory is told as it was; the reports go out all the same."""

REST_SECONDS: Final = 1.0
"""Between two reports of what may change all the time, and between two rounds that somebody asks for."""

SPREAD_SECONDS: Final = 0.2
"""Over which the hosts of a fleet spread their answers to one request; at least half of it passes, so that what has
just begun, as a task that fills the host, is counted already."""

SILENT_HINT: Final = "start Ollama there, or set OLLAMA_URL; tasks that need a model wait in their queues meanwhile"

HANGING_HINT: Final = "it accepts connections and does not answer: see whether it hangs"
"""Its tasks find that out by their timeouts."""


class Reporter:
    """Reports for one host: at once on what changes, and on everything at each interval and when somebody asks.

    What changes: a breaker, a consumer, the host's stage; and once a second, a pool's lane and a bound that is reached.
    """

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
        self.stage = HostStage.STARTING
        """How far the host has come in its life."""
        self._broker = broker
        self._topology = topology
        self._host = host
        self._pool = pool
        self._staff = staff
        self._interval = interval
        self._drafts = ReportDrafts(broker, host, pool, staff, max_held, interval)
        self._writer = ReportWriter()
        self._consumer_log = ConsumerLog(host)
        self._answers: bool | None = None
        self._wanted, self._other_lane, self._is_full = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._needs_model = any(agent.needs_model for agent, _ in staff)
        for server in pool.servers:
            server.breaker.add_state_change_callback(partial(self._tell_transition, server))
            server.models.on_progress = partial(self._tell_pool, server)
            server.residents.on_change = self._other_lane.set
        for agent, consumer in staff:
            consumer.on_state = partial(self._tell_consumer, agent, consumer)

    def enter(self, stage: HostStage) -> None:
        """Note and report that the host has come to a new stage of its life."""
        self.stage = stage
        log.info("host.stage", host=self._host, stage=stage.value)
        self._tell_host()

    def request(self) -> None:
        """Have everything reported soon, by `run`: somebody has begun to watch."""
        self._wanted.set()

    def note_full(self) -> None:
        """Report the host soon, by `run`: it holds as much as it may."""
        self._is_full.set()

    async def run(self) -> None:
        """Report until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._at_intervals(), name=f"reports-at-intervals:{self._host}")
            for event, tell in (
                (self._wanted, self._tell_all),
                (self._other_lane, self._tell_pools),
                (self._is_full, self._tell_host),
                (self._consumer_log.has_news, self._consumer_log.tell),
            ):
                group.create_task(self._whenever(event, tell), name=f"reports-on-events:{self._host}")

    async def report(self) -> None:
        """Report on everything now."""
        answers = await self._server_answers()
        if answers != self._answers:
            self._answers = answers
            self._tell_answers(answers=answers)
        if answers:
            await self._look_at_memory()
        self._tell_all()

    def reports(self) -> Iterator[Report]:
        """Yield all that there is to report now, but what fails to be written."""
        for _, written in self._all_written():
            if written is not None:
                yield written.report

    def health_of(self, agent: BaseAgentV2) -> dict[str, Any]:
        """Return an agent's health, given what the model server said at the last report."""
        return agent.health(self._pool, ollama_healthy=bool(self._answers))

    async def _at_intervals(self) -> None:
        while True:
            await self.report()
            await asyncio.sleep(self._interval)

    async def _whenever(self, event: asyncio.Event, tell: Callable[[], None]) -> None:
        """Tell what an event stands for, once for all of its calls within a second."""
        while True:
            await event.wait()
            await asyncio.sleep(random.uniform(SPREAD_SECONDS / 2, SPREAD_SECONDS))  # noqa: S311 - no secret
            event.clear()
            tell()
            await asyncio.sleep(REST_SECONDS)

    def _tell_answers(self, *, answers: bool) -> None:
        if answers:
            log.info("model_server.answers", url=self._pool.safe_url)
        else:
            tell = log.warning if self._needs_model else log.info
            hangs = any(server.vitals.accepts for server in self._pool.servers)
            tell("model_server.silent", url=self._pool.safe_url, hint=HANGING_HINT if hangs else SILENT_HINT)

    async def _server_answers(self) -> bool:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                return await self._pool.health_check()
        except TimeoutError:
            return False

    async def _look_at_memory(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEALTH_SECONDS):
                await asyncio.gather(*(server.look_at_memory() for server in self._pool.servers))

    def _all_written(self) -> Iterator[tuple[str, Written | None]]:
        """Yield each report with the name of the agent or host that it comes from."""
        yield self._host, self._write_host()
        for server in self._pool.servers:
            yield self._host, self._write_breaker(server, None)
            yield self._host, self._write_pool(server)
        for agent, consumer in self._staff:
            yield agent.name, self._write_agent(agent, consumer)

    def _write_host(self) -> Written | None:
        return self._writer.write("the host", lambda: self._drafts.host(self.stage))

    def _write_breaker(self, server: ModelServer, old: CircuitState | None) -> Written | None:
        return self._writer.write(f"the breaker of {server.name}", lambda: self._drafts.breaker(server, old))

    def _write_pool(self, server: ModelServer) -> Written | None:
        return self._writer.write(f"the pool of {server.name}", lambda: self._drafts.pool(server))

    def _write_agent(
        self, agent: BaseAgentV2, consumer: Consumer, state: ConsumerState | None = None
    ) -> Written | None:
        def draft() -> Report:
            report = self._drafts.agent(agent, consumer, ollama_healthy=bool(self._answers))
            return report if state is None else report.model_copy(update={"consumer": state.value})

        return self._writer.write(agent.name, draft)

    def _tell_all(self) -> None:
        for reporter, written in self._all_written():
            self._announce(reporter, written)

    def _tell_host(self) -> None:
        self._announce(self._host, self._write_host())

    def _tell_transition(self, server: ModelServer, old: CircuitState, _new: CircuitState) -> None:
        self._announce(self._host, self._write_breaker(server, old))

    def _tell_pools(self) -> None:
        for server in self._pool.servers:
            self._tell_pool(server)

    def _tell_pool(self, server: ModelServer) -> None:
        self._announce(self._host, self._write_pool(server))

    def _tell_consumer(self, agent: BaseAgentV2, consumer: Consumer, state: ConsumerState) -> None:
        self._consumer_log.note(agent.name, state, consumer.losses)
        self._announce(agent.name, self._write_agent(agent, consumer, state))

    def _announce(self, reporter: str, written: Written | None) -> None:
        if written is not None:
            key = report_key(reporter, written.report.kind)
            self._broker.announce(self._topology.metrics, key, written.message)
