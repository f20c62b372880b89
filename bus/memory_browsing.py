"""Looking at what waits in an in-memory queue; the peer of `bus.browsing`."""

import asyncio
from collections.abc import AsyncGenerator

from bus.errors import ConnectionLost
from bus.memory_queue import Stored
from bus.memory_server import MemoryServer
from bus.message import Delivery, Message


class MemoryBrowse:
    """One look into a queue. What was taken and not acked goes back to its old place when it is closed."""

    def __init__(self, server: MemoryServer, queue: str) -> None:
        """Raises TopologyError: there is no such queue."""
        self._server = server
        self._name = queue
        self._queue = server.queue(queue)
        self._held: dict[int, Stored] = {}
        self._open = True

    async def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """Iterate over what waits. Raises ConnectionLost once it is closed, TopologyError where the queue is gone."""
        while self._open:
            stored = self._server.queue(self._name).take()
            if stored is None:
                return
            self._held[stored.position] = stored
            yield BrowsedDelivery(stored, self)
        raise ConnectionLost(f"the connection was lost while looking into queue {self._name!r}")

    def close(self) -> None:
        """Return what is unsettled."""
        self._open = False
        for stored in tuple(self._held.values()):
            self.settle(stored, requeue=True)

    def holds(self, stored: Stored) -> bool:
        """Whether a delivery is unsettled and can still be settled."""
        return stored.position in self._held

    def settle(self, stored: Stored, *, requeue: bool) -> None:
        """Settle one delivery. Raises ConnectionLost for one that has gone back already."""
        if self._held.pop(stored.position, None) is None:
            raise ConnectionLost("the delivery belongs to a connection that is gone")
        # What was taken out of a deleted queue is gone with it.
        if requeue and self._server.queues.get(self._name) is self._queue:
            self._queue.put_back(stored)
            asyncio.get_running_loop().call_soon(self._queue.dispatch)


class BrowsedDelivery:
    """A delivery that was taken to be looked at."""

    def __init__(self, stored: Stored, browse: MemoryBrowse) -> None:
        self._stored = stored
        self._browse = browse

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
        return self._browse.holds(self._stored)

    async def ack(self) -> None:
        """See `Delivery.ack`."""
        self._browse.settle(self._stored, requeue=False)

    async def requeue(self) -> None:
        """See `Delivery.requeue`."""
        self._browse.settle(self._stored, requeue=True)
