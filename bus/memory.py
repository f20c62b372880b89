"""The in-process broker: a peer of RabbitMQ under the same contract, for users' tests and for a first look.

It keeps priority, prefetch, redelivery to the old place, delay, dead letters, alternate exchanges, length limits and
mandatory publishing. It keeps nothing on disk, and queues of listeners (`x-expires`) stay until they are deleted.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Self

from bus.broker import ConsumerState, LinkState, OnState, QueueInfo
from bus.errors import BusError, ConnectionLost
from bus.memory_browsing import MemoryBrowse
from bus.memory_delivery import MemoryDelivery
from bus.memory_queue import MemoryQueue, QueueConsumer, Stored
from bus.memory_server import MemoryServer
from bus.message import Delivery, Message
from bus.plan import Plan


class MemorySubscription:
    """A consumer on an in-memory queue."""

    def __init__(
        self,
        server: MemoryServer,
        queue: str,
        on_delivery: Callable[[Delivery], None],
        prefetch: int,
        plan: Plan,
        on_state: OnState | None = None,
        *,
        paused: bool = False,
    ) -> None:
        self._server = server
        self._name = queue
        self._on_delivery = on_delivery
        self._prefetch = prefetch
        self._plan = plan
        self._held: dict[int, tuple[Stored, QueueConsumer | None]] = {}
        self._consumer: QueueConsumer | None = None
        self._on_state = on_state
        self._state = ConsumerState.PAUSED if paused else ConsumerState.STARTING
        if not paused:
            self.resume()

    @property
    def state(self) -> ConsumerState:
        """See `Subscription.state`."""
        return self._state

    def _enter(self, state: ConsumerState) -> None:
        if state is not self._state:
            self._state = state
            if self._on_state is not None:
                self._on_state(state)

    async def pause(self) -> None:
        """See `Subscription.pause`."""
        if self.state is not ConsumerState.STOPPED:
            self._leave(ConsumerState.PAUSED)

    def resume(self) -> None:
        """See `Subscription.resume`."""
        if self._consumer is not None or self.state is ConsumerState.STOPPED:
            return
        self._server.declare(self._plan)
        self._consumer = QueueConsumer(self._prefetch, self._take, self._cancelled)
        queue = self._server.queue(self._name)
        queue.consumers.append(self._consumer)
        self._enter(ConsumerState.CONSUMING)
        asyncio.get_running_loop().call_soon(queue.dispatch)

    async def fetch(self) -> int | None:
        """See `Subscription.fetch`."""
        queue = self._there()
        stored = queue.take()
        if stored is None:
            return None
        self._held[stored.position] = stored, None
        self._on_delivery(MemoryDelivery(stored, self))
        return queue.ready

    async def count(self) -> int:
        """See `Subscription.count`."""
        return self._there().ready

    def _there(self) -> MemoryQueue:
        if self.state is ConsumerState.STOPPED:
            raise ConnectionLost(f"the subscription to queue {self._name!r} is closed")
        self._server.declare(self._plan)
        return self._server.queue(self._name)

    async def close(self) -> None:
        """See `Subscription.close`."""
        self._leave(ConsumerState.STOPPED)
        self._return_all()

    def cut(self) -> None:
        """Lose the connection: what is held goes back, can no longer be settled, and is delivered again."""
        was_consuming = self._consumer is not None
        self._leave(ConsumerState.LOST if was_consuming else self.state)
        self._return_all()
        if was_consuming:
            self.resume()

    def _cancelled(self) -> None:
        """Come back after the queue was deleted: RabbitMQ cancels the consumer, which declares the queue again."""
        self._leave(ConsumerState.LOST)
        self._held = {}
        asyncio.get_running_loop().call_soon(self._come_back)

    def _come_back(self) -> None:
        if self.state is ConsumerState.LOST:
            self.resume()

    def holds(self, stored: Stored) -> bool:
        """Whether a delivery is unsettled and can still be settled."""
        return stored.position in self._held and self._held[stored.position][0] is stored

    def settle(self, stored: Stored, *, requeue: bool) -> None:
        """Settle one delivery. Raises ConnectionLost for one from before a cut."""
        if not self.holds(stored):
            raise ConnectionLost("the delivery belongs to a connection that is gone")
        _, consumer = self._held.pop(stored.position)
        if consumer is not None:
            consumer.unsettled.discard(stored.position)
        queue = self._queue()
        if queue is not None:
            if requeue:
                queue.put_back(stored)
            asyncio.get_running_loop().call_soon(queue.dispatch)

    def _take(self, stored: Stored) -> None:
        consumer = self._consumer
        if consumer is None:
            raise BusError(f"queue {self._name!r} gave a message to a consumer that has left")
        self._held[stored.position] = stored, consumer
        self._on_delivery(MemoryDelivery(stored, self))

    def _leave(self, state: ConsumerState) -> None:
        queue = self._queue()
        if queue is not None and self._consumer in queue.consumers:
            queue.consumers.remove(self._consumer)
        self._consumer = None
        self._enter(state)

    def _return_all(self) -> None:
        queue, held = self._queue(), self._held
        self._held = {}
        if queue is not None:
            for stored, _ in held.values():
                queue.put_back(stored)
            asyncio.get_running_loop().call_soon(queue.dispatch)

    def _queue(self) -> MemoryQueue | None:
        return self._server.queues.get(self._name)


class MemoryBroker:
    """One connection to an in-memory server. Used inside `async with`."""

    def __init__(self, name: str = "") -> None:
        """`name`: which server of this process; connections to the same name share its queues."""
        self._name = name
        self._server = MemoryServer.named(name)
        self._subscriptions: list[MemorySubscription] = []
        self._browses: set[MemoryBrowse] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for subscription in self._subscriptions:
            await subscription.close()

    @property
    def description(self) -> str:
        """See `Broker.description`."""
        return f"in-memory broker memory://{self._name} (nothing leaves this process)"

    @property
    def links(self) -> Mapping[str, LinkState]:
        """See `Broker.links`."""
        return {"consuming": LinkState.CONNECTED, "publishing": LinkState.CONNECTED}

    async def declare(self, plan: Plan) -> None:
        """See `Broker.declare`."""
        self._server.declare(plan)

    async def queue_info(self, name: str) -> QueueInfo | None:
        """See `Broker.queue_info`."""
        return self._server.info(name)

    async def delete_queue(self, name: str) -> None:
        """See `Broker.delete_queue`."""
        self._server.delete_queue(name)

    async def publish(
        self,
        exchange: str,
        key: str,
        message: Message,
        *,
        mandatory: bool = True,
        timeout: float | None = 30.0,  # noqa: ARG002 - the contract's; nothing here can take time
        again: Message | None = None,  # noqa: ARG002 - the contract's; nothing here is tried twice
        once: bool = False,  # noqa: ARG002 - the same
    ) -> None:
        """See `Broker.publish`."""
        self._server.publish(exchange, key, message, mandatory=mandatory)

    def announce(self, exchange: str, key: str, message: Message) -> None:
        """See `Broker.announce`."""
        with contextlib.suppress(BusError):
            self._server.publish(exchange, key, message, mandatory=False)

    def subscribe(
        self,
        queue: str,
        on_delivery: Callable[[Delivery], None],
        *,
        prefetch: int,
        tag: str,  # noqa: ARG002 - the contract's; nobody looks at tags here
        plan: Plan,
        on_state: OnState | None = None,
        paused: bool = False,
    ) -> MemorySubscription:
        """See `Broker.subscribe`."""
        subscription = MemorySubscription(self._server, queue, on_delivery, prefetch, plan, on_state, paused=paused)
        self._subscriptions = [other for other in self._subscriptions if other.state is not ConsumerState.STOPPED]
        self._subscriptions.append(subscription)
        return subscription

    @contextlib.asynccontextmanager
    async def browse(self, queue: str) -> AsyncIterator[AsyncIterator[Delivery]]:
        """See `Broker.browse`."""
        browse = MemoryBrowse(self._server, queue)
        self._browses.add(browse)
        try:
            async with contextlib.aclosing(browse.deliveries()) as waiting:
                yield waiting
        finally:
            self._browses.discard(browse)
            browse.close()

    async def read_log(self, name: str, since: datetime) -> AsyncGenerator[Message, None]:
        """See `Broker.read_log`."""
        for message in self._server.log(name).since(since):
            yield message

    def cut(self) -> None:
        """Lose the connection and get it back: what RabbitMQ does to unsettled deliveries when TCP breaks."""
        for subscription in self._subscriptions:
            subscription.cut()
        for browse in self._browses:
            browse.close()
