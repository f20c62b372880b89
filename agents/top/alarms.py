"""What is wrong, worst first. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agents.core.circuit_breaker import CircuitState
from agents.top.agent_rows import NO_HOST, AgentRow
from agents.top.figures import span_text
from agents.top.host_rows import HostRow
from agents.top.server_rows import ServerRow
from agents.top.tone import SIGNS, Tone
from bus.broker import ConsumerState, LinkState

NAMED: Final = 3
"""Agents that one line names; of more, the number is told."""

LINK_LOST: Final = "connection to RabbitMQ lost"

BROKER_ALARM: Final = "RabbitMQ is in an alarm (memory or disk)"

_SINCE: Final = re.compile(r"^failing since [-0-9]+ [:0-9]+ UTC: ")
"""What a breaker's reason begins with; in an alarm the fault itself must come first, as its end may be cut."""


@dataclass(frozen=True, slots=True)
class Link:
    """The viewer's own connection to the broker: its state, since when in seconds, and how long it was away before.

    `was_away` None means that it never was, or that it is long ago.
    """

    state: LinkState
    for_seconds: float = 0.0
    was_away: float | None = None

    @property
    def is_well(self) -> bool:
        """Whether it is up, and not only since a moment ago."""
        return self.state is LinkState.CONNECTED and self.was_away is None


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong, or was until a moment ago. `what` stays the same while it lasts, `more` does not.

    `is_reported`: a host's report tells of it, as of a breaker that opens; else only this viewer can know.
    `ends`: it is no alarm but the news of how another one, of which that is the `what`, has ended.
    """

    tone: Tone
    what: str
    more: str = ""
    is_reported: bool = False
    ends: str | None = None

    def __str__(self) -> str:
        return f"{SIGNS[self.tone]} {self.what}{self.more}"


def alarms(
    link: Link, hosts: Sequence[HostRow], servers: Iterable[ServerRow], agents: Iterable[AgentRow]
) -> list[Alarm]:
    """Return all of them; those of one tone in the order broker, model servers, hosts, agents."""
    found = [*_of_link(link), *_of_servers(servers), *_of_hosts(hosts), *_of_agents(agents)]
    return sorted(found, key=lambda alarm: alarm.tone is not Tone.BAD)


def nobody_answers() -> Alarm:
    """Return the alarm of a fleet without a host."""
    remedy = ": start one with `sutazai run`, or check the broker's address and the prefix"
    return Alarm(Tone.WARN, "no host has answered", remedy)


def unserved(agents: Iterable[AgentRow]) -> list[Alarm]:
    """Return the alarm of tasks that wait for agents which no host has."""
    waiting = {row.name: row.ready for row in agents if row.state == NO_HOST and row.ready}
    if not waiting:
        return []
    more = f": {sum(waiting.values())} for {named(list(waiting))}: start one with `sutazai run`"
    return [Alarm(Tone.BAD, "tasks wait and no host takes them", more)]


def gone(hosts: Iterable[str], after: float) -> list[Alarm]:
    """Return the news of hosts that are forgotten, as they were silent for `after` seconds."""
    more = f" has told nothing for {span_text(after)} and is forgotten"
    return [Alarm(Tone.WARN, f"host gone: {host}", more, ends=_silent(host)) for host in hosts]


def named(agents: Sequence[str]) -> str:
    """Return a few agents by name, and more by number."""
    return ", ".join(agents) if len(agents) <= NAMED else f"{len(agents)} agents"


def namesakes(processes: Mapping[str, int]) -> list[Alarm]:
    """Return an alarm for each name that several processes have; `processes` counts them by name."""
    remedy = ": give each its own SUTAZAI_HOST_NAME"
    return [
        Alarm(Tone.WARN, f"{count} processes are called {name}", remedy)
        for name, count in processes.items()
        if count > 1
    ]


def viewer_broken(part: str, why: str) -> Alarm:
    """Return the alarm of a part of the viewer itself, as `top:reports`, that has ended."""
    return Alarm(Tone.BAD, f"{part} has ended", f": {why}: all below may be old, so start it again")


def not_shown(why: str) -> Alarm:
    """Return the alarm of a report or a result that could not be taken in."""
    return Alarm(Tone.WARN, "a message is not shown", f": {why}")


def _of_link(link: Link) -> Iterator[Alarm]:
    if link.state in (LinkState.CONNECTING, LinkState.CLOSED):
        more = f" {span_text(link.for_seconds)} ago, and tried again: all below is as it was then; does RabbitMQ run?"
        yield Alarm(Tone.BAD, LINK_LOST, more)
    elif link.was_away is not None:
        more = f" after {span_text(link.was_away)}"
        yield Alarm(Tone.WARN, "connection to RabbitMQ is back", more, ends=LINK_LOST)
    if link.state is LinkState.BLOCKED:
        more = ": nothing is published, results neither; free it"
        yield Alarm(Tone.BAD, BROKER_ALARM, more)


def _of_servers(servers: Iterable[ServerRow]) -> Iterator[Alarm]:
    for (_, state, cause), rows in _troubled(servers).items():
        who = rows[0].name if len(rows) == 1 else f"{rows[0].address} ({len(rows)} hosts)"
        if state == CircuitState.HALF_OPEN:
            yield Alarm(Tone.WARN, f"breaker half open: {who}", " is being probed", is_reported=True)
            continue
        probes = [row.probe_in for row in rows if row.probe_in is not None]
        probe = f", next probe in {span_text(min(probes))}" if probes else ""
        yield Alarm(Tone.BAD, f"breaker open: {who}", f"{f': {cause}' if cause else ''}{probe}", is_reported=True)


def _troubled(servers: Iterable[ServerRow]) -> Mapping[tuple[str, str, str], list[ServerRow]]:
    """Return the rows with a breaker that is not closed, by address, state and cause."""
    found: dict[tuple[str, str, str], list[ServerRow]] = {}
    for row in servers:
        if row.state in (CircuitState.OPEN, CircuitState.HALF_OPEN):
            cause = _SINCE.sub("", row.reason or "") if row.state == CircuitState.OPEN else ""
            found.setdefault((row.address, row.state, cause), []).append(row)
    return found


def _of_hosts(hosts: Iterable[HostRow]) -> Iterator[Alarm]:
    for row in hosts:
        if row.is_silent:
            more = f" has told nothing for {span_text(row.age)}: see whether it runs"
            yield Alarm(Tone.BAD, _silent(row.name), more)
        elif trouble := row.troubled_links:
            yield Alarm(Tone.WARN, f"host {row.name}: {', '.join(trouble)}", is_reported=True)


def _silent(host: str) -> str:
    return f"host silent: {host}"


def _of_agents(agents: Iterable[AgentRow]) -> Iterator[Alarm]:
    for host, names in _lost_by_host(agents).items():
        yield Alarm(Tone.BAD, f"consumer lost: {named(names)} on {host}", is_reported=True)


def _lost_by_host(agents: Iterable[AgentRow]) -> Mapping[str, list[str]]:
    lost: dict[str, list[str]] = {}
    for row in agents:
        for report, state in zip(row.reports, row.states, strict=True):
            if state == ConsumerState.LOST:
                lost.setdefault(report.host, []).append(row.name)
    return lost
