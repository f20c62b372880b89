"""HostMetrics: one host's own metrics, with the names that the exporter has for a whole fleet."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest

from agents.core.reporter import Reporter
from agents.exporter.fleet_metrics import FleetMetrics
from agents.exporter.labels import Labels
from agents.exporter.task_metrics import TaskMetrics
from agents.fleet.fleet import Fleet
from bus.consumer import Consumer
from schemas import TaskResult


class HostMetrics:
    """What the host would report now, and the results that it gives. Counters begin at 0 with this object.

    The broker is not asked, so there is nothing of its queues.
    """

    def __init__(self, host: str, reporter: Reporter, consumers: Iterable[Consumer]) -> None:
        labels = Labels()
        self._host = host
        self._reporter = reporter
        self._fleet = Fleet()
        self._registry = CollectorRegistry()
        self._tasks = TaskMetrics(self._registry, labels)
        self._registry.register(FleetMetrics(self._fleet, labels))
        for consumer in consumers:
            self._tasks.expect(consumer.agent)
            consumer.tell_results_to(self.count)

    def page(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        for report in self._reporter.reports():
            self._fleet.note(report)
        return generate_latest(self._registry)

    def count(self, result: TaskResult) -> None:
        """Count a result, if it is this host's own."""
        # What another host has given meanwhile is told to this one too, and counted there.
        if result.host == self._host:
            self._tasks.count(result)
