"""Publishing over RabbitMQ: confirmed, mandatory and windowed; and announcements that nobody waits for."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Self

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, DeliveryMode

from bus.alarm import ALARM
from bus.amqp_errors import mapped_errors
from bus.announcements import Announcement, Announcements
from bus.broker import LinkState
from bus.connection import Connection, close_quietly
from bus.ending import end_tasks
from bus.errors import BusError, ConnectionLost, MessageTooLarge, PublishTimeout, QueueFull, TopologyError
from bus.message import Message

log = structlog.get_logger(__name__)

WINDOW: Final = 256
"""Publishes that may wait for their confirm at once: 5 to 10 thousand a second, against 2 one at a time."""

RETRY_PAUSE_SECONDS: Final = 0.05
"""Between two tries of one publish; waiting for the connection itself has its own back-off."""

_AWAY: Final = "it is away, or too busy"


@dataclass(slots=True, eq=False)
class _Shared:
    """A channel with confirms, and how many publishes wait for theirs on it."""

    channel: AbstractChannel
    users: int = 0


class Publisher:
    """Publishes through one connection, on one channel with confirms and one without. Used inside `async with`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._window = asyncio.Semaphore(WINDOW)
        self._opening = asyncio.Lock()
        self._shared: _Shared | None = None
        self._announcing: AbstractChannel | None = None
        self._announcements = Announcements()
        self._announcer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._announcer = asyncio.create_task(self._announce_all(), name="amqp:announcements")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        # A broker in an alarm reads nothing, neither what waits to go out nor that a channel closes.
        is_heard = self._connection.state is not LinkState.BLOCKED
        if is_heard:
            await self._flush_announcements()
        if self._announcer is not None:
            await end_tasks([self._announcer])
        self._announcements.end_spell()
        if is_heard:
            await self._close_channels()

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
        """Publish and wait for the confirm; see `Broker.publish`."""
        try:
            async with asyncio.timeout(timeout), self._window:
                await self._until_confirmed(exchange, key, message, again or message, mandatory=mandatory, once=once)
        except TimeoutError as error:
            raise PublishTimeout(
                f"the broker did not confirm a message to {exchange or key!r} within {timeout:g} s: "
                + (ALARM if self._connection.state is LinkState.BLOCKED else _AWAY)
            ) from error

    def announce(self, exchange: str, key: str, message: Message) -> None:
        """Publish without waiting; see `Broker.announce`."""
        self._announcements.add(exchange, key, message)

    async def _until_confirmed(
        self, exchange: str, key: str, message: Message, again: Message, *, mandatory: bool, once: bool
    ) -> None:
        to_send = message
        while True:
            if once and self._connection.state not in (LinkState.CONNECTED, LinkState.BLOCKED):
                raise ConnectionLost(f"the connection is away while publishing to {exchange or key!r}")
            try:
                # What is sent to a blocked connection lies in its socket: it would arrive after its timeout as well,
                # and with enough of it there, heartbeats cannot pass and the connection dies.
                await self._connection.until_writable()
                async with self._confirming_channel() as channel:
                    sending, to_send = to_send, again
                    await _publish_on(channel, exchange, key, sending, mandatory=mandatory)
            except MessageTooLarge as error:
                # The channel is closed for all that wait on it: the size tells whose message it was.
                if re.search(rf"\b{len(message.body)}\b", str(error)):
                    raise
                log.warning("publish.retrying", exchange=exchange, key=key, reason=str(error))
            except (ConnectionLost, TopologyError) as error:
                if self._connection.state is LinkState.CLOSED or (once and isinstance(error, ConnectionLost)):
                    raise
                if isinstance(error, TopologyError) and not _is_about_another(error, exchange):
                    raise
                log.warning("publish.retrying", exchange=exchange, key=key, reason=str(error))
                await asyncio.sleep(RETRY_PAUSE_SECONDS)
            else:
                return

    @contextlib.asynccontextmanager
    async def _confirming_channel(self) -> AsyncIterator[AbstractChannel]:
        """Lend the channel with confirms. One on which a message was refused is not lent again.

        RabbitMQ 3.10 refuses all to a quorum queue on a channel whose first publish there met the election of a leader.
        """
        lent = await self._shared_channel()
        lent.users += 1
        try:
            yield lent.channel
        except QueueFull:
            self._shared = None if self._shared is lent else self._shared
            raise
        finally:
            lent.users -= 1
            if lent is not self._shared and not lent.users:
                await close_quietly(lent.channel)

    async def _shared_channel(self) -> "_Shared":
        async with self._opening:
            if self._shared is None or self._shared.channel.is_closed:
                self._shared = _Shared(await self._connection.open_channel(confirms=True))
            return self._shared

    async def _announce_all(self) -> None:
        while True:
            await self._announcements.until_any()
            # The channel first: a state that is taken out and then waits for one would be an old one by then.
            channel = await self._announcing_channel()
            with self._announcements.first() as announcement:
                await self._announce(channel, announcement)

    async def _announce(self, channel: AbstractChannel, announcement: Announcement) -> None:
        try:
            # Once only: what is lost from here on may have arrived.
            await _publish_on(channel, *announcement, mandatory=False)
        except (BusError, ValueError) as error:  # ValueError: a routing key of more than 255 bytes
            self._announcements.note_loss()
            log.debug("announcement.failed", exchange=announcement.exchange, reason=str(error))

    async def _announcing_channel(self) -> AbstractChannel:
        while True:
            try:
                await self._connection.until_writable()
                if self._announcing is None or self._announcing.is_closed:
                    self._announcing = await self._connection.open_channel()
            except BusError:
                # A dead connection that its supervisor has not noticed yet refuses at once, without giving way.
                await asyncio.sleep(RETRY_PAUSE_SECONDS)
            else:
                return self._announcing

    async def _close_channels(self) -> None:
        channels = (self._shared.channel if self._shared else None, self._announcing)
        await asyncio.gather(*(close_quietly(channel) for channel in channels if channel is not None))

    async def _flush_announcements(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._announcements.until_none()


def _is_about_another(error: TopologyError, exchange: str) -> bool:
    """Whether the channel was closed because of somebody else's publish, to another exchange, on the same channel."""
    named = re.search(r"exchange '([^']*)'", str(error))
    return named is not None and named[1] != (exchange or "amq.default")


async def _publish_on(channel: AbstractChannel, exchange: str, key: str, message: Message, *, mandatory: bool) -> None:
    with mapped_errors(f"publishing to {exchange or key!r}"):
        target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
        await target.publish(_amqp_message(message), routing_key=key, mandatory=mandatory)


def _amqp_message(message: Message) -> aio_pika.Message:
    return aio_pika.Message(
        message.body,
        headers=dict(message.headers),
        content_type=message.content_type,
        delivery_mode=DeliveryMode.PERSISTENT if message.persistent else DeliveryMode.NOT_PERSISTENT,
        priority=message.priority,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        message_id=message.message_id,
        app_id=message.app_id,
        content_encoding=message.content_encoding,
        timestamp=message.timestamp,
        type=message.type,
    )
