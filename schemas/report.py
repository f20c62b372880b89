"""Reports on the metrics exchange: the state of breakers, pools, agents and hosts. Transient."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from schemas.base import AgentName, Timestamp, Wire, now


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
    server: str = ""
    """The address of the model server that it guards, without credentials."""
    name: str
    state: str
    old: str | None = None
    consecutive_failures: int
    trip_count: int
    time_until_retry: float
    """Seconds until the next probe is allowed; 0 unless open."""
    timestamp: Timestamp = Field(default_factory=now)


class PoolReport(Wire):
    """The pool of connections to one model server, at each interval and with each step of a pull there.

    What waits, waits in one line for all servers of the host: those figures are the same in the report of each.
    """

    kind: Literal[ReportKind.POOL] = ReportKind.POOL
    host: str
    server: str = ""
    """Its address, without credentials."""
    slots: int
    active: int
    waiting: int
    waiting_by_priority: dict[str, int]
    waiting_by_lane: dict[str, int] = Field(default_factory=dict)
    """How many wait for each lane, a model with the options of its runner; under "" those that need none."""
    loaded_lane: str | None
    """The lane started last, on any server."""
    loaded_lanes: list[str] = Field(default_factory=list)
    """The lanes that this server holds in memory, as far as the host knows."""
    pulls: dict[str, int] = Field(default_factory=dict)
    """The models that are being pulled there, with the percent that has come."""
    stats: dict[str, Any]
    """The keys of docs/names.md for this server alone; its requests are the tries that were sent to it."""
    timestamp: Timestamp = Field(default_factory=now)


class AgentReport(Wire):
    """One agent: what it has done and whether it consumes. `health` is its `health_check()`."""

    kind: Literal[ReportKind.AGENT] = ReportKind.AGENT
    host: str
    agent: AgentName
    consumer: str
    """starting, consuming, paused, full (its host holds as many tasks as it may), lost or stopped."""
    reason: str | None = None
    losses: int = 0
    """How often the consumer was taken away, as by a cut connection or a deleted queue, and came back."""
    results: dict[str, int] = Field(default_factory=dict)
    """Terminal results so far, by status."""
    prefetch: int
    held: int
    health: dict[str, Any]
    timestamp: Timestamp = Field(default_factory=now)


class HostReport(Wire):
    """One process: its agents and what it uses of the machine."""

    kind: Literal[ReportKind.HOST] = ReportKind.HOST
    host: str
    version: str
    agents: list[str]
    state: str
    """starting, running, draining, handing_back or closing."""
    links: dict[str, str] = Field(default_factory=dict)
    """Its connections to the broker, consuming and publishing: connecting, connected, blocked or closed."""
    held: int = 0
    """Tasks in its hands, unsettled, over all agents."""
    max_held: int | None = None
    """Its bound on those of the agents that ask the model; None where their own prefetches keep them below it.

    What waits for a task that it gave another agent is held and does not count.
    """
    uptime: float
    memory_bytes: int
    cpu_percent: float
    timestamp: Timestamp = Field(default_factory=now)


Report = BreakerReport | PoolReport | AgentReport | HostReport
