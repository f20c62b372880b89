"""The fleet as its last reports show it. Pure but for its clock."""

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from agents.core.host_stage import HostStage
from agents.fleet.totals import Counts, Totals
from schemas import AgentReport, BreakerReport, HostReport, PoolReport, Report

AnyReport = TypeVar("AnyReport", bound=Report)

SILENT_INTERVALS: Final = 3
"""Intervals without a report after which its subject counts as gone; one may be lost, as reports are transient."""

PATIENCE_MOST: Final = 86_400.0
"""For a host that says it reports more seldom than three times a day: it may be a slip of a foreign program."""

GONE_SECONDS: Final = 3600.0
"""How long it is known of a host that it went without a goodbye: its name may never come again."""


class Subject(NamedTuple):
    """What a report is about; `name` is that of an agent or a model server, and empty for a host."""

    kind: type[Report]
    host: str
    name: str


@dataclass(frozen=True, slots=True)
class Told(Generic[AnyReport]):
    """The last report on a subject, when it came (on the fleet's clock), and what its counters come to.

    `totals` are the report's running totals, carried over restarts of its host and over its silence, and summed over
    all processes of its name: breaker trips, or consumer losses, or the tokens that a server has read and written.
    """

    report: AnyReport
    at: float
    totals: tuple[int, ...]


class _Process(NamedTuple):
    heard_at: float
    patience: float
    """Seconds of silence after which it counts as gone."""


class Fleet:
    """Remembers the last report on each subject for `silent_after` seconds; for ever, if that is not said.

    Of a host that has said to report more seldom, it remembers them for three of its intervals: each is judged by its
    own, and nobody sooner than after `silent_after`.
    """

    def __init__(self, silent_after: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        self._silent_after = silent_after
        self._clock = clock
        self._told: dict[Subject, Told[Report]] = {}
        self._totals = Totals()
        self._processes: dict[str, dict[str, _Process]] = {}
        self._gone: dict[str, float] = {}

    def note(self, report: Report) -> Counts:
        """Take in a report, in the place of the one before it.

        Returns by how much its process has counted on since the one before: the growth of `Told.totals`, without what a
        process that is heard for the first time had counted before.
        """
        now = self._clock()
        if isinstance(report, HostReport):
            self._forget_the_silent()  # not with each report: a round of a large fleet is thousands
            self._note_process(report, now)
        subject, counts = _subject_of(report), _running_totals(report)
        totals, growth = self._totals.add(subject, report.process, counts, now) if counts else (counts, counts)
        self._told[subject] = Told(report, now, totals)
        return growth

    def copy(self) -> "Fleet":
        """Return what is known now, which another thread may read while this goes on."""
        twin = copy(self)  # it keeps what is there, and this one goes on with its own
        self._told = dict(self._told)
        self._processes = {host: dict(heard) for host, heard in self._processes.items()}
        self._gone = dict(self._gone)
        return twin

    def forget(self, host: str) -> None:
        """Drop all that is known of a host, as of one that has said goodbye."""
        for subject in [subject for subject in self._told if subject.host == host]:
            del self._told[subject]
        self._processes.pop(host, None)
        self._gone.pop(host, None)

    def latest(self, kind: type[AnyReport]) -> Iterator[Told[AnyReport]]:
        """Iterate over the last reports of a kind, in the order in which their subjects were first heard of."""
        self._forget_the_silent()
        for told in tuple(self._told.values()):
            if isinstance(told.report, kind):
                yield Told(told.report, told.at, told.totals)

    def reports(self, kind: type[AnyReport]) -> list[AnyReport]:
        """Return the last reports of a kind, in the order in which their subjects were first heard of."""
        return [told.report for told in self.latest(kind)]

    def breaker(self, host: str, server: str) -> Told[BreakerReport] | None:
        """Return what was told last of the breaker before a model server; None where nothing was."""
        told = self._told.get(Subject(BreakerReport, host, server))
        return Told(told.report, told.at, told.totals) if told and isinstance(told.report, BreakerReport) else None

    def ages(self) -> dict[str, float]:
        """Return the seconds since the last report of each host, of any kind."""
        self._forget_the_silent()
        now, ages = self._clock(), dict[str, float]()
        for subject, told in self._told.items():
            ages[subject.host] = min(now - told.at, ages.get(subject.host, math.inf))
        return ages

    def processes(self, within: float = math.inf) -> dict[str, int]:
        """Return how many processes each host's name has: those that reported in so many seconds and still run.

        More than one have one name by mistake; after a crash, the old one counts until it has been silent for so long.
        """
        self._forget_the_silent()
        since = self._clock() - within
        return {
            host: sum(process.heard_at >= since for process in heard.values())
            for host, heard in self._processes.items()
        }

    def gone(self) -> list[str]:
        """Return the hosts that fell silent within the last hour and had not said that they close."""
        self._forget_the_silent()
        return list(self._gone)

    def knows_all_of(self, hosts: Collection[str]) -> bool:
        """Whether these hosts, at least one, have told everything: the last agent of each comes last of all."""
        return bool(hosts) and all(self._knows_all_of(host) for host in hosts)

    def _knows_all_of(self, host: str) -> bool:
        told = self._told.get(Subject(HostReport, host, ""))
        agents = told.report.agents if told and isinstance(told.report, HostReport) else None
        return agents is not None and all(Subject(AgentReport, host, agent) in self._told for agent in agents)

    def _note_process(self, report: HostReport, now: float) -> None:
        self._gone.pop(report.host, None)
        heard = self._processes.setdefault(report.host, {})
        heard[report.process] = _Process(now, self._patience_with(report))
        if report.state == HostStage.CLOSING:
            del heard[report.process]

    def _patience_with(self, report: HostReport) -> float:
        own = SILENT_INTERVALS * (report.interval or 0.0)
        return max(self._silent_after, min(own, PATIENCE_MOST))

    def _forget_the_silent(self) -> None:
        now = self._clock()
        oldest = now - self._silent_after
        of_host = {host: now - _longest(heard.values()) for host, heard in self._processes.items() if heard}
        for subject in [s for s, told in self._told.items() if told.at < of_host.get(s.host, oldest)]:
            report = self._told.pop(subject).report
            if isinstance(report, HostReport):
                self._forget_host(report, now)
        for heard in self._processes.values():
            for mark in [mark for mark, process in heard.items() if process.heard_at < now - process.patience]:
                del heard[mark]
        for host in [host for host, at in self._gone.items() if at < now - GONE_SECONDS]:
            del self._gone[host]

    def _forget_host(self, report: HostReport, now: float) -> None:
        self._processes.pop(report.host, None)
        if report.state != HostStage.CLOSING:
            self._gone[report.host] = now


def _longest(processes: Iterable[_Process]) -> float:
    return max(process.patience for process in processes)


def _subject_of(report: Report) -> Subject:
    match report:
        case BreakerReport() | PoolReport():
            return Subject(type(report), report.host, report.server)
        case AgentReport():
            return Subject(type(report), report.host, report.agent)
        case HostReport():
            return Subject(type(report), report.host, "")


def _running_totals(report: Report) -> tuple[int, ...]:
    match report:
        case BreakerReport():
            return (report.trip_count,)
        case AgentReport():
            return (report.losses,)
        case PoolReport():
            return report.tokens_in, report.tokens_out
        case _:
            return ()
