"""What the broker says of the queues."""

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from agents.exporter.families import gauge
from agents.fleet.queues import QueueWatch

_AGENT: Final = ("agent",)


class QueueMetrics(Collector):
    """Tells what the watch found at its last look."""

    def __init__(self, watch: QueueWatch) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        figures = self._watch.figures
        queues = [((agent,), found) for agent, found in figures.agents.items()]
        ready = [(agent, found.ready) for agent, found in queues]
        yield gauge("sutazai_queue_ready", "Tasks that wait in an agent's queue.", _AGENT, ready)
        consumers = [(agent, found.consumers) for agent, found in queues]
        yield gauge("sutazai_queue_consumers", "Consumers of an agent's queue.", _AGENT, consumers)
        dead = [(agent, found.dead) for agent, found in queues]
        yield gauge("sutazai_queue_dead", "Dead letters of an agent.", _AGENT, dead)
        unrouted = [] if figures.unrouted is None else [((), figures.unrouted)]
        yield gauge("sutazai_queue_unrouted", "Tasks for agents that nobody has ever started.", (), unrouted)
