"""A delivery of RabbitMQ as the bus sees it, and what its headers tell of its way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import ChannelInvalidStateError

from bus.amqp_errors import mapped_errors
from bus.message import Message


@dataclass(frozen=True, slots=True)
class RabbitDelivery:
    """A delivery of aio-pika behind the bus's own face."""

    message: Message
    routing_key: str
    redelivered: bool
    _incoming: AbstractIncomingMessage

    @property
    def alive(self) -> bool:
        """See `Delivery.alive`."""
        try:
            return not self._incoming.channel.is_closed
        except ChannelInvalidStateError:  # aio-pika's word for a closed channel
            return False

    async def ack(self) -> None:
        """See `Delivery.ack`."""
        with mapped_errors("acknowledging a delivery"):
            await self._incoming.ack()

    async def requeue(self) -> None:
        """See `Delivery.requeue`."""
        with mapped_errors("handing back a delivery"):
            await self._incoming.nack(requeue=True)


def delivery_of(incoming: AbstractIncomingMessage) -> RabbitDelivery:
    """Read aio-pika's message into the bus's own."""
    message = Message(
        body=incoming.body,
        type=incoming.type,
        content_type=incoming.content_type,
        priority=incoming.priority,
        correlation_id=incoming.correlation_id,
        reply_to=incoming.reply_to,
        message_id=incoming.message_id,
        app_id=incoming.app_id,
        user_id=incoming.user_id,
        content_encoding=incoming.content_encoding,
        expiration=_milliseconds(incoming.expiration),
        timestamp=incoming.timestamp,
        headers=dict(incoming.headers),
    )
    return RabbitDelivery(message, incoming.routing_key or "", bool(incoming.redelivered), incoming)


def left_ladder_before(headers: Mapping[str, Any], moment: datetime) -> bool:
    """Whether a message came off a rung at or before `moment`, by the broker's clock, which tells whole seconds.

    A rung that is interrupted in the instant of the move, as by a restart, makes it again, and neither message is
    marked as redelivered. What has left it before a consumer's channel was opened may have been handed out before.
    """
    deaths = headers.get("x-death")
    latest = deaths[0] if isinstance(deaths, list) and deaths else None
    left = latest.get("time") if isinstance(latest, Mapping) else None
    return isinstance(left, datetime) and left.tzinfo is not None and left <= moment


def _milliseconds(seconds: object) -> str | None:
    # aio-pika makes seconds of the property's text.
    return str(round(seconds * 1000)) if isinstance(seconds, int | float) else None
