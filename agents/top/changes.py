"""Changes: what reports and results tell that is new, a line for each. Pure."""

from collections.abc import Container, Iterable, Iterator
from typing import Final

from agents.cli.shown_letters import plain
from agents.cli.shown_results import cost_of
from agents.cli.since import moment_text
from agents.core.circuit_breaker import CircuitState
from agents.core.host_stage import HostStage
from agents.top.alarms import BROKER_ALARM, LINK_LOST, Alarm, named
from agents.top.result_rows import ResultRow
from bus.broker import ConsumerState
from schemas import AgentReport, BreakerReport, HostReport, Report, TaskResult
from schemas.base import now

_TAKING: Final = (ConsumerState.CONSUMING, ConsumerState.FULL)
"""A host that holds all that it may goes to and fro between these with each task, which is no news."""

_WELL: Final = {"consuming": "consuming", "full": "consuming", "closed": "closed"}

_OUTAGES: Final = {BROKER_ALARM, LINK_LOST}

Key = tuple[str, str, str]

Turn = tuple[str, str, str, str]
"""A host, what its agent did before, what it does now, and why, if that is told."""


class Changes:
    """Compares what comes with what came before."""

    def __init__(self) -> None:
        self._states: dict[Key, str] = {}
        self._alarms: dict[str, Alarm] = {}
        self._turns: dict[Turn, list[str]] = {}

    def of(self, what: Report | TaskResult) -> Iterator[str]:
        """Yield a line for what is new in a report, and for each result; what is new of agents is gathered."""
        match what:
            case TaskResult():
                yield _line("result", _result(what))
            case BreakerReport():
                yield from self._breaker(what)
            case AgentReport():
                self._gather(what)
            case HostReport():
                yield from self._host(what)

    def of_agents(self) -> Iterator[str]:
        """Yield a line for each thing that agents have begun to do since the call before: many may for one cause."""
        turns, self._turns = self._turns, {}
        for (host, old, state, why), agents in turns.items():
            yield _line("agent", f"{named(agents)} ({host}) {old} -> {state}{why}")

    def keep(self, hosts: Container[str]) -> None:
        """Drop the states of all other hosts and their agents: one that comes again is new."""
        for key in [key for key in self._states if key[1] not in hosts]:
            del self._states[key]

    def of_alarms(self, alarms: Iterable[Alarm]) -> Iterator[str]:
        """Yield a line for each alarm that no report tells of, when it begins and when it is over, and for each news.

        An alarm of whose end there is news is not told to be over. Nor is one while the broker is away, or has just
        come back: it may only be unknown.
        """
        found = {alarm.what: alarm for alarm in alarms if not alarm.is_reported}
        ended = {alarm.ends for alarm in found.values()}
        before = {what: alarm for what, alarm in self._alarms.items() if alarm.ends is None and what not in ended}
        told, self._alarms = self._alarms, before | found if _OUTAGES & (found.keys() | ended) else found
        for what in before:
            if what not in self._alarms:
                yield _line("over", what)
        for what, alarm in found.items():
            if what not in told:
                yield _line("alarm" if alarm.ends is None else "news", f"{what}{alarm.more}")

    def _breaker(self, report: BreakerReport) -> Iterator[str]:
        key = ("breaker", report.host, report.server)
        old = self._turned(key, report.state, CircuitState.CLOSED, report.old)
        if old is not None:
            why = f": {report.reason}" if report.reason and report.state != CircuitState.CLOSED else ""
            yield _line("breaker", f"{report.server} ({report.host}) {old} -> {report.state}{why}")

    def _gather(self, report: AgentReport) -> None:
        state = ConsumerState.CONSUMING if report.consumer in _TAKING else report.consumer
        old = self._turned(("agent", report.host, report.agent), state, ConsumerState.CONSUMING)
        if old is not None and not self._goes(report.host):
            why = f": {report.reason}" if report.reason else ""
            self._turns.setdefault((report.host, old, state, why), []).append(report.agent)

    def _host(self, report: HostReport) -> Iterator[str]:
        key = ("host", report.host, "")
        before, self._states[key] = self._states.get(key), report.state
        if before is None or (before == HostStage.CLOSING and report.state != before):
            yield _line("host", f"{report.host} has come: {report.version}, agents: {len(report.agents)}")
        elif before != report.state:
            gone = ": it is gone" if report.state == HostStage.CLOSING else ""
            yield _line("host", f"{report.host} {before} -> {report.state}{gone}")

    def _goes(self, host: str) -> bool:
        # Of a host that stops, its own line tells; those of all its agents would say the same.
        return self._states.get(("host", host, "")) in (HostStage.HANDING_BACK, HostStage.CLOSING, HostStage.DRAINING)

    def _turned(self, key: Key, state: str, usual: str, told_old: str | None = None) -> str | None:
        """Note a state; return the one before it if that was another. One that is seen first was as usual before."""
        old = told_old or self._states.get(key, usual)
        before, self._states[key] = self._states.get(key), state
        return None if state in (old, before) else old


def timed(moment: str, kind: str, told: str) -> str:
    """Return a line: when, what it is about, and what there is to say."""
    return plain(f"{moment}  {kind:<7}  {told}")


def _line(kind: str, told: str) -> str:
    # The moment of hearing: after an outage, those of the reports themselves would run backwards.
    return timed(moment_text(now()), kind, told)


def _result(result: TaskResult) -> str:
    row = ResultRow(result)
    error = f"  {' '.join(row.error.split())}" if row.error else ""
    return f"{row.agent}  {result.task_id}  {cost_of(result)}{error}"
