"""What went through an exchange, message by message, seen by a queue of the storm's own directly at the broker."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Final, Self

from bus.broker import Broker, Subscription
from bus.ending import end_tasks
from bus.errors import BusError
from bus.message import Delivery, Message
from bus.plan import Binding, Plan, Queue

PREFETCH: Final = 200


@dataclass(frozen=True, slots=True)
class Sighting:
    """One message that was published, at `at` in seconds since 1970."""

    at: float
    message: Message

    @property
    def task_id(self) -> str:
        """The task it is about: every message of the storm's tasks is correlated with it."""
        return self.message.correlation_id or ""


class Witness:
    """Sees all messages of one queue while its block runs, through restarts of the broker, each once.

    The queue is durable and without limits, unlike those of `bus.listener`: nothing may be missed here.
    """

    def __init__(self, broker: Broker, queue: str, exchange: str | None = None) -> None:
        """The queue gets all messages of `exchange`; None binds nothing, as for replies."""
        self.sightings: list[Sighting] = []
        self._broker = broker
        self._queue = queue
        bindings = () if exchange is None else (Binding(exchange, queue, "#"),)
        self._plan = Plan(queues=(Queue(queue, {"x-queue-type": "classic"}),), bindings=bindings)
        self._seen: set[str] = set()
        self._acks: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> Self:
        await self._broker.declare(self._plan)
        self._subscription = self._broker.subscribe(
            self._queue, self._receive, prefetch=PREFETCH, tag=self._queue, plan=self._plan
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._subscription is not None:
            await self._subscription.close()
        await end_tasks(self._acks)

    def _receive(self, delivery: Delivery) -> None:
        # A publish has an id of its own. What comes here again and is not marked was put into the queue twice.
        message_id = delivery.message.message_id or ""
        if not (delivery.redelivered and message_id in self._seen):
            self._seen.add(message_id)
            self.sightings.append(Sighting(time.time(), delivery.message))
        ack = asyncio.create_task(_ack(delivery), name=f"ack:{self._queue}")
        self._acks.add(ack)
        ack.add_done_callback(self._acks.discard)


async def _ack(delivery: Delivery) -> None:
    with contextlib.suppress(BusError):
        await delivery.ack()
