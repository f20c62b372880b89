"""A host's ear for tasks that come to its agents' queues: it hears of each, with its priority, and takes none."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Self
from uuid import uuid4

import structlog

from bus.broker import Broker, ConsumerState, Subscription
from bus.ending import end_tasks
from bus.errors import BusError, ConnectionLost, TopologyError
from bus.message import Delivery
from bus.routing_keys import agent_of
from bus.topology import MAX_PRIORITY, Topology

log = structlog.get_logger(__name__)

PREFETCH: Final = 100
"""This many arrivals hide the way to the broker."""

DELETE_SECONDS: Final = 2.0


class Arrivals:
    """Calls `on_arrival` with agent and priority of each task that is published or comes off the ladder.

    Used inside `async with`, once the agents' queues are there. `on_gap` is called when some may have been missed: at
    the start, at a loss, and after it. Without the right to have a queue of its own for this, it says so once and
    stays deaf.
    """

    def __init__(
        self,
        broker: Broker,
        topology: Topology,
        host: str,
        agents: Sequence[str],
        on_arrival: Callable[[str, int], None],
        on_gap: Callable[[], None],
    ) -> None:
        self._broker = broker
        self._plan = topology.arrivals(f"{host}-{uuid4().hex[:4]}", tuple(agents))
        self.queue = self._plan.queues[0].name
        """Its own queue, which goes with it."""
        self._on_arrival = on_arrival
        self._on_gap = on_gap
        self._acks: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None

    @property
    def is_deaf(self) -> bool:
        """Whether nothing is heard, for want of a right."""
        return self._subscription is None

    async def __aenter__(self) -> Self:
        try:
            await self._broker.declare(self._plan)
        except TopologyError as error:
            log.warning("arrivals.unheard", reason=str(error), effect="an urgent task may wait some seconds longer")
            return self
        self._subscription = self._broker.subscribe(
            self.queue, self._hear, prefetch=PREFETCH, tag=self.queue, plan=self._plan, on_state=self._note_state
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._subscription is None:
            return
        await self._subscription.close()
        await end_tasks(self._acks)
        with suppress(BusError, TimeoutError):  # it goes with its connection in any case
            async with asyncio.timeout(DELETE_SECONDS):
                await self._broker.delete_queue(self.queue)

    def _note_state(self, state: ConsumerState) -> None:
        if state in (ConsumerState.LOST, ConsumerState.CONSUMING):
            self._on_gap()

    def _hear(self, delivery: Delivery) -> None:
        priority = min(delivery.message.priority or 0, MAX_PRIORITY)
        self._on_arrival(agent_of(delivery.routing_key), priority)
        ack = asyncio.create_task(_ack(delivery), name=f"ack:{self.queue}")
        self._acks.add(ack)
        ack.add_done_callback(self._acks.discard)


async def _ack(delivery: Delivery) -> None:
    with suppress(ConnectionLost):
        await delivery.ack()
