"""Agents as rows: one for each, over all hosts. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from agents.cli.since import moment_text
from agents.core.operator_pause import is_by_operator
from agents.fleet.endings import other_endings
from agents.fleet.queues import AgentQueues
from bus.broker import ConsumerState
from schemas import AgentReport

SILENT: Final = "silent"
"""The state of a host that tells nothing any more, and of its agents."""

MIXED: Final = "mixed"
"""The state of an agent that does different things on different hosts."""

NO_HOST: Final = "no host"
"""The state of an agent that nobody reports of and nobody consumes for, though its queues hold something."""


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent. `reports` are the last of each of its hosts, none where it has no host; `states` those on each.

    What silent hosts have done counts, and what they had in hand does not: somebody else does it.

    `queues` None means that the broker has not been asked yet, or does not answer.
    """

    name: str
    reports: tuple[AgentReport, ...]
    states: tuple[str, ...]
    queues: AgentQueues | None

    @property
    def state(self) -> str:
        """What it does on all hosts that live, or `mixed`; it consumes where one of them may and the rest are full."""
        found = set(self.states) - {SILENT}
        if not found:
            return SILENT if self.states else NO_HOST
        if found == {ConsumerState.CONSUMING, ConsumerState.FULL}:
            return ConsumerState.CONSUMING
        return found.pop() if len(found) == 1 else MIXED

    @property
    def living(self) -> list[AgentReport]:
        """The reports of hosts that are not silent."""
        return [report for report, state in zip(self.reports, self.states, strict=True) if state != SILENT]

    @property
    def running(self) -> int:
        """Handlers at work."""
        return sum(report.running for report in self.living)

    @property
    def held(self) -> int:
        """Tasks in hand, unsettled."""
        return sum(report.held for report in self.living)

    @property
    def ready(self) -> int | None:
        """Tasks that wait in the broker's queue."""
        return None if self.queues is None else self.queues.ready

    @property
    def dead(self) -> int | None:
        """Dead letters."""
        return None if self.queues is None else self.queues.dead

    @property
    def done(self) -> int:
        """Tasks completed since the hosts started."""
        return sum(report.results.get("completed", 0) for report in self.reports)

    @property
    def failed(self) -> int:
        """Tasks that failed since the hosts started; what expired or was rejected or cancelled is in `details`."""
        return sum(report.results.get("failed", 0) for report in self.reports)

    @property
    def retries(self) -> int:
        """Attempts that went to the delay ladder since the hosts started."""
        return sum(report.retries for report in self.reports)

    @property
    def p95(self) -> float | None:
        """The longest of its hosts' 95th percentiles, in seconds."""
        return max((report.seconds.p95 for report in self.reports if report.seconds), default=None)

    @property
    def models(self) -> str:
        """The models it asks, as one word where they are the same on all hosts."""
        return ", ".join(dict.fromkeys(report.model for report in self.reports if report.model))

    @property
    def is_paused(self) -> bool:
        """Whether an operator's pause holds on one of its hosts."""
        return any(is_by_operator(report.reason) for report in self.reports)

    @property
    def words(self) -> str:
        """What a filter looks into."""
        hosts = " ".join(f"{report.host} {report.reason or ''}" for report in self.reports)
        return f"{self.name} {self.state} {' '.join(self.states)} {self.models} {hosts}"

    @property
    def details(self) -> str:
        """What does not fit into columns: where it is, what it does there, and why."""
        told = (_place(report, state) for report, state in zip(self.reports, self.states, strict=True))
        last = max((report.last_delivery for report in self.reports if report.last_delivery), default=None)
        came = f"last task {moment_text(last)}" if last else ""
        asks = f"model {self.models}" if self.models else ""
        nowhere = "" if self.reports else "no host has it: start one with `sutazai run`"
        facts = (*told, nowhere, asks, came, other_endings(self.reports))
        return f"{self.name}: {'; '.join(fact for fact in facts if fact)}"


def agent_rows(
    reports: Iterable[AgentReport], queues: Mapping[str, AgentQueues], silent: Collection[str]
) -> list[AgentRow]:
    """Return a row for each agent, by name; `silent` are the hosts of which nothing has been heard for long.

    One of which no host tells has a row while its queues hold something and nobody consumes.
    """
    found: dict[str, list[AgentReport]] = {name: [] for name, held in queues.items() if _lies_unserved(held)}
    for report in reports:
        found.setdefault(report.agent, []).append(report)
    return [
        AgentRow(name, tuple(of_it), tuple(_state(report, silent) for report in of_it), queues.get(name))
        for name, of_it in sorted(found.items())
    ]


def _lies_unserved(queues: AgentQueues) -> bool:
    return not queues.consumers and bool(queues.ready or queues.dead)


def _state(report: AgentReport, silent: Collection[str]) -> str:
    return SILENT if report.host in silent else report.consumer


def _place(report: AgentReport, state: str) -> str:
    because = f" ({report.reason})" if report.reason else ""
    return f"{state} on {report.host}{because}"
