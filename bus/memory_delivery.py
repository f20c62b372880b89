"""A delivery from a queue of the in-memory broker, whoever has taken it."""

from typing import Protocol

from bus.memory_queue import Stored
from bus.message import Message


class Holder(Protocol):
    """Who has taken messages out of a queue, and settles them."""

    def holds(self, stored: Stored) -> bool:
        """Whether a delivery is unsettled and can still be settled."""

    def settle(self, stored: Stored, *, requeue: bool) -> None:
        """Settle one delivery. Raises ConnectionLost for one that has gone back already."""


class MemoryDelivery:
    """See `bus.message.Delivery`."""

    def __init__(self, stored: Stored, holder: Holder) -> None:
        self._stored = stored
        self._holder = holder

    @property
    def message(self) -> Message:
        """See `Delivery.message`."""
        return self._stored.message

    @property
    def routing_key(self) -> str:
        """See `Delivery.routing_key`."""
        return self._stored.key

    @property
    def redelivered(self) -> bool:
        """See `Delivery.redelivered`."""
        return self._stored.redelivered

    @property
    def alive(self) -> bool:
        """See `Delivery.alive`."""
        return self._holder.holds(self._stored)

    async def ack(self) -> None:
        """See `Delivery.ack`."""
        self._holder.settle(self._stored, requeue=False)

    async def requeue(self) -> None:
        """See `Delivery.requeue`."""
        self._holder.settle(self._stored, requeue=True)
