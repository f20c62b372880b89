"""FleetPicture: the latest report of each host, model server and agent. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from bus.broker import QueueInfo
from schemas import AgentReport, BreakerReport, HostReport, PoolReport, Report


@dataclass(slots=True)
class FleetPicture:
    """What is known of a fleet. Each dictionary is in the order in which its members were first heard of."""

    hosts: dict[str, HostReport] = field(default_factory=dict)
    breakers: dict[tuple[str, str], BreakerReport] = field(default_factory=dict)
    """By host and model server."""
    pools: dict[tuple[str, str], PoolReport] = field(default_factory=dict)
    """By host and model server."""
    agents: dict[tuple[str, str], AgentReport] = field(default_factory=dict)
    """By host and agent."""
    queues: dict[str, QueueInfo] = field(default_factory=dict)
    """The task queues by agent, as the broker sees them."""

    def add(self, report: Report) -> None:
        """Take in a report, in the place of the one before it."""
        match report:
            case HostReport():
                self.hosts[report.host] = report
            case BreakerReport():
                self.breakers[report.host, report.server] = report
            case PoolReport():
                self.pools[report.host, report.server] = report
            case AgentReport():
                self.agents[report.host, report.agent] = report

    def knows_all_of(self, hosts: Collection[str]) -> bool:
        """Whether these hosts, at least one, have told everything: the last agent of each comes last of all."""
        return bool(hosts) and all(
            host in self.hosts and all((host, agent) in self.agents for agent in self.hosts[host].agents)
            for host in hosts
        )

    def as_json(self) -> dict[str, Any]:
        """Return hosts, breakers, pools, agents (lists of reports) and queues (agent, ready, consumers)."""
        families: dict[str, Iterable[Report]] = {
            "hosts": self.hosts.values(),
            "breakers": self.breakers.values(),
            "pools": self.pools.values(),
            "agents": self.agents.values(),
        }
        told = {name: [report.model_dump(mode="json") for report in reports] for name, reports in families.items()}
        queues = [
            {"agent": agent, "ready": queue.ready, "consumers": queue.consumers} for agent, queue in self.queues.items()
        ]
        return told | {"queues": queues}
