"""What the reports say: hosts, consumers, breakers and pools."""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from agents.core.circuit_breaker import CircuitState
from agents.exporter.bounded_names import BoundedNames
from agents.exporter.families import Sample, counter, gauge
from agents.exporter.labels import HOSTS_MOST, Labels
from agents.fleet.fleet import Fleet, Told
from bus.broker import ConsumerState
from schemas import AgentReport, BreakerReport, HostReport, PoolReport, Priority, priority_name

PRIORITIES: Final = tuple(priority_name(priority) for priority in Priority)

_HOST: Final = ("host",)
_CONSUMER: Final = ("host", "agent")
_SERVER: Final = ("host", "server")


class FleetMetrics(Collector):
    """Reads the fleet at each scrape. Of folded names, figures are sums, and states the number of those in them."""

    def __init__(self, fleet: Fleet, labels: Labels) -> None:
        self._fleet = fleet
        self._labels = labels

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        hosts = BoundedNames(HOSTS_MOST, self._fleet.ages())
        yield from self._hosts(hosts)
        yield from self._presence(hosts)
        yield from self._consumers(hosts)
        yield from self._breakers(hosts)
        yield from self._pools(hosts)

    def _hosts(self, hosts: BoundedNames) -> Iterator[Metric]:
        ages = [((hosts.fold(name),), age) for name, age in self._fleet.ages().items()]
        yield gauge("sutazai_report_age_seconds", "Since the last report of a host.", _HOST, ages, combine=max)
        found = [(hosts.fold(told.report.host), told.report) for told in self._fleet.latest(HostReport)]
        versions = [((host, self._labels.versions.fold(report.version)), 1.0) for host, report in found]
        yield gauge("sutazai_host_info", "1 for each host, with its version.", ("host", "version"), versions)
        memory = [((host,), report.memory_bytes) for host, report in found]
        yield gauge("sutazai_host_memory_bytes", "Resident memory of a host's process.", _HOST, memory)
        cpu = [((host,), report.cpu_percent / 100) for host, report in found]
        yield gauge("sutazai_host_cpu_ratio", "CPU that a host's process uses; 1 is one core.", _HOST, cpu)
        held = [((host,), report.held) for host, report in found]
        yield gauge("sutazai_held", "Tasks in a host's hands, unsettled.", _HOST, held)

    def _presence(self, hosts: BoundedNames) -> Iterator[Metric]:
        counts = [((hosts.fold(name),), count) for name, count in self._fleet.processes().items()]
        told = "Processes that report under a host's name."
        yield gauge("sutazai_host_processes", told, _HOST, counts, combine=max)
        present = [((hosts.fold(report.host),), 0.0) for report in self._fleet.reports(HostReport)]
        gone = [((hosts.fold(name),), 1.0) for name in self._fleet.gone()]
        told = "1 for a host that fell silent within the last hour and had not said that it stops."
        yield gauge("sutazai_host_gone", told, _HOST, [*present, *gone])

    def _consumers(self, hosts: BoundedNames) -> Iterator[Metric]:
        def labels(report: AgentReport) -> tuple[str, str]:
            return hosts.fold(report.host), self._labels.agents.fold(report.agent)

        found = [(labels(told.report), told) for told in self._fleet.latest(AgentReport)]
        states = _states(((where, told.report.consumer) for where, told in found), ConsumerState)
        yield gauge("sutazai_consumer_state", "1 in the state that a consumer is in.", (*_CONSUMER, "state"), states)
        losses = [(where, told.totals[0]) for where, told in found]
        told = "How often a consumer was taken away and came back."
        yield counter("sutazai_consumer_losses_total", told, _CONSUMER, losses)

    def _breakers(self, hosts: BoundedNames) -> Iterator[Metric]:
        found = [(self._server_labels(hosts, told.report), told) for told in self._fleet.latest(BreakerReport)]
        states = _states(((where, told.report.state) for where, told in found), CircuitState)
        yield gauge("sutazai_breaker_state", "1 in the state that a breaker is in.", (*_SERVER, "state"), states)
        failing = [(where, float(told.report.reason is not None)) for where, told in found]
        told = "1 while the last request of a host to a model server was not answered."
        yield gauge("sutazai_server_failing", told, _SERVER, failing)
        trips = [(where, told.totals[0]) for where, told in found]
        told = "How often a breaker has opened, after each failed probe once more."
        yield counter("sutazai_breaker_trips_total", told, _SERVER, trips)

    def _pools(self, hosts: BoundedNames) -> Iterator[Metric]:
        found = list(self._fleet.latest(PoolReport))
        pools = [(self._server_labels(hosts, told.report), told.report) for told in found]
        slots = [(where, report.slots) for where, report in pools]
        yield gauge("sutazai_pool_slots", "Requests that a model server may have at once.", _SERVER, slots)
        active = [(where, report.active) for where, report in pools]
        yield gauge("sutazai_pool_active", "Requests that a model server has.", _SERVER, active)
        yield counter(
            "sutazai_server_tokens_total",
            "Tokens read (in) and written (out) by a model server for a host, whatever became of the tasks.",
            (*_SERVER, "direction"),
            self._tokens(hosts, found),
        )
        waiting = [
            ((hosts.fold(report.host), priority), report.waiting_by_priority.get(priority, 0))
            for report in _one_line_each(found)
            for priority in PRIORITIES
        ]
        yield gauge("sutazai_pool_waiting", "Requests that wait for a slot.", ("host", "priority"), waiting)

    def _tokens(self, hosts: BoundedNames, found: Iterable[Told[PoolReport]]) -> Iterator[Sample]:
        for told in found:
            where = self._server_labels(hosts, told.report)
            for direction, total in zip(("in", "out"), told.totals, strict=True):
                yield (*where, direction), total

    def _server_labels(self, hosts: BoundedNames, report: BreakerReport | PoolReport) -> tuple[str, str]:
        return hosts.fold(report.host), self._labels.servers.fold(report.server)


def _one_line_each(found: Iterable[Told[PoolReport]]) -> Iterable[PoolReport]:
    # One line waits for all servers of a host, and the report of each server tells it: the newest counts.
    newest = {told.report.host: told.report for told in sorted(found, key=lambda told: told.at)}
    return newest.values()


def _states(
    found: Iterable[tuple[tuple[str, str], str]], states: type[ConsumerState | CircuitState]
) -> Iterator[Sample]:
    for where, now in found:
        for state in states:
            yield (*where, state.value), float(state.value == now)
