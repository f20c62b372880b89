"""The fleet as its last reports show it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from schemas import AgentReport, BreakerReport, HostReport, PoolReport, Report, ReportKind

AnyReport = TypeVar("AnyReport", bound=Report)

SILENT_INTERVALS: Final = 3
"""Intervals without a report after which its subject counts as gone; one may be lost, as reports are transient."""


class Subject(NamedTuple):
    """What a report is about; `name` is that of an agent or a model server."""

    kind: ReportKind
    host: str
    name: str


@dataclass(frozen=True, slots=True)
class Told(Generic[AnyReport]):
    """The last report on a subject, when it came (on the fleet's clock), and what its counter comes to.

    `total` is the report's running total, breaker trips or consumer losses, carried over restarts of its host.
    """

    report: AnyReport
    at: float
    total: int


class Fleet:
    """Remembers the last report on each subject for `silent_after` seconds."""

    def __init__(self, silent_after: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._silent_after = silent_after
        self._clock = clock
        self._told: dict[Subject, Told[Report]] = {}

    def note(self, report: Report) -> None:
        """Take in a report."""
        if isinstance(report, HostReport):
            self._forget_the_silent()  # not with each report: a round of a large fleet is thousands
        subject = _subject_of(report)
        total = _grown(self._told.get(subject), _running_total(report))
        self._told[subject] = Told(report, self._clock(), total)

    def latest(self, kind: type[AnyReport]) -> Iterator[Told[AnyReport]]:
        """Iterate over the last reports of a kind, in the order in which their subjects were first heard of."""
        self._forget_the_silent()
        for told in tuple(self._told.values()):
            if isinstance(told.report, kind):
                yield Told(told.report, told.at, told.total)

    def ages(self) -> dict[str, float]:
        """Return the seconds since the last report of each host, of any kind."""
        self._forget_the_silent()
        now, ages = self._clock(), dict[str, float]()
        for subject, told in self._told.items():
            ages[subject.host] = min(now - told.at, ages.get(subject.host, self._silent_after))
        return ages

    def _forget_the_silent(self) -> None:
        oldest = self._clock() - self._silent_after
        for subject in [subject for subject, told in self._told.items() if told.at < oldest]:
            del self._told[subject]


def _subject_of(report: Report) -> Subject:
    match report:
        case BreakerReport() | PoolReport():
            return Subject(report.kind, report.host, report.server)
        case AgentReport():
            return Subject(report.kind, report.host, report.agent)
        case HostReport():
            return Subject(report.kind, report.host, "")


def _running_total(report: Report) -> int:
    match report:
        case BreakerReport():
            return report.trip_count
        case AgentReport():
            return report.losses
        case _:
            return 0


def _grown(before: Told[Report] | None, count: int) -> int:
    if before is None:
        return count
    last = _running_total(before.report)
    # Below the last one, it began anew at 0: all of it has come since.
    return before.total + (count - last if count >= last else count)
