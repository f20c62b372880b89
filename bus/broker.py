"""The seam between the bus and what carries it. RabbitMQ and the in-memory broker both stand behind it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self

from bus.message import Delivery, Message
from bus.plan import Plan

DEFAULT_EXCHANGE = ""
"""Routes by queue name: the way of a reply to `reply_to`."""


class ConsumerState(StrEnum):
    """What a subscription does at the moment; shown in reports."""

    STARTING = "starting"
    CONSUMING = "consuming"
    PAUSED = "paused"
    FULL = "full"
    """Paused by its host, which holds as many tasks as it may; see `bus.intake`. No subscription itself says this."""
    LOST = "lost"
    STOPPED = "stopped"


OnState = Callable[[ConsumerState], None]
"""Called with each new state of a subscription, from the event loop; it must not raise."""


class LinkState(StrEnum):
    """What a connection to the broker does at the moment."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    BLOCKED = "blocked"
    """Connected, but the broker takes no publishes: a memory or disk alarm."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """A queue as the broker sees it: `ready` messages wait in it, `consumers` take from it."""

    name: str
    ready: int
    consumers: int


class Subscription(Protocol):
    """One consumer on one queue. It comes back by itself after a lost connection, channel, consumer or queue."""

    @property
    def state(self) -> ConsumerState:
        """What it does at the moment."""

    async def pause(self) -> None:
        """Stop deliveries; what is held stays held and can be settled.

        Returns once the broker has stopped, or `resume` has been called meanwhile.
        """

    def resume(self) -> None:
        """Ask for deliveries again."""

    async def fetch(self) -> int | None:
        """Take one message now, consuming or paused: it comes as a delivered one does, whatever the prefetch.

        Returns how many are left in the queue; None: there was none to take. Waits for a connection that is away. What
        a caller asked for who is cancelled meanwhile still comes.

        Raises:
            BusError: it could not be asked for; try again.
        """

    async def count(self) -> int:
        """Return how many messages wait in the queue. Waits for a connection that is away.

        Raises:
            BusError: it could not be asked for; try again.
        """

    async def close(self) -> None:
        """Stop for good. What is still unsettled goes back to the queue."""


class Broker(Protocol):
    """A connected broker. All methods may be called from many tasks at once."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    @property
    def description(self) -> str:
        """Where this is, without secrets, for people."""

    @property
    def links(self) -> Mapping[str, LinkState]:
        """The connections by what they are for, `consuming` and `publishing`; shown in reports."""

    async def declare(self, plan: Plan) -> None:
        """Make sure that all of `plan` exists, by declaring it or, without the right to, by checking the queues.

        Raises:
            TopologyError: something exists with other arguments, or is missing and may not be made.
        """

    async def queue_info(self, name: str) -> QueueInfo | None:
        """Return the state of a queue, or None where there is none."""

    async def delete_queue(self, name: str) -> None:
        """Delete a queue and what is in it; a missing one is fine."""

    async def publish(
        self,
        exchange: str,
        key: str,
        message: Message,
        *,
        mandatory: bool = True,
        timeout: float | None = 30.0,
        again: Message | None = None,
        once: bool = False,
    ) -> None:
        """Publish and wait for the broker's confirm. A lost connection in between is waited out and tried again.

        The broker may then have the message twice. `again` is what is sent in its place from the second try on, so
        that the second one can say so. `once`: it is not tried again, nor waited for a connection that is away.

        Raises:
            ConnectionLost: `once`, and the connection is away or was lost; the message may still arrive.
            Unroutable: `mandatory`, and no queue took it.
            QueueFull: a queue refused it.
            PublishTimeout: no confirm within `timeout` seconds (None waits for ever); it may still arrive.
            TopologyError: there is no such exchange, or it may not be written to.
        """

    def announce(self, exchange: str, key: str, message: Message) -> None:
        """Publish without waiting and without a promise: reports and events. Never blocks, never raises.

        While the broker takes nothing, of what tells a state (`Message.state_of`) the last word waits for it.
        """

    def subscribe(
        self,
        queue: str,
        on_delivery: Callable[[Delivery], None],
        *,
        prefetch: int,
        tag: str,
        plan: Plan,
        on_state: OnState | None = None,
        paused: bool = False,
    ) -> Subscription:
        """Start to consume `queue`; `plan` is declared first, and again whenever the subscription comes back.

        One that begins `paused` takes nothing before `resume` or `fetch`.
        """

    def browse(self, queue: str) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """Look at what waits in a queue, one after the other in its order, until there is no more.

        Within the block a delivery may be acked, which removes it. What is not settled returns at the end of the
        block, marked as redelivered, to its old place (quorum queues mix up the order); meanwhile nobody else sees it.

        Raises:
            TopologyError: there is no such queue.
        """

    def read_log(self, name: str, since: datetime) -> AsyncGenerator[Message, None]:
        """Read a log (a stream) from `since` up to what was confirmed before the call, without taking anything.

        The broker keeps times for chunks, not for messages, so some from before `since` may come first. Who leaves
        early closes it: `contextlib.aclosing`.

        Raises:
            TopologyError: there is no such log.
        """
