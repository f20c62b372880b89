"""How deep the agents' queues are, as the broker counts them."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from bus.broker import Broker, QueueInfo
from bus.errors import BusError
from bus.queue_infos import queue_infos
from bus.topology import Topology

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AgentQueues:
    """An agent's queues: `ready` tasks wait, `consumers` take them, `dead` letters lie beside."""

    ready: int
    consumers: int
    dead: int


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """What one look at the broker found; `unrouted` is None where it could not be had."""

    agents: dict[str, AgentQueues] = field(default_factory=dict)
    unrouted: int | None = None


class QueueWatch:
    """Looks at the queues when asked, at most every `kept_seconds`, and gives up a look after `look_seconds`."""

    def __init__(
        self,
        broker: Broker,
        topology: Topology,
        *,
        kept_seconds: float,
        look_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker = broker
        self._topology = topology
        self._kept_seconds = kept_seconds
        self._look_seconds = look_seconds
        self._clock = clock
        self._looking = asyncio.Lock()
        self._until = float("-inf")
        self._are_old = False
        self.figures = QueueFigures()

    async def look(self, agents: Iterable[str]) -> None:
        """Renew `figures` if they are old.

        A broker that does not answer leaves those of the look before, once: they are two looks old at most, and a
        hiccup does not look as if queues came and went. The next time, it leaves none.
        """
        async with self._looking:
            if self._clock() < self._until:
                return
            try:
                async with asyncio.timeout(self._look_seconds):
                    self.figures = await count_queues(self._broker, self._topology, agents)
                self._are_old = False
            except (BusError, TimeoutError) as error:
                log.warning("fleet.queues_unknown", reason=str(error) or "the broker did not answer in time")
                self.figures = QueueFigures() if self._are_old else self.figures
                self._are_old = True
            self._until = self._clock() + self._kept_seconds

    def forget(self) -> None:
        """Have no figures until the next look, which looks for certain."""
        self.figures = QueueFigures()
        self._until = float("-inf")


async def count_queues(broker: Broker, topology: Topology, agents: Iterable[str]) -> QueueFigures:
    """Return what lies in the queues of those agents that have one, and unrouted.

    Raises:
        BusError: the broker does not tell.
    """
    tasks = {agent: topology.task_queue(agent) for agent in agents}
    ready = await queue_infos(broker, [topology.unrouted, *tasks.values()])
    dead = {agent: topology.dead_queue(agent) for agent, queue in tasks.items() if queue in ready}
    letters = await queue_infos(broker, list(dead.values()))
    unrouted = ready.get(topology.unrouted)
    found = {agent: _figures(ready[tasks[agent]], letters.get(queue)) for agent, queue in dead.items()}
    return QueueFigures(found, None if unrouted is None else unrouted.ready)


def _figures(tasks: QueueInfo, dead: QueueInfo | None) -> AgentQueues:
    return AgentQueues(tasks.ready, tasks.consumers, 0 if dead is None else dead.ready)
