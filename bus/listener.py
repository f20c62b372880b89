"""A queue of one's own, bound to results, events or metrics, and read as an async iterator."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, Generic, Self, TypeVar
from uuid import uuid4

import structlog

from bus.broker import Broker, ConsumerState, OnState, Subscription
from bus.ending import end_tasks
from bus.errors import BusError, ConnectionLost, DecodeError
from bus.message import Delivery, Message
from bus.topology import Topology

log = structlog.get_logger(__name__)

PREFETCH: Final = 100
"""This many messages hide the way to the broker. What is not read yet stays with the broker beyond that."""

T = TypeVar("T")


class Listener(Generic[T]):
    """Receives messages of one family in the order of their arrival. Used inside `async with`.

    Its queue outlives a cut connection (for `LISTENER_EXPIRES_MS`), so a reconnect misses nothing; what was being
    delivered at the cut comes twice. It is deleted at the end.
    """

    def __init__(
        self,
        broker: Broker,
        topology: Topology,
        family: str,
        decode: Callable[[Message], T],
        *,
        exchange: str | None = None,
        keys: tuple[str, ...] = (),
        name: str | None = None,
        on_state: OnState | None = None,
    ) -> None:
        """`exchange` None binds nothing: messages come by the queue's own name, as replies do."""
        listener = name or uuid4().hex[:12]
        self.queue = topology.listener_queue(family, listener)
        self._plan = topology.listener(family, listener, exchange, keys)
        self._broker = broker
        self._decode = decode
        self._received: asyncio.Queue[tuple[T, Delivery]] = asyncio.Queue()
        self._on_state = on_state
        self._changed = asyncio.Event()
        self._acks: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> Self:
        await self._broker.declare(self._plan)
        self._subscription = self._broker.subscribe(
            self.queue,
            self._receive,
            prefetch=PREFETCH,
            tag=self.queue,
            plan=self._plan,
            on_state=self._note_state,
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._subscription is not None:
            await self._subscription.close()
        await end_tasks(self._acks)
        try:
            async with asyncio.timeout(2):
                await self._broker.delete_queue(self.queue)
        except (BusError, TimeoutError) as error:
            # Cut off, or its node in a cluster is down. It expires by itself.
            log.debug("listener.left_behind", queue=self.queue, reason=str(error))

    async def __aiter__(self) -> AsyncIterator[T]:
        while True:
            yield await self.next()

    async def next(self) -> T:
        """Return the next message. Cancelling the wait loses none, which cannot be said of the iterator."""
        value, delivery = await self._received.get()
        self._ack(delivery)
        return value

    async def until_consuming(self) -> None:
        """Wait until messages come, again if they did not for a while."""
        while self._subscription is None or self._subscription.state is not ConsumerState.CONSUMING:
            self._changed.clear()
            await self._changed.wait()

    def _note_state(self, state: ConsumerState) -> None:
        if state is ConsumerState.LOST:
            log.warning("listener.lost", queue=self.queue)
        self._changed.set()
        if self._on_state is not None:
            self._on_state(state)

    def _receive(self, delivery: Delivery) -> None:
        try:
            self._received.put_nowait((self._decode(delivery.message), delivery))
        except DecodeError as error:
            log.warning("listener.unreadable", queue=self.queue, reason=str(error))
            self._ack(delivery)

    def _ack(self, delivery: Delivery) -> None:
        ack = asyncio.create_task(_ack(delivery), name=f"ack:{self.queue}")
        self._acks.add(ack)
        ack.add_done_callback(self._acks.discard)


async def _ack(delivery: Delivery) -> None:
    try:
        await delivery.ack()
    except ConnectionLost as error:
        log.debug("listener.ack_lost", reason=str(error))
