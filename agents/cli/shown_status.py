"""A fleet in tables for people, 80 columns wide, and as JSON for programs. Pure."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agents.cli.last_words import LastWords
from agents.cli.shown_letters import plain
from agents.cli.since import moment_text
from agents.core.operator_pause import is_by_operator
from agents.core.outage_reason import without_fault
from agents.fleet.endings import other_endings
from agents.fleet.fleet import Fleet
from agents.fleet.queues import QueueFigures
from bus.broker import ConsumerState
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


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a fleet: what hosts answered, what lies in queues, and what was said in the last days."""

    fleet: Fleet
    figures: QueueFigures = field(default_factory=QueueFigures)
    words: LastWords = field(default_factory=LastWords)

    @property
    def unserved(self) -> list[str]:
        """The agents whose tasks wait, the most first, while nobody consumes them and no host says that it has them."""
        told = {agent for report in self.fleet.reports(HostReport) for agent in report.agents}
        queues = self.figures.agents
        alone = [name for name, queue in queues.items() if queue.ready and not queue.consumers and name not in told]
        return sorted(alone, key=lambda name: -queues[name].ready)


def status_of(seen: Seen) -> Iterator[Part]:
    """Yield what to print: what waits without a host, hosts, model servers, busy or idle agents, and queues."""
    yield from _without_host(seen)
    if seen.fleet.reports(HostReport):
        yield from _of_hosts(seen.fleet, seen.words)
    yield from _of_queues(seen)


def _without_host(seen: Seen) -> Iterator[Part]:
    queues = seen.figures.agents
    rows = [
        (name, str(queues[name].ready), str(queues[name].dead), seen.words.homes.get(name, "-"))
        for name in seen.unserved
    ]
    if rows:
        yield _table("NO HOST FOR", ("ready", "dead letters", "ran last on"), rows)


def _of_queues(seen: Seen) -> Iterator[Part]:
    unserved = set(seen.unserved)
    rows = [
        (name, str(queue.ready), str(queue.consumers), str(queue.dead))
        for name, queue in seen.figures.agents.items()
        if (queue.ready or queue.dead) and name not in unserved
    ]
    if rows:
        yield _table("QUEUES", ("ready", "consumers", "dead letters"), rows)
    if seen.figures.unrouted:
        yield Text(f"{_tasks(seen.figures.unrouted)} for unknown agents: see `sutazai dlq list --reason unrouted`")


def _of_hosts(fleet: Fleet, words: LastWords) -> Iterator[Part]:
    yield _table("HOSTS", ("state", "agents", "held", "MiB", "CPU %", "version"), map(_host, fleet.reports(HostReport)))
    yield from _notes(_namesakes(fleet))
    servers = [_server(pool, breaker) for pool, breaker in _servers(fleet)]
    yield _table("MODEL SERVERS", ("host", "breaker", "slots", "waiting", "tokens/s"), servers)
    yield from _notes(_troubles(fleet))
    yield from _notes(_loaded(fleet))
    yield from _agents(fleet.reports(AgentReport), words)


def json_of(seen: Seen) -> str:
    """Return one JSON object: hosts, breakers, pools and agents are lists of reports, queues one of counts.

    A queue is `unserved` where its tasks wait and no host has its agent; `unrouted` counts tasks for unknown agents.
    """
    families: dict[str, type[Report]] = {
        "hosts": HostReport,
        "breakers": BreakerReport,
        "pools": PoolReport,
        "agents": AgentReport,
    }
    told: dict[str, object] = {
        name: [report.model_dump(mode="json") for report in seen.fleet.reports(kind)] for name, kind in families.items()
    }
    unserved = set(seen.unserved)
    queues = [
        {"agent": name, **asdict(queue), "unserved": name in unserved} for name, queue in seen.figures.agents.items()
    ]
    return json.dumps(told | {"queues": queues, "unrouted": seen.figures.unrouted})


def is_worth_a_line(report: AgentReport) -> bool:
    """Whether the agent holds tasks, or takes none."""
    return report.held > 0 or report.consumer not in _TAKING


def _agents(reports: Sequence[AgentReport], words: LastWords) -> Iterator[Part]:
    """Yield those that are worth a line. Where many do nothing for the same reason, they share one."""
    shown = [report for report in reports if is_worth_a_line(report)]
    counts = Counter(_standstill(report) for report in shown if not report.held)
    folded = [still for still, count in counts.items() if count > ALIKE]
    single = [report for report in shown if report.held or _standstill(report) not in folded]
    if single:
        columns = ("host", "state", "running", "waiting", "done", "failed", "p95 s")
        yield _table("AGENTS", columns, map(_agent, single))
    yield from _notes(f"{_place(report)}: {why}" for report in single if (why := _why([report], words)))
    yield from _notes(f"{_place(report)}: {others}" for report in single if (others := other_endings([report])))
    for still in folded:
        alike = [report for report in shown if not report.held and _standstill(report) == still]
        yield Text(_fold(alike, words), style="dim")
    named = {report.agent for report in shown}
    idle = [report for report in reports if report.agent not in named]
    if idle:
        yield Text(_idle(idle, "other " if named else ""), style="dim")


def _idle(reports: Sequence[AgentReport], which: str) -> str:
    """Say how many agents, each counted once for all of its hosts, wait for tasks, and what failed there."""
    count = len({report.agent for report in reports})
    failed = sum(report.results.get("failed", 0) for report in reports)
    them = f"1 {which}agent takes tasks and holds none"
    if count > 1:
        them = f"{count} {which}agents take tasks and hold none"
    return f"{them}; {_tasks(failed)} failed there since the start" if failed else them


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def _standstill(report: AgentReport) -> tuple[str, str, str | None]:
    return report.host, report.consumer, report.reason


def _fold(alike: Sequence[AgentReport], words: LastWords) -> str:
    host, state, _ = _standstill(alike[0])
    why = _why(alike, words)
    return f"{len(alike)} agents ({host}) that hold nothing are {state}{f': {plain(why)}' if why else ''}"


def _why(alike: Sequence[AgentReport], words: LastWords) -> str:
    """Return the reason that these have in common, and when an operator first said it to one of them."""
    reason = alike[0].reason
    if not reason:
        return ""
    orders = (words.paused_at(report.agent, report.host) for report in alike) if is_by_operator(reason) else ()
    at = min((order for order in orders if order is not None), default=None)
    return without_fault(reason) + (f" (said {moment_text(at)})" if at else "")


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
