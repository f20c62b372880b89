"""Model servers as rows: one for each host that asks it, as each has a breaker of its own. Pure."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from agents.core.circuit_breaker import CircuitState
from agents.fleet.fleet import Fleet, Told
from agents.top.agent_rows import SILENT
from agents.top.figures import NONE, span_text
from agents.top.speeds import Speeds
from schemas import BreakerReport, PoolReport

UNKNOWN: Final = "unknown"
"""The state of a breaker that nobody has told of."""


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A model server as one host knows it, `silent` with that host. `probe_in` is in seconds; None: no probe is due.

    `history` are tokens per second, oldest first; `now` the same over the last minute.
    """

    pool: PoolReport
    state: str
    reason: str | None
    probe_in: float | None
    now: float
    history: tuple[float, ...]

    @property
    def key(self) -> tuple[str, str]:
        """Its host and its address."""
        return self.pool.host, self.pool.server

    @property
    def address(self) -> str:
        """Its address without `http://`, which all have."""
        return self.pool.server.removeprefix("http://") or "model server"

    @property
    def name(self) -> str:
        """Its address and the host that asks it."""
        return f"{self.address} ({self.pool.host})"

    @property
    def slots(self) -> str:
        """Requests at work, of those that may be; not known of a silent host."""
        if self.state == SILENT:
            return NONE
        return f"{self.pool.active}/{self.pool.slots}"

    @property
    def loaded(self) -> str:
        """The models in its memory."""
        return ", ".join(self.pool.loaded_lanes)

    @property
    def words(self) -> str:
        """What a filter looks into."""
        return f"{self.pool.server} {self.pool.host} {self.state} {self.loaded} {self.reason or ''}"

    @property
    def details(self) -> str:
        """What does not fit into columns: the fault, the next probe, what is loaded and what waits for which model."""
        pool = self.pool
        waiting = ", ".join(f"{count} for {lane or 'any model'}" for lane, count in pool.waiting_by_lane.items())
        pulls = ", ".join(f"{model} {percent} %" for model, percent in pool.pulls.items())
        told = (
            self.reason or "",
            f"next probe in {span_text(self.probe_in)}" if self.probe_in is not None else "",
            f"loaded: {self.loaded}" if self.loaded else "",
            f"waiting: {waiting}" if waiting else "",
            f"pulling: {pulls}" if pulls else "",
        )
        return f"{self.name}: {'; '.join(part for part in told if part) or 'nothing loaded'}"


def server_rows(
    fleet: Fleet, speeds: Speeds, clock: Callable[[], float], silent: Collection[str] = ()
) -> list[ServerRow]:
    """Return a row for each pair of host and model server, in the order in which they were first heard of."""
    return [
        _silent_row(told.report, speeds)
        if told.report.host in silent
        else _row(told.report, fleet.breaker(*_key(told.report)), speeds, clock())
        for told in fleet.latest(PoolReport)
    ]


def _key(pool: PoolReport) -> tuple[str, str]:
    return pool.host, pool.server


def _silent_row(pool: PoolReport, speeds: Speeds) -> ServerRow:
    return ServerRow(pool, SILENT, reason=None, probe_in=None, now=0.0, history=speeds.history(_key(pool)))


def _row(pool: PoolReport, breaker: Told[BreakerReport] | None, speeds: Speeds, now: float) -> ServerRow:
    key = _key(pool)
    probe_in = None
    if breaker is not None and breaker.report.state == CircuitState.OPEN:
        probe_in = max(0.0, breaker.report.time_until_retry - (now - breaker.at))
    return ServerRow(
        pool=pool,
        state=UNKNOWN if breaker is None else breaker.report.state,
        reason=None if breaker is None else breaker.report.reason,
        probe_in=probe_in,
        now=speeds.now(key),
        history=speeds.history(key),
    )
