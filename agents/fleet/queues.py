"""How deep the agents' queues are, as the broker counts them."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog

from bus.broker import Broker
from bus.errors import BusError
from bus.topology import Topology

log = structlog.get_logger(__name__)

AT_ONCE: Final = 8
"""Agents whose queues are asked for at a time: one after the other, a broker 20 ms away would take 15 s for 131."""


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
                    self.figures = await self._counted(agents)
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

    async def _counted(self, agents: Iterable[str]) -> QueueFigures:
        names, found = list(agents), dict[str, AgentQueues | None]()
        for some in (names[at : at + AT_ONCE] for at in range(0, len(names), AT_ONCE)):
            found.update(zip(some, await asyncio.gather(*map(self._queues_of, some)), strict=True))
        unrouted = await self._broker.queue_info(self._topology.unrouted)
        known = {agent: queues for agent, queues in found.items() if queues is not None}
        return QueueFigures(known, None if unrouted is None else unrouted.ready)

    async def _queues_of(self, agent: str) -> AgentQueues | None:
        tasks = await self._broker.queue_info(self._topology.task_queue(agent))
        if tasks is None:
            return None
        dead = await self._broker.queue_info(self._topology.dead_queue(agent))
        return AgentQueues(tasks.ready, tasks.consumers, 0 if dead is None else dead.ready)
