"""Hosts as rows. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from agents.top.agent_rows import SILENT
from agents.top.figures import NONE, bytes_text
from bus.broker import LinkState
from schemas import HostReport


@dataclass(frozen=True, slots=True)
class HostRow:
    """One host. `age` is the time since its last report, in seconds."""

    report: HostReport
    is_silent: bool
    age: float

    @property
    def name(self) -> str:
        """Its name."""
        return self.report.host

    @property
    def state(self) -> str:
        """Its stage, or `silent`."""
        return SILENT if self.is_silent else self.report.state

    @property
    def held(self) -> str:
        """Tasks in hand, of those that it may have where it has a bound."""
        most = self.report.max_held
        return str(self.report.held) if most is None else f"{self.report.held}/{most}"

    @property
    def memory(self) -> str:
        """Resident memory."""
        return bytes_text(self.report.memory_bytes)

    @property
    def uptime(self) -> float:
        """Seconds since it started, as long as it tells."""
        return self.report.uptime + (0 if self.is_silent else self.age)

    @property
    def links(self) -> str:
        """Its connections to the broker, in one word where all are the same; not known of a silent one."""
        if self.is_silent:
            return NONE
        states = dict.fromkeys(self.report.links.values())
        return next(iter(states)) if len(states) == 1 else ", ".join(self.troubled_links) or NONE

    @property
    def troubled_links(self) -> list[str]:
        """Those that are not connected, as in `publishing blocked`."""
        return [f"{name} {state}" for name, state in self.report.links.items() if state != LinkState.CONNECTED]

    @property
    def words(self) -> str:
        """What a filter looks into."""
        return f"{self.name} {self.state} {self.report.version} {self.report.rabbitmq} {self.links}"

    @property
    def details(self) -> str:
        """What does not fit into columns."""
        report = self.report
        told = (
            f"{report.host}: version {report.version}",
            "" if report.pid is None else f"pid {report.pid}",
            f"agents {len(report.agents)}",
            f"links {self.links}",
            f"model slots {report.slots}",
            f"waiting for them {report.waiting}",
        )
        return ", ".join(part for part in told if part)


def host_rows(reports: Iterable[HostReport], ages: Mapping[str, float], silent: Collection[str]) -> list[HostRow]:
    """Return a row for each host, by name."""
    rows = (HostRow(report, report.host in silent, ages.get(report.host, 0.0)) for report in reports)
    return sorted(rows, key=lambda row: row.name)
