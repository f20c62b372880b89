"""Looking at what waits in an in-memory queue; the peer of `bus.browsing`."""

import asyncio
from collections.abc import AsyncGenerator

from bus.errors import ConnectionLost
from bus.memory_delivery import MemoryDelivery
from bus.memory_queue import Stored
from bus.memory_server import MemoryServer
from bus.message import Delivery


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
            yield MemoryDelivery(stored, self)
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
