"""A fleet in tables for people, 80 columns wide, and as JSON for programs. Pure."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agents.cli.shown_letters import plain
from agents.core.outage_reason import without_fault
from agents.fleet.endings import other_endings
from agents.fleet.fleet import Fleet
from bus.broker import ConsumerState, QueueInfo
from schemas import AgentReport, BreakerReport, HostReport, PoolReport, Report

MEBIBYTE: Final = 1 << 20

ALIKE: Final = 5
"""More agents of one host than this that do nothing for the same reason are one line: an outage pauses all."""

_TAKING: Final = frozenset((ConsumerState.CONSUMING, ConsumerState.FULL))
"""A host that holds all that it may takes tasks again by itself."""

HOST_WIDTH: Final = 16
"""Columns of a host's name where another name stands before it. A longer one loses its domain, then its middle."""

_ELLIPSIS: Final = "…"

_CLOSED: Final = "closed"
"""The state of a breaker whose server answers."""

Row = Sequence[str]

Part = Table | Text | Padding
"""What is printed by itself."""


def status_of(fleet: Fleet, queues: Mapping[str, QueueInfo]) -> Iterator[Part]:
    """Yield what to print: hosts, model servers, agents that hold tasks or take none, and queues where tasks wait."""
    yield _table("HOSTS", ("state", "agents", "held", "MiB", "CPU %", "version"), map(_host, fleet.reports(HostReport)))
    yield from _notes(_namesakes(fleet))
    servers = [_server(pool, breaker) for pool, breaker in _servers(fleet)]
    yield _table("MODEL SERVERS", ("host", "breaker", "slots", "waiting", "tokens/s"), servers)
    yield from _notes(_troubles(fleet))
    yield from _notes(_loaded(fleet))
    yield from _agents(fleet.reports(AgentReport))
    waiting = [(agent, queue) for agent, queue in queues.items() if queue.ready]
    if waiting:
        rows = [(agent, str(queue.ready), str(queue.consumers)) for agent, queue in waiting]
        yield _table("QUEUES", ("ready", "consumers"), rows)


def json_of(fleet: Fleet, queues: Mapping[str, QueueInfo]) -> str:
    """Return one JSON object: hosts, breakers, pools, agents (lists of reports), queues (agent, ready, consumers)."""
    families: dict[str, type[Report]] = {
        "hosts": HostReport,
        "breakers": BreakerReport,
        "pools": PoolReport,
        "agents": AgentReport,
    }
    told: dict[str, object] = {
        name: [report.model_dump(mode="json") for report in fleet.reports(kind)] for name, kind in families.items()
    }
    depths = [{"agent": agent, "ready": found.ready, "consumers": found.consumers} for agent, found in queues.items()]
    return json.dumps(told | {"queues": depths})


def is_worth_a_line(report: AgentReport) -> bool:
    """Whether the agent holds tasks, or takes none."""
    return report.held > 0 or report.consumer not in _TAKING


def _agents(reports: Sequence[AgentReport]) -> Iterator[Part]:
    """Yield those that are worth a line. Where many do nothing for the same reason, they share one."""
    shown = [report for report in reports if is_worth_a_line(report)]
    alike = Counter(_standstill(report) for report in shown if not report.held)
    folded = {still: count for still, count in alike.items() if count > ALIKE}
    single = [report for report in shown if report.held or _standstill(report) not in folded]
    if single:
        columns = ("host", "state", "running", "waiting", "done", "failed", "p95 s")
        yield _table("AGENTS", columns, map(_agent, single))
    yield from _notes(f"{_place(report)}: {without_fault(report.reason)}" for report in single if report.reason)
    yield from _notes(f"{_place(report)}: {others}" for report in single if (others := other_endings([report])))
    yield from (Text(_fold(still, count), style="dim") for still, count in folded.items())
    named = {report.agent for report in shown}
    idle = len({report.agent for report in reports} - named)
    if idle:
        yield Text(_idle(idle, "other " if named else ""), style="dim")


def _idle(count: int, which: str) -> str:
    """Say how many agents, each counted once for all of its hosts, wait for tasks."""
    return (
        f"1 {which}agent takes tasks and holds none"
        if count == 1
        else f"{count} {which}agents take tasks and hold none"
    )


def _standstill(report: AgentReport) -> tuple[str, str, str | None]:
    return report.host, report.consumer, report.reason


def _fold(still: tuple[str, str, str | None], count: int) -> str:
    host, state, reason = still
    because = f": {plain(without_fault(reason))}" if reason else ""
    return f"{count} agents ({host}) that hold nothing are {state}{because}"


def _table(title: str, columns: Iterable[str], rows: Iterable[Row]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column(title)  # a column that may wrap is the first to shrink, and its cells are cut
    for column in columns:
        table.add_column(column, no_wrap=True)
    for name, *cells in rows:
        table.add_row(Text(plain(name), no_wrap=True, overflow="ellipsis"), *(Text(plain(cell)) for cell in cells))
    return table


def _host(report: HostReport) -> Row:
    held = str(report.held) if report.max_held is None else f"{report.held}/{report.max_held}"
    memory = f"{report.memory_bytes / MEBIBYTE:.0f}"
    return report.host, report.state, str(len(report.agents)), held, memory, f"{report.cpu_percent:g}", report.version


def _namesakes(fleet: Fleet) -> Iterator[str]:
    for host, processes in fleet.processes().items():
        if processes > 1:
            yield f"{processes} processes are called {host}: give each its own SUTAZAI_HOST_NAME"


def _server(pool: PoolReport, breaker: BreakerReport | None) -> Row:
    speed = "-" if pool.tokens_per_second is None else f"{pool.tokens_per_second:.1f}"
    slots = f"{pool.active}/{pool.slots}"
    state = "-" if breaker is None else breaker.state
    return pool.server, _cut(pool.host), state, slots, str(pool.waiting), speed


def _servers(fleet: Fleet) -> Iterator[tuple[PoolReport, BreakerReport | None]]:
    for pool in fleet.reports(PoolReport):
        breaker = fleet.breaker(pool.host, pool.server)
        yield pool, None if breaker is None else breaker.report


def _troubles(fleet: Fleet) -> Iterator[str]:
    """Say of each server once what is wrong with it: its hosts see the same fault, each since another second."""
    seen: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for pool, breaker in _servers(fleet):
        if breaker is not None and breaker.reason:
            fault = breaker.reason.partition(": ")[2]
            seen[pool.server, fault].append((breaker.reason, pool.host))
    for (server, _), told in seen.items():
        yield f"{server} ({', '.join(host for _, host in told)}): {min(told)[0]}"


def _loaded(fleet: Fleet) -> Iterator[str]:
    """Say of each server once which models it has. Where it does not answer, nobody knows."""
    seen: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for pool, breaker in _servers(fleet):
        if pool.loaded_lanes and (breaker is None or breaker.state == _CLOSED):
            seen[pool.server, ", ".join(pool.loaded_lanes)].append(pool.host)
    for (server, models), hosts in seen.items():
        yield f"{server} ({', '.join(hosts)}) has loaded: {models}"


def _agent(report: AgentReport) -> Row:
    slow = "-" if report.seconds is None else f"{report.seconds.p95:.1f}"
    ended = (str(report.results.get(status, 0)) for status in ("completed", "failed"))
    return report.agent, _cut(report.host), report.consumer, str(report.running), str(report.waiting), *ended, slow


def _place(report: AgentReport) -> str:
    return f"{report.agent} ({report.host})"


def _cut(host: str) -> str:
    """Return a name that fits and still differs from its neighbours': those of pods differ at their ends alone."""
    label, half = host.partition(".")[0], HOST_WIDTH // 2
    if len(host) <= HOST_WIDTH:
        return host
    return label if len(label) <= HOST_WIDTH else label[: half - 1] + _ELLIPSIS + label[-half:]


def _notes(sentences: Iterable[str]) -> Iterator[Padding]:
    return (Padding(Text(plain(sentence), style="dim"), (0, 0, 0, 2), expand=False) for sentence in sentences)
