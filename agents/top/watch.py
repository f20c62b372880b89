"""Watch: it listens to the fleet, asks hosts and queues again and again, and knows the view of each moment."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Any, Final, Self

from agents.core.host_stage import HostStage
from agents.fleet.fleet import SILENT_INTERVALS, Fleet
from agents.fleet.queues import QueueWatch
from agents.top.link_watch import LinkWatch
from agents.top.result_rows import ResultRow
from agents.top.speeds import Speeds
from agents.top.view import View, view_of
from bus.broker import LinkState
from bus.client import Client
from bus.codec import encode_control
from bus.ending import end_tasks
from bus.routing_keys import REPORTS_WANTED
from schemas import AgentReport, HostReport, PoolReport, Report, ReportRequest, TaskResult

INTERVAL_SECONDS: Final = 5.0
"""Between two rounds of questions to hosts and queues. A round of 131 agents costs their host about 0.5 % of a core."""

RESULTS_KEPT: Final = 500

REMEMBERED_SECONDS: Final = 600.0
"""How long a host that fell silent is shown."""

FAREWELL_SECONDS: Final = 3.0
"""After its last words a host that stops in order is gone, and no alarm."""

LOOK_SECONDS: Final = 20.0
"""Enough for the queues of 131 agents on a broker that is far away or busy; meanwhile the figures before stand."""

LOOK_REST: Final = 5
"""Times the length of a look pass before the next one: two passive questions for each agent are work for the broker."""

PATIENCE_SECONDS: Final = 2.0
"""Whoever is there has answered by then."""

Hear = Callable[[Report | TaskResult], None]
"""Called with each report and each result as it comes; it must not raise."""


class Watch:
    """Listens within `async with`. `view` and `results` may be read at any time."""

    def __init__(
        self,
        client: Client,
        *,
        interval: float = INTERVAL_SECONDS,
        hear: Hear | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`interval`: seconds between two rounds of questions; a host silent for three of them is told as such."""
        self.client = client
        self.news = 0
        """Grows with all that comes; who draws compares it with what was drawn last."""
        self.heard_at: datetime | None = None
        """When the last report came."""
        self._interval = interval
        self._hear = hear
        self._clock = clock
        self._fleet = Fleet(REMEMBERED_SECONDS, clock)
        self._queues = QueueWatch(
            client.broker, client.topology, kept_seconds=interval, look_seconds=LOOK_SECONDS, clock=clock
        )
        self._speeds = Speeds(least_seconds=interval * 0.8)
        self._link = LinkWatch(clock)
        self._results: deque[ResultRow] = deque(maxlen=RESULTS_KEPT)
        self._began = clock()
        self._has_agents = asyncio.Event()
        self._has_all = asyncio.Event()
        self._looked_at: frozenset[str] = frozenset()
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            results = await stack.enter_async_context(self.client.results())
            reports = await stack.enter_async_context(self.client.reports())
            work: dict[str, Coroutine[Any, Any, None]] = {
                "results": self._note_results(results),
                "reports": self._note_reports(reports),
                "questions": self._ask(),
                "queues": self._look(),
            }
            self._tasks = [asyncio.create_task(job, name=f"top:{name}") for name, job in work.items()]
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await end_tasks(self._tasks)
        await self._stack.aclose()

    @property
    def results(self) -> list[ResultRow]:
        """The last results, newest first."""
        return list(reversed(self._results))

    @property
    def broker(self) -> str:
        """Where the broker is, without secrets."""
        return self.client.broker.description

    def view(self) -> View:
        """Return the view of this moment."""
        link = self._link.note(self._link_state())
        self._let_go()
        now = self._clock()
        return view_of(
            self._fleet,
            self._queues.figures,
            self._speeds,
            link,
            self._silent(now),
            self._clock,
            looked_at=self._looked_at,
            silent_after=self._patience,
            is_late=now - self._began > PATIENCE_SECONDS,
        )

    async def _note_reports(self, reports: AsyncIterator[Report]) -> None:
        async for report in reports:
            self._fleet.note(report)
            if isinstance(report, PoolReport):
                self._speeds.note(report, self._clock())
            if isinstance(report, AgentReport):
                self._note_agent()
            self.heard_at = datetime.now(UTC)
            self._tell(report)

    async def _note_results(self, results: AsyncIterator[TaskResult]) -> None:
        async for result in results:
            self._results.append(ResultRow(result))
            self._tell(result)

    def _note_agent(self) -> None:
        self._has_agents.set()
        if not self._has_all.is_set() and self._fleet.knows_all_of([*self._fleet.ages()]):
            self._has_all.set()

    def _tell(self, what: Report | TaskResult) -> None:
        self.news += 1
        if self._hear is not None:
            self._hear(what)

    async def _ask(self) -> None:
        topology = self.client.topology
        while True:
            await asyncio.sleep(self._interval)
            self.client.broker.announce(topology.control, REPORTS_WANTED, encode_control(ReportRequest()))

    async def _look(self) -> None:
        await self._has_agents.wait()
        with suppress(TimeoutError):  # a host whose report was lost is not waited for
            await asyncio.wait_for(self._has_all.wait(), PATIENCE_SECONDS)
        while True:
            began = self._clock()
            agents = frozenset(report.agent for report in self._fleet.reports(AgentReport))
            await self._queues.look(sorted(agents))
            self._looked_at = agents
            self.news += 1
            await asyncio.sleep(max(self._interval, LOOK_REST * (self._clock() - began)))

    def _link_state(self) -> LinkState:
        if any(task.done() for task in self._tasks):
            return LinkState.CLOSED
        return self.client.broker.links["consuming"]

    @property
    def _patience(self) -> float:
        return SILENT_INTERVALS * self._interval

    def _silent(self, now: float) -> frozenset[str]:
        since = self._link.heard_since
        if since is None:
            return frozenset()  # nobody can be heard, which is no fault of theirs
        return frozenset(host for host, age in self._fleet.ages().items() if min(age, now - since) > self._patience)

    def _let_go(self) -> None:
        """Forget the hosts that have said goodbye."""
        ages = self._fleet.ages()
        for report in self._fleet.reports(HostReport):
            if report.state == HostStage.CLOSING and ages.get(report.host, 0.0) > FAREWELL_SECONDS:
                self._fleet.forget(report.host)
                self._speeds.forget(report.host)
