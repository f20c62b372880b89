"""An AMQP message and its delivery, free of any library's types: what the codec makes and the brokers carry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """Body and properties.

    `message_id` is left to the broker's side where we publish: it must be unique for each publish. `user_id` and
    `expiration` (milliseconds, as text) are read and never sent: RabbitMQ checks the first against the sender's login,
    and the second would have a task vanish without a result. `state_of` is not sent either: it names what the message
    tells the state of, so that one that waits to be announced gives way to the next; None for what tells no state.
    """

    body: bytes
    type: str | None = None
    content_type: str | None = "application/json"
    priority: int | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    message_id: str | None = None
    app_id: str | None = None
    user_id: str | None = None
    content_encoding: str | None = None
    expiration: str | None = None
    timestamp: datetime | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    persistent: bool = True
    state_of: str | None = None


class Delivery(Protocol):
    """A message in this process's hands. It is settled once: acked, or handed back to its queue."""

    @property
    def message(self) -> Message:
        """The message as it was published."""

    @property
    def routing_key(self) -> str:
        """The key it was published with, or the key of the rung it came back from."""

    @property
    def redelivered(self) -> bool:
        """Whether the broker has handed it to somebody before."""

    @property
    def alive(self) -> bool:
        """Whether it can still be settled: its channel is open, as far as is known here."""

    async def ack(self) -> None:
        """Tell the broker that it is done.

        Raises:
            ConnectionLost: its channel is gone; the broker delivers it again.
        """

    async def requeue(self) -> None:
        """Give it back to its queue, at its old place.

        Raises:
            ConnectionLost: its channel is gone; it is back in its queue already.
        """
