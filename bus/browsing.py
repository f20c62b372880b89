"""Looking at what waits in a RabbitMQ queue, one message after the other, without consuming it."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from aio_pika.abc import AbstractQueue

from bus.amqp_errors import mapped_errors
from bus.connection import RPC_TIMEOUT_SECONDS, Connection
from bus.message import Delivery
from bus.rabbit_delivery import delivery_of


@contextlib.asynccontextmanager
async def browsing(connection: Connection, queue: str) -> AsyncIterator[AsyncIterator[Delivery]]:
    """Iterate over the messages of `queue`; see `Broker.browse`. The iterator raises ConnectionLost: start again.

    Each message costs one way to the broker and back, and only the one at hand is kept in memory. A quorum queue counts
    each look as a delivery and mixes up the order of what returns.
    """
    # A channel of its own: its end returns all that was not settled on it.
    async with connection.channel() as channel:
        with mapped_errors(f"looking into queue {queue!r}"):
            found = await channel.declare_queue(queue, passive=True, timeout=RPC_TIMEOUT_SECONDS)
        async with contextlib.aclosing(_deliveries(found)) as waiting:
            yield waiting


async def _deliveries(queue: AbstractQueue) -> AsyncGenerator[Delivery, None]:
    while True:
        with mapped_errors(f"looking into queue {queue.name!r}"):
            incoming = await queue.get(fail=False, timeout=RPC_TIMEOUT_SECONDS)
        if incoming is None:
            return
        yield delivery_of(incoming)
