"""Every exchange, queue and argument, as frozen data. With `bus.routing_keys`, nothing else spells a name there."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bus import queue_descriptions as words
from bus.errors import TopologyError
from bus.plan import Argument, Binding, Exchange, Plan, Queue

RUNGS_MS: Final = (1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000)
"""The delay ladder: fixed queues with a queue-level TTL, because a per-message TTL blocks all behind it."""

MAX_PRIORITY: Final = 10
"""Cheap for the broker (each level is a sub-queue; 255 cost ten times more) and above our highest, 9."""

MAX_LENGTH: Final = 100_000
"""Waiting tasks for each agent. Beyond it the broker refuses a publish, which drops nothing."""

DELIVERY_LIMIT: Final = 20
"""Quorum queues: a safety net below our own count of redeliveries, which also answers. 3.10 has no default."""

NO_LIMIT: Final = 1_000_000_000
"""Deliveries of what is only looked at or listened to. Quorum queues of 4.x drop a message after 20 of them, and -1,
their own word for no limit, has 3.10 drop it after one."""

LOG_ARGUMENTS: Final[Mapping[str, Argument]] = {
    "x-queue-type": "stream",
    "x-max-age": "7D",
    "x-max-length-bytes": 2_000_000_000,
    "x-stream-max-segment-size-bytes": 50_000_000,
}
"""Whole segments are dropped once they are too old, so small ones keep the limits close."""

ARRIVALS_MAX_LENGTH: Final = 1_000
"""Arrivals only wake a host, so the oldest may go."""

ARRIVALS_MAX_BYTES: Final = 10_000_000
"""An arrival bears its task's body, which nobody reads there."""

LISTENER_EXPIRES_MS: Final = 300_000
"""A listener's own queue outlives a cut connection by this long, so that a reconnect misses nothing."""

LISTENER_MAX_LENGTH: Final = 100_000
"""A listener that stopped listening must not fill the broker's memory; the oldest go first."""


class QueueType(StrEnum):
    """Task queues: classic has strict priorities everywhere; quorum survives the loss of a node."""

    CLASSIC = "classic"
    QUORUM = "quorum"


@dataclass(frozen=True, slots=True)
class Topology:
    """All names on the broker under one prefix. Two fleets share a virtual host by two prefixes."""

    prefix: str = "sutazai"
    queue_type: QueueType = QueueType.CLASSIC
    rungs_ms: tuple[int, ...] = RUNGS_MS

    def __post_init__(self) -> None:
        if list(self.rungs_ms) != sorted(set(self.rungs_ms)) or not self.rungs_ms or self.rungs_ms[0] <= 0:
            raise TopologyError(f"rungs_ms {self.rungs_ms} must be positive milliseconds in ascending order")

    @property
    def tasks(self) -> str:
        """Exchange: `<agent>`."""
        return f"{self.prefix}.tasks"

    @property
    def results(self) -> str:
        """Exchange: `<agent>.<status>`."""
        return f"{self.prefix}.results"

    @property
    def events(self) -> str:
        """Exchange: `<agent>.<kind>.<task id>`."""
        return f"{self.prefix}.events"

    @property
    def metrics(self) -> str:
        """Exchange: `<agent or host>.<kind>`."""
        return f"{self.prefix}.metrics"

    @property
    def control(self) -> str:
        """Exchange: `<agent>` or `all`, `returned.<agent>` between hosts, and `report.all`."""
        return f"{self.prefix}.control"

    @property
    def delay(self) -> str:
        """Exchange: `<milliseconds>.<agent>`."""
        return f"{self.prefix}.delay"

    @property
    def retry(self) -> str:
        """Exchange: the key of the rung, kept."""
        return f"{self.prefix}.retry"

    @property
    def dead(self) -> str:
        """Exchange: `<agent>`."""
        return f"{self.prefix}.dead"

    @property
    def unrouted(self) -> str:
        """Exchange and queue: tasks for agents that nobody declared."""
        return f"{self.prefix}.unrouted"

    @property
    def results_log(self) -> str:
        """Stream: every terminal result of the last days."""
        return f"{self.prefix}.results.log"

    @property
    def control_log(self) -> str:
        """Stream: what was said on the control exchange, for hosts that start later."""
        return f"{self.prefix}.control.log"

    def task_queue(self, agent: str) -> str:
        """Return the name of the queue that `agent` consumes."""
        return f"{self.tasks}.{agent}"

    def dead_queue(self, agent: str) -> str:
        """Return the name of the queue that keeps what `agent` could not do."""
        return f"{self.dead}.{agent}"

    def delay_queue(self, rung_ms: int) -> str:
        """Return the name of one rung of the retry ladder."""
        return f"{self.delay}.{rung_ms}"

    def listener_queue(self, family: str, listener: str) -> str:
        """Return the name of a listener's own queue.

        `family` is replies, results, events, metrics, control or arrivals.
        """
        return f"{self.prefix}.{family}.to.{listener}"

    def delay_key(self, rung_ms: int, agent: str) -> str:
        """Return the routing key that sends a task of `agent` to one rung."""
        return f"{rung_ms}.{agent}"

    def shared(self) -> Plan:
        """Return what all agents of this prefix share."""
        topics = (
            self.results,
            self.events,
            self.metrics,
            self.control,
            self.delay,
            self.retry,
            self.dead,
            self.unrouted,
        )
        exchanges = (*map(Exchange, topics), Exchange(self.tasks, alternate=self.unrouted))
        rungs = tuple(
            Queue(self.delay_queue(ms), self._rung(ms), description=words.of_rung(ms)) for ms in self.rungs_ms
        )
        bindings = tuple(Binding(self.delay, self.delay_queue(ms), f"{ms}.#") for ms in self.rungs_ms)
        unrouted = Queue(self.unrouted, {**self._unlimited, **self._bounded}, description=words.UNROUTED)
        return Plan(exchanges, (*rungs, unrouted), (*bindings, Binding(self.unrouted, self.unrouted, "#")))

    def logs(self) -> tuple[Plan, ...]:
        """Return the streams, one plan each: they are optional, since a broker may have streams turned off."""
        # Keys of one word on the control exchange: what hosts tell each other of the moment is not worth keeping.
        kept = (
            (self.results, self.results_log, "#", words.RESULTS_LOG),
            (self.control, self.control_log, "*", words.CONTROL_LOG),
        )
        return tuple(
            Plan((Exchange(exchange),), (Queue(log, LOG_ARGUMENTS, description=told),), (Binding(exchange, log, keys),))
            for exchange, log, keys, told in kept
        )

    def agent(self, agent: str) -> Plan:
        """Return what one agent needs besides."""
        task, dead = self.task_queue(agent), self.dead_queue(agent)
        return Plan(
            queues=(
                Queue(task, self._task_arguments(agent), description=words.of_tasks(agent)),
                Queue(dead, self._unlimited, description=words.of_dead_letters(agent)),
            ),
            bindings=(
                Binding(self.tasks, task, agent),
                Binding(self.retry, task, f"*.{agent}"),
                Binding(self.dead, dead, agent),
            ),
        )

    def listener(self, family: str, listener: str, exchange: str | None, keys: tuple[str, ...]) -> Plan:
        """Return a listener's own queue, bound to `exchange` by `keys`."""
        name = self.listener_queue(family, listener)
        # Of the tasks' type: in a cluster, a classic one on a dead node would have every result to it refused.
        arguments: dict[str, Argument] = {
            **self._unlimited,
            "x-expires": LISTENER_EXPIRES_MS,
            "x-max-length": LISTENER_MAX_LENGTH,
        }
        queue = Queue(name, arguments, description=words.LISTENER)
        if exchange is None:
            return Plan(queues=(queue,))
        # The exchange too: who listens may be here before any agent is.
        bindings = tuple(Binding(exchange, name, key) for key in keys)
        return Plan((Exchange(exchange),), (queue,), bindings)

    def arrivals(self, listener: str, agents: tuple[str, ...]) -> Plan:
        """Return the queue in which a host hears that tasks have come for its agents, fresh or off the ladder."""
        name = self.listener_queue("arrivals", listener)
        # Exclusive, so that it goes with its host or its node: tasks are routed to it, and a task for a queue whose
        # node is down would be refused, one for a queue that nobody reads would seem to have arrived.
        arguments: dict[str, Argument] = {
            "x-queue-type": "classic",
            "x-max-length": ARRIVALS_MAX_LENGTH,
            "x-max-length-bytes": ARRIVALS_MAX_BYTES,
        }
        bindings = (
            binding
            for agent in agents
            for binding in (Binding(self.tasks, name, agent), Binding(self.retry, name, f"*.{agent}"))
        )
        queue = Queue(name, arguments, exclusive=True, description=words.ARRIVALS)
        return Plan(queues=(queue,), bindings=tuple(bindings))

    @property
    def _unlimited(self) -> dict[str, Argument]:
        limit = {"x-delivery-limit": NO_LIMIT} if self.queue_type is QueueType.QUORUM else {}
        return {"x-queue-type": self.queue_type.value, **limit}

    @property
    def _bounded(self) -> dict[str, Argument]:
        # drop-head, the broker's default, would throw away the highest priority and still confirm the publish.
        return {"x-max-length": MAX_LENGTH, "x-overflow": "reject-publish"}

    def _task_arguments(self, agent: str) -> dict[str, Argument]:
        if self.queue_type is QueueType.CLASSIC:
            return {"x-queue-type": "classic", "x-max-priority": MAX_PRIORITY, **self._bounded}
        # No x-max-priority here: every version refuses it. Beyond the delivery limit the broker itself dead-letters,
        # under a key of its own because a retried task carries the key of its rung.
        return {
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": self.dead,
            "x-dead-letter-routing-key": agent,
            "x-dead-letter-strategy": "at-least-once",
            **self._bounded,
        }

    def _rung(self, rung_ms: int) -> dict[str, Argument]:
        # Quorum whatever the task queues are: only there is a message kept until the next queue has confirmed it. From
        # a classic rung it is lost when the task queue is full, or when the node dies in that instant.
        return {
            "x-queue-type": QueueType.QUORUM.value,
            "x-message-ttl": rung_ms,
            "x-dead-letter-exchange": self.retry,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
