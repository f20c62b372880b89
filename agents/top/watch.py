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
from agents.fleet.known_agents import expect_known_agents
from agents.fleet.queues import QueueWatch
from agents.top.alarms import Alarm, Link, gone, not_shown, viewer_broken
from agents.top.link_watch import LinkWatch, state_of
from agents.top.result_rows import ResultRow
from agents.top.silence import Silence
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

KNOWN_AGENTS: Final = "top:known-agents"

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
            client.broker, client.topology, kept_seconds=0, look_seconds=LOOK_SECONDS, clock=clock
        )
        self._speeds = Speeds(least_seconds=interval * 0.8)
        self._link = LinkWatch(clock)
        self._results: deque[ResultRow] = deque(maxlen=RESULTS_KEPT)
        self._silence = Silence(SILENT_INTERVALS * interval, clock)
        self._known: set[str] = set()
        self._is_late = False
        self._has_agents = asyncio.Event()
        self._has_all = asyncio.Event()
        self._must_look = asyncio.Event()
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
                KNOWN_AGENTS: partial(expect_known_agents, self.client.broker, self.client.topology, self._expect),
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
        link = self._note_link()
        now, heard_for = self._clock(), self._heard_for
        self._is_late |= heard_for is not None and heard_for > PATIENCE_SECONDS
        closing = self._let_go()
        # Who has said goodbye is not missed.
        self._silence.note(self._fleet.ages() | dict.fromkeys(closing, 0.0), heard_for)
        return view_of(
            self._fleet,
            self._queues.figures,
            self._speeds,
            link,
            self._silence.hosts,
            self._clock,
            looked_at=self._looked_at,
            silent_after=SILENT_INTERVALS * self._interval,
            is_late=self._is_late,
            faults=[*self._faults(now), *gone(self._silence.gone, REMEMBERED_SECONDS)],
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
            self._note_agent(report.agent)
        self.heard_at = datetime.now(UTC)
        self._tell(report)

    def _note_result(self, result: TaskResult) -> None:
        self._results.append(ResultRow(result))
        self._tell(result)

    @property
    def _heard_for(self) -> float | None:
        """The seconds since when whoever is there could answer; None while nobody can, which is no fault of theirs."""
        since = self._link.heard_since
        return None if since is None or self._broken else self._clock() - since

    def _note_link(self) -> Link:
        was_cut = self._link.heard_since is None
        link = self._link.note(state_of(self.client.broker.links))
        if was_cut and self._link.heard_since is not None:
            self._must_look.set()
        return link

    def _expect(self, agents: Collection[str]) -> None:
        if not self._known.issuperset(agents):
            self._known.update(agents)
            self._has_agents.set()
            self._must_look.set()

    def _note_agent(self, agent: str) -> None:
        self._known.add(agent)
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
            self._must_look.clear()
            began = self._clock()
            agents = frozenset(self._known)
            await self._queues.look(sorted(agents))
            self._looked_at = agents
            self.news += 1
            await self._rest(max(self._interval, LOOK_REST * (self._clock() - began)))

    async def _rest(self, seconds: float) -> None:
        """Wait, but no longer than an outage: the look that went through one took long for no work of the broker."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._must_look.wait()

    @property
    def _broken(self) -> list[asyncio.Task[None]]:
        return [task for task in self._tasks if task.done() and not _is_finished(task)]

    def _faults(self, now: float) -> Iterator[Alarm]:
        for task in self._broken:
            yield viewer_broken(task.get_name(), _words(None if task.cancelled() else task.exception()))
        if self._fault is not None and now - self._fault[1] < FAULT_SECONDS:
            yield not_shown(self._fault[0])

    def _let_go(self) -> Collection[str]:
        """Forget the hosts that have said goodbye, and the speeds of those too that the fleet knows no more.

        Returns those whose goodbye is still shown.
        """
        ages = self._fleet.ages()
        closed = {report.host for report in self._fleet.reports(HostReport) if report.state == HostStage.CLOSING}
        left = {host for host in closed if ages.get(host, 0.0) > FAREWELL_SECONDS}
        for host in left:
            self._fleet.forget(host)
        self._speeds.keep(ages.keys() - left)
        return closed - left


async def _work(part: str, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await job()
    except Exception:
        log.exception("top.broken", part=part)
        raise


def _is_finished(task: asyncio.Task[None]) -> bool:
    """Whether it has ended as it should; all others go on for ever."""
    return task.get_name() == KNOWN_AGENTS and not task.cancelled() and task.exception() is None


def _words(error: BaseException | None) -> str:
    return "it has ended" if error is None else f"{type(error).__name__}: {error}"
