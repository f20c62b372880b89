"""Watch: it listens to the fleet, asks hosts and queues again and again, and knows the view of each moment."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Self, TypeVar

import structlog

from agents.core.host_stage import HostStage
from agents.fleet.fleet import SILENT_INTERVALS, Fleet
from agents.fleet.queues import QueueWatch
from agents.top.alarms import Alarm, not_shown, viewer_broken
from agents.top.link_watch import LinkWatch
from agents.top.result_rows import ResultRow
from agents.top.speeds import Speeds
from agents.top.view import View, view_of
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

FAULT_SECONDS: Final = 60.0
"""How long it is told that a message could not be shown."""

PATIENCE_SECONDS: Final = 2.0
"""Whoever is there has answered by then."""

log = structlog.get_logger(__name__)

News = TypeVar("News", Report, TaskResult)

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
        self._fault: tuple[str, float] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            results = await stack.enter_async_context(self.client.results())
            reports = await stack.enter_async_context(self.client.reports())
            work: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
                "top:results": partial(self._hear_all, results, self._note_result),
                "top:reports": partial(self._hear_all, reports, self._note_report),
                "top:questions": self._ask,
                "top:queues": self._look,
            }
            self._tasks = [asyncio.create_task(_work(part, job), name=part) for part, job in work.items()]
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

    @property
    def hosts(self) -> Collection[str]:
        """The hosts that are remembered."""
        return self._fleet.ages()

    def view(self) -> View:
        """Return the view of this moment."""
        link = self._link.note(self.client.broker.links["consuming"])
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
            faults=[*self._faults(now)],
        )

    async def _hear_all(self, news: AsyncIterator[News], take: Callable[[News], None]) -> None:
        async for what in news:
            self._take_in(what, take)

    def _take_in(self, what: News, take: Callable[[News], None]) -> None:
        try:
            take(what)
        except Exception as error:  # whatever a foreign program wrote, all else goes on
            log.exception("top.not_shown", kind=type(what).__name__)
            self._fault = f"{type(what).__name__}: {_words(error)}", self._clock()
            self.news += 1

    def _note_report(self, report: Report) -> None:
        growth = self._fleet.note(report)
        if isinstance(report, PoolReport):
            self._speeds.note((report.host, report.server), growth[1], self._clock())
        if isinstance(report, AgentReport):
            self._note_agent()
        self.heard_at = datetime.now(UTC)
        self._tell(report)

    def _note_result(self, result: TaskResult) -> None:
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

    @property
    def _broken(self) -> list[asyncio.Task[None]]:
        return [task for task in self._tasks if task.done()]

    def _faults(self, now: float) -> Iterator[Alarm]:
        for task in self._broken:
            yield viewer_broken(task.get_name(), _words(None if task.cancelled() else task.exception()))
        if self._fault is not None and now - self._fault[1] < FAULT_SECONDS:
            yield not_shown(self._fault[0])

    @property
    def _patience(self) -> float:
        return SILENT_INTERVALS * self._interval

    def _silent(self, now: float) -> frozenset[str]:
        since = self._link.heard_since
        if since is None or self._broken:
            return frozenset()  # nobody can be heard, which is no fault of theirs
        return frozenset(host for host, age in self._fleet.ages().items() if min(age, now - since) > self._patience)

    def _let_go(self) -> None:
        """Forget the hosts that have said goodbye, and the speeds of those too that the fleet knows no more."""
        ages = self._fleet.ages()
        closed = [report.host for report in self._fleet.reports(HostReport) if report.state == HostStage.CLOSING]
        gone = {host for host in closed if ages.get(host, 0.0) > FAREWELL_SECONDS}
        for host in gone:
            self._fleet.forget(host)
        self._speeds.keep(ages.keys() - gone)


async def _work(part: str, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await job()
    except Exception:
        log.exception("top.broken", part=part)
        raise


def _words(error: BaseException | None) -> str:
    return "it has ended" if error is None else f"{type(error).__name__}: {error}"
