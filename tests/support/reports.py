"""Reports with what a test does not care for filled in."""

from schemas import AgentReport, BreakerReport, HostReport, PoolReport


def breaker(
    host: str = "a", *, state: str = "closed", trips: int = 0, server: str = "http://s", process: str = ""
) -> BreakerReport:
    """Return a breaker's report."""
    return BreakerReport(
        host=host,
        process=process,
        server=server,
        name="model",
        state=state,
        consecutive_failures=0,
        trip_count=trips,
        time_until_retry=0.0,
    )


def pool(
    host: str = "a",
    *,
    server: str = "http://s",
    slots: int = 2,
    active: int = 0,
    tokens: tuple[int, int] = (0, 0),
    process: str = "",
    **waiting: int,
) -> PoolReport:
    """Return a pool's report; `tokens` are those read and written, `waiting` is by priority."""
    return PoolReport(
        host=host,
        process=process,
        server=server,
        slots=slots,
        active=active,
        waiting=sum(waiting.values()),
        waiting_by_priority=waiting,
        loaded_lane=None,
        tokens_in=tokens[0],
        tokens_out=tokens[1],
        stats={},
    )


def agent(name: str = "x", host: str = "a", *, consumer: str = "consuming", losses: int = 0) -> AgentReport:
    """Return an agent's report."""
    return AgentReport(host=host, agent=name, consumer=consumer, losses=losses, prefetch=1, held=0, health={})


def host(
    name: str = "a",
    *agents: str,
    version: str = "0.1.0",
    held: int = 0,
    state: str = "running",
    process: str = "",
    interval: float | None = None,
) -> HostReport:
    """Return a host's report: 1 MB and half a core."""
    return HostReport(
        host=name,
        process=process,
        version=version,
        agents=list(agents),
        state=state,
        held=held,
        interval=interval,
        uptime=1.0,
        memory_bytes=1_000_000,
        cpu_percent=50.0,
    )
