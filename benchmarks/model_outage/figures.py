"""What was measured in an outage of the model server, and whether it is as promised. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.table import Table

from schemas import TaskStatus

MOST_SECONDS_TO_FIRST: Final = 2.0
"""From a probe that succeeds to a host's first answer, and to the first result of all."""

MOST_CPU_PERCENT: Final = 1.0
"""Of one core, by a host that is paused."""


@dataclass(frozen=True, slots=True)
class HostFigures:
    """One host. `cpu_percent` is of one core while it was paused; `to_first_answer` is in seconds from its probe."""

    name: str
    cpu_percent: float
    to_first_answer: float | None
    most_requests: int
    """At the model server at once."""
    most_probes: int
    """At once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One outage. Times are in seconds."""

    seconds: float
    """How long the server was away."""
    published: int
    statuses: Mapping[str, int]
    attempts: Mapping[int, int]
    """Results by the number of their attempt."""
    ended_meanwhile: int
    """Results while all hosts were paused."""
    depth: Sequence[int]
    """Tasks ready in the queue, over the time of the pause."""
    consumers: Sequence[int]
    """Consumers of the queue, over the same time."""
    back_to_probe: float | None
    """From the server's return to the first probe that succeeded."""
    probe_to_result: float | None
    """From there to the first result."""
    slots: int
    hosts: Sequence[HostFigures] = field(default_factory=tuple)

    @property
    def problems(self) -> list[str]:
        """What is not as promised, in sentences."""
        return [*self._of_tasks(), *self._of_the_queue(), *self._of_recovery(), *self._of_hosts()]

    def _of_tasks(self) -> list[str]:
        told = []
        completed = self.statuses.get(TaskStatus.COMPLETED, 0)
        if completed != self.published or sum(self.statuses.values()) != self.published:
            told.append(f"{completed} of {self.published} tasks completed; by status: {dict(self.statuses)}")
        if used := sum(count for number, count in self.attempts.items() if number > 1):
            told.append(f"{used} tasks used an attempt; results by attempt: {dict(self.attempts)}")
        return told

    def _of_the_queue(self) -> list[str]:
        if not self.depth or max(self.depth) == 0:
            return ["no task was seen waiting in the queue"]
        if any(self.consumers):
            return [f"{max(self.consumers)} consumers were left while the hosts were paused"]
        return []

    def _of_recovery(self) -> list[str]:
        if self.probe_to_result is None or self.probe_to_result > MOST_SECONDS_TO_FIRST:
            return [f"the first result came {told_seconds(self.probe_to_result)} after the first probe that succeeded"]
        return []

    def _of_hosts(self) -> list[str]:
        told = []
        for host in self.hosts:
            if host.cpu_percent >= MOST_CPU_PERCENT:
                told.append(f"{host.name} used {host.cpu_percent:.2f} % of a core while it was paused")
            if host.to_first_answer is None or host.to_first_answer > MOST_SECONDS_TO_FIRST:
                told.append(f"{host.name} had its first answer {told_seconds(host.to_first_answer)} after its probe")
            if host.most_requests > self.slots:
                told.append(f"{host.name} had {host.most_requests} requests at the server on {self.slots} slots")
            if host.most_probes > 1:
                told.append(f"{host.name} had {host.most_probes} probes at the server at once")
        return told


def first_after(moment: float | None, moments: Sequence[float]) -> float | None:
    """Return the first of some moments that is not before another; None where that has not come."""
    return None if moment is None else min((one for one in moments if one >= moment), default=None)


def since(moment: float | None, later: float | None) -> float | None:
    """Return the seconds between two moments; None where one of them has not come."""
    return None if moment is None or later is None else later - moment


def told_seconds(seconds: float | None) -> str:
    """Return seconds for people; "never" stands for None."""
    return "never" if seconds is None else f"{seconds:.2f} s"


def tables(figures: Figures) -> list[Table]:
    """Return the figures for a terminal."""
    return [_summary(figures), _by_host(figures.hosts)]


def _summary(figures: Figures) -> Table:
    verdict = "; ".join(figures.problems) or "as promised"
    rows = {
        "tasks published": figures.published,
        "results by status": ", ".join(f"{name} {count}" for name, count in sorted(figures.statuses.items())),
        "results by attempt": ", ".join(f"{number}: {count}" for number, count in sorted(figures.attempts.items())),
        "results during the pause": figures.ended_meanwhile,
        "tasks in the queue, from and to": f"{figures.depth[0]} to {figures.depth[-1]}"
        if figures.depth
        else "not seen",
        "consumers meanwhile": max(figures.consumers, default=0),
        "server's return to first good probe": told_seconds(figures.back_to_probe),
        "first good probe to first result": told_seconds(figures.probe_to_result),
        "verdict": verdict,
    }
    table = Table("", "", title=f"the model server away for {figures.seconds:.0f} s", show_header=False)
    for name, value in rows.items():
        table.add_row(name, str(value))
    return table


def _by_host(hosts: Sequence[HostFigures]) -> Table:
    table = Table("host", "CPU while paused", "probe to first answer", "most requests at once", "most probes at once")
    for host in hosts:
        first = told_seconds(host.to_first_answer)
        table.add_row(host.name, f"{host.cpu_percent:.2f} %", first, str(host.most_requests), str(host.most_probes))
    return table
