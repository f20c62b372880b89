"""Reports on the metrics exchange: the state of breakers, pools, agents and hosts. Transient."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from schemas.base import AgentName, AttemptNumber, Count, Figure, Timestamp, Wire, now

ProcessMark = Annotated[str, StringConstraints(max_length=64)]
"""Made anew at each start of a host, and so tells apart two of one name. Empty in the reports of older versions."""


class ReportKind(StrEnum):
    """What a report is about; the second word of its routing key."""

    BREAKER = "breaker"
    POOL = "pool"
    AGENT = "agent"
    HOST = "host"


class BreakerReport(Wire):
    """A circuit breaker, on each transition (`old` is the state it left) and at each interval (`old` is None)."""

    kind: Literal[ReportKind.BREAKER] = ReportKind.BREAKER
    host: str
    process: ProcessMark = ""
    server: str = ""
    """The address of the model server that it guards, without credentials."""
    name: str
    state: str
    old: str | None = None
    consecutive_failures: Count
    trip_count: Count
    time_until_retry: Figure
    """Seconds until the next probe is allowed; 0 unless open."""
    reason: str | None = None
    """The server's last fault, and since when nothing was answered; None where its last request was answered."""
    recovery_timeout: Figure | None = None
    """Seconds from the opening to the first probe, as set; each failed probe doubles it."""
    timestamp: Timestamp = Field(default_factory=now)


class PoolReport(Wire):
    """The pool of connections to one model server, at each interval and with each step of a pull there.

    What waits, waits in one line for all servers of the host: those figures are the same in the report of each.
    """

    kind: Literal[ReportKind.POOL] = ReportKind.POOL
    host: str
    process: ProcessMark = ""
    server: str = ""
    """Its address, without credentials."""
    slots: Count
    active: Count
    waiting: Count
    queue_limit: Count | None = None
    """How many may wait; None: as many as come."""
    waiting_by_priority: dict[str, Count]
    waiting_by_lane: dict[str, Count] = Field(default_factory=dict)
    """How many wait for each lane, a model with the options of its runner; under "" those that need none."""
    loaded_lane: str | None
    """The lane started last, on any server."""
    loaded_lanes: list[str] = Field(default_factory=list)
    """The models that this server has in memory, whoever had them loaded: as it said at the last interval, and what has
    answered this host since. Of a lane of the host, with its options."""
    pulls: dict[str, Count] = Field(default_factory=dict)
    """The models that are being pulled there, with the percent that has come."""
    tokens_in: Count = 0
    """Tokens of prompts that this server has answered for this host since it started."""
    tokens_out: Count = 0
    """Tokens that this server has written for this host since it started."""
    tokens_per_second: Figure | None = None
    """Written by one request at a time, over the last ten answers; None before the first."""
    stats: dict[str, Any]
    """The keys of docs/names.md for this server alone; its requests are the tries that were sent to it."""
    timestamp: Timestamp = Field(default_factory=now)


class HandlingSeconds(Wire):
    """How long the last hundred runs of an agent's handler took, in seconds, waits for the model included."""

    p50: Figure
    p95: Figure


class HeldTask(Wire):
    """A task in an agent's hands."""

    id: str
    attempt: AttemptNumber
    since: Timestamp
    """When its handler began; before that and after it, when the task came."""
    state: str
    """waiting (for a handler, or in it for the model), running, or settling: its work is over, and its outcome is
    published and confirmed."""


class AgentReport(Wire):
    """One agent: what it has done and whether it consumes. `health` is its `health_check()`."""

    kind: Literal[ReportKind.AGENT] = ReportKind.AGENT
    host: str
    process: ProcessMark = ""
    agent: AgentName
    consumer: str
    """starting, consuming, paused, full (its host holds as many tasks as it may), lost or stopped."""
    reason: str | None = None
    losses: Count = 0
    """How often the consumer was taken away, as by a cut connection or a deleted queue, and came back."""
    results: dict[str, Count] = Field(default_factory=dict)
    """Terminal results so far, by status."""
    prefetch: Count
    held: Count
    """Tasks in its hands, unsettled: `running` and `waiting`."""
    running: Count = 0
    """Handlers at work."""
    waiting: Count = 0
    """What it holds and is not at work on: it waits for a handler or for the model, or to be settled."""
    tasks: list[HeldTask] = Field(default_factory=list)
    """Those that it holds, twenty at most: what runs comes first, then the oldest."""
    attempts: Count = 0
    """Handlers run since the start, those that were handed back included."""
    retries: Count = 0
    """Attempts that failed in passing and went to the delay ladder since the start."""
    last_delivery: Timestamp | None = None
    """When a task came last; None before the first."""
    seconds: HandlingSeconds | None = None
    """None before the first run has ended."""
    model: str | None = None
    """The model that it asks if a task names none; None for an agent that asks none."""
    health: dict[str, Any]
    timestamp: Timestamp = Field(default_factory=now)


class HostReport(Wire):
    """One process: its agents and what it uses of the machine."""

    kind: Literal[ReportKind.HOST] = ReportKind.HOST
    host: str
    process: ProcessMark = ""
    version: str
    agents: list[str]
    state: str
    """starting, running, draining, handing_back or closing."""
    links: dict[str, str] = Field(default_factory=dict)
    """Its connections to the broker, consuming and publishing: connecting, connected, blocked or closed."""
    held: Count = 0
    """Tasks in its hands, unsettled, over all agents."""
    max_held: Count | None = None
    """Its bound on those of the agents that ask the model; None where their own prefetches keep them below it.

    What waits for a task that it gave another agent is held and does not count.
    """
    slots: Count = 0
    """Requests that may run at once, over all its model servers."""
    waiting: Count = 0
    """Requests that wait for one of them."""
    python: str = ""
    """The version of Python."""
    rabbitmq: str = ""
    """The broker's address without secrets."""
    pid: Count | None = None
    interval: Figure | None = None
    """Seconds between two rounds of its reports; None in the reports of older versions."""
    uptime: Figure
    """Seconds."""
    memory_bytes: Count
    """Resident."""
    cpu_percent: Figure
    """Of one core, over the last second at least."""
    timestamp: Timestamp = Field(default_factory=now)


Report = BreakerReport | PoolReport | AgentReport | HostReport
