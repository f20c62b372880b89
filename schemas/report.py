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
    name: str
    state: str
    old: str | None = None
    consecutive_failures: int
    trip_count: int
    time_until_retry: float
    """Seconds until the next probe is allowed; 0 unless open."""
    timestamp: Timestamp = Field(default_factory=now)


class PoolReport(Wire):
    """The connection pool in front of one model server."""

    kind: Literal[ReportKind.POOL] = ReportKind.POOL
    host: str
    slots: int
    active: int
    waiting: int
    waiting_by_priority: dict[str, int]
    loaded_lane: str | None
    stats: dict[str, Any]
    """`OllamaConnectionPool.get_stats()`: the keys of docs/names.md."""
    timestamp: Timestamp = Field(default_factory=now)


class AgentReport(Wire):
    """One agent: what it has done and whether it consumes. `health` is its `health_check()`."""

    kind: Literal[ReportKind.AGENT] = ReportKind.AGENT
    host: str
    agent: AgentName
    consumer: str
    """starting, consuming, paused, lost or stopped."""
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
    uptime: float
    memory_bytes: int
    cpu_percent: float
    timestamp: Timestamp = Field(default_factory=now)


Report = BreakerReport | PoolReport | AgentReport | HostReport
